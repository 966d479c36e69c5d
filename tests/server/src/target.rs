//! Where to send: URLs and addresses from flags, and a fresh connection to them.

use crate::failure::{Failure, Kind};
use hyper::Uri;
use std::str::FromStr;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// A plain HTTP URL. TLS is a matter of meshes and gateways, so `https` is refused instead of half-supported.
#[derive(Clone, Debug)]
pub struct Target {
    pub url: String,
    pub address: Address,
    /// Value of the Host header: as in the URL, with its port only if one was given there.
    pub authority: String,
    pub path: String,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err("must start with http:// (no TLS here)".to_owned());
        }
        let authority = uri.authority().ok_or("has no host")?;
        Ok(Self {
            url: url.to_owned(),
            address: Address::new(authority.host(), authority.port_u16().unwrap_or(80)),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

#[derive(Clone, Debug)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    fn new(host: &str, port: u16) -> Self {
        // Brackets belong to the URL, not to the IPv6 address inside.
        Self { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port }
    }

    /// Resolves the name anew and connects to the first of its addresses that answers.
    pub async fn connect(&self, deadline: Instant) -> Result<TcpStream, Failure> {
        let lookup = timeout_at(deadline, tokio::net::lookup_host((self.host.as_str(), self.port))).await;
        let addresses = match lookup {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return Err(self.unresolved(&error.to_string())),
            Err(_) => return Err(self.unresolved("no answer in time")),
        };
        let mut failure = self.unresolved("the name has no address");
        for address in addresses {
            failure = match timeout_at(deadline, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // Without this a request in two segments waits for the peer's delayed acknowledgement.
                    match stream.set_nodelay(true) {
                        Ok(()) => return Ok(stream),
                        Err(error) => Failure::from_connect(address, &error),
                    }
                }
                Ok(Err(error)) => Failure::from_connect(address, &error),
                Err(_) => {
                    return Err(Failure::new(Kind::ConnectTimeout, format!("{address} did not accept in time")));
                }
            };
        }
        Err(failure)
    }

    fn unresolved(&self, reason: &str) -> Failure {
        Failure::new(Kind::Dns, format!("cannot resolve {}: {reason}", self.host))
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let authority: hyper::http::uri::Authority = text.parse().map_err(|error| format!("not host:port: {error}"))?;
        let port = authority.port_u16().ok_or("needs a port, as in orders:8080")?;
        Ok(Self::new(authority.host(), port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_gives_address_host_header_and_path() {
        let cases = [
            ("http://orders", "orders", 80, "orders", "/"),
            ("http://orders.shop:8080/a?b=c", "orders.shop", 8080, "orders.shop:8080", "/a?b=c"),
            ("http://[::1]:81/", "::1", 81, "[::1]:81", "/"),
        ];
        for (url, host, port, authority, path) in cases {
            let target: Target = url.parse().unwrap();
            assert_eq!((target.address.host.as_str(), target.address.port), (host, port), "{url}");
            assert_eq!((target.authority.as_str(), target.path.as_str()), (authority, path), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_a_target_is_refused_with_the_reason() {
        for (url, reason) in [("https://orders", "no TLS"), ("orders:80", "http://"), ("http://", "not a URL"), ("/x", "http://")] {
            let message = url.parse::<Target>().unwrap_err();
            assert!(message.contains(reason), "{url}: {message}");
        }
        assert!("orders".parse::<Address>().unwrap_err().contains("needs a port"));
    }
}
