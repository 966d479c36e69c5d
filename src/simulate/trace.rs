//! One line for each change that tells something.

use serde_json::Value;

use crate::model::Kind;
use crate::observe::Watched;

use super::store::Change;

/// What a change says to people.
pub fn line(change: &Change) -> Option<String> {
    let what = match (&change.before, &change.after) {
        (None, Some(after)) => format!("creates {}{}", change.id, detail(change, None, after)),
        (Some(_), None) => format!("deletes {}", change.id),
        (Some(before), Some(after)) => format!("changes {}{}", change.id, detail(change, Some(before), after)),
        (None, None) => return None,
    };
    Some(format!("{} {what}", change.by))
}

fn detail(change: &Change, before: Option<&Value>, after: &Value) -> String {
    let moved = |path: &str| {
        let (old, new) = (before.and_then(|before| before.pointer(path)), after.pointer(path));
        (old != new).then(|| (old.map(text).unwrap_or_default(), new.map(text).unwrap_or_default()))
    };
    let field = |name: &str, path: &str| moved(path).map(|(old, new)| format!("{name} {old}→{new}"));
    let shown: Vec<Option<String>> = match change.id.watched {
        Watched::Child(Kind::Deployment) => vec![
            field("replicas", "/spec/replicas"),
            field("revision", "/metadata/annotations/microservices.dev~1revision"),
            field("image", "/spec/template/spec/containers/0/image"),
            field("role", "/metadata/labels/microservices.dev~1role"),
            (before.and_then(|before| before.get("status")) != after.get("status")).then(|| counts(after)),
        ],
        Watched::Child(Kind::Service) => {
            vec![field("selects", "/spec/selector/microservices.dev~1revision"), field("track", "/spec/selector/microservices.dev~1track")]
        }
        Watched::Child(Kind::PodDisruptionBudget) => vec![field("selects", "/spec/selector/matchLabels/microservices.dev~1revision")],
        Watched::Child(Kind::HorizontalPodAutoscaler) => {
            vec![field("target", "/spec/scaleTargetRef/name"), field("min", "/spec/minReplicas"), field("max", "/spec/maxReplicas")]
        }
        Watched::Child(Kind::HTTPRoute | Kind::GRPCRoute) => {
            vec![
                field("weight", "/spec/rules/0/backendRefs/1/weight"),
                field("accepted", "/status/parents/0/conditions/0/observedGeneration"),
            ]
        }
        Watched::UserRoute(_) => {
            let backends = |object: &Value| object.pointer("/spec/rules/0/backendRefs").map(Value::to_string);
            vec![(before.and_then(backends) != backends(after)).then(|| backends(after).unwrap_or_default())]
        }
        Watched::EndpointSlice => vec![Some(format!("{} endpoints", after["endpoints"].as_array().map_or(0, Vec::len)))],
        Watched::Pod => vec![Some(pod(after))],
        Watched::Profile => vec![field("generation", "/metadata/generation")],
        Watched::Microservice => {
            let mut all = vec![field("generation", "/metadata/generation"), condition(before, after)];
            let fields = [
                "state",
                "stableRevision",
                "stableDeployment",
                "candidateRevision",
                "candidateDeployment",
                "strategy",
                "step",
                "weight",
                "observedWeight",
                "lackingSince",
                "unwellSince",
                "capacity",
                "parked",
                "bake",
                "failedRevision",
                "undoRevision",
                "lastAction",
            ];
            all.extend(fields.map(|name| field(name, &format!("/status/rollout/{name}"))));
            all
        }
        Watched::Child(_) => Vec::new(),
    };
    let shown: Vec<String> = shown.into_iter().flatten().collect();
    if shown.is_empty() { String::new() } else { format!(": {}", shown.join(", ")) }
}

fn counts(deployment: &Value) -> String {
    let number = |name: &str| deployment.pointer(&format!("/status/{name}")).map(text).unwrap_or_default();
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"].map(number).join("/");
    format!("status {counts} seen {}", number("observedGeneration"))
}

fn pod(pod: &Value) -> String {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return "leaving".to_owned();
    }
    let waiting = pod.pointer("/status/containerStatuses/0/state/waiting/reason").and_then(Value::as_str);
    let ready = super::autoscaler::is_ready(pod);
    waiting.map_or_else(|| if ready { "ready" } else { "unready" }.to_owned(), str::to_owned)
}

/// The summary, if it changed.
fn condition(before: Option<&Value>, after: &Value) -> Option<String> {
    let summary = |object: &Value| {
        let all = object.pointer("/status/conditions").and_then(Value::as_array);
        let of =
            |kind: &str| all.into_iter().flatten().find(|condition| condition["type"] == kind && condition["status"] == "True").cloned();
        let found = ["Ready", "Reconciling", "Stalled"].iter().find_map(|kind| of(kind))?;
        Some(format!("{}/{} “{}”", text(&found["type"]), text(&found["reason"]), text(&found["message"])))
    };
    let (old, new) = (before.and_then(summary), summary(after));
    if old == new { None } else { new }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
