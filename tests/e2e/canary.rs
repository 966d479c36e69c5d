//! A canary by pod ratio: step by step, by hand, and back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::audit::Request;
use crate::harness::*;

/// Seconds for a step that is to succeed: as many as a busy machine needs.
const PATIENCE: i64 = 60;
/// For one that is to fail.
const IMPATIENCE: i64 = 8;

fn steps() -> Value {
    json!([{"setWeight": 20}, {"pause": {"manual": true}}, {"setWeight": 60}, {"pause": {"seconds": 1}}])
}

fn spec(image: &str) -> Value {
    let rollout = json!({"strategy": "Canary", "progressDeadlineSeconds": PATIENCE, "canary": {"steps": steps()}});
    json!({"image": format!("example.com/orders:{image}"), "port": 8080, "replicas": 5, "rollout": rollout})
}

fn image(tag: &str) -> Value {
    json!({"spec": {"image": format!("example.com/orders:{tag}")}})
}

fn image_within(tag: &str, seconds: i64) -> Value {
    let mut patch = image(tag);
    patch["spec"]["rollout"] = json!({"progressDeadlineSeconds": seconds});
    patch
}

fn state(object: &Value) -> &str {
    text(object, "/status/rollout/state")
}

/// Waits at the manual pause, with one pod of five on the new version.
async fn at_the_pause(story: &Story) -> Value {
    story.until(SOON, "paused", "Microservice", "orders", |o| state(o) == "Paused" && number(o, "/status/rollout/step") == 1).await
}

fn candidate(object: &Value) -> String {
    text(object, "/status/rollout/candidateRevision").to_owned()
}

#[tokio::test]
async fn a_canary_grows_step_by_step_and_becomes_stable_without_a_second_roll() {
    let Some(story) = Story::begin("canary").await else { return };
    story.service("orders", spec("1")).await;
    let first = story.until_ready("orders").await;
    assert_eq!(text(&first, "/status/rollout/state"), "Completed", "the first rollout has no steps");
    let witness = Witness::of(&story, "orders", 5, 7).await;
    let place = story.audit();

    story.patch("Microservice", "orders", image("2")).await;
    let paused = at_the_pause(&story).await;
    let new = candidate(&paused);
    assert_eq!((number(&paused, "/status/rollout/weight"), number(&paused, "/status/rollout/observedWeight")), (20, 20));
    assert_eq!((number(&paused, "/status/rollout/steps"), text(&paused, "/status/revision")), (4, text(&first, "/status/revision")));
    assert_eq!(reason(&paused, "Reconciling"), "RolloutPaused");
    assert!(message(&paused, "Reconciling").contains(&format!("microservices.dev/promote={new}")), "{}", message(&paused, "Reconciling"));
    let early: Vec<String> = story.pods_of("orders", &new).await;
    assert_eq!((early.len(), story.pods("orders").await.len()), (1, 5));

    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(state(&story.get("Microservice", "orders").await), "Paused", "nothing goes on by itself");
    story.command("orders", "promote", &new).await;
    let done = story.until_ready_with("orders", "example.com/orders:2").await;
    assert_eq!((text(&done, "/status/revision"), state(&done)), (new.as_str(), "Completed"));
    assert_eq!(text(&done, "/status/rollout/lastAction/result"), "Accepted");
    let late = story.pods_of("orders", &new).await;
    assert_eq!((late.len(), story.pods("orders").await.len()), (5, 5));
    assert!(early.iter().all(|pod| late.contains(pod)), "the first pod of the new version still runs");
    story.until_gone("Deployment", &format!("orders-{}", text(&first, "/status/revision"))).await;
    witness.is_content();
    let written = place.map(|place| story.requests_since(&place)).unwrap_or_default();
    let status = written.iter().filter(|r| r.writes() && r.resource == "microservices/status").count();
    // One for each of the four steps, the beginning, the command and the end; numbers for display may add two.
    assert!(status <= 9, "{status} writes of status");
    // A write that takes pods away holds only for the state that was read, and is made again otherwise.
    assert!(written.iter().filter(|r| r.writes()).all(|r: &Request| r.code < 300 || r.code == 409), "{}", audit::tally(&written));
}

