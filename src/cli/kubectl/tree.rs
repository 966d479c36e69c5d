//! `tree`: a Microservice, its rollout, and all that came of it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::api::labels;
use crate::api::v1alpha1::RouteRef;
use crate::model::ChildRef;

use super::brief::{Brief, age, count, role_tone};
use super::family::{Family, Member, PodView};
use super::screen::{Screen, Tone, Word, plain, word};

/// Kinds in the order in which people ask for them; others follow.
const ORDER: [&str; 7] =
    ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount", "ConfigMap"];
const RECORD: &str = "ControllerRevision";
/// Most pods that are shown of a Deployment.
const PODS: usize = 20;

/// Something, what is to be said of it, and what is below it.
#[derive(Clone, Debug, Default)]
pub struct Node {
    pub name: String,
    pub says: Vec<Word>,
    pub below: Vec<Self>,
}

/// The whole tree.
pub fn tree(family: &Family, brief: &Brief) -> Node {
    let (reason, _) = brief.summary();
    let ready = brief.status.ready_text.as_ref().map(|text| format!(", {text} pods ready")).unwrap_or_default();
    let says = vec![brief.state().word(), plain(format!(" {reason}{ready}"))];
    let mut below: Vec<Node> = rollout(brief).into_iter().collect();
    let mut children: Vec<&Member> = family.children.iter().filter(|child| child.kind != RECORD).collect();
    children.sort_by_key(|child| {
        let rank = ORDER.iter().position(|kind| *kind == child.kind).unwrap_or(ORDER.len());
        (rank, role_rank(child), child.kind.clone(), child.name.clone())
    });
    below.extend(children.into_iter().map(|child| self::child(family, child, brief)));
    let placed =
        |pod: &&PodView| family.children.iter().any(|child| child.kind == "Deployment" && Some(&child.name) == pod.deployment.as_ref());
    below.extend(routes(family));
    below.extend(self::pods(family.pods.iter().filter(|pod| !placed(pod)), brief));
    below.extend(records(family, brief));
    below.extend(family.unread.iter().map(|text| Node {
        name: "not shown".to_owned(),
        says: vec![word(Tone::Bad, text)],
        below: Vec::new(),
    }));
    Node { name: format!("Microservice {}", brief.name()), says, below }
}

/// Routes of the user's that the spec names; what their gateways say stands in a condition.
fn routes(family: &Family) -> Vec<Node> {
    let canary = family.object.spec.rollout.as_ref().and_then(|rollout| rollout.canary.as_ref());
    let named = canary.and_then(|canary| canary.route_refs.as_deref()).unwrap_or_default();
    let node = |route: &RouteRef| Node {
        name: ChildRef::from(route).to_string(),
        says: vec![word(Tone::Quiet, "yours, by `routeRefs`: a canary moves its weights")],
        below: Vec::new(),
    };
    named.iter().map(node).collect()
}

fn rollout(brief: &Brief) -> Option<Node> {
    let state = brief.rollout_state()?;
    let hold = brief.hold().map(|hold| format!(", {}", hold.text(brief.now))).unwrap_or_default();
    let progress = &brief.progress;
    let at = |role: &str, revision: &str, deployment: &str, more: String| Node {
        name: format!("{role} {revision}"),
        says: vec![word(Tone::Quiet, format!("in Deployment {deployment}{more}"))],
        below: Vec::new(),
    };
    let mut below = Vec::new();
    below.extend(progress.stable.as_ref().map(|stable| at("stable", &stable.revision, &stable.deployment, String::new())));
    below.extend(progress.candidate.as_ref().map(|candidate| {
        let share = brief.status.rollout.as_ref().and_then(|rollout| rollout.weight);
        let more = share.map(|weight| format!(", wants {weight} %, has {} %", candidate.observed_weight)).unwrap_or_default();
        at("candidate", &candidate.at.revision, &candidate.at.deployment, more)
    }));
    below.extend(progress.parked.iter().map(|parked| {
        let until = parked.until.as_ref().map(|until| age(until.0.as_second() - brief.now.as_second()));
        at("parked", &parked.revision, &parked.deployment, until.map_or(", going".to_owned(), |left| format!(", goes in {left}")))
    }));
    below.extend(progress.failed.as_ref().map(|failed| {
        let why = progress.failure.as_ref().map(|failure| failure.reason.clone()).unwrap_or_default();
        Node { name: format!("failed {failed}"), says: vec![word(Tone::Bad, why)], below: Vec::new() }
    }));
    let tone = match state {
        crate::api::v1alpha1::RolloutState::Completed => Tone::Good,
        crate::api::v1alpha1::RolloutState::Progressing
        | crate::api::v1alpha1::RolloutState::Paused
        | crate::api::v1alpha1::RolloutState::Baking => Tone::Busy,
        _ => Tone::Bad,
    };
    Some(Node { name: format!("Rollout {:?}", brief.strategy()), says: vec![word(tone, brief.rollout()), plain(hold)], below })
}

