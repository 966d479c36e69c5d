//! What the server answers. Paths about the server itself (`/ready`, `/live`, `/metrics`, `/control`) never fail or
//! wait on purpose and are not counted, so that a failure share is exact whatever probes and scrapes there are.

use super::{Phase, Server, burn, metrics};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde::Serialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const BODY_LIMIT_BYTES: usize = 1 << 20;
/// What `/burn` uses without `?milliseconds=`, and its most.
const BURN_DEFAULT_MS: u64 = 100;
const BURN_MAX_MS: u64 = 60_000;
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Headers that are useful to see again: routing, tracing and forwarding. Never credentials or cookies.
const ECHOED_HEADERS: [&str; 8] = ["accept", "baggage", "content-type", "forwarded", "host", "traceparent", "tracestate", "user-agent"];

type Reply = Response<Full<Bytes>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Echo<'a> {
    name: &'a str,
    revision: &'a str,
    pod: &'a str,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    headers: BTreeMap<&'a str, String>,
    body_bytes: usize,
    remote_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub async fn answer(server: &Server, request: Request<Incoming>, remote: SocketAddr) -> Reply {
    let mut reply = match request.uri().path() {
        "/ready" => ready(server),
        "/live" => yes_or_no(server.behaviour.borrow().live, "live", "switched off by /control"),
        "/metrics" => match server.metrics.text() {
            Ok(text) => with(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(error) => with(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("cannot write metrics: {error}\n")),
        },
        "/control" => control(server, request).await,
        _ => counted(server, request, remote).await,
    };
    if server.phase() != Phase::Serving {
        // Tells keep-alive clients to send their next request elsewhere before this connection goes away.
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    reply
}

fn ready(server: &Server) -> Reply {
    if server.phase() != Phase::Serving {
        return yes_or_no(false, "ready", "shutting down");
    }
    if server.started.elapsed() < server.ready_after {
        return yes_or_no(false, "ready", "--ready-after-seconds have not passed");
    }
    yes_or_no(server.behaviour.borrow().ready, "ready", "switched off by --never-ready or /control")
}

fn yes_or_no(yes: bool, what: &str, reason: &str) -> Reply {
    if yes {
        with(StatusCode::OK, TEXT, format!("{what}\n"))
    } else {
        with(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("not {what}: {reason}\n"))
    }
}

async fn control(server: &Server, request: Request<Incoming>) -> Reply {
    let present = || json_reply(StatusCode::OK, &*server.behaviour.borrow());
    match *request.method() {
        Method::GET => present(),
        Method::POST => {
            let body = match read(request.into_body()).await {
                Ok(body) => body,
                Err(status) => {
                    return json_reply(status, &json!({"error": "the body cannot be read"}));
                }
            };
            match server.switch(&body) {
                Ok(()) => present(),
                Err(error) => json_reply(StatusCode::BAD_REQUEST, &json!({"error": error})),
            }
        }
        _ => json_reply(StatusCode::METHOD_NOT_ALLOWED, &json!({"error": "use GET to read and POST to change"})),
    }
}

async fn counted(server: &Server, request: Request<Incoming>, remote: SocketAddr) -> Reply {
    let begun = Instant::now();
    let _active = server.metrics.begin(request.method());
    let number = server.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let behaviour = server.behaviour.borrow().clone();
    let (head, body) = request.into_parts();
    let route = if head.uri.path() == "/burn" { "/burn" } else { "/{path}" };

    let latency = behaviour.latency(number);
    if !latency.is_zero() {
        sleep(latency).await;
    }
    let outcome = match read(body).await {
        Err(status) => Err((status, "the body cannot be read or is longer than 1 MiB".to_owned())),
        Ok(_) if behaviour.fails(number) => {
            let status = StatusCode::from_u16(behaviour.fail_status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Err((status, format!("request {number} fails on purpose, {} % do", behaviour.fail_percent)))
        }
        Ok(body) if route == "/burn" => burn_for_request(&head.uri).await.map(|()| body.len()),
        Ok(body) => Ok(body.len()),
    };
    let (status, body_bytes, error) = match outcome {
        Ok(length) => (StatusCode::OK, length, None),
        Err((status, error)) => (status, 0, Some(error)),
    };
    let reply = json_reply(
        status,
        &Echo {
            name: &server.identity.name,
            revision: &server.identity.revision,
            pod: &server.identity.pod,
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            headers: echoed(&head.headers),
            body_bytes,
            // An IPv4 caller of an IPv6 socket is shown as the IPv4 address that a policy would name.
            remote_address: SocketAddr::new(remote.ip().to_canonical(), remote.port()).to_string(),
            error,
        },
    );
    server.metrics.finish(&head.method, route, status, begun.elapsed());
    reply
}

async fn burn_for_request(uri: &Uri) -> Result<(), (StatusCode, String)> {
    let refused = |text: &str| (StatusCode::BAD_REQUEST, format!("milliseconds must be a whole number up to {BURN_MAX_MS}, not {text}"));
    let parameter = uri.query().unwrap_or_default().split('&').find_map(|pair| pair.strip_prefix("milliseconds="));
    let amount = match parameter {
        None => BURN_DEFAULT_MS,
        Some(text) => text.parse().ok().filter(|amount| *amount <= BURN_MAX_MS).ok_or_else(|| refused(text))?,
    };
    tokio::task::spawn_blocking(move || burn::burn(Duration::from_millis(amount)))
        .await
        .map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot burn: {error}")))
}

async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    match Limited::new(body, BODY_LIMIT_BYTES).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::BAD_REQUEST),
    }
}

fn echoed(headers: &HeaderMap) -> BTreeMap<&str, String> {
    headers
        .iter()
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, _)| ECHOED_HEADERS.contains(name) || (name.starts_with("x-") && !may_be_secret(name)))
        .map(|(name, value)| (name, String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

fn may_be_secret(name: &str) -> bool {
    ["auth", "key", "secret", "token"].iter().any(|word| name.contains(word))
}

fn json_reply(status: StatusCode, body: &impl Serialize) -> Reply {
    match serde_json::to_string(body) {
        Ok(text) => with(status, JSON, text + "\n"),
        Err(error) => with(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("cannot write the answer: {error}\n")),
    }
}

fn with(status: StatusCode, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
