//! Every way in which a request can fail, under the names that the summary counts.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The name did not resolve.
    Dns,
    /// The host answered that nobody listens, or a proxy that the Service has no endpoint.
    ConnectRefused,
    /// No answer at all to the connection attempt: what a dropped packet looks like.
    ConnectTimeout,
    /// Host or network unreachable, no free port, and the like.
    ConnectError,
    /// The peer reset an established connection.
    Reset,
    /// The peer closed the connection before a full response head.
    Closed,
    /// Connected, but no complete answer in time.
    Timeout,
    /// What came back is not HTTP.
    BadResponse,
    /// The head was good and the body was cut short, malformed or too long.
    BadBody,
    /// A complete answer with another status than the expected one.
    Status(u16),
    /// Never sent: too many requests were still waiting for their answers.
    NotSent,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns => f.write_str("dns"),
            Self::ConnectRefused => f.write_str("connect_refused"),
            Self::ConnectTimeout => f.write_str("connect_timeout"),
            Self::ConnectError => f.write_str("connect_error"),
            Self::Reset => f.write_str("reset"),
            Self::Closed => f.write_str("closed"),
            Self::Timeout => f.write_str("timeout"),
            Self::BadResponse => f.write_str("bad_response"),
            Self::BadBody => f.write_str("bad_body"),
            Self::Status(code) => write!(f, "status_{code}"),
            Self::NotSent => f.write_str("not_sent"),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Failure {
    pub kind: Kind,
    pub detail: String,
}

impl Failure {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    pub fn from_connect(address: SocketAddr, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => Kind::ConnectRefused,
            // The kernel's own time-out, when it is shorter than ours.
            io::ErrorKind::TimedOut => Kind::ConnectTimeout,
            _ => Kind::ConnectError,
        };
        Self::new(kind, format!("{address}: {error}"))
    }

    /// An error before the response head was complete.
    pub fn from_head(error: &hyper::Error) -> Self {
        let kind = if is_reset(error) {
            Kind::Reset
        } else if error.is_parse() {
            Kind::BadResponse
        } else {
            Kind::Closed
        };
        Self::new(kind, with_causes(error))
    }

    /// An error after the response head.
    pub fn from_body(error: &(dyn Error + 'static)) -> Self {
        let kind = if is_reset(error) { Kind::Reset } else { Kind::BadBody };
        Self::new(kind, with_causes(error))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.detail)
    }
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn is_reset(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>()).any(|cause| {
        // A write into a connection that the peer has reset says "broken pipe".
        matches!(cause.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
    })
}

fn with_causes(error: &(dyn Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