fn child(family: &Family, child: &Member, brief: &Brief) -> Node {
    let says = match (child.value.is_null(), child.read) {
        (false, _) => details(child),
        (true, true) => vec![word(Tone::Bad, "not found")],
        (true, false) => vec![word(Tone::Quiet, "not shown")],
    };
    let of_it = |pod: &&PodView| child.kind == "Deployment" && pod.deployment.as_ref() == Some(&child.name);
    Node { name: format!("{} {}", child.kind, child.name), says, below: pods(family.pods.iter().filter(of_it), brief) }
}

/// Pods that are not ready first: among many, they are what is looked for.
fn pods<'a>(all: impl Iterator<Item = &'a PodView>, brief: &Brief) -> Vec<Node> {
    let (ready, others): (Vec<_>, Vec<_>) = all.partition(|pod| pod.facts.ready && !pod.leaving);
    let revisions: BTreeSet<_> = ready.iter().chain(&others).map(|pod| &pod.facts.revision).collect();
    let mixed = revisions.len() > 1;
    let hidden = (ready.len() + others.len()).saturating_sub(PODS);
    let shown = others.into_iter().chain(ready).take(PODS);
    let more = (hidden > 0).then(|| Node { name: format!("and {} more", count(hidden, "pod")), ..Node::default() });
    shown.map(|pod| self::pod(pod, mixed, brief)).chain(more).collect()
}

/// What is worth a glance.
fn details(child: &Member) -> Vec<Word> {
    let at = |pointer: &str| child.value.pointer(pointer);
    let number = |pointer: &str| at(pointer).and_then(Value::as_i64).unwrap_or_default();
    let text = |pointer: &str| at(pointer).and_then(Value::as_str).unwrap_or_default();
    match child.kind.as_str() {
        "Deployment" => {
            let (ready, wanted) = (number("/status/readyReplicas"), number("/spec/replicas"));
            let tone = if ready >= wanted { Tone::Good } else { Tone::Busy };
            let revision = metadata(child, "annotations", labels::REVISION);
            let role = metadata(child, "labels", labels::ROLE);
            let mut words = Vec::new();
            if !role.is_empty() {
                words.extend([word(role_tone(role), role), plain(", ")]);
            }
            words.extend([plain(format!("revision {revision}, ")), word(tone, format!("{ready}/{wanted} ready"))]);
            words
        }
        "Service" => {
            let ports: Vec<String> = at("/spec/ports")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .map(|port| format!("{} to {}", port["port"], port["targetPort"].to_string().trim_matches('"')))
                .collect();
            let pinned = at("/spec/selector").and_then(|selector| selector.get(labels::REVISION)?.as_str());
            let pinned = pinned.map(|revision| format!(", only revision {revision}")).unwrap_or_default();
            vec![plain(format!("{} {}, port {}{pinned}", text("/spec/type"), text("/spec/clusterIP"), ports.join(", ")))]
        }
        "HorizontalPodAutoscaler" => {
            let (least, most) = (number("/spec/minReplicas"), number("/spec/maxReplicas"));
            let desired = match number("/status/desiredReplicas") {
                0 => "has no metrics yet".to_owned(),
                pods => format!("asks for {pods}"),
            };
            vec![plain(format!("{least} to {most} pods, {desired}"))]
        }
        "PodDisruptionBudget" => vec![plain(format!("{} may go now", count(usize(number("/status/disruptionsAllowed")), "pod")))],
        "NetworkPolicy" => {
            let rules = |pointer: &str| at(pointer).and_then(Value::as_array).map_or(0, Vec::len);
            vec![plain(format!("{} in, {} out", count(rules("/spec/ingress"), "rule"), count(rules("/spec/egress"), "rule")))]
        }
        "ConfigMap" => vec![plain(count(at("/data").and_then(Value::as_object).map_or(0, serde_json::Map::len), "file"))],
        _ => Vec::new(),
    }
}

