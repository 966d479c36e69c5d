//! Whole rollouts as stories: a service, what its cluster does, and what the plan makes of it, line by line. Each line
//! of a trace is one pass that changed something. Nothing here is asynchronous and no clock runs.

mod cluster;

use jiff::SignedDuration;
use serde_json::json;

use crate::api::labels;
use crate::model::Kind;
use crate::plan::Cause;

use cluster::{Story, mask};

fn ready_service() -> Story {
    let mut story = Story::of(json!({"image": "orders:1", "port": 8080, "rollout": {"progressDeadlineSeconds": 60}}));
    story.settle().deployment(2, 2, 2, 2);
    story
}

#[test]
fn a_bad_image_is_rolled_back_and_not_tried_again_until_asked() {
    let mut story = Story::of(json!({"image": "orders:1", "port": 8080, "rollout": {"progressDeadlineSeconds": 60}}));
    story.note("applied").settle();
    story.note("one pod, then two").deployment(2, 1, 1, 1).deployment(2, 2, 2, 2);
    story.note("image orders:bad").edit(|s| s.image = "orders:bad".to_owned());
    story.deployment(2, 1, 3, 2).trouble("ImagePullBackOff", "not found", None);
    story.note("60 s later the Deployment gives up").after(61).deadline(2, 1, 3, 2);
    story.note("the template is back, the surplus pod goes").deployment(2, 2, 3, 2);
    story.world.pods.clear();
    story.deployment(2, 2, 2, 2);
    story.note("the same spec, applied again").edit(|_| {});
    story.note("another spec").edit(|s| s.image = "orders:2".to_owned()).deployment(2, 2, 2, 2);
    assert_eq!(story.image(), "orders:2");
    insta::assert_snapshot!("rolled_back", story.trace);
    insta::assert_snapshot!("rolled_back_events", mask(&story.world, &story.events.join("\n")));
}

#[test]
fn a_retry_is_handled_once_and_only_for_the_failed_revision() {
    let mut story = ready_service();
    story.edit(|s| s.image = "orders:bad".to_owned()).deployment(2, 1, 3, 2).after(61).deadline(2, 1, 3, 2);
    story.deployment(2, 2, 2, 2);
    assert_eq!(story.image(), "orders:1");
    let failed = story.status().rollout.and_then(|r| r.failed_revision).expect("a failed revision");

    story.annotate(labels::RETRY, "00000000");
    let refused = story.status().rollout.and_then(|r| r.last_action).expect("an answer");
    assert_eq!(format!("{:?}", refused.result), "Refused");
    assert!(refused.message.contains(&failed), "{}", refused.message);
    assert_eq!(story.image(), "orders:1", "a refused command changes nothing");

    story.annotate(labels::RETRY, &failed);
    assert_eq!(story.image(), "orders:bad", "tried again");
    story.deployment(2, 1, 3, 2).after(61).deadline(2, 1, 3, 2).deployment(2, 2, 2, 2);
    assert_eq!(story.image(), "orders:1", "failed again, and the same annotation is not a new command");
    story.annotate(labels::RETRY, &format!("{failed}:again"));
    assert_eq!(story.image(), "orders:bad");
    story.deployment(2, 2, 2, 2);
    assert_eq!(story.condition("Ready").0, "True", "and the second retry may succeed");
}

#[test]
fn a_deadline_condition_left_from_before_a_retry_does_not_fail_the_retry() {
    let mut story = ready_service();
    story.edit(|s| s.image = "orders:bad".to_owned()).deployment(2, 1, 3, 2).after(61).deadline(2, 1, 3, 2);
    let failed = story.status().rollout.and_then(|r| r.failed_revision).expect("a failed revision");
    story.annotate(labels::RETRY, &failed).deadline(2, 1, 3, 2);
    assert_eq!(story.condition("Reconciling").1, "RolloutInProgress");
    assert_eq!(story.decide().wake.map(|w| w.as_secs()), Some(60), "looks again when this try's own time is over");
    story.after(61);
    assert_eq!(story.condition("Stalled").1, "ProgressDeadlineExceeded");
}

