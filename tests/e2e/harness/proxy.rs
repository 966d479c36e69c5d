//! An API server that misbehaves: plain HTTP on loopback in front of the real one. Whoever talks to it brings its own
//! credentials; the proxy has none.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use kube::Client;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::cluster::Cluster;

/// What the proxy answers by itself.
#[derive(Clone, Debug)]
pub struct Fault {
    /// HTTP methods, e.g. `PATCH`; empty: all.
    pub methods: Vec<&'static str>,
    /// A part of the path, e.g. `/deployments`; empty: any.
    pub path: &'static str,
    /// The answer.
    pub status: u16,
    /// Let every nth matching request through; 0: none.
    pub spare_every: usize,
}

#[derive(Default)]
struct Faults {
    list: Vec<Fault>,
    matched: usize,
    answered: usize,
}

pub struct FaultProxy {
    address: SocketAddr,
    config: kube::Config,
    faults: Arc<Mutex<Faults>>,
    /// Where the door hands new connections to; `None`: it hangs up on them.
    inside: Arc<Mutex<Option<Sender<std::net::TcpStream>>>>,
    /// All that answers lives in here: to drop it is to vanish, with all connections, in the middle of a word.
    runtime: Option<Runtime>,
}

/// Larger than any object that a story sends.
const LARGEST_BODY: usize = 4 << 20;
/// Connections that the door has accepted and nobody has taken.
const WAITING: usize = 64;

impl FaultProxy {
    pub async fn start(cluster: &Cluster) -> Self {
        let mut config = cluster.config().await;
        config.auth_info = kube::config::AuthInfo::default();
        // The proxy must not give up a watch before the server does.
        config.read_timeout = None;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut proxy = Self { address, config, faults: Arc::default(), inside: Arc::default(), runtime: None };
        let inside = proxy.inside.clone();
        std::thread::spawn(move || door(&listener, &inside));
        proxy.come_back();
        proxy
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on answers matching requests by itself.
    pub fn answer(&self, fault: Fault) {
        self.faults.lock().unwrap().list.push(fault);
    }

    /// Passes everything on again; how many requests it had answered by itself.
    pub fn behave(&self) -> usize {
        let mut faults = self.faults.lock().unwrap();
        faults.list.clear();
        std::mem::take(&mut faults.answered)
    }

    /// Goes away: running requests and watches break, and whoever connects is hung up on.
    pub fn go_away(&mut self) {
        self.inside.lock().unwrap().take();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    pub fn come_back(&mut self) {
        assert!(self.runtime.is_none(), "the proxy has not gone away");
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (sender, receiver) = channel(WAITING);
        let (address, config, faults) = (self.address, self.config.clone(), self.faults.clone());
        runtime.spawn(async move {
            // Made in here: a client's connections belong to the runtime that made it.
            let upstream = Client::try_from(config).unwrap();
            let app = Router::new().fallback(forward).with_state((upstream, faults));
            axum::serve(Inside { receiver, address }, app).await.unwrap();
        });
        self.runtime = Some(runtime);
        *self.inside.lock().unwrap() = Some(sender);
    }

    /// Breaks every watch and comes back at once.
    pub fn cut(&mut self) {
        self.go_away();
        self.come_back();
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.go_away();
    }
}

/// Holds the port for as long as the tests run: one that is given up between two lives of the proxy may be somebody
/// else's when it comes back.
fn door(listener: &TcpListener, inside: &Mutex<Option<Sender<std::net::TcpStream>>>) {
    for stream in listener.incoming().flatten() {
        let sender = inside.lock().unwrap().clone();
        if let Some(sender) = sender
            && stream.set_nonblocking(true).is_ok()
        {
            let _ = sender.blocking_send(stream);
        }
    }
}

/// The proxy's end of the door.
struct Inside {
    receiver: Receiver<std::net::TcpStream>,
    address: SocketAddr,
}

impl axum::serve::Listener for Inside {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.receiver.recv().await {
                Some(stream) => {
                    if let Ok(stream) = TcpStream::from_std(stream) {
                        return (stream, self.address);
                    }
                }
                None => std::future::pending::<()>().await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn forward(State((upstream, faults)): State<(Client, Arc<Mutex<Faults>>)>, request: Request) -> Response {
    if let Some(status) = fault(&faults, &request) {
        return refusal(status);
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return refusal(413);
    };
    let request = axum::http::Request::from_parts(parts, kube::client::Body::from(body.to_vec()));
    match upstream.send(request).await {
        Ok(answer) => answer.map(Body::new),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}

fn fault(faults: &Mutex<Faults>, request: &Request) -> Option<u16> {
    let mut faults = faults.lock().unwrap();
    let matches = |fault: &&Fault| {
        (fault.methods.is_empty() || fault.methods.contains(&request.method().as_str())) && request.uri().path().contains(fault.path)
    };
    let Fault { status, spare_every, .. } = faults.list.iter().find(matches)?.clone();
    faults.matched += 1;
    if spare_every != 0 && faults.matched.is_multiple_of(spare_every) {
        return None;
    }
    faults.answered += 1;
    Some(status)
}

/// An answer of the form that the API server gives.
fn refusal(code: u16) -> Response {
    let reason = match code {
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": "the story's fault proxy says so"});
    let json = [("content-type", "application/json")];
    let mut answer = (StatusCode::from_u16(code).unwrap(), json, status.to_string()).into_response();
    if code == 429 {
        answer.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
    }
    answer
}
