//! Who leads, asked for whenever metrics are read, so that the answer is never stale.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::serve::lease::Leadership;

/// `leader_election_master_status`, under client-go's name and meaning.
#[derive(Debug)]
pub struct LeaderStatus {
    /// Name of the lease.
    pub name: String,
    pub leadership: Leadership,
}

impl Collector for LeaderStatus {
    fn encode(&self, mut encoder: DescriptorEncoder) -> std::fmt::Result {
        let mut descriptor = encoder.encode_descriptor(
            "leader_election_master_status",
            "1 in the process that holds the lease, 0 in its followers. Alert if the sum over all processes is 0 for minutes.",
            None,
            MetricType::Gauge,
        )?;
        let labels = [("name", self.name.as_str())];
        ConstGauge::new(i64::from(self.leadership.leading())).encode(descriptor.encode_family(&labels)?)
    }
}