fn usize(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn metadata<'a>(child: &'a Member, map: &str, key: &str) -> &'a str {
    child.value["metadata"][map][key].as_str().unwrap_or_default()
}

/// Stable before candidate before all others.
fn role_rank(child: &Member) -> u8 {
    match metadata(child, "labels", labels::ROLE) {
        "stable" => 0,
        "candidate" => 1,
        _ => 2,
    }
}

/// `mixed`: its neighbours are of several revisions.
fn pod(pod: &PodView, mixed: bool, brief: &Brief) -> Node {
    let tone = match (pod.leaving, pod.facts.ready, pod.trouble().is_some()) {
        (true, ..) => Tone::Quiet,
        (_, true, _) => Tone::Good,
        (_, _, true) => Tone::Bad,
        _ => Tone::Busy,
    };
    let state = if pod.facts.ready && !pod.leaving { "ready".to_owned() } else { pod.state() };
    let restarts = if pod.restarts > 0 { format!(", {}", count(usize(pod.restarts.into()), "restart")) } else { String::new() };
    let age = pod.created.map(|created| age(brief.now.as_second() - created.as_second())).unwrap_or_default();
    let revision = pod.facts.revision.as_ref().filter(|_| mixed).map(|revision| format!(", revision {revision}")).unwrap_or_default();
    let says = vec![word(tone, state), plain(format!("{revision}{restarts}")), word(Tone::Quiet, format!("  {age}"))];
    Node { name: format!("Pod {}", pod.facts.name), says, below: Vec::new() }
}

/// Records are many and say little each: one line.
fn records(family: &Family, brief: &Brief) -> Option<Node> {
    let mut records: Vec<&Member> = family.children.iter().filter(|child| child.kind == RECORD).collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.value["revision"].as_i64()));
    let named: Vec<String> = records
        .iter()
        .map(|record| {
            let hash = record.name.rsplit_once('-').map_or(record.name.as_str(), |(_, hash)| hash);
            brief.role(hash).map_or_else(|| hash.to_owned(), |role| format!("{hash} ({role})"))
        })
        .collect();
    (!records.is_empty()).then(|| Node { name: "Revisions on record".to_owned(), says: vec![plain(named.join(", "))], below: Vec::new() })
}

/// The tree as it is drawn.
pub fn draw(root: &Node) -> Screen {
    let mut rows = vec![vec![word(Tone::Strong, &root.name)]];
    let mut says = vec![&root.says];
    branches(root, "", &mut rows, &mut says);
    let width = rows.iter().flatten().map(Word::width).max().unwrap_or_default();
    let mut screen = Screen::default();
    for (mut row, says) in rows.into_iter().zip(says) {
        let used: usize = row.iter().map(Word::width).sum();
        row.push(plain(" ".repeat(width + 2 - used.min(width))));
        screen.line(row.into_iter().chain(says.iter().cloned()));
    }
    screen
}

fn branches<'a>(node: &'a Node, indent: &str, rows: &mut Vec<Vec<Word>>, says: &mut Vec<&'a Vec<Word>>) {
    for (index, child) in node.below.iter().enumerate() {
        let last = index + 1 == node.below.len();
        let (joint, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        rows.push(vec![plain(format!("{indent}{joint}{}", child.name))]);
        says.push(&child.says);
        branches(child, &format!("{indent}{below}"), rows, says);
    }
}

/// What every part says, from top to bottom. Ages are left out: they would be a change every second.
pub fn parts(root: &Node) -> Vec<(String, String)> {
    let lasting = root.says.iter().filter(|word| word.tone != Tone::Quiet || !word.text.starts_with("  "));
    let own = (root.name.clone(), lasting.map(|word| word.text.as_str()).collect());
    std::iter::once(own).chain(root.below.iter().flat_map(parts)).collect()
}

/// A line for each part that is new, says something else, or has gone.
pub fn changes(before: &[(String, String)], after: &[(String, String)]) -> Vec<String> {
    let gone = before.iter().filter(|(name, _)| !after.iter().any(|(other, _)| other == name)).map(|(name, _)| format!("{name}: gone"));
    let told = after.iter().filter(|part| !before.contains(part));
    told.map(|(name, says)| if says.is_empty() { name.clone() } else { format!("{name}: {says}") }).chain(gone).collect()
}