#[test]
fn a_first_rollout_that_fails_stays_and_heals_by_itself() {
    let mut story = Story::of(json!({"image": "orders:crash", "port": 8080, "rollout": {"progressDeadlineSeconds": 60}}));
    story.settle().deployment(2, 2, 2, 0).trouble("CrashLoopBackOff", "back-off 20s", Some(137));
    story.after(61).deadline(2, 2, 2, 0);
    let (_, reason, message) = story.condition("Stalled");
    assert_eq!(reason, "ProgressDeadlineExceeded");
    assert!(message.contains("orders-7d9-x2x") && message.contains("137") && message.contains("left in place"), "{message}");
    assert_eq!(story.condition("Available").0, "False");
    story.world.pods.clear();
    story.deployment(2, 2, 2, 2);
    assert_eq!(story.condition("Ready").0, "True");
    assert_eq!(story.status().rollout.and_then(|r| r.failed_revision), None);
}

#[test]
fn a_restart_does_not_bring_back_what_was_taken_out() {
    let mut story = ready_service();
    let first = story.status().revision.expect("a stable revision");
    story.edit(|s| s.image = "orders:2".to_owned()).deployment(2, 2, 2, 2);
    let second = story.status().revision.expect("a stable revision");
    story.annotate(labels::UNDO, &first).deployment(2, 2, 2, 2);
    assert_eq!(story.image(), "orders:1");
    for value in ["now", "again"] {
        story.annotate(labels::RESTART, value);
        let refused = story.status().rollout.and_then(|r| r.last_action).expect("an answer");
        assert_eq!((refused.verb.as_str(), refused.value.as_str(), format!("{:?}", refused.result)), ("restart", value, "Refused".into()));
        assert!(refused.message.contains(&format!("microservices.dev/retry={second}")), "{}", refused.message);
        assert_eq!(story.image(), "orders:1");
    }
    let events = story.events.len();
    story.settle();
    assert_eq!(story.events.len(), events, "it is said once");
    story.annotate(labels::RETRY, &second).deployment(2, 2, 2, 2);
    let revision = story.status().revision.expect("a stable revision");
    assert!(story.image() == "orders:2" && revision != second, "the restart holds for the version of the spec: {revision}");
    assert!(story.status().rollout.is_some_and(|r| !r.handled.contains_key("restart")));
}

#[test]
fn hold_leaves_the_failed_version_in_place() {
    let mut story = ready_service();
    story.edit(|s| s.rollout.get_or_insert_default().on_failure = Some(crate::api::v1alpha1::OnFailure::Hold)).deployment(2, 2, 2, 2);
    story.edit(|s| s.image = "orders:bad".to_owned()).deployment(2, 1, 3, 2).after(61).deadline(2, 1, 3, 2);
    assert_eq!(story.image(), "orders:bad");
    assert_eq!(story.condition("Stalled").1, "ProgressDeadlineExceeded");
    assert_eq!(story.condition("Available").0, "True", "the old pods serve");
}

#[test]
fn a_spec_put_back_midway_returns_at_once() {
    let mut story = ready_service();
    story.edit(|s| s.image = "orders:2".to_owned()).deployment(2, 1, 3, 2);
    story.edit(|s| s.image = "orders:1".to_owned());
    assert_eq!(story.image(), "orders:1");
    story.deployment(2, 2, 2, 2);
    assert_eq!(story.condition("Ready").0, "True");
    assert!(story.events.iter().any(|e| e.starts_with("RolloutReverted")), "{:?}", story.events);
}

#[test]
fn ready_is_not_claimed_before_the_change_was_seen() {
    let mut story = ready_service();
    story.edit(|s| s.image = "orders:2".to_owned());
    assert_ne!(story.condition("Ready").0, "True", "the Deployment still reports the old numbers");
    let mut fixed = Story::of(json!({"image": "orders:1", "port": 8080, "replicas": 2}));
    fixed.settle().deployment(2, 2, 2, 2);
    assert_eq!(fixed.condition("Ready").0, "True");
}

