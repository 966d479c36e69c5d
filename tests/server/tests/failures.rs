//! The client counts every failure under its kind, each played to it by a socket that misbehaves in just that way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;
use support::client;
use support::sockets::{Blackhole, refusing_address, serve_connections};

/// Runs five requests against the address and gives the exit code and the counted failures.
fn failures(address: SocketAddr, args: &[&str]) -> (i32, Value) {
    let url = format!("http://{address}/");
    let fixed = ["--url", &url, "--requests", "5", "--rate", "100", "--timeout-ms", "300"];
    let (code, summary) = client(&[&fixed, args].concat());
    assert_eq!(summary["requests"], 5, "{summary}");
    assert_eq!(summary["failed"], summary["failures"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum::<u64>());
    (code, summary["failures"].clone())
}

/// A server that reads the request, writes this answer and then ends the connection as told.
fn answering(answer: &'static str, end: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    serve_connections(move |mut stream| {
        read_request(&mut stream);
        stream.write_all(answer.as_bytes()).unwrap();
        end(stream);
    })
}

fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        request.push(byte[0]);
    }
}

/// Closes normally.
fn close(stream: TcpStream) {
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
}

/// Ends with a reset: the kernel sends one when a socket with an expired linger time is closed.
fn reset(stream: TcpStream) {
    // Lets the client read what was written before the reset discards it.
    thread::sleep(Duration::from_millis(50));
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
    drop(stream);
}

fn hold(stream: TcpStream) {
    thread::sleep(Duration::from_secs(5));
    drop(stream);
}

#[test]
fn every_kind_of_failure_is_counted_under_its_name() {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this";
    let not_json = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n{\"a\"";
    let error = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let blackhole = Blackhole::new();
    let cases: [(&str, SocketAddr); 11] = [
        ("connect_refused", refusing_address()),
        ("connect_timeout", blackhole.address),
        ("reset", answering("", reset)),
        ("reset", answering(long, reset)),
        ("closed", answering("", close)),
        ("closed", answering("HTTP/1.1 200", close)),
        ("timeout", answering("", hold)),
        ("timeout", answering(long, hold)),
        ("bad_body", answering(long, close)),
        ("bad_body", answering(not_json, close)),
        ("bad_response", answering("SSH-2.0-OpenSSH_9.2\r\n", close)),
    ];
    for (kind, address) in cases {
        assert_eq!(failures(address, &[]), (1, json!({kind: 5})), "{kind}");
    }
    assert_eq!(failures(answering(error, close), &[]), (1, json!({"status_503": 5})));
    assert_eq!(failures(answering(error, close), &["--expect-status", "503"]), (0, json!({})));
}
