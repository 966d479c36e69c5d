//! Two small servers: health for the kubelet, metrics for Prometheus.
//!
//! Both speak plain HTTP without authentication. What they show is harmless by design: no names of services, no
//! values from specs, no credentials. A network policy can limit who reads the metrics; the chart has one.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::readiness::Readiness;

/// Format of `/metrics`; Prometheus reads it since 2.5.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Where to listen: `:8080` for all addresses, `127.0.0.1:8080` for one, `0` for not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    Off,
    All(u16),
    One(SocketAddr),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "0" {
            return Ok(Self::Off);
        }
        let wrong = || format!("{text:?} is not an address; write :8080, 127.0.0.1:8080, or 0 for none");
        match text.strip_prefix(':') {
            Some(port) => port.parse().map(Self::All).map_err(|_| wrong()),
            None => text.parse().map(Self::One).map_err(|_| wrong()),
        }
    }
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for {purpose}: {source}. {}", remedy(source, flag))]
pub struct BindError {
    address: SocketAddr,
    purpose: &'static str,
    flag: &'static str,
    source: io::Error,
}

fn remedy(error: &io::Error, flag: &str) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("Does another operator run here? Choose another port with {flag}, or {flag} 0 for none"),
        io::ErrorKind::PermissionDenied => format!("Ports below 1024 need a privilege: choose a higher one with {flag}"),
        _ => format!("Choose another address with {flag}, or {flag} 0 for none"),
    }
}

/// Opens the port; `flag` is the one to name when that fails.
pub async fn bind(address: Address, purpose: &'static str, flag: &'static str) -> Result<Option<TcpListener>, BindError> {
    let candidates = match address {
        Address::Off => return Ok(None),
        Address::One(address) => vec![address],
        // The first takes IPv4 as well; a machine without IPv6 has only the second. `0.0.0.0` alone would be out of
        // the kubelet's reach in an IPv6 cluster.
        Address::All(port) => vec![(Ipv6Addr::UNSPECIFIED, port).into(), (Ipv4Addr::UNSPECIFIED, port).into()],
    };
    let mut failure = None;
    for address in candidates {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(Some(listener)),
            Err(source) if source.kind() == io::ErrorKind::AddrInUse => return Err(BindError { address, purpose, flag, source }),
            Err(source) => failure = Some(BindError { address, purpose, flag, source }),
        }
    }
    failure.map_or(Ok(None), Err)
}

/// `/healthz`: the process answers. `/readyz`: nothing is missing for its work; a follower is ready, too.
pub fn health(readiness: Readiness) -> Router {
    Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(readyz)).with_state(readiness)
}

async fn readyz(State(readiness): State<Readiness>, headers: HeaderMap) -> Response {
    let missing = readiness.report();
    let status = if missing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/json")) {
        let body = json!({"ready": missing.is_empty(), "missing": missing}).to_string();
        return (status, [(CONTENT_TYPE, "application/json")], body).into_response();
    }
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    let lines: Vec<String> = missing.iter().map(|(what, why)| format!("- {what}: {why}\n")).collect();
    (status, format!("not ready, missing:\n{}", lines.concat())).into_response()
}

/// `/metrics`.
pub fn metrics(registry: Registry) -> Router {
    Router::new().route("/metrics", get(print_metrics)).with_state(Arc::new(registry))
}

async fn print_metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => ([(CONTENT_TYPE, OPEN_METRICS)], body).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Answers until `stop`.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    // Open connections are not waited for: the kubelet and Prometheus keep theirs for minutes.
    tokio::select! {
        outcome = axum::serve(listener, router) => {
            if let Err(error) = outcome {
                tracing::error!(%error, "a server has ended");
            }
        }
        () = stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{IpAddr, TcpStream};

    use prometheus_client::metrics::counter::Counter;

    use super::*;

    const LOOPBACK: Address = Address::One(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0));

    async fn start(router: Router) -> (SocketAddr, CancellationToken) {
        let listener = bind(LOOPBACK, "tests", "--test").await.unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(serve(listener, router, stop.clone()));
        (address, stop)
    }

    async fn ask(address: SocketAddr, path: &str, headers: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        let exchange = move || {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(request.as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        tokio::task::spawn_blocking(exchange).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn health_is_told_from_readiness_and_readiness_names_what_is_missing() {
        let readiness = Readiness::default();
        readiness.missing("crd", "kubectl apply --server-side -f crds/");
        let (address, _) = start(health(readiness.clone())).await;
        assert!(ask(address, "/healthz", "").await.starts_with("HTTP/1.1 200"));
        let answer = ask(address, "/readyz", "").await;
        assert!(
            answer.starts_with("HTTP/1.1 503") && answer.ends_with("missing:\n- crd: kubectl apply --server-side -f crds/\n"),
            "{answer}"
        );
        let answer = ask(address, "/readyz", "accept: application/json\r\n").await;
        assert!(answer.ends_with(r#"{"missing":{"crd":"kubectl apply --server-side -f crds/"},"ready":false}"#), "{answer}");
        readiness.found("crd");
        assert!(ask(address, "/readyz", "").await.starts_with("HTTP/1.1 200"));
        assert!(ask(address, "/metrics", "").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn metrics_are_printed_until_the_server_is_stopped() {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        registry.register("things", "Things", counter.clone());
        counter.inc();
        let (address, stop) = start(metrics(registry)).await;
        let answer = ask(address, "/metrics", "").await;
        assert!(answer.contains(OPEN_METRICS) && answer.contains("\nthings_total 1\n"), "{answer}");
        stop.cancel();
        while TcpStream::connect(address).is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn a_port_in_use_says_what_to_do() {
        let taken = bind(LOOPBACK, "tests", "--test").await.unwrap().unwrap();
        let address = taken.local_addr().unwrap();
        let error = bind(Address::One(address), "metrics", "--metrics-address").await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address} for metrics: ")), "{error}");
        assert!(error.ends_with("Choose another port with --metrics-address, or --metrics-address 0 for none"), "{error}");
    }

    #[tokio::test]
    async fn addresses_are_written_as_in_other_operators() {
        assert_eq!("0".parse(), Ok(Address::Off));
        assert_eq!(":8080".parse(), Ok(Address::All(8080)));
        assert_eq!("127.0.0.1:9".parse(), Ok(Address::One(([127, 0, 0, 1], 9).into())));
        for wrong in ["", "8080", ":", ":x", ":70000", "localhost:80"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
        assert!(bind(Address::Off, "metrics", "--metrics-address").await.unwrap().is_none());
        assert!(bind(Address::All(0), "metrics", "--metrics-address").await.unwrap().is_some());
    }
}
