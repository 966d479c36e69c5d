//! One request, and what its answer means. Nothing of an answer but its status and `Retry-After` is looked at.

use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use crate::model::{Answer, Question, Webhook};

use super::trust;

/// Most bytes of an answer's body that are read: it is thrown away, but a server may say its status before it has done its work.
const BODY: usize = 64 * 1024;
/// Most bytes of an answer's head, and of a file of credentials.
const HEAD: usize = 64 * 1024;

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub answer: Answer,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
}

/// Makes requests.
pub struct Caller {
    folder: PathBuf,
}

impl Caller {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Asks once. Each request has a connection of its own: they are seconds apart, and what is read from files may have
    /// changed.
    pub async fn call(&self, question: &Question) -> Reply {
        let timeout = question.webhook.timeout;
        let trouble = |why| Reply { answer: Answer::Trouble(why), retry_after: None };
        match tokio::time::timeout(timeout, self.exchange(question)).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(why)) => trouble(why),
            Err(_) => trouble(format!("did not answer in {} s", timeout.as_secs())),
        }
    }

    async fn exchange(&self, question: &Question) -> Result<Reply, String> {
        let Webhook { url, credentials_file, .. } = &question.webhook;
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let secure = url.scheme_str() == Some("https");
        let request = self.request(question, credentials_file.as_deref()).await?;
        let stream = connect(host, url.port_u16().unwrap_or(if secure { 443 } else { 80 })).await?;
        if !secure {
            return converse(stream, request).await;
        }
        let authorities = match read(self.folder.join(trust::AUTHORITIES)).await {
            Ok(text) => Some(text),
            Err(ErrorKind::NotFound) => None,
            Err(_) => return Err(format!("the operator's file `{}` cannot be read", trust::AUTHORITIES)),
        };
        let connector = TlsConnector::from(Arc::new(trust::config(authorities.as_deref())?));
        let name = ServerName::try_from(host.to_owned()).map_err(|_| "its host is no name that a certificate could have".to_owned())?;
        let stream = connector.connect(name, stream).await.map_err(|error| trust::words(&error))?;
        converse(stream, request).await
    }

    async fn request(&self, question: &Question, credentials: Option<&str>) -> Result<Request<Full<Bytes>>, String> {
        let Webhook { url, .. } = &question.webhook;
        let authority = url.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let mut request = Request::post(url.path_and_query().map_or("/", http::uri::PathAndQuery::as_str))
            .header(HOST, authority)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("microservice-operator/", env!("CARGO_PKG_VERSION")))
            .header(CONNECTION, "close");
        if let Some(file) = credentials {
            request = request.header(AUTHORIZATION, self.bearer(file).await?);
        }
        request.body(Full::from(question.body.to_string())).map_err(|_| "its address cannot be asked".to_owned())
    }

    /// What a file of credentials says, as a header that no log shows.
    async fn bearer(&self, file: &str) -> Result<HeaderValue, String> {
        let text = read(self.folder.join(Path::new(file)))
            .await
            .map_err(|_| format!("the operator's credentials file `{file}` cannot be read"))?;
        let token = std::str::from_utf8(&text).unwrap_or_default().trim();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).ok().filter(|_| !token.is_empty());
        let mut value = value.ok_or_else(|| format!("the operator's credentials file `{file}` must hold one line of text"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A file of credentials, of which no more is read than any token is long.
async fn read(path: PathBuf) -> Result<Vec<u8>, ErrorKind> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut text = Vec::new();
        std::fs::File::open(path)?.take(HEAD as u64).read_to_end(&mut text)?;
        Ok(text)
    });
    reading.await.map_err(|_| ErrorKind::Other)?.map_err(|error: std::io::Error| error.kind())
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let addresses: Vec<_> = lookup_host((host, port)).await.map_err(|_| "its name cannot be resolved".to_owned())?.collect();
    TcpStream::connect(addresses.as_slice()).await.map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => "refused the connection".to_owned(),
        _ => "cannot be reached".to_owned(),
    })
}

async fn converse<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Reply, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.max_buf_size(HEAD);
    let (mut sender, connection) = http.handshake(TokioIo::new(stream)).await.map_err(|error| words(&error))?;
    // It ends with this call, whatever the server does.
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(|error| words(&error))?;
    let (status, wait) = (response.status(), response.headers().get(RETRY_AFTER));
    let retry_after = wait.and_then(|wait| wait.to_str().ok()?.trim().parse().ok()).map(Duration::from_secs);
    finish(response.into_body()).await?;
    Ok(Reply { answer: meaning(status), retry_after })
}

/// Waits for the end of the body, or for as much of it as anybody needs.
async fn finish(mut body: Incoming) -> Result<(), String> {
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        seen += frame.map_err(|error| words(&error))?.data_ref().map_or(0, Bytes::len);
        if seen >= BODY {
            break;
        }
    }
    Ok(())
}

/// What a status says.
fn meaning(status: StatusCode) -> Answer {
    let code = status.as_u16();
    match code {
        202 => Answer::NotYet("answered 202".to_owned()),
        200..=299 => Answer::Yes,
        403 => Answer::No,
        300..=399 => Answer::NotYet(format!("answered {code}, and redirects are not followed")),
        429 | 500..=599 => Answer::Trouble(format!("answered {code}")),
        _ => Answer::NotYet(format!("answered {code}")),
    }
}

fn words(error: &hyper::Error) -> String {
    let words = if error.is_parse() || error.is_parse_status() || error.is_parse_too_large() {
        "answered with something that is not HTTP"
    } else {
        "broke off the connection"
    };
    words.to_owned()
}
