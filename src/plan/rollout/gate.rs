//! A step that a webhook opens.
//!
//! What is asked follows from progress that is stored, and an answer counts only for the very entry into the very step that
//! it was given for. So it does not matter which process asked, and no answer to an older question opens a newer gate.

use serde_json::json;

use crate::api::v1alpha1::Strategy;
use crate::model::question::{AGAIN_SECONDS, SLOWEST_SECONDS};
use crate::model::{Answer, Candidate, Progress, Question, Step as Planned};

use super::scene::Scene;

/// Why a revision failed, as `status.rollout.failure.reason` says it.
pub const GATE_REFUSED: &str = "GateRefused";

/// Name of the webhook that opens the step in progress, if that is a gate.
pub fn at<'a>(scene: &Scene<'a>, candidate: &Candidate) -> Option<&'a str> {
    ahead(scene, candidate).filter(|(index, _)| *index == candidate.step).map(|(_, name)| name)
}

/// The next gate that has yet to open: the index of its step, and the name of its webhook.
pub fn ahead<'a>(scene: &Scene<'a>, candidate: &Candidate) -> Option<(usize, &'a str)> {
    if candidate.strategy != Strategy::Canary || candidate.full {
        return None;
    }
    let steps = scene.service.rollout.steps.iter().enumerate().skip(candidate.step);
    steps.into_iter().find_map(|(index, step)| match step {
        Planned::Gate(name) => Some((index, name.as_str())),
        _ => None,
    })
}

/// What is known of the answer to the gate that the candidate is at.
pub fn answer<'a>(scene: &Scene<'a>, candidate: &Candidate) -> Option<&'a Answer> {
    at(scene, candidate).and_then(|name| scene.answers.get(&id(scene, candidate, name)))
}

/// What is to be asked: only while nothing else keeps the candidate from going on.
pub fn question(scene: &Scene, progress: &Progress) -> Option<Question> {
    let candidate = progress.candidate.as_ref()?;
    let held = scene.service.rollout.paused || candidate.paused || candidate.lacking_since.is_some();
    let failed = progress.failed.as_ref() == Some(&candidate.at.revision);
    if held || failed || scene.in_place(progress) {
        return None;
    }
    let name = at(scene, candidate)?;
    let webhook = scene.service.profile.as_ref()?.webhooks.iter().find(|webhook| webhook.name == name)?.clone();
    let service = scene.service;
    let body = json!({
        "service": service.name,
        "namespace": service.namespace,
        "revision": candidate.at.revision,
        "stableRevision": progress.stable_revision(),
        "image": image(scene, &candidate.at.revision),
        "weight": candidate.weight,
        "step": candidate.step,
        "steps": service.rollout.steps.len(),
        "startedAt": candidate.started_at,
    });
    Some(Question { id: id(scene, candidate, name), webhook, body })
}

/// What makes a question this one and no other. To the microsecond, as status keeps the time.
fn id(scene: &Scene, candidate: &Candidate, name: &str) -> String {
    let entered = candidate.step_started_at.as_ref().map_or(0, |at| at.0.as_microsecond());
    format!("{}/{}/{}/{entered}/{name}", scene.service.uid, candidate.at.revision, candidate.step)
}

/// The image that a revision runs.
fn image(scene: &Scene, revision: &str) -> String {
    let recorded = scene.revisions.iter().find(|known| known.hash == revision);
    let main = recorded.and_then(|known| known.template.pointer("/spec/containers/0/image")?.as_str());
    main.unwrap_or(&scene.service.spec.image).to_owned()
}

/// Why it does not go on at this gate. The same words as long as the same is known: nothing in status ticks.
pub fn closed(name: &str, answer: Option<&Answer>) -> String {
    match answer {
        None | Some(Answer::Yes | Answer::No) => format!("gate `{name}` is closed: it has not answered yet"),
        Some(Answer::NotYet(why)) => format!("gate `{name}` is closed: {why}; asked again every {AGAIN_SECONDS} s"),
        Some(Answer::Trouble(why)) => {
            format!("gate `{name}` is closed: {why}; asked again every {AGAIN_SECONDS} to {SLOWEST_SECONDS} s")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{SignedDuration, Timestamp};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

    use super::*;
    use crate::model::profile::Permit;
    use crate::model::{Placed, Service};
    use crate::observe::World;
    use crate::plan::children::tests::service;
    use crate::plan::gateway::Gateway;
    use crate::plan::workload::Workloads;

    const SPEC: &str = "rollout: {strategy: Canary, canary: {steps: [{gate: {webhook: a}}, {gate: {webhook: b}}, {gate: {webhook: a}}]}}";

    fn looked_up(service: &Service, candidate: &Candidate, answers: &BTreeMap<String, Answer>) -> (String, Option<Answer>) {
        let gateway = Gateway::of(service, &World::default());
        let (workloads, permit) = (Workloads(Vec::new()), Permit::Granted);
        let scene = Scene {
            service,
            target: "bbbbbbbb",
            revisions: &[],
            workloads: &workloads,
            gateway: &gateway,
            pods: &[],
            addressed: true,
            permit: &permit,
            answers,
            now: Timestamp::UNIX_EPOCH,
        };
        let name = at(&scene, candidate).unwrap_or_default();
        (id(&scene, candidate, name), answer(&scene, candidate).cloned())
    }

    #[test]
    fn an_answer_is_for_one_entry_into_one_step_of_one_object() {
        let candidate = Candidate {
            at: Placed { revision: "bbbbbbbb".to_owned(), deployment: "orders-bbbbbbbb".to_owned() },
            strategy: Strategy::Canary,
            step_started_at: Some(MicroTime(Timestamp::UNIX_EPOCH)),
            ..Candidate::default()
        };
        let first = service(SPEC);
        let (own, _) = looked_up(&first, &candidate, &BTreeMap::new());
        let answers = BTreeMap::from([(own, Answer::Yes)]);
        assert_eq!(looked_up(&first, &candidate, &answers).1, Some(Answer::Yes));
        // What status keeps of the time.
        let kept = MicroTime(Timestamp::UNIX_EPOCH + SignedDuration::from_nanos(999));
        assert_eq!(looked_up(&first, &Candidate { step_started_at: Some(kept), ..candidate.clone() }, &answers).1, Some(Answer::Yes));

        let later = MicroTime(Timestamp::UNIX_EPOCH + SignedDuration::from_micros(1));
        let revision = Placed { revision: "cccccccc".to_owned(), ..candidate.at.clone() };
        let others = [
            Candidate { step_started_at: Some(later), ..candidate.clone() },
            Candidate { at: revision, ..candidate.clone() },
            Candidate { step: 1, ..candidate.clone() },
            Candidate { step: 2, ..candidate.clone() },
            Candidate { full: true, ..candidate.clone() },
        ];
        for other in others {
            assert_eq!(looked_up(&first, &other, &answers).1, None, "{other:?}");
        }
        let again = Service { uid: "made anew".to_owned(), ..first };
        assert_eq!(looked_up(&again, &candidate, &answers).1, None);
    }
}
