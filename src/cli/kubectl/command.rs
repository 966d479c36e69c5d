//! The commands: an annotation is written, and the operator's answer waited for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api::labels;
use crate::api::v1alpha1::{ActionResult, Microservice};

use super::brief::{Brief, State, UNSUSPEND};
use super::failure::{Failure, Result};
use super::history;
use super::screen::{Screen, Tone, plain, word};
use super::session::Session;
use super::value::{self, Recorded};
use super::watch::{follow, next};

/// How long the operator's answer is waited for. It takes a fraction of a second, unless the operator is away.
const PATIENCE: Duration = Duration::from_secs(10);

/// A command about one revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Promote { full: bool },
    Abort,
    Retry,
    Pause,
    Resume,
}

/// A service, and whether to wait.
#[derive(Debug, clap::Args)]
pub struct Named {
    /// The service
    #[arg(value_parser = super::name)]
    name: String,
    /// Do not wait for the operator's answer
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl microservice promote orders
  kubectl microservice promote orders --full      # skips all steps that are left")]
pub struct Promote {
    #[command(flatten)]
    named: Named,
    /// Skip all steps that are left; the new pods must still be available
    #[arg(long)]
    full: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The spec stays as it is. It takes over again with its next change of the pods, or by `retry`.

Examples:
  kubectl microservice undo orders
  kubectl microservice undo orders --to 5e6f7a8b      # or --to 3: see `history`")]
pub struct Undo {
    #[command(flatten)]
    named: Named,
    /// Revision to go to, by hash or number; otherwise the last one that served before the present one
    #[arg(long, value_name = "REVISION")]
    to: Option<String>,
}

impl Promote {
    pub async fn run(&self, session: &Session) -> Result<()> {
        self.named.run(session, Verb::Promote { full: self.full }).await
    }
}

impl Undo {
    pub async fn run(&self, session: &Session) -> Result<()> {
        let object = session.service(&self.named.name).await?;
        let listed = session.records(&self.named.name).await?;
        let records: Vec<Recorded> = history::own(&object, &listed).map(|record| history::recorded(record, &self.named.name)).collect();
        let wanted = |brief: &Brief| value::previous(brief, &records, self.to.as_deref());
        let value = self.named.send(session, "undo", labels::UNDO, wanted).await?;
        let image = records.iter().find(|record| value.starts_with(&record.hash)).map(|record| record.image.clone());
        told(session, Tone::Plain, "Image", &image.unwrap_or_default())
    }
}

impl Named {
    pub async fn run(&self, session: &Session, verb: Verb) -> Result<()> {
        let (word, key) = match verb {
            Verb::Promote { .. } => ("promote", labels::PROMOTE),
            Verb::Abort => ("abort", labels::ABORT),
            Verb::Retry => ("retry", labels::RETRY),
            Verb::Pause => ("pause", labels::PAUSE),
            Verb::Resume => ("resume", labels::RESUME),
        };
        let wanted = |brief: &Brief| match verb {
            Verb::Retry => value::failed(brief),
            Verb::Promote { full: true } => Ok(format!("{}:full", value::candidate(brief, word)?)),
            _ => value::candidate(brief, word),
        };
        self.send(session, word, key, wanted).await.map(|_| ())
    }

    /// Writes the command, and returns its value once the operator has accepted it.
    async fn send(&self, session: &Session, verb: &str, key: &str, wanted: impl Fn(&Brief) -> Result<String>) -> Result<String> {
        let now = Timestamp::now();
        if !Brief::of(&session.service(&self.name).await?, now, "").is_seen() {
            // The revision that the command is about is known only once the operator has looked at the spec.
            let seen = |object: &Microservice| Brief::of(object, now, "").is_seen();
            self.until(session, "the operator has not looked at the present spec", seen).await?;
        }
        let edit = |object: &Microservice| {
            let brief = Brief::of(object, now, &session.flag);
            refuse_idle(&brief, verb)?;
            let known = [brief.annotation(key), brief.progress.handled.get(verb).map(String::as_str)];
            let value = value::fresh(&wanted(&brief)?, &known, now);
            Ok((json!({"metadata": {"annotations": {key: value}}}), value))
        };
        let (_, value) = session.change(&self.name, edit).await?;
        if self.no_wait {
            told(session, Tone::Plain, "Written", &format!("{verb} {value}"))?;
            return Ok(value);
        }
        let handled = |object: &Microservice| Brief::of(object, now, "").progress.handled.get(verb) == Some(&value);
        let object = self.until(session, &unhandled(verb), handled).await?;
        let brief = Brief::of(&object, Timestamp::now(), &session.flag);
        match brief.last_action().filter(|action| action.verb == verb && action.value == value) {
            Some(action) if action.result == ActionResult::Refused => {
                return Err(Failure::Refused(format!("the operator refused {verb} {value}: {}", action.message)));
            }
            Some(action) => told(session, Tone::Good, "Accepted", &format!("{verb} {value}: {}", action.message))?,
            // Another command was handled in the same pass, and its answer took the place of this one's.
            None => told(session, Tone::Plain, "Handled", &format!("{verb} {value}; see: kubectl get events"))?,
        }
        Ok(value)
    }

