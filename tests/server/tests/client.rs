//! The client keeps its rate, tells who answered and ends as it should.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use rustix::process::Signal;
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::sockets::refusing_address;
use support::{Process, Server, client, run, testserver};

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
        let fixed = ["--url", &server.url(), "--rate", "50", "--requests", "30"];
        let (code, summary) = client(&[&fixed, args].concat());
        assert_eq!(code, 0, "{summary}");
        summary["connections"].as_u64().unwrap()
    };
    assert_eq!(connections(&["--new-connection-every", "1"]), 30);
    // 3 and 6 on an idle machine; where answers take longer than the 20 ms between requests, the client opens more.
    let kept = connections(&["--concurrency", "3"]);
    assert!((3..=15).contains(&kept), "{kept}");
    let renewed = connections(&["--concurrency", "2", "--new-connection-every", "5"]);
    assert!((6..=20).contains(&renewed), "{renewed}");
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
    for (args, reason) in
        [(["--url", "https://orders/"], "no TLS"), (["--rate", "0"], "1..=10000"), (["--header", "nonsense"], "needs a colon")]
    {
        let (code, _, stderr) = run(&[&["client"], &args[..]].concat());
        assert!(code == 2 && stderr.contains(reason), "{args:?}: {code} {stderr}");
    }
}
