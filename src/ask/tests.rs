//! Against real servers on the loopback, which answer as nobody should.

mod server;

use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::api::v1alpha1 as api;
use crate::model::Webhook;
use server::{Says, Server, status};

const CERTIFICATE: &[u8] = include_bytes!("testdata/cert.pem");
const KEY: &[u8] = include_bytes!("testdata/key.pem");

fn question(id: &str, url: &str, credentials_file: Option<&str>) -> Question {
    let credentials_file = credentials_file.map(str::to_owned);
    let webhook = api::Webhook { name: "approval".to_owned(), url: url.to_owned(), timeout_seconds: Some(1), credentials_file };
    Question { id: id.to_owned(), webhook: Webhook::of(&webhook).unwrap(), body: serde_json::json!({"service": "orders"}) }
}

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("microservice-operator-ask-{}-{name}", std::process::id()));
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

async fn asked(says: Says) -> call::Reply {
    let server = Server::start(says).await;
    Caller::new(folder("none")).call(&question("a", &server.url(), None)).await
}

fn trouble(words: &str) -> Answer {
    Answer::Trouble(words.to_owned())
}

fn not_yet(words: &str) -> Answer {
    Answer::NotYet(words.to_owned())
}

#[tokio::test]
async fn a_status_opens_refuses_or_means_not_yet() {
    for (line, expected) in [
        ("200 OK", Answer::Yes),
        ("204 No Content", Answer::Yes),
        ("299 x", Answer::Yes),
        ("202 Accepted", not_yet("answered 202")),
        ("403 Forbidden", Answer::No),
        ("401 Unauthorized", not_yet("answered 401")),
        ("404 Not Found", not_yet("answered 404")),
        ("429 Too Many Requests", trouble("answered 429")),
        ("500 x", trouble("answered 500")),
        ("503 x", trouble("answered 503")),
        ("600 x", not_yet("answered 600")),
    ] {
        assert_eq!(asked(status(line)).await.answer, expected, "{line}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let other = Server::start(status("200 OK")).await;
    let line = format!("302 Found\r\nlocation: {}", other.url());
    assert_eq!(asked(status(&line)).await.answer, not_yet("answered 302, and redirects are not followed"));
    assert_eq!(other.told(), [""; 0]);
}

#[tokio::test]
async fn a_server_may_ask_for_time() {
    for (value, expected) in [("7", Some(7)), (" 120 ", Some(120)), ("-1", None), ("soon", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)] {
        let reply = asked(status(&format!("429 x\r\nretry-after: {value}"))).await;
        assert_eq!(reply.retry_after, expected.map(Duration::from_secs), "{value}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_finish_has_not_answered() {
    let late = trouble("did not answer in 1 s");
    assert_eq!(asked(Says::Hangs("")).await.answer, late);
    assert_eq!(asked(Says::Hangs("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot ")).await.answer, late, "a yes that does not end");
    assert_eq!(asked(Says::Late(Duration::from_secs(3))).await.answer, late);
}

#[tokio::test]
async fn of_a_huge_body_only_a_part_is_read() {
    let mut bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n".to_vec();
    bytes.extend(vec![b'x'; BODY_SENT]);
    assert_eq!(asked(Says::Bytes(bytes)).await.answer, Answer::Yes, "more than anybody needs of it has come");
}

/// More than is read.
const BODY_SENT: usize = 256 * 1024;

#[tokio::test]
async fn hostile_answers_are_trouble_and_nothing_of_them_is_repeated() {
    let many = "x: y\r\n".repeat(5000);
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1 << 20));
    let cases = [
        "SSH-2.0-OpenSSH\r\n".to_owned(),
        "HTTP/1.1 2000 OK\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\nx y: \0\r\n\r\n".to_owned(),
        format!("HTTP/1.1 200 OK\r\n{many}\r\n"),
        long,
    ];
    for case in cases {
        let answer = asked(Says::Bytes(case.clone().into_bytes())).await.answer;
        let known = [trouble("answered with something that is not HTTP"), trouble("broke off the connection")];
        assert!(known.contains(&answer), "{answer:?} for {:?}", &case[..40.min(case.len())]);
    }
    assert_eq!(asked(Says::Bytes(Vec::new())).await.answer, trouble("broke off the connection"));
    let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nnot".to_vec();
    assert_eq!(asked(Says::Bytes(cut)).await.answer, trouble("broke off the connection"), "a yes that is cut off");
}

#[tokio::test]
async fn a_server_out_of_reach_is_trouble() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let ask = async |url: &str| Caller::new(folder("none")).call(&question("a", url, None)).await.answer;
    assert_eq!(ask(&format!("http://127.0.0.1:{port}/")).await, trouble("refused the connection"));
    let unknown = ask("http://nobody.invalid/").await;
    assert!([trouble("its name cannot be resolved"), trouble("did not answer in 1 s")].contains(&unknown), "{unknown:?}");
}

#[tokio::test]
async fn a_certificate_must_be_of_a_known_authority() {
    let chain = vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(KEY).unwrap())
        .unwrap();
    let server = Server::serve(status("200 OK"), Some(TlsAcceptor::from(Arc::new(config)))).await;
    let folder = folder("tls");
    let ask =
        async |host: &str| Caller::new(folder.clone()).call(&question("a", &format!("https://{host}:{}/", server.port), None)).await.answer;
    assert_eq!(ask("localhost").await, trouble("its certificate is not trusted"));
    assert_eq!(server.told(), [""; 0], "nothing was sent");
    std::fs::write(folder.join("ca.crt"), "nonsense\n-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n").unwrap();
    assert_eq!(ask("localhost").await, trouble("the operator's file `ca.crt` must hold certificates in PEM"));
    std::fs::write(folder.join("ca.crt"), CERTIFICATE).unwrap();
    assert_eq!(ask("localhost").await, Answer::Yes, "the file is read anew");
    assert_eq!(ask("127.0.0.1").await, Answer::Yes);
    let plain = Server::start(status("200 OK")).await;
    let url = format!("https://localhost:{}/", plain.port);
    let answer = Caller::new(folder.clone()).call(&question("a", &url, None)).await.answer;
    assert!(matches!(answer, Answer::Trouble(_)), "{answer:?}");
}