#[test]
fn growth_by_an_autoscaler_is_not_a_rollout() {
    let mut story = ready_service();
    story.deployment(6, 3, 3, 2);
    assert_eq!(story.condition("Ready").0, "True", "the minimum serves");
    assert_eq!(story.status().ready_text.as_deref(), Some("2/6"));
}

#[test]
fn dead_pods_are_reconciling_until_the_deadline_and_stalled_after_it() {
    let mut story = ready_service();
    story.deployment(2, 2, 2, 0);
    assert_eq!(story.condition("Ready").0, "False");
    assert_eq!(story.condition("Reconciling").1, "Progressing");
    assert_eq!(story.decide().wake.map(|w| w.as_secs()), Some(60));
    story.after(61);
    assert_eq!(story.condition("Stalled").1, "ProgressDeadlineExceeded");
    story.deployment(2, 2, 2, 2);
    assert_eq!(story.condition("Ready").0, "True", "and it heals");
}

#[test]
fn a_full_quota_and_pod_security_are_told_apart() {
    let mut story = Story::of(json!({"image": "orders:1", "port": 8080}));
    story.settle().refuse("pods \"orders-1\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0");
    assert_eq!(story.condition("Stalled").1, "QuotaExceeded");
    story.refuse("pods \"orders-1\" is forbidden: violates PodSecurity \"restricted:latest\": runAsNonRoot != true");
    assert_eq!(story.condition("Stalled").1, "Forbidden");
    story.deployment(2, 2, 2, 2);
    assert_eq!(story.condition("Ready").0, "True", "resumes by itself");
}

#[test]
fn a_failed_child_is_named_and_its_siblings_live() {
    let mut story = Story::of(json!({"image": "orders:1", "port": 8080}));
    story.fail(Kind::Service, Cause::OwnershipConflict, "exists and is not controlled by anything");
    let (_, reason, message) = story.condition("Stalled");
    assert_eq!(reason, "OwnershipConflict");
    assert!(message.starts_with("Service orders: exists"), "{message}");
    assert!(story.status().inventory.iter().any(|e| e.kind == "Deployment"));
    assert!(!story.status().inventory.iter().any(|e| e.kind == "Service"), "what is not ours is not in the inventory");
    story.failures.clear();
    story.settle().deployment(2, 2, 2, 2);
    assert_eq!(story.condition("Ready").0, "True");
}

#[test]
fn exactly_one_summary_condition_is_true_in_every_situation() {
    let mut stories = vec![ready_service(), ready_service(), ready_service(), ready_service()];
    if let [rolling, failed, down, suspended] = stories.as_mut_slice() {
        rolling.edit(|s| s.image = "orders:2".to_owned());
        failed.edit(|s| s.image = "orders:bad".to_owned()).deployment(2, 1, 3, 2).after(61).deadline(2, 1, 3, 2);
        down.deployment(2, 2, 2, 0);
        suspended.edit(|s| s.suspend = Some(true));
    }
    for story in &stories {
        let summary: Vec<String> = story
            .status()
            .conditions
            .iter()
            .filter(|c| ["Ready", "Reconciling", "Stalled"].contains(&c.type_.as_str()) && c.status == "True")
            .map(|c| c.type_.clone())
            .collect();
        assert_eq!(summary.len(), 1, "{summary:?}\n{}", story.trace);
        assert!(story.status().conditions.iter().all(|c| c.observed_generation == story.world.object.metadata.generation));
    }
}