    /// `restart`: it is no command about a revision, so a new rollout is its only answer.
    pub async fn restart(&self, session: &Session) -> Result<()> {
        let edit = |object: &Microservice| {
            let brief = Brief::of(object, Timestamp::now(), &session.flag);
            refuse_idle(&brief, "restart")?;
            value::restartable(&brief)?;
            let value = stamp(brief.annotation(labels::RESTART), Timestamp::now());
            let before = newest(&brief);
            Ok((restart_patch(&value), (value, before)))
        };
        let (_, (value, before)) = session.change(&self.name, edit).await?;
        if self.no_wait {
            return told(session, Tone::Plain, "Written", &format!("restart {value}"));
        }
        let object = self
            .until(session, &unhandled("restart"), |object| newest(&Brief::of(object, Timestamp::now(), &session.flag)) != before)
            .await?;
        let (_, message) = Brief::of(&object, Timestamp::now(), &session.flag).summary();
        told(session, Tone::Good, "Accepted", &format!("restart {value}: {message}"))
    }

    /// The first state with which `holds`, within the patience; `otherwise` says what is then so.
    async fn until(&self, session: &Session, otherwise: &str, holds: impl Fn(&Microservice) -> bool) -> Result<Microservice> {
        let mut states = follow(session, &self.name);
        let found = timeout(PATIENCE, async {
            loop {
                match next(&mut states).await? {
                    Some(object) if holds(&object) => return Ok(object),
                    Some(_) => {}
                    None => return Err(Failure::Refused(format!("{} was deleted", self.name))),
                }
            }
        });
        found.await.unwrap_or_else(|_| {
            let see = format!("kubectl microservice why {}{}", self.name, session.flag);
            Err(Failure::TimedOut(format!("{otherwise} in {PATIENCE:?}; does it run? See: {see}")))
        })
    }
}

/// While the operator handles no commands, there is no use in writing one.
fn refuse_idle(brief: &Brief, verb: &str) -> Result<()> {
    let refuse = |why: String| Err(Failure::Refused(format!("cannot {verb} {}: {why}", brief.name())));
    if brief.is_refused() {
        return refuse(format!("the operator refuses its spec; correct that first; see: {}", brief.command("why")));
    }
    if brief.object.spec.suspend == Some(true) || brief.state() == State::Suspended {
        return refuse(format!("it is suspended; first let the operator work again: {}", brief.patch(UNSUSPEND)));
    }
    Ok(())
}

fn unhandled(verb: &str) -> String {
    format!("the command {verb} is written, and the operator has not handled it")
}

fn told(session: &Session, tone: Tone, what: &str, text: &str) -> Result<()> {
    let mut screen = Screen::default();
    screen.line([word(tone, format!("{what}:")), plain(format!(" {}", text.trim_end_matches(": ")))]);
    session.paper.show(&screen)
}

fn restart_patch(value: &str) -> Value {
    json!({"metadata": {"annotations": {(labels::RESTART): value}}})
}

/// A time that is not the one that stands there.
fn stamp(before: Option<&str>, now: Timestamp) -> String {
    let text = |time: Timestamp| time.round(Unit::Second).unwrap_or(time).to_string();
    let value = text(now);
    if before == Some(value.as_str()) { text(now + SignedDuration::from_secs(1)) } else { value }
}

/// The revision that is on its way, or the one that serves.
fn newest(brief: &Brief) -> Option<String> {
    brief.progress.candidate_revision().or(brief.progress.stable_revision()).cloned()
}
