//! Metrics under the names and labels that OpenTelemetry's HTTP semantic conventions take in Prometheus, because these
//! are what dashboards and canary analyses look for first.
//! <https://opentelemetry.io/docs/specs/semconv/http/http-metrics/>

use super::Identity;
use hyper::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::time::Duration;

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds; the boundaries that the convention advises for `http.server.request.duration`.
const BUCKETS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Finished {
    http_request_method: &'static str,
    http_response_status_code: u16,
    http_route: &'static str,
    url_scheme: &'static str,
    /// The status of a 5xx answer, else empty, which Prometheus takes for absent.
    error_type: Option<u16>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Started {
    http_request_method: &'static str,
    url_scheme: &'static str,
}

pub struct Metrics {
    registry: Registry,
    duration: Family<Finished, Histogram, fn() -> Histogram>,
    active: Family<Started, Gauge>,
}

impl Metrics {
    pub fn new(identity: &Identity) -> Self {
        let duration = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let active = Family::default();
        let service = Info::new(vec![
            ("service_name", identity.name.clone()),
            ("service_version", identity.revision.clone()),
            ("service_instance_id", identity.pod.clone()),
        ]);
        let mut registry = Registry::default();
        registry.register_with_unit("http_server_request_duration", "Duration of HTTP server requests", Unit::Seconds, duration.clone());
        registry.register("http_server_active_requests", "HTTP server requests being answered", active.clone());
        // Named so by OpenTelemetry's rules for Prometheus; `Info` adds the suffix.
        registry.register("target", "What answers here", service);
        Self { registry, duration, active }
    }

    /// Counts a request as active until the returned guard is dropped, also when its client goes away.
    pub fn begin(&self, method: &Method) -> ActiveRequest {
        let method = known(method);
        let gauge = self.active.get_or_create_owned(&Started { http_request_method: method, url_scheme: "http" });
        gauge.inc();
        ActiveRequest { gauge }
    }

    pub fn finish(&self, method: &Method, route: &'static str, status: StatusCode, duration: Duration) {
        let labels = Finished {
            http_request_method: known(method),
            http_response_status_code: status.as_u16(),
            http_route: route,
            url_scheme: "http",
            error_type: status.is_server_error().then(|| status.as_u16()),
        };
        self.duration.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut out = String::new();
        text::encode(&mut out, &self.registry)?;
        Ok(out)
    }
}

pub struct ActiveRequest {
    gauge: Gauge,
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

/// A method that a client made up must not become a label value: `_OTHER` is the convention's word.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::TRACE => "TRACE",
        Method::CONNECT => "CONNECT",
        _ => "_OTHER",
    }
}
