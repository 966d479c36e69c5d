//! Commands by annotation. Each names the revision that it is about, is handled once for each value, and is refused,
//! with the reason, when that revision is no longer what it speaks of.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};

use crate::api::v1alpha1::{ActionResult, Failure, LastAction, Strategy};
use crate::model::{Candidate, Commands, Progress, Step as Planned};
use crate::plan::{Event, revision};

use super::drive::{Drive, enter};
use super::scene::{ABORTED, Scene, UNDONE};
use super::{Step, bake, blue_green, gate};

/// Longest value that is remembered: a hash and whatever makes it new.
const LONGEST: usize = 64;

/// What came of a command: what was done, or why not.
type Outcome = Result<String, String>;

/// Does what the annotations ask for.
pub fn obey(step: &mut Step, scene: &Scene) {
    let commands = &scene.service.commands;
    let all = [
        ("abort", &commands.abort, abort as fn(&mut Step, &Scene, &str, &str) -> Outcome),
        ("undo", &commands.undo, undo),
        ("retry", &commands.retry, retry),
        ("pause", &commands.pause, pause),
        ("resume", &commands.resume, resume),
        ("promote", &commands.promote, promote),
    ];
    for (verb, given, act) in all {
        let Some(value) = given else {
            step.progress.handled.remove(verb);
            continue;
        };
        let short = remembered(value);
        if step.progress.handled.get(verb) == Some(&short) {
            continue;
        }
        let (revision, rest) = short.split_once(':').unwrap_or((&short, ""));
        let outcome = act(step, scene, revision, rest);
        echo(step, scene, verb, &short, outcome);
    }
    refuse_restart(step, scene);
}

/// A restart changes the spec's version. Where that one failed or was taken out, a restart would bring it back, and not
/// restart what runs; it waits until that version is wanted again.
fn refuse_restart(step: &mut Step, scene: &Scene) {
    let asked = scene.service.commands.restart.as_deref().filter(|asked| revision::restart_of(&step.target.template) != Some(*asked));
    let Some(short) = asked.map(remembered).filter(|_| step.failed()) else {
        step.progress.handled.remove("restart");
        return;
    };
    if step.progress.handled.get("restart") != Some(&short) {
        let failed = &step.target.hash;
        let why = format!(
            "revision {failed}, which the spec asks for, failed or was taken out, and a restart would start it again; \
             to do that: the annotation microservices.dev/retry={failed}"
        );
        echo(step, scene, "restart", &short, Err(why));
    }
}

/// Another try of the revision that failed is asked for.
pub fn is_retried(commands: &Commands, progress: &Progress) -> bool {
    let asked = commands.retry.as_deref().map(remembered).filter(|short| progress.handled.get("retry") != Some(short));
    asked.is_some_and(|short| short.split(':').next() == progress.failed.as_deref())
}

/// A command's value as status keeps it.
pub fn remembered(value: &str) -> String {
    value.chars().take(LONGEST).collect()
}

fn echo(step: &mut Step, scene: &Scene, verb: &'static str, value: &str, outcome: Outcome) {
    let (result, message) = match outcome {
        Ok(done) => {
            step.events.push(Event::normal("CommandAccepted", "Command", format!("{verb} {value}: {done}")));
            (ActionResult::Accepted, done)
        }
        Err(why) => {
            step.events.push(Event::warning("CommandRefused", "Command", format!("{verb} {value} refused: {why}")));
            (ActionResult::Refused, why)
        }
    };
    step.progress.handled.insert(verb.to_owned(), value.to_owned());
    step.progress.last_action = Some(LastAction { verb: verb.to_owned(), value: value.to_owned(), result, message, at: Time(scene.now) });
}

/// The candidate, if it is the revision that the command names and has not failed.
fn candidate<'a>(step: &'a mut Step, revision: &str) -> Result<&'a mut Candidate, String> {
    let Some(candidate) = &mut step.progress.candidate else {
        return Err(format!("no rollout of revision {revision} is under way"));
    };
    if candidate.at.revision != revision {
        return Err(format!("revision {revision} is not the one on its way; that is {}", candidate.at.revision));
    }
    if step.progress.failed.as_deref() == Some(revision) {
        return Err(format!("revision {revision} has failed; see `retry` and `abort`"));
    }
    if candidate.returning {
        return Err(format!("revision {revision} is on its way back"));
    }
    Ok(candidate)
}

