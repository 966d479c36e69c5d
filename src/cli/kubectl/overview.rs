//! `status`: one screen of what goes on.

use crate::api::v1alpha1::{ActionResult, RolloutState, Severity};
use crate::plan::conditions::READY;

use super::brief::{Brief, age};
use super::screen::{Screen, Tone, Word, plain, word};

/// Column in which values begin.
const LABEL: usize = 14;

/// The screen.
pub fn screen(brief: &Brief) -> Screen {
    let mut screen = Screen::default();
    let state = brief.state();
    let (reason, message) = brief.summary();
    screen.line([
        word(Tone::Strong, format!("{}/{}", brief.namespace(), brief.name())),
        plain("  "),
        state.word(),
        plain(format!(" ({reason})")),
    ]);
    screen.prose(label(""), Tone::Plain, &message);
    let status = &brief.status;
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            screen.prose(label(name), Tone::Plain, &value);
        }
    };
    field("Image", Some(brief.object.spec.image.clone()));
    field(
        "Serves",
        status.revision.as_ref().map(|revision| {
            let image = status.image.as_ref().map(|image| format!(", {image}")).unwrap_or_default();
            format!("revision {revision}{image}")
        }),
    );
    field("Pods", status.ready_text.as_ref().map(|text| format!("{text} ready")));
    field("Autoscaling", status.autoscaling.as_ref().map(|scaling| scaling.text.clone()));
    field("Address", status.url.clone());
    rollout(brief, &mut screen);
    let unwell =
        status.conditions.iter().filter(|condition| condition.status != "True" && condition.type_ != READY && condition.message != message);
    for condition in unwell {
        let tone = if condition.status == "False" { Tone::Bad } else { Tone::Busy };
        let text = format!("is {} ({}): {}", condition.status, condition.reason, condition.message);
        screen.prose(label("Condition"), tone, &format!("{} {text}", condition.type_));
    }
    for problem in status.problems.iter().filter(|problem| problem.to_string() != message) {
        let tone = if problem.severity == Severity::Error { Tone::Bad } else { Tone::Busy };
        screen.prose(label(if problem.severity == Severity::Error { "Problem" } else { "Warning" }), tone, &problem.to_string());
    }
    if let Some((verb, value)) = brief.pending() {
        screen.prose(label("Command"), Tone::Busy, &format!("{verb} {value}: not handled yet"));
    }
    if let Some(action) = brief.last_action() {
        let tone = if action.result == ActionResult::Refused { Tone::Bad } else { Tone::Plain };
        let text = format!("{} {} {} ago: {:?}, {}", action.verb, action.value, brief.since(&action.at), action.result, action.message);
        screen.prose(label("Last command"), tone, text.trim_end_matches(", "));
    }
    screen
}

fn label(name: &str) -> Word {
    word(Tone::Quiet, format!("{name:LABEL$}"))
}

fn rollout(brief: &Brief, screen: &mut Screen) {
    let Some(state) = brief.rollout_state() else { return };
    let tone = match state {
        RolloutState::Completed => Tone::Good,
        RolloutState::Progressing | RolloutState::Paused | RolloutState::Baking => Tone::Busy,
        RolloutState::RolledBack | RolloutState::Aborted | RolloutState::Failed => Tone::Bad,
    };
    let hold = brief.hold().map(|hold| format!(", {}", hold.text(brief.now))).unwrap_or_default();
    screen.prose(label("Rollout"), tone, &format!("{:?}: {}{hold}", brief.strategy(), brief.rollout()));
    let progress = &brief.progress;
    if let Some(candidate) = &progress.candidate {
        let from = progress.stable_revision().map(|stable| format!("from revision {stable} ")).unwrap_or_default();
        let began = candidate.started_at.as_ref().map(|time| format!(", begun {} ago", brief.since(time))).unwrap_or_default();
        screen.prose(label(""), Tone::Plain, &format!("{from}to {}{began}", candidate.at.revision));
    }
    if let Some(bake) = &progress.bake {
        let left = age(bake.until.0.as_second() - brief.now.as_second());
        screen.prose(label("Bake"), Tone::Busy, &format!("revision {} can come back at once for another {left}", bake.revision));
    }
    for parked in &progress.parked {
        screen.prose(label("Parked"), Tone::Plain, &format!("revision {} in Deployment {}", parked.revision, parked.deployment));
    }
    if let (Some(failed), Some(failure)) = (&progress.failed, &progress.failure) {
        let why = if brief.summary().1.contains(&failure.message) { String::new() } else { format!(": {}", failure.message) };
        let text = format!("revision {failed} {} ago ({}){why}", brief.since(&failure.at), failure.reason);
        screen.prose(label("Failed"), Tone::Bad, &text);
    }
}

/// One line that tells where it stands, to be printed when it changes.
pub fn progress_line(brief: &Brief) -> Vec<Word> {
    let (reason, message) = brief.summary();
    vec![brief.state().word(), plain(format!(" {reason}: {message}"))]
}
