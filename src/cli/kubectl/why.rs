//! `why`: why the new version does not serve, most important first, and what to type next.

use std::collections::BTreeSet;

use crate::api::v1alpha1::{ActionResult, RolloutState, Severity};
use crate::plan::conditions::{AVAILABLE, READY};
use crate::plan::rollout::scene::{ABORTED, UNDONE};

use super::brief::{Brief, Hold, State, UNSUSPEND};
use super::family::Family;
use super::screen::{Screen, Tone, plain, word};

/// Something to do, and the command that does it.
struct Advice {
    text: String,
    command: String,
}

/// The answer.
pub fn answer(family: &Family, brief: &Brief) -> Screen {
    let mut screen = Screen::default();
    let state = brief.state();
    screen.line([word(Tone::Strong, brief.name()), word(state.tone(), format!(" {}", headline(brief)))]);
    let reasons = reasons(family, brief);
    if !reasons.is_empty() {
        screen.line([]);
    }
    for (index, reason) in reasons.iter().enumerate() {
        let lead = if reasons.len() == 1 { "  ".to_owned() } else { format!("{:>2}. ", index + 1) };
        screen.prose(plain(lead), Tone::Plain, reason);
    }
    let advice = advice(family, brief);
    if !advice.is_empty() {
        screen.line([]);
        screen.line([word(Tone::Strong, "What to do:")]);
    }
    for advice in advice {
        screen.prose(plain("  - "), Tone::Plain, &advice.text);
        if !advice.command.is_empty() {
            screen.line([plain("      "), word(Tone::Strong, advice.command)]);
        }
    }
    screen
}

fn headline(brief: &Brief) -> &'static str {
    match (brief.state(), brief.rollout_state()) {
        (State::Deleting, _) => "is being deleted.",
        (State::Unseen, _) => "does not serve this spec: the operator has not looked at it yet.",
        (State::Suspended, _) => "is suspended: the operator leaves everything as it is.",
        (State::Ready, _) => "serves the new version.",
        (_, Some(RolloutState::RolledBack)) if failed_as(brief, UNDONE) => {
            "does not serve the version of its spec: an earlier one has its place, by command."
        }
        (_, Some(RolloutState::RolledBack)) => "does not serve the new version: it failed, and was rolled back.",
        (_, Some(RolloutState::Aborted)) => "does not serve the new version: it was given up.",
        (_, Some(RolloutState::Failed)) => "does not serve the new version: it failed, and is left in place.",
        _ if brief.is_going_back() => "does not serve the new version: it was taken out, and an earlier revision takes its place.",
        (State::Stalled, _) => "does not serve the new version: nothing moves until somebody changes something.",
        (_, Some(RolloutState::Paused)) if brief.progress.candidate.is_none() => {
            "does not serve the new version yet: its rollout waits to begin."
        }
        (_, Some(RolloutState::Paused)) => "does not serve the new version in full yet: its rollout is paused.",
        (_, Some(RolloutState::Baking)) => "serves the new version, which may still be taken back: it bakes.",
        (_, Some(RolloutState::Completed)) => "serves with too few pods.",
        _ => "does not serve the new version in full yet: its rollout is under way.",
    }
}

/// The failure of the spec's version has this reason.
fn failed_as(brief: &Brief, reason: &str) -> bool {
    brief.progress.failure.as_ref().is_some_and(|failure| failure.reason == reason)
}

/// Every reason once, the most important first.
fn reasons(family: &Family, brief: &Brief) -> Vec<String> {
    let mut all = Vec::new();
    if brief.state() != State::Unseen {
        all.push(brief.summary().1);
    }
    if let (Some(failed), Some(failure)) = (&brief.progress.failed, &brief.progress.failure) {
        all.push(format!("Revision {failed} failed {} ago ({}): {}", brief.since(&failure.at), failure.reason, failure.message));
    }
    all.extend(troubles(family, brief));
    let problem = |wanted: Severity| brief.status.problems.iter().filter(move |problem| problem.severity == wanted);
    all.extend(problem(Severity::Error).map(ToString::to_string));
    all.extend(failed_parts(brief));
    if let Some(action) = brief.last_action().filter(|action| action.result == ActionResult::Refused) {
        all.push(format!("The command {} {} was refused {} ago: {}", action.verb, action.value, brief.since(&action.at), action.message));
    }
    if let Some((verb, value)) = brief.pending() {
        all.push(format!("The operator has yet to handle the command {verb} {value}."));
    }
    all.extend(problem(Severity::Warning).map(|problem| format!("Warning: {problem}")));
    all.extend(family.unread.iter().cloned());
    distinct(all)
}

/// What troubles the pods, each kind of trouble once.
fn troubles(family: &Family, brief: &Brief) -> Vec<String> {
    let mut kinds: Vec<(String, String, usize)> = Vec::new();
    for (pod, trouble) in family.pods.iter().filter_map(|pod| Some((pod, pod.trouble()?))) {
        let state = pod.state();
        match kinds.iter_mut().find(|(known, ..)| *known == state) {
            Some((.., pods)) => *pods += 1,
            None => kinds.push((state, trouble, 1)),
        }
    }
    let words = |(state, trouble, pods): (String, String, usize)| {
        let more = (pods > 1).then(|| format!("{pods} pods are in this state ({state}); see them with: {}", brief.command("tree")));
        std::iter::once(trouble).chain(more)
    };
    kinds.into_iter().flat_map(words).collect()
}

