//! Ports and connections: opening with a clear message, accepting, and letting go without cutting anybody off.

use super::{Server, answer};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// After the port is closed, connections get this long to be read from: a request that has already arrived would
/// otherwise be lost together with its idle connection.
const LAST_READ: Duration = Duration::from_millis(100);
/// Pause after an accept that failed, mostly for want of file descriptors, instead of spinning on it.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub async fn open(bind: IpAddr, port: u16, what: &str) -> Result<TcpListener, String> {
    let wanted = SocketAddr::new(bind, port);
    let listener = TcpListener::bind(wanted).await.map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => "stop the program that holds it or choose another port",
            ErrorKind::PermissionDenied => "ports below 1024 need privileges, choose a higher one",
            ErrorKind::AddrNotAvailable => "this machine does not have that address, see --bind",
            _ => "see --bind and --port",
        };
        format!("cannot listen on {wanted} ({what}): {error}; {advice}")
    })?;
    let address = listener.local_addr().map_err(|error| format!("cannot tell the address of the {what} port: {error}"))?;
    eprintln!("testserver: listening on {address} ({what})");
    Ok(listener)
}

/// Accepts connections until the closing phase and returns when the last of them has ended.
pub async fn accept<H, F>(listener: TcpListener, server: Arc<Server>, handle: H)
where
    H: Fn(TcpStream, SocketAddr, Arc<Server>) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let mut closing = pin!(server.closing());
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => _ = connections.spawn(handle(stream, remote, Arc::clone(&server))),
                Err(error) => {
                    eprintln!("testserver: cannot accept a connection: {error}");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut closing => break,
        }
    }
    // The kernel has accepted these on our behalf and resets them when the port closes.
    while let Ok(Ok((stream, remote))) = timeout(Duration::ZERO, listener.accept()).await {
        connections.spawn(handle(stream, remote, Arc::clone(&server)));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// There is no time-out for idle connections: one that the server closes at the wrong moment fails a request that was
/// just being sent, which is the very thing that the tests count.
pub async fn http(stream: TcpStream, remote: SocketAddr, server: Arc<Server>) {
    // Best effort: without it answers only come later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| async { Ok::<_, Infallible>(answer::answer(&server, request, remote).await) });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    let closing = async {
        server.closing().await;
        sleep(LAST_READ).await;
    };
    // Errors are the peer's doing (a reset, bad HTTP), and the peer counts them.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = closing => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

pub async fn tcp_echo(mut stream: TcpStream, _: SocketAddr, server: Arc<Server>) {
    let (mut reader, mut writer) = stream.split();
    tokio::select! {
        // Ends when the peer closes its side, or with an error that is the peer's doing.
        _ = tokio::io::copy(&mut reader, &mut writer) => {}
        () = server.closing() => {}
    }
}
