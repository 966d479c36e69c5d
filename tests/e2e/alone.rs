//! What is measured, with the machine to itself.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;

use crate::harness::audit::{Request, since, tally};
use crate::harness::*;

/// The bar for `apply` to Ready.
const READY_WITHIN: Duration = Duration::from_secs(3);
/// Its bar for the operator's own share of that.
const OWN_SHARE: Duration = Duration::from_millis(100);
/// Its bar for requests at create: one for each child, and two for the status.
const STATUS_WRITES: usize = 2;

const TEN_LINES: &str = "
apiVersion: microservices.dev/v1alpha1
kind: Microservice
metadata:
  name: orders
spec:
  image: example.com/shop/orders:1.4.2
  port: 8080
";

#[tokio::test]
async fn ten_lines_are_ready_within_three_seconds_and_the_operator_takes_little_of_it() {
    let Some(story) = Story::alone("ten-lines").await else { return };
    // The first service of a fresh control plane pays for its cold caches; the second is like all that follow.
    story.service("warm-up", json!({"image": "example.com/shop/orders:1", "port": 8080})).await;
    story.until_settled("warm-up").await;
    let Some(place) = story.audit() else { return };

    let from = Instant::now();
    story.apply(serde_saphyr::from_str(TEN_LINES).unwrap()).await;
    story.until_ready("orders").await;
    let took = from.elapsed();

    story.until_settled("orders").await;
    let all = since(&place.0, place.1);
    let own = own_share(&all, &story.namespace, &story.operator().account.user());
    let requests: Vec<_> = until_ready(story.requests_since(&place));
    say(&format!("  ten lines: Ready after {took:.2?}, of which the operator's share is {own:.1?}; {}", tally(&requests)));
    assert!(took < READY_WITHIN, "Ready only after {took:?}");
    assert!(own < OWN_SHARE, "the operator's own share is {own:?}");
}

/// From the end of the user's request to the end of the last child's creation, and from the last word of the
/// Deployment's controller to the status that says Ready; less the time in which the API server had a request of the
/// operator's in hand, which is its share.
fn own_share(all: &[Request], namespace: &str, user: &str) -> Duration {
    let here: Vec<_> = all.iter().filter(|r| r.namespace == namespace && r.name == "orders").collect();
    let ours = || here.iter().filter(|r| r.user == user);
    let asked = here.iter().find(|r| r.resource == "microservices").unwrap().answered;
    let made = ours().filter(|r| r.writes() && r.code == 201).map(|r| r.answered).max().unwrap();
    let told = ours().filter(|r| r.resource == "microservices/status").map(|r| r.answered);
    let available =
        |before: Timestamp| here.iter().filter(|r| r.resource == "deployments/status" && r.answered <= before).map(|r| r.answered).max();
    // The last status that a change of the Deployment led to: later ones tell of the autoscaler.
    let last_change = here.iter().filter(|r| r.resource == "deployments/status").map(|r| r.answered).max().unwrap();
    let ready = told.filter(|at| *at >= last_change).min().unwrap();
    let windows = [(asked, made), (available(ready).unwrap(), ready)];
    let mut own = Duration::ZERO;
    for (from, to) in windows {
        own += Duration::try_from(to.duration_since(from)).unwrap();
        let mut in_hand: Vec<_> = ours().map(|r| (r.received.max(from), r.answered.min(to))).filter(|(begin, end)| begin < end).collect();
        in_hand.sort();
        let mut counted = from;
        for (begin, end) in in_hand {
            let begin = begin.max(counted);
            if begin < end {
                own -= Duration::try_from(end.duration_since(begin)).unwrap();
                counted = end;
            }
        }
    }
    own
}

/// Requests up to the status that says Ready, without events: those are for people, limited, and never retried.
fn until_ready(requests: Vec<Request>) -> Vec<Request> {
    requests.into_iter().filter(|r| r.resource != "events").collect()
}

#[tokio::test]
async fn a_service_costs_one_request_for_each_child_and_two_for_its_status() {
    const SERVICES: usize = 10;
    let Some(story) = Story::alone("requests").await else { return };
    let Some(place) = story.audit() else { return };
    for number in 0..SERVICES {
        // Fixed numbers: an autoscaler's first words come half a minute later and are a change of their own.
        story.service(&format!("shop-{number}"), json!({"image": "example.com/shop/orders:1", "port": 8080, "replicas": 2})).await;
    }
    for number in 0..SERVICES {
        story.until_ready(&format!("shop-{number}")).await;
    }
    for number in 0..SERVICES {
        story.until_settled(&format!("shop-{number}")).await;
    }
    let requests: Vec<_> = story.requests_since(&place);
    let counted: Vec<_> = requests.iter().filter(|r| r.resource != "events").collect();
    let mut children = 0;
    for kind in CHILDREN {
        children += story.list(kind, "app.kubernetes.io/managed-by=microservice-operator").await.len();
    }
    assert_eq!(children % SERVICES, 0, "the services are alike");
    say(&format!("  requests: {SERVICES} services, {children} children: {}", tally(&requests)));
    let allowed = children + STATUS_WRITES * SERVICES;
    assert!(counted.len() <= allowed, "{} requests, {allowed} allowed: {}", counted.len(), tally(counted.iter().copied()));
    assert!(counted.iter().all(|r| r.code < 400), "refused requests: {}", tally(counted.iter().copied()));
}