fn promote(step: &mut Step, scene: &Scene, revision: &str, rest: &str) -> Outcome {
    if bake::is_baking(&step.progress, revision) {
        bake::end(&mut step.progress);
        return Ok("it is left alone; the pods of the version before go".to_owned());
    }
    if scene.in_place(&step.progress) {
        candidate(step, revision)?;
        return Err("a rolling update has no steps".to_owned());
    }
    let lacks = step.progress.candidate.as_ref().is_some_and(|candidate| candidate.lacking_since.is_some());
    let candidate = candidate(step, revision)?;
    if scene.service.rollout.paused {
        return Err("`spec.rollout.paused` holds it; set that to false".to_owned());
    }
    if let Some((index, name)) = gate::ahead(scene, candidate).filter(|(index, _)| is_full(rest) || *index == candidate.step) {
        return Err(format!(
            "step {} is gate `{name}`, which opens only by its webhook; to skip it, take the step out of `spec.rollout.canary.steps`",
            index + 1
        ));
    }
    if is_full(rest) {
        candidate.full = true;
        candidate.paused = false;
        return Ok("all steps that are left are skipped; its pods must still be available".to_owned());
    }
    let waits = match candidate.strategy {
        Strategy::BlueGreen => candidate.step == blue_green::WAIT,
        _ => matches!(scene.service.rollout.steps.get(candidate.step), Some(Planned::Pause(_))),
    };
    if !waits || lacks {
        return Err(format!(
            "step {} waits for its pods, not for a promotion; `{revision}:full` skips all steps that are left",
            candidate.step + 1
        ));
    }
    candidate.paused = false;
    let done = format!("step {} is over", candidate.step + 1);
    enter(scene, candidate, candidate.step + 1);
    Ok(done)
}

/// `full`, or `full:<anything>`, which is a new value, so that the same can be asked for again.
fn is_full(rest: &str) -> bool {
    rest.split(':').next() == Some("full")
}

fn abort(step: &mut Step, scene: &Scene, revision: &str, _: &str) -> Outcome {
    let held = step.progress.failed.as_deref() == Some(revision) && step.progress.candidate_revision().is_some_and(|hash| hash == revision);
    if bake::is_baking(&step.progress, revision) {
        if !bake::is_able(scene, &step.progress) {
            return Err("the parked pods are not available yet; the command `undo` goes back without them".to_owned());
        }
        bake::blame(step, scene, ABORTED, format!("revision {revision} was given up by command"));
        return Ok(format!("going back to revision {}", step.progress.stable_revision().cloned().unwrap_or_default()));
    }
    if !held {
        candidate(step, revision)?;
    }
    let Some(stable) = step.progress.stable_revision().cloned() else {
        return Err("it is the first rollout: there is nothing to go back to".to_owned());
    };
    Drive { step, scene }.give_up(ABORTED, format!("revision {revision} was given up by command"));
    Ok(format!("going back to revision {stable}"))
}

fn retry(step: &mut Step, scene: &Scene, revision: &str, _: &str) -> Outcome {
    match step.progress.failed.as_deref() {
        Some(failed) if failed == revision => {}
        Some(failed) => return Err(format!("revision {revision} is not the failed one; the failed revision is {failed}")),
        None => return Err(format!("revision {revision} has not failed; there is nothing to try again")),
    }
    step.progress.forgive();
    if let Some(candidate) = &mut step.progress.candidate {
        candidate.lacks_from(Time(scene.now));
        // What the gate said was said of the try before.
        if gate::at(scene, candidate).is_some() {
            candidate.step_started_at = Some(MicroTime(scene.now));
        }
    }
    Ok(format!("trying revision {revision} again"))
}

fn pause(step: &mut Step, scene: &Scene, revision: &str, _: &str) -> Outcome {
    let in_place = scene.in_place(&step.progress);
    let candidate = candidate(step, revision)?;
    if in_place {
        return Err("a rolling update cannot be held; `abort` takes it back".to_owned());
    }
    candidate.paused = true;
    Ok(format!("held at step {}", candidate.step + 1))
}

fn resume(step: &mut Step, _: &Scene, revision: &str, _: &str) -> Outcome {
    let candidate = candidate(step, revision)?;
    if !candidate.paused {
        return Err(format!("revision {revision} is not held by command"));
    }
    candidate.paused = false;
    Ok(format!("going on at step {}", candidate.step + 1))
}

fn undo(step: &mut Step, scene: &Scene, revision: &str, _: &str) -> Outcome {
    if !scene.is_recorded(revision) {
        return Err(format!("there is no record of revision {revision}; see `kubectl get controllerrevisions`"));
    }
    if revision == scene.target {
        return Err(format!("revision {revision} is the one that the spec asks for"));
    }
    if step.progress.candidate.is_some() {
        Drive { step, scene }.give_up(UNDONE, String::new());
    }
    step.progress.failed = Some(scene.target.to_owned());
    step.progress.failure = Some(Failure {
        reason: UNDONE.to_owned(),
        message: format!("revision {} was replaced by {revision} by command", scene.target),
        at: Time(scene.now),
    });
    step.progress.undo = Some(revision.to_owned());
    Ok(format!("going to revision {revision}"))
}

#[cfg(test)]
mod tests {
    use super::is_full;

    #[test]
    fn all_steps_can_be_skipped_more_than_once() {
        for (rest, full) in [("full", true), ("full:1795432151", true), ("", false), ("fuller", false), ("again:full", false)] {
            assert_eq!(is_full(rest), full, "{rest}");
        }
    }
}
