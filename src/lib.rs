//! One `Microservice` manifest becomes a production-grade service on Kubernetes.
//!
//! ```text
//! watch ──► observe ──► plan ──► apply ──► report        arrows never point back; only `controller` and `simulate` know all rooms
//! ```
//!
//! | room | holds |
//! |---|---|
//! | [`api`] | what users write and read: types, CRD, admission rules |
//! | [`model`] | the validated domain, and the step from one to the other |
//! | [`observe`] | watch streams and the snapshot of one service, [`observe::World`] |
//! | [`plan`] | the two pure functions: what must exist, and what to do next |
//! | [`apply`] | server-side apply, pruning, status, events |
//! | [`ask`] | questions to servers outside the cluster's API, and their answers |
//! | [`controller`] | the recipe of one pass, errors, back-off, metrics |
//! | [`simulate`] | a small cluster in memory, for rollouts without a cluster |
//! | [`serve`] | lease, shutdown, admin server, telemetry, client |
//! | [`cli`] | one file for each subcommand |
//!
//! Start with `controller/reconcile.rs`: one pass, on one screen.

pub mod api;
pub mod apply;
pub mod ask;
pub mod cli;
pub mod controller;
pub mod model;
pub mod observe;
pub mod plan;
pub mod serve;
pub mod simulate;
