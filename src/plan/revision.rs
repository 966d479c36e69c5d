//! Revisions: which pods the spec asks for, which ones are applied, and which records are kept.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::children::{pod, tidy};
use super::digest;
use crate::api::labels;
use crate::api::v1alpha1::{AccessPolicy, MicroserviceSpec, Outbound, ServiceAccount};
use crate::model::{ChildRef, Kind, Placed, Progress, Service};
use crate::observe::World;
use crate::observe::world::Revision;

/// Characters of the hash of a spec's inputs: 128 bits, because a collision would swallow a user's change.
const INPUTS: usize = 32;

/// A revision to apply.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Eight hexadecimal characters, from the template.
    pub hash: String,
    /// Hash of the spec's part that made it.
    pub inputs: String,
    /// The pod template, without the label that carries `hash`.
    pub template: Value,
    /// Ordinal: the greatest is the one last asked for.
    pub number: i64,
    /// Whether a record of it exists.
    pub recorded: bool,
}

/// The revision that the spec asks for.
///
/// A record with the same inputs is used as it stands: what this version of the operator would render from them today
/// does not matter, so an upgrade of the operator never replaces a pod. Going back to an older revision makes it the
/// newest again, as Deployments number theirs.
pub fn target(service: &Service, revisions: &[Revision]) -> Target {
    restarted(service, restart(service, revisions), revisions)
}

/// The [`target`], but for a restart that would bring a version back which failed or was taken out: nothing else of it has
/// changed, and who restarts a service means the pods that run.
pub fn wanted(service: &Service, progress: &Progress, revisions: &[Revision]) -> Target {
    let failed = progress.failed.as_ref().filter(|failed| progress.stable_revision().is_some_and(|stable| stable != *failed));
    let record = failed.and_then(|failed| revisions.iter().find(|revision| revision.hash == *failed));
    let same = |record: &&Revision| inputs(service, restart_of(&record.template)) == record.inputs;
    match record.filter(same) {
        Some(record) => restarted(service, restart_of(&record.template), revisions),
        None => target(service, revisions),
    }
}

fn restarted(service: &Service, restart: Option<&str>, revisions: &[Revision]) -> Target {
    let inputs = inputs(service, restart);
    let recorded = revisions.iter().filter(|revision| revision.inputs == inputs).max_by_key(|revision| revision.number);
    if let Some(revision) = recorded {
        return from_record(revision, inputs, revisions);
    }
    let template = pod::template(service, restart);
    let hash = unused(&template, revisions);
    match revisions.iter().find(|revision| revision.hash == hash) {
        // Other words for the same pods, `1000m` for `1`.
        Some(revision) => from_record(revision, inputs, revisions),
        None => Target { number: greatest(revisions) + 1, hash, inputs, template, recorded: false },
    }
}

/// The pods of a revision, without the labels that say where they run: as the spec asks for them, as they are on record, or,
/// where the record was deleted, as the Deployment that runs them has them.
pub fn template(at: &Placed, target: &Target, world: &World) -> Option<Value> {
    if at.revision == target.hash {
        return Some(target.template.clone());
    }
    if let Some(record) = world.revisions.iter().find(|record| record.hash == at.revision) {
        return Some(record.template.clone());
    }
    let reference = ChildRef { kind: Kind::Deployment, name: at.deployment.clone() };
    let live = world.children.iter().find(|live| live.reference == reference)?;
    let runs = live.object.get("metadata")?.get("annotations")?.get(labels::REVISION)?.as_str()?;
    (runs == at.revision).then(|| live.object.pointer("/spec/template").cloned()).flatten()
}

/// Records that stay: those in use, and of the others the newest, up to the user's limit.
pub fn kept<'a>(service: &Service, progress: &Progress, revisions: &'a [Revision], target: &Target) -> Vec<&'a Revision> {
    let used =
        [Some(&target.hash), progress.stable_revision(), progress.candidate_revision(), progress.failed.as_ref(), progress.undo.as_ref()];
    let parked = |hash: &String| progress.parked.iter().any(|parked| parked.revision == *hash);
    let in_use = |revision: &&Revision| used.contains(&Some(&revision.hash)) || parked(&revision.hash);
    let (mut kept, mut others): (Vec<_>, Vec<_>) = revisions.iter().partition(in_use);
    others.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    kept.extend(others.into_iter().take(service.rollout.history_limit));
    kept
}

