//! One request of the client, from its connection to the verdict.

use super::pool::Pool;
use crate::exchange::{self, Answer, Unanswered};
use crate::failure::{Failure, Kind};
use crate::target::Target;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// What is sent, where to, and which answer is right.
pub struct Plan {
    pub target: Target,
    pub request: Request<Full<Bytes>>,
    pub expected_status: u16,
    pub timeout: Duration,
}

/// Who answered, as far as the answer says: other servers than the test server stay `unknown`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Identity {
    pub revision: String,
    pub pod: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self { revision: "unknown".to_owned(), pod: "unknown".to_owned() }
    }
}

pub struct Outcome {
    /// Present when an HTTP answer was read to its end, whatever its status.
    pub answered_by: Option<Identity>,
    pub failure: Option<Failure>,
}

impl Outcome {
    pub fn unanswered(failure: Failure) -> Self {
        Self { answered_by: None, failure: Some(failure) }
    }
}

pub async fn send(plan: &Plan, pool: &Pool) -> Outcome {
    match ask(plan, pool).await {
        Ok(answer) => judge(plan, &answer),
        Err(failure) => Outcome::unanswered(failure),
    }
}

async fn ask(plan: &Plan, pool: &Pool) -> Result<Answer, Failure> {
    let deadline = Instant::now() + plan.timeout;
    let mut request = plan.request.clone();
    loop {
        let mut lease = pool.take(&plan.target, deadline).await?;
        match exchange::exchange(&mut lease.connection, request, deadline).await {
            Ok(answer) => {
                pool.put_back(lease).await;
                return Ok(answer);
            }
            // Not a byte was sent, so this is no second try: the connection had ended while it was idle.
            Err(Unanswered::Unsent(unsent)) => request = *unsent,
            Err(Unanswered::Failed(failure)) => return Err(failure),
        }
    }
}

fn judge(plan: &Plan, answer: &Answer) -> Outcome {
    let identity = if answer.is_json { serde_json::from_slice(&answer.body) } else { Ok(Identity::default()) };
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => {
            return Outcome::unanswered(Failure::new(Kind::BadBody, format!("not the JSON that its type announces: {error}")));
        }
    };
    let status = answer.status.as_u16();
    let failure = (status != plan.expected_status)
        .then(|| Failure::new(Kind::Status(status), format!("from pod {}, revision {}", identity.pod, identity.revision)));
    Outcome { answered_by: Some(identity), failure }
}
