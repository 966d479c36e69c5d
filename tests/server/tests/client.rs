//! The client counts what it should: each kind of failure is played to it by a socket that misbehaves in just that way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};
use support::{Blackhole, Process, Server, client, refusing_address, run, serve_connections, testserver};

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

#[test]
fn unknown_name_is_a_failure_of_its_own() {
    // Names under .invalid never exist (RFC 6761); a resolver that is not there counts the same.
    let args = ["--url", "http://orders.invalid/", "--requests", "1", "--timeout-ms", "500"];
    let (code, summary) = client(&args);
    assert_eq!((code, &summary["failures"]), (1, &json!({"dns": 1})), "{summary}");
    assert!(summary["failureExamples"][0]["detail"].as_str().unwrap().contains("orders.invalid"));
}

#[test]
fn slow_server_neither_lowers_the_rate_nor_hides_its_latency() {
    let server = Server::start(&["--latency-ms", "400"]);
    let args = ["--url", &server.url(), "--rate", "100", "--seconds", "1", "--concurrency", "2"];
    let started = Instant::now();
    let (code, summary) = client(&args);
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!((code, summary["answered"].as_u64()), (0, Some(100)), "{summary}");
    for percentile in ["p50", "p90", "p99", "max"] {
        let latency = summary["latencyMs"][percentile].as_f64().unwrap();
        assert!((396.0..900.0).contains(&latency), "{percentile}: {summary}");
    }
}

#[test]
fn request_that_finds_no_slot_is_a_failure_and_not_forgotten() {
    let server = Server::start(&["--latency-ms", "500"]);
    let (code, summary) = client(&["--url", &server.url(), "--rate", "100", "--requests", "10", "--max-in-flight", "4"]);
    assert_eq!((code, &summary["failures"]), (1, &json!({"not_sent": 6})), "{summary}");
    assert_eq!((&summary["requests"], &summary["answered"]), (&json!(10), &json!(4)));
}

#[test]
fn answers_and_failures_are_told_by_revision_and_pod() {
    let server = Server::start(&["--revision", "v2", "--pod", "orders-1", "--fail-percent", "25"]);
    let (code, summary) = client(&["--url", &server.url(), "--rate", "200", "--requests", "40"]);
    let part = json!({"answers": 40, "failed": 10, "share": 1.0});
    assert_eq!((code, &summary["failures"]), (1, &json!({"status_500": 10})), "{summary}");
    assert_eq!((&summary["revisions"]["v2"], &summary["pods"]["orders-1"]), (&part, &part));
    let example = &summary["failureExamples"][0];
    assert_eq!((&example["kind"], &example["detail"]), (&json!("status_500"), &json!("from pod orders-1, revision v2")));
}

#[test]
fn connections_rotate_and_are_renewed_as_asked() {
    let server = Server::start(&[]);
    let connections = |args: &[&str]| {
        let fixed = ["--url", &server.url(), "--rate", "100", "--requests", "60"];
        let (code, summary) = client(&[&fixed, args].concat());
        assert_eq!(code, 0, "{summary}");
        summary["connections"].as_u64().unwrap()
    };
    assert_eq!(connections(&["--new-connection-every", "1"]), 60);
    // A few more are in order: on a busy machine, answers that take longer than 10 ms make the client open some.
    let kept = connections(&["--concurrency", "3"]);
    assert!((3..=9).contains(&kept), "{kept}");
    let renewed = connections(&["--concurrency", "2", "--new-connection-every", "10"]);
    assert!((6..=18).contains(&renewed), "{renewed}");
}

#[test]
fn signal_ends_the_run_early_with_a_summary() {
    let server = Server::start(&[]);
    let url = server.url();
    let args = ["client", "--url", &url, "--seconds", "60", "--progress-seconds", "1"];
    let mut client = Process::spawn(testserver(&args).stdout(Stdio::piped()));
    let progress = client.logged("requests");
    assert!(progress.contains("0 failed") && progress.contains("unknown 100.0 %"), "{progress}");
    client.signal(Signal::TERM);
    assert_eq!(client.exit_code(), 0);
    let summary: Value = serde_json::from_str(&client.stdout()).unwrap();
    assert_eq!((&summary["stoppedEarly"], &summary["failed"]), (&json!(true), &json!(0)), "{summary}");
}

#[test]
fn waiting_tolerates_a_late_server_and_reports_one_that_never_comes() {
    let address = refusing_address();
    let url = format!("http://{address}/");
    let (code, summary) = client(&["--url", &url, "--wait-seconds", "1"]);
    assert_eq!((code, &summary["failures"]), (1, &json!({"connect_refused": 1})), "{summary}");

    let port = address.port().to_string();
    let late = ["serve", "--bind", "127.0.0.1", "--port", &port, "--listen-after-seconds", "1"];
    let _server = Process::spawn(&mut testserver(&late));
    let (code, summary) = client(&["--url", &url, "--wait-seconds", "9", "--requests", "5"]);
    assert_eq!((code, summary["answered"].as_u64()), (0, Some(5)), "{summary}");
}

#[test]
fn people_get_text_and_wrong_flags_an_explanation() {
    let server = Server::start(&["--revision", "v2", "--fail-percent", "50"]);
    let (code, text, _) = run(&["client", "--url", &server.url(), "--requests", "2", "--output", "text"]);
    assert_eq!(code, 1);
    for part in ["2 requests", "failed    1", "status_500 1", "v2: 2 answers (100.0 %), 1 failed"] {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    for (args, reason) in [
        (["--url", "https://orders/"], "no TLS"),
        (["--rate", "0"], "1..=10000"),
        (["--header", "nonsense"], "needs a colon"),
    ] {
        let (code, _, stderr) = run(&[&["client"], &args[..]].concat());
        assert!(code == 2 && stderr.contains(reason), "{args:?}: {code} {stderr}");
    }
}
