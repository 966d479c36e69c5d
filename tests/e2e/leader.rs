//! One works, the other is ready to.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::*;
use crate::quiet::holder;

/// Short, so that the stories do not take minutes; long enough that a busy machine does not lose it by itself.
const LEASE_SECONDS: u64 = 8;

/// Two operators with one lease, each under an account of its own so that the audit log tells them apart; the first
/// of the pair leads.
async fn pair(title: &'static str) -> Option<(Story, usize, usize)> {
    let mut story = Story::apart(title).await?;
    let first = story.start_operator("", Setup { lease_seconds: Some(LEASE_SECONDS), ..Setup::default() });
    story.operator_number(first).wait_ready(SOON);
    story.service("orders", json!({"image": "example.com/orders:1", "port": 8080, "replicas": 1})).await;
    story.until_ready("orders").await;
    let account = story.operator_number(first).account.clone();
    let second = story.start_operator("-b", Setup { replica_of: Some(account), lease_seconds: Some(LEASE_SECONDS), ..Setup::default() });
    story.operator_number(second).wait_ready(SOON);
    let name = &story.operator_number(first).name;
    let leader = holder(&story, story.operator()).await;
    assert!(leader.contains(name.as_str()) && !leader.contains(&story.operator_number(second).name), "{leader} leads instead of {name}");
    Some((story, first, second))
}

/// Makes a change and waits until somebody follows it; for how long.
async fn time_of_change(story: &Story, image: &str) -> Duration {
    let from = Instant::now();
    story.patch("Microservice", "orders", json!({"spec": {"image": image}})).await;
    story.until(SOON, image, "Deployment", "orders", |o| text(o, "/spec/template/spec/containers/0/image") == image).await;
    from.elapsed()
}

fn writes_of(story: &Story, operator: usize, place: &(std::path::PathBuf, u64)) -> Vec<audit::Request> {
    let user = story.operator_number(operator).account.user();
    let here = audit::since(&place.0, place.1).into_iter().filter(|r| r.namespace == story.namespace);
    here.filter(|r| r.user == user && r.writes() && r.code < 400).collect()
}

#[tokio::test]
async fn a_killed_leader_is_replaced_within_the_lease_and_never_joined() {
    let Some((story, leader, follower)) = pair("killed-leader").await else { return };
    let Some(place) = story.audit() else { return };
    assert!(time_of_change(&story, "example.com/orders:2").await < Duration::from_secs(2), "the leader is awake");
    assert!(writes_of(&story, follower, &place).is_empty(), "a follower writes nothing");
    story.operator_number(leader).kill();
    let took = time_of_change(&story, "example.com/orders:3").await;
    // The follower may have looked just before the leader's last renewal, and looks again a quarter of the lease later.
    let bar = Duration::from_secs(LEASE_SECONDS * 2);
    say(&format!("  leader: killed, change followed by the other after {took:.1?} with a lease of {LEASE_SECONDS} s"));
    assert!(took < bar, "took {took:?}");
    let last = writes_of(&story, leader, &place).iter().map(|r| r.answered).max().unwrap();
    let first = writes_of(&story, follower, &place).iter().map(|r| r.received).min().unwrap();
    assert!(last < first, "both wrote: {last} and {first}");
}

#[tokio::test]
async fn a_leader_that_is_stopped_hands_over_at_once() {
    let Some((story, leader, _)) = pair("stopped-leader").await else { return };
    let (_, status) = story.operator_number(leader).stop();
    assert!(status.success(), "{status}");
    let took = time_of_change(&story, "example.com/orders:2").await;
    say(&format!("  leader: stopped, change followed by the other after {took:.1?}"));
    assert!(took < Duration::from_secs(LEASE_SECONDS.div_ceil(2)), "took {took:?}: as if the lease had to run out");
}

#[tokio::test]
async fn a_leader_that_slept_past_its_lease_writes_no_more() {
    let Some((story, leader, follower)) = pair("sleeping-leader").await else { return };
    let pid = story.operator_number(leader).pid().to_string();
    run(Command::new("kill").args(["-STOP", &pid]), "");
    time_of_change(&story, "example.com/orders:2").await;
    let Some(place) = story.audit() else { return };
    run(Command::new("kill").args(["-CONT", &pid]), "");
    for number in 3..6 {
        time_of_change(&story, &format!("example.com/orders:{number}")).await;
        story.until_ready("orders").await;
    }
    let late = writes_of(&story, leader, &place);
    assert!(late.is_empty(), "{late:#?}");
    assert!(!writes_of(&story, follower, &place).is_empty());
}