#[tokio::test]
async fn the_request_says_what_it_is_about_and_who_asks() {
    let server = Server::start(status("200 OK")).await;
    let folder = folder("credentials");
    let ask = async |file: Option<&str>| Caller::new(folder.clone()).call(&question("a", &server.url(), file)).await.answer;
    assert_eq!(ask(None).await, Answer::Yes);
    let request = server.told().remove(0).to_ascii_lowercase();
    for part in [
        "post /gate?team=a http/1.1\r\n".to_owned(),
        format!("host: 127.0.0.1:{}\r\n", server.port),
        "content-type: application/json\r\n".to_owned(),
        format!("user-agent: microservice-operator/{}\r\n", env!("CARGO_PKG_VERSION")),
        "\r\n\r\n{\"service\":\"orders\"}".to_owned(),
    ] {
        assert!(request.contains(&part), "{part:?} in {request}");
    }
    assert!(!request.contains("authorization"), "{request}");

    assert_eq!(ask(Some("token")).await, trouble("the operator's credentials file `token` cannot be read"));
    for (text, expected) in [("  first\n", "Bearer first\r\n"), ("second", "Bearer second\r\n")] {
        std::fs::write(folder.join("token"), text).unwrap();
        assert_eq!(ask(Some("token")).await, Answer::Yes);
        let request = server.told().pop().unwrap();
        assert!(request.contains(expected), "{request}");
    }
    for wrong in ["", " \n", "two\nlines", "\u{1}"] {
        std::fs::write(folder.join("token"), wrong).unwrap();
        assert_eq!(ask(Some("token")).await, trouble("the operator's credentials file `token` must hold one line of text"), "{wrong:?}");
    }
}

/// Counts, and tells of services that became due.
struct Heard(tokio::sync::mpsc::UnboundedReceiver<Key>, Arc<AtomicUsize>);

struct Count(Arc<AtomicUsize>);