/// When a revision last became stable, as its record is to say. The stable one's says that it was the last of all to become
/// so; where it does not yet, that is now. So the mark costs one write for each promotion, needs nothing of status but the
/// stable revision, and outlives the status. As long as there is no other record there is nothing to tell apart: the first
/// rollout costs no write, and the first revision is marked, as of its beginning, when it gets company.
pub fn stable_since(hash: &str, progress: &Progress, revisions: &[Revision], now: Timestamp) -> Option<Time> {
    let said = revisions.iter().find(|revision| revision.hash == hash).and_then(|revision| revision.stable_since.clone());
    let last = revisions.iter().filter_map(|revision| revision.stable_since.clone()).max();
    // One that bakes has yet to show that it can serve.
    let is_stable = progress.bake.is_none() && progress.stable_revision().is_some_and(|stable| stable == hash);
    if !is_stable || said.is_some() && said == last {
        return said;
    }
    if revisions.len() < 2 {
        return None;
    }
    if let (None, Some(first)) = (&last, revisions.iter().find(|revision| revision.hash == hash))
        && first.created.is_some()
    {
        return first.created.clone();
    }
    // Never before another's, whatever the clock of the process that wrote that: it would be written again and again.
    let now = Timestamp::from_second(now.as_second()).map(Time).ok();
    now.max(last)
}

/// The record of the stable revision, where it is not the spec's and does not say yet that it became stable.
pub fn promoted(target: &Target, progress: &Progress, revisions: &[Revision], now: Timestamp) -> Option<Revision> {
    let stable = progress.stable_revision().filter(|stable| **stable != target.hash)?;
    let record = revisions.iter().find(|revision| revision.hash == *stable)?;
    let since = stable_since(stable, progress, revisions, now);
    (since != record.stable_since).then(|| Revision { stable_since: since, ..record.clone() })
}

fn from_record(revision: &Revision, inputs: String, revisions: &[Revision]) -> Target {
    let greatest = greatest(revisions);
    Target {
        hash: revision.hash.clone(),
        inputs,
        template: revision.template.clone(),
        number: if revision.number == greatest { greatest } else { greatest + 1 },
        recorded: true,
    }
}

fn greatest(revisions: &[Revision]) -> i64 {
    revisions.iter().map(|revision| revision.number).max().unwrap_or(0)
}

/// The template's hash, or, should another template be on record under it, the next one that is free. Eight characters
/// meet by chance once in four thousand million pairs; without this, the pods of the older one would run.
fn unused(template: &Value, revisions: &[Revision]) -> String {
    let taken = |hash: &String| revisions.iter().any(|known| known.hash == *hash && known.template != *template);
    let salted = |salt: u32| match salt {
        0 => digest::short(template),
        _ => digest::short(&json!([template, salt])),
    };
    let mut hash = salted(0);
    for salt in 1.. {
        if !taken(&hash) {
            break;
        }
        hash = salted(salt);
    }
    hash
}

/// The restart that holds: the annotation's, or, when it has been taken away, that of the newest record. Taking the
/// command back must not replace the pods once more.
fn restart<'a>(service: &'a Service, revisions: &'a [Revision]) -> Option<&'a str> {
    let newest = revisions.iter().max_by_key(|revision| revision.number);
    let last = newest.and_then(|revision| restart_of(&revision.template));
    service.commands.restart.as_deref().or(last)
}

/// The restart that made a template.
pub fn restart_of(template: &Value) -> Option<&str> {
    template.pointer("/metadata/annotations")?.get(labels::RESTART)?.as_str()
}

/// Hash of what decides over pods. A field that is not taken out here counts: at worst, an edit that changes no pod
/// renders the template again and finds the same hash.
fn inputs(service: &Service, restart: Option<&str>) -> String {
    let spec = service.spec.clone();
    let edges = spec.access_policy.and_then(|policy| policy.outbound).map(|entries| {
        let with_variable = entries.into_iter().filter(|entry| entry.env.is_some());
        let edge = |entry: Outbound| Outbound { service: entry.service, namespace: entry.namespace, env: entry.env, ..Outbound::default() };
        with_variable.map(edge).collect()
    });
    let of_pods = MicroserviceSpec {
        access_policy: Some(AccessPolicy { outbound: edges, ..AccessPolicy::default() }),
        service_account: spec.service_account.map(|account| ServiceAccount { annotations: None, ..account }),
        service: None,
        replicas: None,
        autoscaling: None,
        disruption: None,
        rollout: None,
        deletion_policy: None,
        suspend: None,
        ..spec
    };
    let mut hash = digest::digest(&tidy(json!({ "spec": of_pods, "restart": restart })));
    hash.truncate(INPUTS);
    hash
}