/// Families of children that are not as they should be, other than the summary.
fn failed_parts(brief: &Brief) -> impl Iterator<Item = String> {
    let own = [READY, AVAILABLE];
    let failed =
        brief.status.conditions.iter().filter(move |condition| condition.status == "False" && !own.contains(&condition.type_.as_str()));
    failed.map(|condition| format!("{} is False ({}): {}", condition.type_, condition.reason, condition.message))
}

/// Without what an earlier reason has said already: the summary quotes the worst of the others.
fn distinct(all: Vec<String>) -> Vec<String> {
    let core = |text: &str| text.split_once("): ").map_or(text, |(_, rest)| rest).trim_end_matches('.').to_owned();
    let mut kept: Vec<String> = Vec::new();
    for text in all {
        if !text.is_empty() && !kept.iter().any(|earlier| earlier.contains(&core(&text))) {
            kept.push(text);
        }
    }
    kept
}

fn advice(family: &Family, brief: &Brief) -> Vec<Advice> {
    let say = |text: &str, command: String| Advice { text: text.to_owned(), command };
    let mut all = Vec::new();
    match brief.state() {
        State::Deleting | State::Ready => return all,
        State::Unseen => {
            let command = "kubectl get pods -A -l app.kubernetes.io/name=microservice-operator".to_owned();
            return vec![say("If this lasts, the operator does not run, or does not watch this namespace. Look at it:", command)];
        }
        State::Suspended => return vec![say("Let the operator work again:", brief.patch(UNSUSPEND))],
        State::Reconciling | State::Stalled => {}
    }
    match brief.hold() {
        Some(Hold::Spec) => all.push(say("Let the rollout go on:", brief.patch(r#"{"spec":{"rollout":{"paused":false}}}"#))),
        Some(Hold::Command) => all.push(say("Let the rollout go on:", brief.command("resume"))),
        Some(Hold::Promotion) => {
            all.push(say("Go on with the next step:", brief.command("promote")));
            all.push(say("Skip all steps that are left:", format!("{} --full", brief.command("promote"))));
        }
        Some(Hold::Gate(name)) => {
            let text = format!("Wait until the webhook `{name}` of the profile says yes; where the operator finds it:");
            let profile = brief.object.spec.profile_ref.as_ref().map_or("default", |profile| profile.name.as_str());
            all.push(say(&text, format!("kubectl get microserviceprofile {profile} -o yaml")));
        }
        Some(Hold::Until(_)) => all.push(say("Wait, or go on at once:", brief.command("promote"))),
        None => {}
    }
    if brief.condition("Stalled").is_some_and(|stalled| stalled.reason == "InvalidSpec") {
        all.push(say("Correct the fields named above:", brief.kubectl(&format!("edit microservice {}", brief.name()))));
    }
    if brief.rollout_state() == Some(RolloutState::Baking) {
        all.push(say("Wait, or keep the new version for good:", brief.command("promote")));
        all.push(say("Give the new version up, and go back at once:", brief.command("abort")));
    }
    all.extend(pod_advice(family, brief));
    if brief.progress.failed.is_some() && brief.rollout_state().is_some() {
        let text = if failed_as(brief, ABORTED) || failed_as(brief, UNDONE) {
            "Go to the version of the spec after all:"
        } else {
            "Once the cause is removed elsewhere (registry, secret, dependency), try the same version again:"
        };
        all.push(say(text, brief.command("retry")));
        all.push(say("Change the spec, for instance to another image:", format!("{} IMAGE", brief.command("set image"))));
    } else if brief.progress.candidate.is_some() && brief.progress.stable.is_some() {
        all.push(say("Give the new version up, and go back:", brief.command("abort")));
    }
    if all.is_empty() && brief.state() == State::Reconciling {
        all.push(say("Wait until it is done:", format!("{} --for=ready", brief.command("status"))));
    }
    let mut typed = BTreeSet::new();
    all.retain(|advice| typed.insert(advice.command.clone()));
    all
}

/// What the pods in trouble ask for, each piece of advice once.
fn pod_advice(family: &Family, brief: &Brief) -> Vec<Advice> {
    let mut all: Vec<Advice> = Vec::new();
    let mut add = |text: &str, command: String| {
        if !all.iter().any(|advice| advice.text == text) {
            all.push(Advice { text: text.to_owned(), command });
        }
    };
    for pod in family.pods.iter().filter(|pod| pod.trouble().is_some()) {
        let name = &pod.facts.name;
        if pod.facts.unscheduled.is_some() {
            add("See why no node takes the pod:", brief.kubectl(&format!("describe pod {name}")));
        }
        for container in &pod.facts.containers {
            match container.reason.as_str() {
                "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" => {
                    let command = format!("{} IMAGE", brief.command("set image"));
                    add("Name an image that exists, or give access to its registry with `spec.imagePullSecrets`:", command);
                }
                _ if container.restarts > 0 => {
                    let command = brief.kubectl(&format!("logs {name} -c {} --previous", container.name));
                    add("Read the last words of the container that ended:", command);
                }
                _ => {}
            }
        }
    }
    all
}
