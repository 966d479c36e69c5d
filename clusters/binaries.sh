# shellcheck shell=bash
# Which programs there are, what they are built from, and where they lie. Sourced after lib.sh.

# In the order in which they are needed, so that the demo does not wait for Cilium.
GROUP_SIM=(kube-apiserver etcd kube-controller-manager kube-scheduler kubectl kwok metrics-server)
GROUP_REAL=("${GROUP_SIM[@]}" kubelet kube-proxy coredns cilium-agent cilium-cni)
GROUP_HELM=(helm4 helm3)
GROUP_GATEWAY=(traefik)

# `sudo` resets PATH; a key that then could not see the Go version would not find binaries that are there.
PATH=$PATH:/usr/local/go/bin:/usr/lib/go/bin

BUILD_FLAGS="-buildvcs=false -trimpath" # the same bits from any folder
GO_VERSION=$(go env GOVERSION 2>/dev/null || true)
GO_PLATFORM=$(uname -sm | tr ' ' '-')

# describe COMPONENT: sets family (folder below modules/), module, version, package and stamp (the linker's -X).
describe() {
  stamp=
  case $1 in
    kube-apiserver | kube-controller-manager | kube-scheduler | kubectl | kubelet | kube-proxy)
      family=kubernetes module=k8s.io/kubernetes version=$KUBERNETES_VERSION package=$module/cmd/$1
      # Unstamped programs call themselves v0.0.0, and every `kubeVersion` of a chart then fails.
      local variables minor=${version#*.}
      for variables in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        stamp+=" -X $variables.gitVersion=v$version -X $variables.gitMajor=${version%%.*}"
        stamp+=" -X $variables.gitMinor=${minor%%.*} -X $variables.gitTreeState=clean"
      done ;;
    etcd) family=etcd module=go.etcd.io/etcd/server/v3 version=$ETCD_VERSION package=$module ;;
    kwok) family=kwok module=sigs.k8s.io/kwok version=$KWOK_VERSION package=$module/cmd/kwok ;;
    metrics-server)
      family=metrics-server module=sigs.k8s.io/metrics-server version=$METRICS_SERVER_VERSION
      package=$module/cmd/metrics-server ;;
    coredns) family=coredns module=github.com/coredns/coredns version=$COREDNS_VERSION package=$module ;;
    cilium-agent | cilium-cni)
      family=cilium module=github.com/cilium/cilium version=$CILIUM_VERSION
      package=$module/daemon
      [[ $1 == cilium-agent ]] || package=$module/plugins/cilium-cni
      stamp=" -X github.com/cilium/cilium/pkg/version.ciliumVersion=$version" ;;
    traefik) family=traefik module=github.com/traefik/traefik/v3 version=$TRAEFIK_VERSION package=$module/cmd/traefik ;;
    helm4)
      family=helm4 module=helm.sh/helm/v4 version=$HELM4_VERSION package=$module/cmd/helm
      stamp=" -X $module/internal/version.version=v$version" ;;
    helm3)
      family=helm3 module=helm.sh/helm/v3 version=$HELM3_VERSION package=$module/cmd/helm
      stamp=" -X $module/internal/version.version=v$version" ;;
    *) die "unknown component or group: $1" \
      "Components: ${GROUP_REAL[*]} ${GROUP_HELM[*]} ${GROUP_GATEWAY[*]}" "Groups: sim, real, helm, gateway" ;;
  esac
}

first_build_seconds() { # measured on 2 cores, in the order of GROUP_REAL: what is built first pays for what is shared
  case $1 in
    kube-apiserver) echo 210 ;; kube-controller-manager) echo 55 ;; kube-scheduler) echo 5 ;; kubectl | kubelet) echo 20 ;;
    kube-proxy | cilium-cni) echo 6 ;; etcd) echo 25 ;; kwok) echo 60 ;; metrics-server) echo 95 ;; coredns) echo 120 ;;
    cilium-agent) echo 320 ;; traefik) echo 280 ;; helm4) echo 90 ;; helm3) echo 45 ;;
  esac
}

# built_path COMPONENT: where its binary lies or will lie. One key for each component: raising Helm must not rebuild the
# API server.
built_path() {
  describe "$1"
  local key
  key=$({ echo "$GO_VERSION $GO_PLATFORM $BUILD_FLAGS $package $version $stamp"
    cat "$CLUSTERS_DIR/modules/$family/go.mod" "$CLUSTERS_DIR/modules/$family/go.sum"; } | sha256sum)
  printf '%s' "$CACHE/bin/$1-$version-${key:0:12}/$1"
}

# binary COMPONENT: the binary to use. A folder in KUBEBUILDER_ASSETS, as other Kubernetes projects have it, comes first.
binary() {
  local given=${KUBEBUILDER_ASSETS:-}/$1
  if [[ -n ${KUBEBUILDER_ASSETS:-} && -x $given ]]; then printf '%s' "$given"; else built_path "$1"; fi
}