#[tokio::test]
async fn a_canary_that_is_given_up_leaves_and_its_revision_is_refused_afterwards() {
    let Some(story) = Story::begin("canary-abort").await else { return };
    story.service("orders", spec("1")).await;
    story.until_ready("orders").await;
    let (pods, witness) = (story.pods("orders").await, Witness::of(&story, "orders", 5, 7).await);
    story.patch("Microservice", "orders", image("2")).await;
    let new = candidate(&at_the_pause(&story).await);

    story.command("orders", "promote", "00000000").await;
    let refused = |o: &Value| text(o, "/status/rollout/lastAction/result") == "Refused";
    let said = story.until(SOON, "refused", "Microservice", "orders", refused).await;
    assert!(text(&said, "/status/rollout/lastAction/message").contains(&new), "{said:#}");
    assert_eq!(state(&said), "Paused");

    story.command("orders", "abort", &new).await;
    let back = |o: &Value| state(o) == "Aborted" && message(o, "Stalled").contains("rolled back");
    let aborted = story.until(SOON, "aborted", "Microservice", "orders", back).await;
    assert_eq!(reason(&aborted, "Stalled"), "RolloutAborted");
    assert!(is_true(&aborted, "Available"));
    story.until_gone("Deployment", &format!("orders-{new}")).await;
    let left = story.pods("orders").await;
    assert_eq!(left.len(), 5);
    assert_eq!(pods.iter().filter(|pod| left.contains(pod)).count(), 4, "four old ones have never been touched");
    story.command("orders", "promote", &new).await;
    let refused = |o: &Value| text(o, "/status/rollout/lastAction/value") == new && refused(o);
    story.until(SOON, "refused", "Microservice", "orders", refused).await;

    story.command("orders", "retry", &new).await;
    at_the_pause(&story).await;
    story.command("orders", "promote", &format!("{new}:full")).await;
    story.until_ready_with("orders", "example.com/orders:2").await;
    witness.is_content();
}

#[tokio::test]
async fn a_canary_that_never_becomes_ready_is_taken_back_and_says_why() {
    let Some(story) = Story::begin("canary-bad").await else { return };
    story.service("orders", spec("1")).await;
    let first = story.until_ready("orders").await;
    let (pods, witness) = (story.pods("orders").await, Witness::of(&story, "orders", 5, 7).await);
    story.patch("Microservice", "orders", image_within("2-bad", IMPATIENCE)).await;
    let back = |o: &Value| is_stalled(o, "ProgressDeadlineExceeded") && message(o, "Stalled").contains("rolled back");
    let failed = story.until(SOON, "rolled back", "Microservice", "orders", back).await;
    let said = message(&failed, "Stalled");
    for part in ["0 of 1 pods", "ImagePullBackOff", "example.com/orders:2-bad", "microservices.dev/retry="] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    assert_eq!((state(&failed), text(&failed, "/status/revision")), ("RolledBack", text(&first, "/status/revision")));
    story.until_gone("Deployment", &format!("orders-{}", text(&failed, "/status/rollout/failedRevision"))).await;
    assert_eq!(story.pods("orders").await, pods, "no pod of the old version was touched");

    // The next version is tried at once, from the first step.
    story.patch("Microservice", "orders", image_within("3", PATIENCE)).await;
    let new = candidate(&at_the_pause(&story).await);
    story.command("orders", "promote", &format!("{new}:full")).await;
    story.until_ready_with("orders", "example.com/orders:3").await;
    witness.is_content();
}

#[tokio::test]
async fn a_spec_that_changes_goes_back_or_is_scaled_in_the_middle() {
    let Some(story) = Story::begin("canary-changes").await else { return };
    story.service("orders", spec("1")).await;
    let first = story.until_ready("orders").await;
    let witness = Witness::of(&story, "orders", 5, 10).await;
    story.patch("Microservice", "orders", image("2")).await;
    let second = candidate(&at_the_pause(&story).await);
    story.patch("Microservice", "orders", image("3")).await;
    let other = |o: &Value| state(o) == "Paused" && candidate(o) != second;
    let third = candidate(&story.until(SOON, "from the beginning", "Microservice", "orders", other).await);
    story.until_gone("Deployment", &format!("orders-{second}")).await;

    story.patch("Microservice", "orders", json!({"spec": {"replicas": 8}})).await;
    let grown = |o: &Value| number(o, "/status/readyReplicas") >= 8 && state(o) == "Paused";
    story.until(SOON, "grown", "Microservice", "orders", grown).await;
    assert_eq!(story.pods_of("orders", &third).await.len(), 2, "20 % of 8 is nearest to 2");

    story.patch("Microservice", "orders", image("1")).await;
    let back = story.until_ready_with("orders", "example.com/orders:1").await;
    assert_eq!(text(&back, "/status/revision"), text(&first, "/status/revision"));
    story.until_gone("Deployment", &format!("orders-{third}")).await;
    assert_eq!(story.pods("orders").await.len(), 8);
    witness.is_content();
}

