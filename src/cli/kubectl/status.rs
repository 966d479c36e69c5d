//! `status`: shown once, looked on at, or waited for.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::timeout;

use crate::api::v1alpha1::Microservice;
use crate::cli::flags::duration;

use super::brief::Brief;
use super::expect::{Goal, Outlook, judge};
use super::failure::{Failure, Result};
use super::overview;
use super::screen::{Tone, plain, word};
use super::session::Session;
use super::watch::{Canvas, Log, TICK, follow, next};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --for it prints a line whenever something changes, and ends when the matter is decided. Only a status that speaks of
the present spec counts: one that was just applied is not ready because its predecessor was.

Exit status with --for: 0 once it holds; 1 when it can no longer hold without somebody's doing, with the reason; 3 when the
time ran out.

Examples:
  kubectl microservice status orders
  kubectl microservice status orders --for=ready --timeout=5m
  kubectl microservice status orders --for=paused && ./smoke-test && kubectl microservice promote orders")]
pub struct Args {
    /// The service
    #[arg(value_parser = super::name)]
    name: String,
    /// Wait until this holds
    #[arg(long = "for", value_enum, value_name = "WHAT")]
    goal: Option<Goal>,
    /// How long to wait
    #[arg(long, value_parser = duration, value_name = "TIME", default_value = "5m")]
    timeout: Duration,
    /// Look on, and show changes
    #[arg(short, long, conflicts_with = "goal")]
    watch: bool,
}

impl Args {
    pub async fn run(&self, session: &Session) -> Result<()> {
        match self.goal {
            Some(goal) => self.wait(session, goal).await,
            None if self.watch => self.watch(session).await,
            None => {
                let service = session.service(&self.name).await?;
                session.paper.show(&overview::screen(&Brief::of(&service, Timestamp::now(), &session.flag)))
            }
        }
    }

    async fn wait(&self, session: &Session, goal: Goal) -> Result<()> {
        // Fails at once, with words, if there is no such service.
        session.service(&self.name).await?;
        let mut waited = "nothing was seen".to_owned();
        let decided = timeout(self.timeout, self.decide(session, goal, &mut waited)).await;
        decided
            .unwrap_or_else(|_| Err(Failure::TimedOut(format!("{} is not {} after {:?}: {waited}", self.name, goal.text(), self.timeout))))
    }

    async fn decide(&self, session: &Session, goal: Goal, waited: &mut String) -> Result<()> {
        let mut states = follow(session, &self.name);
        let mut log = Log::new(session.paper);
        loop {
            let Some(service) = next(&mut states).await? else { return Err(self.gone()) };
            let brief = Brief::of(&service, Timestamp::now(), &session.flag);
            match judge(goal, &brief) {
                Outlook::Holds => {
                    let (_, message) = brief.summary();
                    return log.tell(vec![word(Tone::Good, format!("{} is {}", self.name, goal.text())), plain(format!(": {message}"))]);
                }
                Outlook::Never(why) => {
                    let advice = format!("see: kubectl microservice why {}{}", self.name, session.flag);
                    return Err(Failure::Refused(format!("{} cannot become {}: {why}; {advice}", self.name, goal.text())));
                }
                Outlook::Waits(why) => {
                    log.tell(vec![brief.state().word(), plain(format!(" {why}"))])?;
                    *waited = why;
                }
            }
        }
    }

    async fn watch(&self, session: &Session) -> Result<()> {
        session.service(&self.name).await?;
        let mut states = follow(session, &self.name);
        let mut canvas = Canvas::new(session.paper);
        let mut log = Log::new(session.paper);
        let mut last: Option<Microservice> = None;
        loop {
            if let Ok(state) = timeout(TICK, next(&mut states)).await {
                last = state?;
                if last.is_none() {
                    return Err(self.gone());
                }
            }
            let Some(service) = &last else { continue };
            let brief = Brief::of(service, Timestamp::now(), &session.flag);
            if session.paper.terminal {
                canvas.draw(&overview::screen(&brief))?;
            } else {
                log.tell(overview::progress_line(&brief))?;
            }
        }
    }

    fn gone(&self) -> Failure {
        Failure::Refused(format!("{} was deleted", self.name))
    }
}
