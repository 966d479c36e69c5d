//! What surrounds the work: the way to the API server, the lease, health and metrics, logs, and the way out.

pub mod admin;
pub mod client;
pub mod lease;
pub mod preflight;
pub mod process;
pub mod readiness;
pub mod shutdown;
pub mod telemetry;
pub mod traffic;
