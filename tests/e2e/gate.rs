//! Canaries that wait for a webhook: a server of this process, which says what the story wants.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

/// A question is repeated every ten seconds; and the machine is busy.
const ASKED: Duration = Duration::from_secs(60);

/// Answers every request with one status, and keeps the requests.
struct Webhook {
    port: u16,
    status: Arc<AtomicU16>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Webhook {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (status, requests) = (Arc::new(AtomicU16::new(status)), Arc::new(Mutex::new(Vec::new())));
        let (says, told) = (Arc::clone(&status), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (mut request, mut piece) = (Vec::new(), [0; 4096]);
                // The body is an object, and the head has no braces.
                while !request.ends_with(b"}") {
                    match stream.read(&mut piece) {
                        Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
                        _ => break,
                    }
                }
                told.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                let _ = write!(stream, "HTTP/1.1 {} x\r\ncontent-length: 0\r\n\r\n", says.load(Ordering::SeqCst));
            }
        });
        Self { port, status, requests }
    }

    fn says(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A profile of this story's own, whose webhook `approval` is at this port.
async fn profile(story: &Story, port: u16, credentials: Option<&str>) -> String {
    let name = format!("{}-profile", story.namespace);
    let mut webhook = json!({"name": "approval", "url": format!("http://127.0.0.1:{port}/gate"), "timeoutSeconds": 2});
    if let Some(file) = credentials {
        webhook["credentialsFile"] = json!(file);
    }
    story
        .apply(json!({
            "apiVersion": "microservices.dev/v1alpha1", "kind": "MicroserviceProfile",
            "metadata": {"name": name, "labels": {MADE_BY_US: *RUN}}, "spec": {"providers": {"webhooks": [webhook]}},
        }))
        .await;
    name
}

fn spec(profile: &str, tag: &str) -> Value {
    json!({
        "image": format!("example.com/orders:{tag}"), "port": 8080, "replicas": 4, "profileRef": {"name": profile},
        "rollout": {"strategy": "Canary", "progressDeadlineSeconds": 20,
                    "canary": {"steps": [{"setWeight": 25}, {"gate": {"webhook": "approval"}}, {"setWeight": 50}]}},
    })
}

fn image(tag: &str) -> Value {
    json!({"spec": {"image": format!("example.com/orders:{tag}")}})
}

/// The gate is closed, and this is why.
async fn closed(story: &Story, why: &str) -> Value {
    let says = |o: &Value| reason(o, "Reconciling") == "RolloutPaused" && message(o, "Reconciling").contains(why);
    story.until(ASKED, why, "Microservice", "orders", says).await
}

#[tokio::test]
async fn a_gate_waits_says_why_and_opens_by_its_webhook_alone() {
    let Some(story) = Story::begin("gate").await else { return };
    let webhook = Webhook::start(503);
    let name = profile(&story, webhook.port, None).await;
    story.service("orders", spec(&name, "1")).await;
    let old = text(&story.until_ready("orders").await, "/status/revision").to_owned();
    assert!(webhook.requests().is_empty(), "a first rollout has no steps");
    story.patch("Microservice", "orders", image("2")).await;
    let waits = closed(&story, "gate `approval` is closed: answered 503; asked again every 10 to 60 s").await;
    let new = text(&waits, "/status/rollout/candidateRevision").to_owned();
    let request = webhook.requests().remove(0);
    let body: Value = serde_json::from_str(request.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    let started = text(&waits, "/status/rollout/startedAt");
    let expected = json!({"service": "orders", "namespace": story.namespace, "revision": new, "stableRevision": old,
        "image": "example.com/orders:2", "weight": 25, "step": 1, "steps": 3, "startedAt": started});
    assert_eq!(body, expected);
    for verb in ["why", "status"] {
        let said = story.cluster.plugin(&[verb, "orders", "--namespace", &story.namespace]).1;
        assert!(said.contains("gate `approval`"), "{verb}: {said}");
    }
    for value in [new.clone(), format!("{new}:full")] {
        story.command("orders", "promote", &value).await;
        let refused = |o: &Value| text(o, "/status/rollout/lastAction/value") == value;
        let object = story.until(SOON, "refused", "Microservice", "orders", refused).await;
        assert_eq!(text(&object, "/status/rollout/lastAction/result"), "Refused", "{object:#}");
    }
    webhook.says(202);
    let waits = closed(&story, "answered 202; asked again every 10 s").await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let later = story.get("Microservice", "orders").await;
    let version = "/metadata/resourceVersion";
    assert_eq!(text(&later, version), text(&waits, version), "nothing is written while it waits");
    webhook.says(204);
    story.until(ASKED, "the new version", "Microservice", "orders", |o| is_ready(o) && text(o, "/status/revision") == new).await;
    let asked = webhook.requests().len();

    webhook.says(403);
    story.patch("Microservice", "orders", image("3")).await;
    let refused = story.until(ASKED, "refused", "Microservice", "orders", |o| reason(o, "Stalled") == "GateRefused").await;
    assert!(message(&refused, "Stalled").contains("was refused by gate `approval` at step 2 of 3"), "{}", message(&refused, "Stalled"));
    let back = |o: &Value| message(o, "Stalled").contains("rolled back to revision");
    story.until(SOON, "back", "Microservice", "orders", back).await;
    assert_eq!(webhook.requests().len(), asked + 1, "who was refused does not ask again");

    story.patch("Microservice", "orders", json!({"spec": {"profileRef": null}})).await;
    let stalled = story.until(SOON, "Stalled", "Microservice", "orders", |o| reason(o, "Stalled") == "InvalidSpec").await;
    assert_eq!(text(&stalled, "/status/problems/0/field"), "spec.rollout.canary.steps[1].gate.webhook");
    story.delete("MicroserviceProfile", &name).await;
}

/// It sees profiles, so it must work in all namespaces, on a cluster of its own.
#[tokio::test]
async fn an_operator_that_is_killed_while_it_waits_asks_again() {
    let Some(mut story) = Story::bare("gate-killed").await else { return };
    story.cluster.install_crd();
    let folder = folder().join("gate-credentials");
    std::fs::create_dir_all(&folder).unwrap();
    let webhook = Webhook::start(404);
    let arguments = vec![format!("--credentials-dir={}", folder.display())];
    let index = story.start_operator("", Setup { arguments, lease_seconds: Some(4), ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    let name = profile(&story, webhook.port, Some("approval-token")).await;
    story.service("orders", spec(&name, "1")).await;
    story.until_ready("orders").await;
    story.patch("Microservice", "orders", image("2")).await;
    closed(&story, "the operator's credentials file `approval-token` cannot be read").await;
    assert!(webhook.requests().is_empty(), "nobody is asked without the token");
    std::fs::write(folder.join("approval-token"), "s3cret\n").unwrap();
    let waits = closed(&story, "answered 404; asked again every 10 s").await;
    assert!(webhook.requests()[0].contains("Bearer s3cret\r\n"), "{:?}", webhook.requests());
    assert!(!waits.to_string().contains("s3cret"));

    let operator = story.operator_number(index);
    operator.kill();
    let before = webhook.requests().len();
    webhook.says(200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(webhook.requests().len(), before, "nobody asks");
    operator.begin();
    story.until_ready_with("orders", "example.com/orders:2").await;
    assert_eq!(webhook.requests().len(), before + 1, "{:?}", webhook.requests());
    assert!(!operator.log_text().contains("s3cret"));
    story.delete("MicroserviceProfile", &name).await;
}
