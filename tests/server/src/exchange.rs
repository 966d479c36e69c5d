//! One HTTP request over one connection: what `client`, `probe` and `control` have in common.

use crate::failure::{Failure, Kind};
use crate::target::Target;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout_at};

/// The test server answers in well under a kilobyte; more than this is not an answer that a test expects.
const BODY_LIMIT_BYTES: usize = 1 << 20;

pub type Connection = SendRequest<Full<Bytes>>;

pub struct Answer {
    pub status: StatusCode,
    pub is_json: bool,
    pub body: Bytes,
}

pub enum Unanswered {
    /// The connection was already closed: nothing left this machine, so another connection may take the request.
    Unsent(Box<Request<Full<Bytes>>>),
    Failed(Failure),
}

pub async fn connect(target: &Target, deadline: Instant) -> Result<Connection, Failure> {
    let stream = target.address.connect(deadline).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| Failure::from_head(&error))?;
    // Its errors reach the request that they interrupt; an idle connection may end as it likes.
    tokio::spawn(connection);
    Ok(sender)
}

pub fn request(target: &Target, method: Method, extra: &HeaderMap, body: Bytes) -> Result<Request<Full<Bytes>>, String> {
    let mut request = Request::builder()
        .method(method)
        .uri(target.path.as_str())
        .header(HOST, target.authority.as_str())
        .header(USER_AGENT, concat!("testserver/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(body))
        .map_err(|error| format!("cannot build a request for {}: {error}", target.url))?;
    for (name, value) in extra {
        request.headers_mut().insert(name, value.clone());
    }
    Ok(request)
}

pub async fn exchange(connection: &mut Connection, request: Request<Full<Bytes>>, deadline: Instant) -> Result<Answer, Unanswered> {
    let head = timeout_at(deadline, connection.try_send_request(request)).await;
    let response = match head {
        Ok(Ok(response)) => response,
        Ok(Err(mut error)) => {
            return Err(match error.take_message() {
                Some(request) => Unanswered::Unsent(Box::new(request)),
                None => Unanswered::Failed(Failure::from_head(error.error())),
            });
        }
        Err(_) => {
            return Err(Unanswered::Failed(Failure::new(Kind::Timeout, "no response in time")));
        }
    };
    let (head, body) = response.into_parts();
    let is_json = head.headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    match timeout_at(deadline, Limited::new(body, BODY_LIMIT_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(Answer { status: head.status, is_json, body: body.to_bytes() }),
        Ok(Err(error)) => Err(Unanswered::Failed(Failure::from_body(error.as_ref()))),
        Err(_) => Err(Unanswered::Failed(Failure::new(Kind::Timeout, "the body did not end in time"))),
    }
}

/// Connects, asks once and hangs up.
pub async fn once(target: &Target, request: Request<Full<Bytes>>, deadline: Instant) -> Result<Answer, Failure> {
    let mut connection = connect(target, deadline).await?;
    exchange(&mut connection, request, deadline).await.map_err(|unanswered| match unanswered {
        Unanswered::Unsent(_) => Failure::new(Kind::Closed, "the peer closed the connection as soon as it stood"),
        Unanswered::Failed(failure) => failure,
    })
}