#[test]
fn a_suspended_service_keeps_its_conditions_and_follows_the_generation() {
    let mut story = ready_service();
    story.edit(|s| {
        s.suspend = Some(true);
        s.image = "orders:2".to_owned();
    });
    assert_eq!(story.image(), "orders:1", "nothing is applied");
    assert_eq!(story.condition("Suspended").0, "True");
    assert_eq!(story.condition("Ready").0, "True");
    assert_eq!(story.status().observed_generation, story.world.object.metadata.generation);
    story.edit(|s| s.suspend = None);
    assert_eq!(story.condition("Suspended").0, "");
    assert_eq!(story.image(), "orders:2");
}

#[test]
fn transition_times_move_only_when_a_status_flips() {
    let mut story = ready_service();
    let since = |story: &Story| story.status().conditions.iter().find(|c| c.type_ == "Available").map(|c| c.last_transition_time.clone());
    let before = since(&story);
    story.now += SignedDuration::from_secs(100);
    story.edit(|s| s.image = "orders:2".to_owned()).deployment(2, 2, 2, 2);
    assert_eq!(since(&story), before);
}

#[test]
fn scaled_to_zero_is_ready() {
    let mut story = Story::of(json!({"image": "orders:1", "port": 8080, "replicas": 0}));
    story.settle().deployment(0, 0, 0, 0);
    assert_eq!(
        story.condition("Ready"),
        ("True".to_owned(), "ScaledToZero".to_owned(), "scaled to zero by `spec.replicas: 0`; no pod serves".to_owned())
    );
}

#[test]
fn an_operator_that_renders_differently_today_restarts_nothing() {
    let mut story = ready_service();
    let before = story.image();
    // What an older version of the operator rendered from the same spec.
    for revision in &mut story.world.revisions {
        revision.template["metadata"]["annotations"] = json!({"old": "rendering"});
    }
    for live in &mut story.world.children {
        if live.reference.kind == Kind::Deployment {
            live.object["spec"]["template"]["metadata"]["annotations"] = json!({"old": "rendering"});
        }
        if live.reference.kind == Kind::ControllerRevision {
            live.object["data"]["metadata"]["annotations"] = json!({"old": "rendering"});
        }
    }
    let events = story.events.len();
    story.settle();
    assert_eq!((story.image(), story.events.len()), (before, events));
    let template = story
        .world
        .children
        .iter()
        .find(|l| l.reference.kind == Kind::Deployment)
        .map(|l| l.object["spec"]["template"]["metadata"]["annotations"].clone());
    assert_eq!(template, Some(json!({"old": "rendering"})));
}

#[test]
fn an_autoscaler_without_metrics_is_unknown_for_five_minutes_and_then_false() {
    let mut story = ready_service();
    assert_eq!(story.condition("AutoscalerReady").0, "Unknown", "it has yet to look");
    story.world.autoscaler = serde_json::from_value(json!({"status": {"desiredReplicas": 0, "conditions": [
        {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics known"}]}}))
    .ok();
    story.settle();
    assert_eq!(story.condition("AutoscalerReady").1, "Starting", "no complaint in the first minute");
    assert_eq!(story.decide().wake.map(|w| w.as_secs()), Some(60));
    story.after(60);
    assert_eq!(story.condition("AutoscalerReady").1, "FailedGetResourceMetric");
    assert_eq!(story.condition("AutoscalerReady").0, "Unknown");
    assert_eq!(story.decide().wake.map(|w| w.as_secs()), Some(240));
    assert_eq!(story.condition("Ready").0, "True", "Ready does not wait for metrics");
    story.after(241);
    assert_eq!(story.condition("AutoscalerReady").0, "False");
    story.after(100);
    assert_eq!(story.condition("AutoscalerReady").0, "False", "and stays so");
    story.world.autoscaler = serde_json::from_value(json!({"status": {"desiredReplicas": 6, "conditions": [
        {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"},
        {"type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas"}]}}))
    .ok();
    story.settle();
    assert_eq!(story.condition("AutoscalerReady").0, "True");
    let shown = story.status().autoscaling.expect("shown");
    assert_eq!((shown.text.as_str(), shown.limited_by.as_str()), ("6 (2-6)", "maxReplicas"));
}
