//! Interim: the lead puts the real one here as soon as `apply` exists.
pub mod backoff;
mod guard;
pub mod metrics;
use std::collections::BTreeSet;
pub struct Options {
    pub client: kube::Client,
    pub namespaces: BTreeSet<String>,
    pub concurrency: u16,
    pub leadership: crate::serve::lease::Leadership,
    pub shutdown: tokio_util::sync::CancellationToken,
    pub metrics: metrics::Metrics,
    pub readiness: crate::serve::readiness::Readiness,
}
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Blind(String),
}
pub async fn run(options: Options) -> Result<(), Error> {
    options.shutdown.cancelled().await;
    Ok(())
}
