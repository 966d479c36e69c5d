//! Stories on real API servers. Each is a test whose name says what holds; each has a namespace of its own.
//!
//! ```text
//! cargo test --test e2e -- --test-threads 8         stories on simulated pods, started when the first asks for them
//! E2E_CLUSTER=real cargo test --test e2e            stories on real pods (root); `all` runs both
//! ```
//!
//! | variable | meaning |
//! |---|---|
//! | `E2E_CLUSTER` | `sim` (default), `real` or `all` |
//! | `E2E_TURN` | `alone`: those that measure; `beside`: the others; default `any` |
//! | `E2E_NAME` | prefix of the simulated clusters' names, default `e2e`; runs at the same time need different ones |
//! | `E2E_QUIET_SECONDS` | for how long the operator must not write while nothing changes, default 30 |
//! | `E2E_SCALE` | services of the crowd, default 200 |
//! | `E2E_KEEP` | keep the namespace of a story that fails |
//! | `E2E_OPERATOR_LOG` | level of the operators' logs, default `info` |
//! | `OPERATOR_BIN` | the operator to test, default the one that cargo has built; static for stories that run it as a pod |
//! | `TESTSERVER_BIN` | the static test server, default the one that `make binaries` builds |
//! | `CI` | a cluster that cannot be had is a failure instead of a `SKIPPED` |
//!
//! Most stories share one operator, which watches all namespaces. Those that kill, starve or replace operators bring
//! their own, on a second cluster and confined to their namespace. Stories that measure time run while no other does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

mod harness;

mod admission;
mod alone;
mod blue_green;
mod canary;
mod crowd;
mod deletion;
mod drift;
mod faults;
mod features;
mod first_light;
mod gate;
mod gateway;
mod leader;
mod ownership;
mod plugin;
mod profile;
mod quiet;
mod real_gateway;
mod real_install;
mod real_pods;
mod real_policy;
mod real_rollouts;
mod real_traffic;
mod rollback;
mod rollout;
mod scaling;
mod together;
mod trouble;
