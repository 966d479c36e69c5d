# Everything that people and CI do with this repository. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Static binaries, so that an image is one file. The explicit target keeps build scripts and macros out of it.
TARGET := x86_64-unknown-linux-gnu
STATIC := CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+crt-static" cargo build --quiet --release --target $(TARGET)
RELEASE := target/$(TARGET)/release

# Stories at the same time. They mostly wait, so more than there are cores.
STORIES := 8
# Real pods do not wait, they work; and the network of each is compiled anew.
REAL_STORIES := 4

step = @printf '\n\033[1m── %s\033[0m\n' "$(1)"

.PHONY: help demo test generate lint unit binaries cluster-sim cluster-real clean-clusters e2e e2e-sim e2e-real readme chart install

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## (.*)/\1\t\2/' | expand -t 18

demo: ## See the operator at work on a simulated cluster, in about a minute (the first time builds Kubernetes: minutes)
	@hack/demo

test: lint unit chart install e2e readme ## Run everything that CI runs
	$(call step,All green)

cluster-sim: ## Start a real control plane with simulated nodes and pods; `clusters/sim down` stops it
	@clusters/sim up

cluster-real: ## Start a one-node cluster with real pods in its own network namespace (root); `clusters/real down` stops it
	@clusters/real up

clean-clusters: ## Stop the clusters that tests, demo and people started
	@for name in sim demo install guide e2e e2e-apart e2e-bare; do clusters/sim --name $$name down; done
	@if [ "$$(id -u)" = 0 ]; then clusters/real down; fi

generate: ## Refresh everything that is generated from the API types
	@hack/generate

lint: ## Formatting, clippy, generated files
	$(call step,Formatting and lints)
	@cargo fmt --all --check
	@cargo clippy --quiet --workspace --all-targets -- -D warnings
	$(call step,Generated files are up to date)
	@hack/generate --check

unit: ## Tests that need no cluster
	$(call step,Unit, property and golden tests)
	@cargo test --quiet --workspace --lib --bins --test cli
	@CARGO_TARGET_DIR=target cargo test --quiet -p testserver

binaries: ## Static release binaries of the operator and the test server
	$(call step,Static binaries)
	@$(STATIC) --workspace --bins
	@ls -l $(RELEASE)/microservice-operator $(RELEASE)/testserver | awk '{print $$5, $$9}'

chart: ## Chart and kustomize: schema, golden renders
	$(call step,Chart and kustomize)
	@hack/test-chart

install: binaries ## Install, upgrade, roll back and uninstall with Helm 3, Helm 4 and kustomize; check the samples
	$(call step,Installation and samples)
	@clusters/sim --name install up >/dev/null
	@trap 'clusters/sim --name install down' EXIT; export KUBECONFIG=$$(clusters/sim --name install kubeconfig); \
	  hack/test-install; OPERATOR_BIN=$(CURDIR)/$(RELEASE)/microservice-operator hack/test-samples

# What a story needs: E2E_CLUSTER says on which clusters, E2E_TURN whether those that measure take their turn or the others.
TELL = OPERATOR_BIN=$(CURDIR)/$(RELEASE)/microservice-operator TESTSERVER_BIN=$(CURDIR)/$(RELEASE)/testserver \
  E2E_CLUSTER=$(1) E2E_TURN=$(2) cargo test --quiet --test e2e -- --test-threads $(3)

e2e: binaries ## End-to-end stories on both clusters: those that measure first, the others side by side
	$(call step,Stories that measure)
	@$(call TELL,sim,alone,1)
	@$(MAKE) --no-print-directory --jobs 2 e2e-beside e2e-real

.PHONY: e2e-beside
e2e-beside:
	$(call step,The other stories on the simulated cluster)
	@$(call TELL,sim,beside,$(STORIES))

e2e-sim: binaries ## End-to-end stories on the simulated cluster
	$(call step,Stories on the simulated cluster)
	@$(call TELL,sim,any,$(STORIES))

e2e-real: binaries ## End-to-end stories on the cluster with real pods (root)
	$(call step,Stories on the real cluster)
	@clusters/build real gateway
	@$(call TELL,real,any,$(REAL_STORIES))

readme: binaries ## Execute every command block of the README and of the guide to rollouts
	$(call step,README and guide)
	@OPERATOR_BIN=$(CURDIR)/$(RELEASE)/microservice-operator hack/check-guide
	@hack/check-readme
