//! SIGTERM, as Kubernetes sends it: nobody who is being served may notice.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use rustix::process::Signal;
use serde_json::Value;
use std::io::Read;
use std::net::TcpStream;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};
use support::sockets::Balancer;
use support::{Process, Reply, Server, run, testserver};

/// How long after SIGTERM the balancer still sends new connections to the old server, as endpoints are removed late.
const ENDPOINT_LAG: Duration = Duration::from_millis(500);

#[test]
fn replacing_a_server_under_load_fails_no_request_over_kept_connections() {
    replace_under_load(&[]);
}

#[test]
fn replacing_a_server_under_load_fails_no_request_over_fresh_connections() {
    replace_under_load(&["--new-connection-every", "1"]);
}

/// One pod is replaced by another while a client sends 200 requests a second.
fn replace_under_load(reuse: &[&str]) {
    let mut old = Server::start(&["--revision", "old", "--latency-ms", "20", "--drain-seconds", "2"]);
    let new = Server::start(&["--revision", "new"]);
    let service = Balancer::to(old.address);
    let url = format!("http://{}/", service.address);
    let args = ["client", "--url", &url, "--rate", "200", "--seconds", "4"];
    let mut client = Process::spawn(testserver(&args).args(reuse).stdout(Stdio::piped()));

    thread::sleep(Duration::from_secs(1));
    old.process.signal(Signal::TERM);
    thread::sleep(ENDPOINT_LAG);
    service.switch_to(new.address);
    assert_eq!(old.process.exit_code(), 0);

    let code = client.exit_code();
    let summary: Value = serde_json::from_str(&client.stdout()).unwrap();
    assert_eq!((code, summary["failed"].as_u64(), summary["answered"].as_u64()), (0, Some(0), Some(800)), "{summary}");
    for revision in ["old", "new"] {
        assert!(summary["revisions"][revision]["answers"].as_u64().unwrap() > 200, "{summary}");
    }
}

#[test]
fn draining_serves_on_says_goodbye_and_is_not_ready() {
    let mut server = Server::start(&["--drain-seconds", "1"]);
    let mut kept = TcpStream::connect(server.address).unwrap();
    let before = Reply::over(&mut kept, "GET", "/", "");
    assert!(!before.head.contains("connection: close"), "{}", before.head);
    let mut idle = TcpStream::connect(server.address).unwrap();
    Reply::over(&mut idle, "GET", "/", "");

    server.process.signal(Signal::TERM);
    server.process.logged("draining");
    let after = Reply::over(&mut kept, "GET", "/", "");
    assert!(after.status == 200 && after.head.contains("connection: close"), "{}", after.head);
    let (status, reason) = server.get("/ready");
    assert!(status == 503 && reason.contains("shutting down"), "{status} {reason}");
    assert_eq!(server.get("/").0, 200, "new connections are served");

    let closed = idle.read(&mut [0; 16]).unwrap();
    assert_eq!(closed, 0, "the idle connection ends without a reset");
    assert_eq!(server.process.exit_code(), 0);
}

#[test]
fn request_under_way_is_finished_after_the_port_is_closed() {
    let mut server = Server::start(&["--drain-seconds", "0", "--latency-ms", "1500"]);
    let address = server.address;
    let slow = thread::spawn(move || Reply::to(address, "GET", "/", "").status);
    thread::sleep(Duration::from_millis(300));
    server.process.signal(Signal::TERM);
    while TcpStream::connect(address).is_ok() {
        thread::sleep(Duration::from_millis(10));
    }
    assert!(!slow.is_finished(), "the port closes while the request is under way");
    assert_eq!(slow.join().unwrap(), 200);
    assert_eq!(server.process.exit_code(), 0);
}

#[test]
fn request_beyond_the_limit_is_cut_off_and_said() {
    let mut server = Server::start(&["--drain-seconds", "0", "--shutdown-timeout-seconds", "1", "--latency-ms", "60000"]);
    let url = server.url();
    let client = thread::spawn(move || run(&["client", "--url", &url, "--requests", "1", "--timeout-ms", "9000"]));
    thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    server.process.signal(Signal::TERM);
    server.process.logged("cut off");
    assert_eq!(server.process.exit_code(), 1);
    assert!(asked.elapsed() < Duration::from_secs(3));
    assert_eq!(client.join().unwrap().0, 1);
}

#[test]
fn bad_server_ignores_sigterm_and_ends_on_sigint() {
    let mut server = Server::start(&["--ignore-sigterm", "--drain-seconds", "0"]);
    server.process.signal(Signal::TERM);
    server.process.logged("SIGTERM ignored");
    assert_eq!(server.get("/ready").0, 200);
    server.process.signal(Signal::INT);
    assert_eq!(server.process.exit_code(), 0);
}

#[test]
fn sleeper_ends_on_sigterm_or_by_itself() {
    let mut worker = Process::spawn(&mut testserver(&["sleep", "--exit-code", "5"]));
    worker.logged("sleeping");
    worker.signal(Signal::TERM);
    assert_eq!(worker.exit_code(), 0);
    let (code, _, _) = run(&["sleep", "--exit-after-seconds", "0", "--exit-code", "5"]);
    assert_eq!(code, 5);
}
