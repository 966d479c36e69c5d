//! `testserver probe`: what counts as allowed, as denied and as neither.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::thread;
use std::time::Duration;
use support::sockets::{Blackhole, refusing_address};
use support::{Process, Server, run, testserver};

fn probe(args: &[&str]) -> (i32, String) {
    let (code, stdout, stderr) = run(&[&["probe", "--timeout-ms", "300"], args].concat());
    (code, stdout + &stderr)
}

#[test]
fn outcome_decides_the_exit_code() {
    let server = Server::start(&["--fail-percent", "100"]);
    let blackhole = Blackhole::new();
    let (open, dropped, refused) = (server.address.to_string(), blackhole.address.to_string(), refusing_address().to_string());
    let cases: [(&[&str], i32, &str); 11] = [
        (&["--url", &format!("http://{open}/")], 0, "allowed (HTTP 500)"),
        (&["--url", &format!("http://{open}/"), "--expect", "denied"], 1, "NOT as expected"),
        (&["--tcp", &open], 0, "allowed (connected)"),
        (&["--tcp", &dropped, "--expect", "denied"], 0, "denied (connect_timeout"),
        (&["--url", &format!("http://{dropped}/"), "--expect", "denied"], 0, "denied (connect_timeout"),
        (&["--tcp", &dropped], 1, "NOT as expected"),
        // A target that is down or has no such name must not pass for a policy at work.
        (&["--tcp", &refused, "--expect", "denied"], 1, "shows no policy"),
        (&["--tcp", &refused, "--expect", "denied", "--rejected-is-denied"], 0, "denied (connect_refused"),
        (&["--tcp", "orders.invalid:80", "--expect", "denied"], 1, "check the name"),
        (&["--tcp", "orders"], 2, "needs a port"),
        (&[], 2, "required"),
    ];
    for (args, expected, words) in cases {
        let (code, output) = probe(args);
        assert_eq!(code, expected, "{args:?}: {output}");
        assert!(output.contains(words), "{args:?}: {output}");
    }
}

#[test]
fn tries_go_on_until_the_expected_outcome() {
    let address = refusing_address();
    let port = address.port().to_string();
    let late = thread::spawn(move || {
        thread::sleep(Duration::from_millis(400));
        let server = Process::spawn(&mut testserver(&["serve", "--bind", "127.0.0.1", "--port", &port]));
        server.logged("listening");
        server
    });
    let (code, output) = probe(&["--tcp", &address.to_string(), "--tries", "50", "--interval-ms", "100"]);
    assert_eq!(code, 0, "{output}");
    assert!(!output.contains("try 1 of"), "{output}");
    drop(late.join().unwrap());
}