impl Meter for Count {
    fn asked(&self, _: &Answer, _: Duration) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn asker(leadership: Leadership, shutdown: CancellationToken) -> (Asker, Heard) {
    let (tell, heard) = tokio::sync::mpsc::unbounded_channel();
    let count = Arc::new(AtomicUsize::new(0));
    let asker = Asker::new(Means {
        folder: folder("none"),
        leadership,
        shutdown,
        meter: Arc::new(Count(Arc::clone(&count))),
        wake: Box::new(move |key| drop(tell.send(key.clone()))),
    });
    (asker, Heard(heard, count))
}

fn alone() -> (Asker, Heard) {
    asker(Leadership::unconditional(), CancellationToken::new())
}

#[tokio::test]
async fn an_answer_is_kept_makes_the_service_due_and_is_forgotten_with_its_question() {
    let server = Server::start(status("200 OK")).await;
    let (asker, mut heard) = alone();
    let key = Key::new("shop", "orders");
    let first = question("first", &server.url(), None);
    for _ in 0..3 {
        asker.ask(&key, vec![first.clone()]);
    }
    assert_eq!(heard.0.recv().await, Some(key.clone()));
    assert_eq!(asker.answers(&key), BTreeMap::from([("first".to_owned(), Answer::Yes)]));
    assert_eq!(server.told().len(), 1, "one request however often it is named");
    // Another address is another question, though it is about the same.
    asker.ask(&key, vec![question("first", &format!("{}b", server.url()), None)]);
    assert_eq!(asker.answers(&key), BTreeMap::new());
    assert_eq!(heard.0.recv().await, Some(key.clone()));
    asker.ask(&key, Vec::new());
    assert_eq!((asker.answers(&key), asker.services()), (BTreeMap::new(), 0));
}

#[tokio::test]
async fn what_is_no_longer_asked_wakes_nobody() {
    let server = Server::start(Says::Late(Duration::from_millis(200))).await;
    let (asker, mut heard) = alone();
    let key = Key::new("shop", "orders");
    asker.ask(&key, vec![question("a", &server.url(), None)]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    asker.ask(&key, Vec::new());
    assert!(tokio::time::timeout(Duration::from_millis(400), heard.0.recv()).await.is_err());
}

#[tokio::test]
async fn one_host_gets_four_requests_at_once() {
    let server = Server::start(Says::Late(Duration::from_millis(100))).await;
    let (asker, mut heard) = alone();
    for index in 0..10 {
        asker.ask(&Key::new("shop", format!("s{index}")), vec![question(&index.to_string(), &server.url(), None)]);
    }
    for _ in 0..10 {
        heard.0.recv().await.unwrap();
    }
    assert_eq!(server.most.load(Ordering::SeqCst), TO_ONE_HOST);
    assert_eq!(heard.1.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn a_host_that_hangs_leaves_room_for_others() {
    let (slow, quick) = (Server::start(Says::Hangs("")).await, Server::start(status("200 OK")).await);
    let (asker, mut heard) = alone();
    for index in 0..40 {
        asker.ask(&Key::new("shop", format!("slow{index}")), vec![question(&index.to_string(), &slow.url(), None)]);
    }
    let key = Key::new("shop", "quick");
    asker.ask(&key, vec![question("q", &quick.url(), None)]);
    let first = tokio::time::timeout(Duration::from_millis(900), heard.0.recv()).await;
    assert_eq!(first.unwrap(), Some(key), "before the first of the others is out of time");
}

#[tokio::test]
async fn only_the_leader_asks_and_nobody_after_the_signal() {
    let server = Server::start(status("200 OK")).await;
    let key = Key::new("shop", "orders");
    let (follower, _heard) = asker(Leadership::never(), CancellationToken::new());
    follower.ask(&key, vec![question("a", &server.url(), None)]);
    let shutdown = CancellationToken::new();
    let (leaving, _heard) = asker(Leadership::unconditional(), shutdown.clone());
    shutdown.cancel();
    leaving.ask(&key, vec![question("b", &server.url(), None)]);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.told(), [""; 0]);
}
