//! When a question is asked again.

use std::time::Duration;

use crate::model::Answer;
use crate::model::question::{AGAIN_SECONDS, SLOWEST_SECONDS};

use super::call::Reply;

const AGAIN: Duration = Duration::from_secs(AGAIN_SECONDS);
const SLOWEST: Duration = Duration::from_secs(SLOWEST_SECONDS);

/// How often in a row the server was in trouble.
#[derive(Debug, Default)]
pub struct Pace(u32);

impl Pace {
    /// How long to wait after a reply. The server may ask for more time, and not for less, nor for more than a minute: a gate
    /// must not stay shut for hours because of one header.
    pub fn after(&mut self, reply: &Reply) -> Duration {
        let own = match reply.answer {
            Answer::Trouble(_) => {
                let pause = AGAIN.saturating_mul(1 << self.0.min(8)).min(SLOWEST);
                self.0 = self.0.saturating_add(1);
                pause
            }
            Answer::Yes | Answer::No | Answer::NotYet(_) => {
                self.0 = 0;
                AGAIN
            }
        };
        reply.retry_after.map_or(own, |asked| own.max(asked.min(SLOWEST)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(answer: Answer, retry_after: Option<u64>) -> Reply {
        Reply { answer, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn trouble_slows_down_and_an_answer_makes_it_quick_again() {
        let mut pace = Pace::default();
        let mut next = |answer: Answer| pace.after(&reply(answer, None)).as_secs();
        let trouble = || Answer::Trouble(String::new());
        assert_eq!([(); 5].map(|()| next(trouble())), [10, 20, 40, 60, 60]);
        assert_eq!(next(Answer::NotYet(String::new())), 10);
        assert_eq!(next(trouble()), 10);
    }

    #[test]
    fn a_server_may_ask_for_more_time_up_to_a_minute_and_not_for_less() {
        for (asked, expected) in [(0, 10), (3, 10), (25, 25), (60, 60), (86_400, 60)] {
            assert_eq!(Pace::default().after(&reply(Answer::NotYet(String::new()), Some(asked))).as_secs(), expected, "{asked}");
        }
        let mut pace = Pace(2);
        assert_eq!(pace.after(&reply(Answer::Trouble(String::new()), Some(15))).as_secs(), 40);
    }
}