#[tokio::test]
async fn a_service_moves_between_all_strategies_without_a_restart() {
    let Some(story) = Story::begin("strategies").await else { return };
    let plain = json!({"image": "example.com/orders:1", "port": 8080, "replicas": 3});
    story.service("orders", plain).await;
    story.until_ready("orders").await;
    let witness = Witness::of(&story, "orders", 3, 7).await;
    let strategies = [
        ("Canary", json!({"strategy": "Canary", "canary": {"steps": [{"setWeight": 50}]}})),
        ("BlueGreen", json!({"strategy": "BlueGreen", "scaleDownDelaySeconds": 2, "blueGreen": {}})),
        ("RollingUpdate", json!({"strategy": "RollingUpdate"})),
        ("BlueGreen", json!({"strategy": "BlueGreen", "scaleDownDelaySeconds": 2, "blueGreen": {}})),
        ("Canary", json!({"strategy": "Canary", "canary": {"steps": [{"setWeight": 50}]}})),
        ("RollingUpdate", json!({"strategy": "RollingUpdate"})),
    ];
    for (index, (name, rollout)) in strategies.into_iter().enumerate() {
        let deadline = Instant::now() + SOON;
        while story.pods("orders").await.len() > 3 {
            assert!(Instant::now() < deadline, "the pods of the version before have not gone");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let pods = story.pods("orders").await;
        story.patch("Microservice", "orders", json!({"spec": {"rollout": null}})).await;
        story.patch("Microservice", "orders", json!({"spec": {"rollout": rollout}})).await;
        story.until_ready("orders").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(story.pods("orders").await, pods, "{name} by itself restarts nothing");
        let next = format!("{}", index + 2);
        story.patch("Microservice", "orders", image(&next)).await;
        story.until_ready_with("orders", &format!("example.com/orders:{next}")).await;
    }
    story.until(SOON, "in one Deployment again", "Deployment", "orders", |o| number(o, "/status/availableReplicas") == 3).await;
    witness.is_content();
}

#[tokio::test]
async fn an_operator_that_is_killed_again_and_again_skips_and_repeats_no_step() {
    let Some(mut story) = Story::apart("canary-killed").await else { return };
    // Nobody else is there to take over, and each start would wait for the lease of the dead.
    let index = story.start_operator("", Setup { arguments: vec!["--leader-elect=false".to_owned()], ..Setup::default() });
    story.operator_number(index).wait_ready(SOON);
    let mut patient = spec("1");
    let pause = json!({"pause": {"seconds": 1}});
    patient["rollout"]["canary"]["steps"] = json!([{"setWeight": 20}, pause, {"setWeight": 40}, pause, {"setWeight": 80}, pause]);
    story.service("orders", patient).await;
    story.until_ready("orders").await;
    let witness = Witness::of(&story, "orders", 5, 7).await;
    let steps = Recording::of(&story, "Microservice", "orders", "/status/rollout/step").await;
    story.patch("Microservice", "orders", image("2")).await;
    for round in 0..8u64 {
        tokio::time::sleep(Duration::from_millis(300 + round * 7919 % 613)).await;
        story.operator_number(index).kill();
        story.operator_number(index).begin();
    }
    story.until_ready_with("orders", "example.com/orders:2").await;
    let seen: Vec<i64> = steps.values().iter().filter_map(Value::as_i64).collect();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6], "every step once, in order");
    witness.is_content();
}

#[tokio::test]
async fn beside_an_autoscaler_a_canary_keeps_what_the_load_needs() {
    let Some(story) = Story::begin("canary-autoscaled").await else { return };
    // As much as is asked for: the autoscaler wants to stay where it is.
    let template = json!({"metadata": {"annotations": {"kwok.x-k8s.io/usage-cpu": "70m"}}});
    let mut scaled = spec("1");
    scaled.as_object_mut().unwrap().remove("replicas");
    scaled["autoscaling"] = json!({"minReplicas": 4, "maxReplicas": 8, "cpu": {"averageUtilization": 70}});
    scaled["podTemplate"] = template;
    scaled["rollout"]["canary"]["steps"] = json!([{"setWeight": 25}, {"pause": {"manual": true}}]);
    story.service("orders", scaled).await;
    let first = story.until_ready("orders").await;
    let witness = Witness::of(&story, "orders", 4, 16).await;
    story.patch("Microservice", "orders", image("2")).await;
    let new = candidate(&at_the_pause(&story).await);
    assert_eq!(story.pods_of("orders", &new).await.len(), 1, "a third of what the other side has, which is 4");
    let follows = |o: &Value| text(o, "/spec/scaleTargetRef/name").to_owned();
    let old = story.get("HorizontalPodAutoscaler", "orders").await;
    assert_eq!(follows(&old), format!("orders-{}", text(&first, "/status/revision")));
    assert_eq!((number(&old, "/spec/minReplicas"), number(&old, "/spec/maxReplicas")), (3, 6), "its share of 4 to 8");
    story.command("orders", "promote", &new).await;
    story.until_ready_with("orders", "example.com/orders:2").await;
    let led = story.get("HorizontalPodAutoscaler", "orders").await;
    assert_eq!(follows(&led), format!("orders-{new}"));
    assert_eq!((number(&led, "/spec/minReplicas"), number(&led, "/spec/maxReplicas")), (4, 8));
    assert_eq!(story.list("HorizontalPodAutoscaler", "").await.len(), 1);
    witness.is_content();
}
