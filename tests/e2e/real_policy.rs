//! Who may call whom, told by packets that arrive or do not.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

/// Of the namespace that plays the internet.
const PORT: u16 = 8088;

/// An answer proves a way that is open; a closed one takes some tries, for a policy needs a moment to take hold.
async fn may(story: &Story, name: &str, labels: Value, target: &str, allowed: bool) {
    let expect = if allowed { "allowed" } else { "denied" };
    let (held, said) = story.visit(name, labels, &["probe", "--url", target, "--expect", expect, "--tries", "15"]).await;
    assert!(held, "{name} to {target} should be {expect}: {said}");
}

#[tokio::test]
async fn by_default_neighbours_may_call_and_strangers_may_not() {
    let Some(story) = Story::real("neighbours").await else { return };
    story.service("orders", server(&TEST_SERVER[0], 1)).await;
    story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    let target = format!("http://orders.{}/", story.namespace);
    may(&story, "neighbour", json!({}), &target, true).await;
    let abroad = story.abroad("strangers").await;
    may(&abroad, "stranger", json!({}), &target, false).await;
    // Open again, and the very same stranger gets in: it was the policy.
    story.patch("Microservice", "orders", json!({"spec": {"accessPolicy": {"isolation": "None"}}})).await;
    story.until_gone("NetworkPolicy", "orders").await;
    may(&abroad, "stranger-again", json!({}), &target, true).await;
}

#[tokio::test]
async fn a_list_of_callers_lets_in_whom_it_names_and_nobody_else() {
    let Some(story) = Story::real("callers").await else { return };
    let mut spec = server(&TEST_SERVER[0], 1);
    spec["accessPolicy"] = json!({"inbound": [{"service": "web"}, {"podSelector": {"matchLabels": {"role": "batch"}}}]});
    story.service("orders", spec).await;
    let mut closed = server(&TEST_SERVER[0], 1);
    closed["accessPolicy"] = json!({"isolation": "Strict"});
    story.service("vault", closed).await;
    let mut web = server(&TEST_SERVER[0], 1);
    web["accessPolicy"] = json!({"outbound": [{"service": "orders"}]});
    story.service("web", web).await;
    for name in ["orders", "vault", "web"] {
        story.until(POD_TIME, "Ready", "Microservice", name, is_ready).await;
    }
    let pod = story.pods("web").await.remove(0);
    let (held, said) = story.inside(&pod, &["probe", "--url", "http://orders/", "--tries", "15"]);
    assert!(held, "web may call orders: {said}");
    let (held, said) = story.inside(&pod, &["probe", "--url", "http://vault/", "--expect", "denied", "--tries", "15"]);
    assert!(held, "web may call nobody but orders: {said}");
    may(&story, "batch", json!({"role": "batch"}), "http://orders/", true).await;
    may(&story, "other", json!({"role": "other"}), "http://orders/", false).await;
    may(&story, "visitor", json!({}), "http://vault/", false).await;
}

#[tokio::test]
async fn a_list_of_addresses_keeps_a_service_from_all_others() {
    let Some(story) = Story::real("outbound").await else { return };
    let _listener = Internet::serve(PORT);
    let mut spec = server(&TEST_SERVER[0], 1);
    spec["accessPolicy"] = json!({"outbound": [{"cidr": "203.0.113.10/32", "ports": [PORT]}]});
    story.service("orders", spec).await;
    story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    let pod = story.pods("orders").await.remove(0);
    let probe = |address: &str, expect: &str| {
        story.inside(&pod, &["probe", "--tcp", &format!("{address}:{PORT}"), "--expect", expect, "--tries", "15"])
    };
    let (held, said) = probe("203.0.113.10", "allowed");
    assert!(held, "{said}");
    let (held, said) = probe("203.0.113.20", "denied");
    assert!(held, "{said}");
    story.patch("Microservice", "orders", json!({"spec": {"accessPolicy": null}})).await;
    story.until(SOON, "no limit outbound", "NetworkPolicy", "orders", |o| !at(o, "/spec/policyTypes").to_string().contains("Egress")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (held, said) = probe("203.0.113.20", "allowed");
    assert!(held, "it was the policy: {said}");
}
