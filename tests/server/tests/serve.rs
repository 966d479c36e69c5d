//! What `testserver serve` answers, and how it is switched.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};
use support::{PATIENCE, Process, Reply, Server, listening_address, run, testserver};

fn statuses(server: &Server, count: usize) -> Vec<u16> {
    (0..count).map(|_| server.get("/").0).collect()
}

#[test]
fn echo_names_the_server_and_shows_the_request() {
    let server = Server::start(&["--name", "orders", "--revision", "v2", "--pod", "orders-1"]);
    let reply = Reply::to(server.address, "PUT", "/any/path?a=b", "hello");
    let mut echo: Value = serde_json::from_str(&reply.body).unwrap();
    assert!(echo["remoteAddress"].take().as_str().unwrap().starts_with("127.0.0.1:"));
    let expected = json!({
        "name": "orders", "revision": "v2", "pod": "orders-1",
        "method": "PUT", "path": "/any/path", "query": "a=b", "bodyBytes": 5,
        // Neither the cookie nor the key that the request carries.
        "headers": {"host": "test", "x-color": "blue"},
        "remoteAddress": null,
    });
    assert_eq!((reply.status, echo), (200, expected));
}

#[test]
fn failures_follow_the_documented_pattern_from_the_start_and_after_a_change() {
    let server = Server::start(&["--fail-percent", "25", "--fail-status", "503"]);
    assert_eq!(statuses(&server, 8), [200, 200, 200, 503, 200, 200, 200, 503]);
    server.get("/");
    let (status, present) = server.control(r#"{"failPercent": 50, "failStatus": 418}"#);
    assert_eq!(status, 200, "{present}");
    assert_eq!(statuses(&server, 4), [200, 418, 200, 418], "counting starts again with the change");
    // Probes and scrapes neither fail nor count.
    server.get("/");
    for path in ["/ready", "/live", "/metrics", "/control"] {
        assert_eq!(server.get(path).0, 200, "{path}");
    }
    assert_eq!(server.get("/").0, 418);
}

#[test]
fn control_reads_changes_and_refuses() {
    let server = Server::start(&["--latency-ms", "3"]);
    let url = format!("{}control", server.url());
    let (code, refused, _) = run(&["control", "--url", &url, r#"{"latencyMs": -1}"#]);
    assert_eq!(code, 2);
    assert!(refused.contains("error") && refused.contains("-1"), "{refused}");
    let (code, _, _) = run(&["control", "--url", &url, r#"{"failPercent": 0.5}"#]);
    assert_eq!(code, 0);
    let (code, present, _) = run(&["control", "--url", &url]);
    assert_eq!(code, 0);
    let expected = json!({
        "failPercent": 0.5, "failStatus": 500, "latencyMs": 3, "latencyJitterMs": 0, "burnMillicores": 0,
        "ready": true, "live": true, "crashAfterSeconds": null, "exitCode": 1,
    });
    assert_eq!(serde_json::from_str::<Value>(&present).unwrap(), expected);
}

#[test]
fn latency_delays_the_service_and_not_the_probes() {
    let server = Server::start(&["--latency-ms", "200"]);
    let timed = |path: &str| {
        let started = Instant::now();
        server.get(path);
        started.elapsed()
    };
    assert!(timed("/") >= Duration::from_millis(200));
    assert!(timed("/ready") < Duration::from_millis(200));
    server.control(r#"{"latencyMs": 0}"#);
    assert!(timed("/") < Duration::from_millis(200));
}

#[test]
fn readiness_and_liveness_are_switched_by_flag_time_and_control() {
    let never = Server::start(&["--never-ready"]);
    assert_eq!((never.get("/ready").0, never.get("/live").0, never.get("/").0), (503, 200, 200));
    never.control(r#"{"ready": true, "live": false}"#);
    assert_eq!((never.get("/ready").0, never.get("/live").0), (200, 503));

    let late = Server::start(&["--ready-after-seconds", "1"]);
    let (status, reason) = late.get("/ready");
    assert!(status == 503 && reason.contains("--ready-after-seconds"), "{status} {reason}");
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(late.get("/ready").0, 200);
}

#[test]
fn metrics_use_the_conventional_names() {
    let server = Server::start(&["--fail-percent", "50", "--name", "orders", "--revision", "v1", "--pod", "p", "--metrics-port", "0"]);
    let metrics_port = listening_address(&server.process.logged("listening"), "HTTP");
    statuses(&server, 4);
    Reply::to(server.address, "BREW", "/burn?milliseconds=1", "");
    let (_, text) = Reply::to(metrics_port, "GET", "/metrics", "").into();
    let labels = |method: &str, status: &str, route: &str, error: &str| {
        format!(
            "http_request_method=\"{method}\",http_response_status_code=\"{status}\",http_route=\"{route}\",url_scheme=\"http\",error_type=\"{error}\""
        )
    };
    let expected = [
        "# TYPE http_server_request_duration_seconds histogram".to_owned(),
        format!("http_server_request_duration_seconds_count{{{}}} 2", labels("GET", "200", "/{path}", "")),
        format!("http_server_request_duration_seconds_count{{{}}} 2", labels("GET", "500", "/{path}", "500")),
        format!("http_server_request_duration_seconds_count{{{}}} 1", labels("_OTHER", "200", "/burn", "")),
        format!("http_server_request_duration_seconds_bucket{{le=\"+Inf\",{}}} 2", labels("GET", "200", "/{path}", "")),
        "http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"} 0".to_owned(),
        "target_info{service_name=\"orders\",service_version=\"v1\",service_instance_id=\"p\"} 1".to_owned(),
        "# EOF".to_owned(),
    ];
    for line in expected {
        assert!(text.lines().any(|present| present == line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("/ready") && !text.contains("/metrics"), "{text}");
}

#[test]
fn burning_uses_cpu_time_and_says_what_it_refuses() {
    let server = Server::start(&[]);
    let started = Instant::now();
    assert_eq!(server.get("/burn?milliseconds=100").0, 200);
    assert!(started.elapsed() >= Duration::from_millis(100));
    for query in ["x", "-1", "60001"] {
        let (status, body) = server.get(&format!("/burn?milliseconds={query}"));
        assert!(status == 400 && body.contains("up to 60000"), "{status} {body}");
    }
    let (before, started) = (cpu_ticks(&server), Instant::now());
    server.control(r#"{"burnMillicores": 500}"#);
    let used = || cpu_ticks(&server) - before;
    while used() < 50 && started.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
    }
    // A tick is 10 ms, so that half a core uses 50 a second, later where the machine has no CPU to spare, never sooner.
    assert!(used() >= 50 && started.elapsed() >= Duration::from_millis(900), "{} in {:?}", used(), started.elapsed());
    server.control(r#"{"burnMillicores": 0}"#);
    let before = cpu_ticks(&server);
    thread::sleep(Duration::from_millis(300));
    assert!(cpu_ticks(&server) - before <= 4, "burning goes on");
}

/// User and system time of the process, from the 14th and 15th field of its `stat`.
fn cpu_ticks(server: &Server) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.process.id())).unwrap();
    let after_name = stat.rsplit(") ").next().unwrap();
    after_name.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().unwrap()).sum()
}

#[test]
fn crash_comes_when_announced_with_its_exit_code() {
    let (code, _, _) = run(&["serve", "--port", "0", "--crash-after-seconds", "0", "--exit-code", "3"]);
    assert_eq!(code, 3);
    let mut later = Server::start(&[]);
    later.control(r#"{"crashAfterSeconds": 1, "exitCode": 7}"#);
    assert!(later.process.is_running());
    assert_eq!(later.process.exit_code(), 7);
}

#[test]
fn tcp_echo_returns_every_byte() {
    let server = Server::start(&["--tcp-port", "0"]);
    let mut stream = TcpStream::connect(listening_address(&server.process.logged("TCP echo"), "TCP echo")).unwrap();
    stream.write_all(b"there and back").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).unwrap();
    assert_eq!(back, "there and back");
}

#[test]
fn wrong_start_says_what_to_do() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let cases: [(&[&str], &str); 6] = [
        (&["--bind", "127.0.0.1", "--port", &port], "choose another port"),
        (&["--port", "8080", "--metrics-port", "8080"], "--port and --metrics-port must differ"),
        (&["--bind", "203.0.113.1"], "see --bind"),
        (&["--fail-percent", "101"], "not a percentage from 0 to 100"),
        (&["--fail-status", "200"], "400..=599"),
        (&["--never-ready", "--ready-after-seconds", "3"], "cannot be used with"),
    ];
    for (args, advice) in cases {
        let (code, _, stderr) = run(&[&["serve"], args].concat());
        assert_eq!(code, 2, "{args:?}: {stderr}");
        assert!(stderr.contains(advice), "{args:?}: {stderr}");
    }
}

#[test]
fn late_listener_opens_no_port_before_its_time() {
    let started = Instant::now();
    let server = Server::start(&["--listen-after-seconds", "1"]);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.get("/").0, 200);

    let mut waiting = Process::spawn(&mut testserver(&["serve", "--listen-after-seconds", "86400"]));
    waiting.logged("opening no port");
    waiting.signal(Signal::TERM);
    assert_eq!(waiting.exit_code(), 0);
}
