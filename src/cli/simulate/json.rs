//! A timeline for programs. Fields are only added, never renamed; times are seconds since the new spec was applied.

use serde_json::{Value, json};

use super::options::Moment;
use super::scenario::Scenario;
use super::timeline::{Frame, Mark, Pods, Summary, Timeline, Version, rational};

pub fn text(scenario: &Scenario, timeline: &Timeline, summary: &Summary) -> String {
    let service = &scenario.new.service;
    let frames: Vec<Value> = timeline.frames.iter().map(|shown| frame(shown, scenario)).collect();
    let events: Vec<Value> = timeline.marks.iter().map(event).collect();
    let value = json!({
        "service": {"namespace": service.namespace, "name": service.name},
        "strategy": service.rollout.strategy,
        "from": version(&timeline.old),
        "to": version(&timeline.new),
        "outcome": format!("{:?}", timeline.outcome),
        "summary": {
            "decidedSeconds": seconds(summary.decided),
            "settledSeconds": seconds(summary.settled),
            "promisedPods": timeline.promised,
            "leastServing": {"pods": summary.least.0, "seconds": seconds(summary.least.1)},
            "mostPods": {"pods": summary.most.0, "seconds": seconds(summary.most.1)},
            "requestsToNew": {"averagePercent": tenths(summary.share.0), "mostPercent": tenths(summary.share.1)},
            "brokenRules": summary.broken.iter().map(|mark| &mark.text).collect::<Vec<&String>>(),
        },
        "timeline": frames,
        "events": events,
    });
    format!("{value:#}\n")
}

fn version(version: &Version) -> Value {
    json!({"revision": version.revision, "image": version.image})
}

fn frame(frame: &Frame, scenario: &Scenario) -> Value {
    let said = &frame.said;
    let mut value = json!({
        "seconds": seconds(frame.at),
        "state": format!("{:?}", said.state),
        "wantedPods": frame.wanted,
        "old": pods(&frame.old),
        "new": pods(&frame.new),
        "requestsToNewPercent": tenths(frame.share),
        "message": said.words,
        "waitsForSomebody": frame.waits_for_somebody(),
    });
    if let Some(rollout) = said.rollout {
        value["rollout"] = json!(rollout);
    }
    if let Some((index, steps)) = said.step {
        value["step"] = json!({"index": index, "of": steps, "name": frame.step_name(&scenario.new.service)});
    }
    if let Some((wanted, seen)) = said.weight {
        value["weight"] = json!({"requested": wanted, "observed": seen});
    }
    value
}

fn pods(pods: &Pods) -> Value {
    json!({"pods": pods.there, "ready": pods.ready, "serving": pods.serving})
}

fn event(mark: &Mark) -> Value {
    json!({"seconds": seconds(mark.at), "by": mark.source.word(), "text": mark.text})
}

fn seconds(at: Moment) -> f64 {
    rational(at) / 1000.0
}

fn tenths(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}
