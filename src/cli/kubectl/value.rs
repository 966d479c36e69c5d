//! What a command writes: which revision it names, and a value that the operator has not seen.

use jiff::Timestamp;

use crate::api::v1alpha1::RolloutState;

use super::brief::Brief;
use super::failure::{Failure, Result};

/// A recorded revision, as far as `undo` must know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub hash: String,
    pub number: i64,
    /// Of the main container.
    pub image: String,
    /// When it last became stable. Unknown of one that never did, and of one that did before records said so.
    pub stable_since: Option<Timestamp>,
}

/// A value that is new: the operator handles each value once. `known` are the values that it may have handled.
pub fn fresh(wanted: &str, known: &[Option<&str>], now: Timestamp) -> String {
    let known = || known.iter().flatten();
    if !known().any(|value| value.starts_with(wanted)) {
        return wanted.to_owned();
    }
    let mut stamps = (0..).map(|more: i64| format!("{wanted}:{}", now.as_second() + more));
    stamps.find(|value| !known().any(|known| *known == value)).unwrap_or_default()
}

/// The revision that a command about the rollout under way is about.
pub fn candidate(brief: &Brief, verb: &str) -> Result<String> {
    let refuse = |why: String| Err(Failure::Refused(format!("cannot {verb} {}: {why}", brief.name())));
    if let Some(failed) = &brief.progress.failed {
        let left_in_place = brief.rollout_state() == Some(RolloutState::Failed);
        if !(verb == "abort" && left_in_place) && brief.progress.candidate_revision().is_none_or(|candidate| candidate == failed) {
            return refuse(format!("revision {failed} has failed; see: {}", brief.command("why")));
        }
    }
    match (brief.progress.candidate_revision(), brief.progress.stable_revision()) {
        (None, Some(stable)) if brief.progress.bake.is_some() && ["promote", "abort"].contains(&verb) => Ok(stable.clone()),
        (Some(candidate), _) => Ok(candidate.clone()),
        (None, Some(stable)) => refuse(format!("no rollout is under way; revision {stable} serves")),
        (None, None) => refuse("its first rollout has not begun".to_owned()),
    }
}

/// The revision to try again.
pub fn failed(brief: &Brief) -> Result<String> {
    brief
        .progress
        .failed
        .clone()
        .ok_or_else(|| Failure::Refused(format!("cannot retry {}: no revision has failed; see: {}", brief.name(), brief.command("status"))))
}

/// Whether a restart replaces the pods that serve, and nothing else. It is a change of the spec's version: where that one
/// failed or was taken out, it would come back.
pub fn restartable(brief: &Brief) -> Result<()> {
    let Some(failed) = &brief.progress.failed else { return Ok(()) };
    let retry = format!("to do that: {}", brief.command("retry"));
    Err(Failure::Refused(format!(
        "cannot restart {}: revision {failed}, which the spec asks for, failed or was taken out, and a restart would start it again; {retry}",
        brief.name()
    )))
}

/// The revision to go back to: the one that is named, by hash or number, or the last one before the present one that
/// served.
pub fn previous(brief: &Brief, records: &[Recorded], named: Option<&str>) -> Result<String> {
    let see = format!("see: {}", brief.command("history"));
    let find = |hash: &str| records.iter().find(|record| record.hash == hash);
    if let Some(named) = named {
        let by_number = || records.iter().find(|record| record.number.to_string() == named);
        let found = find(named).or_else(by_number);
        return found
            .map(|record| record.hash.clone())
            .ok_or_else(|| Failure::Refused(format!("there is no record of revision {named}; {see}")));
    }
    let progress = &brief.progress;
    let failed = progress.failed.as_ref();
    let under_way = progress.candidate_revision().filter(|candidate| Some(*candidate) != failed);
    let present = under_way.or(progress.undo.as_ref()).or(progress.stable_revision());
    let number = present.and_then(|present| find(present)).map(|record| record.number);
    let earlier = records.iter().filter(|record| number.is_some_and(|number| record.number < number) && Some(&record.hash) != failed);
    earlier
        // One that is not known to have served is the last resort.
        .max_by_key(|record| (record.stable_since.is_some(), record.number))
        .map(|record| record.hash.clone())
        .ok_or_else(|| Failure::Refused(format!("there is no earlier revision on record to go back to; {see}")))
}
