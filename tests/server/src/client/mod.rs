//! `testserver client`: steady requests, every failure counted. The schedule is open-loop: request `k` is due at
//! `k / rate` whether or not earlier ones are answered, and its latency counts from then, so that a server that stalls
//! can neither slow the client down nor hide its stall.

mod flags;
mod histogram;
mod pool;
mod request;
mod tally;

use crate::failure::{Failure, Kind};
use crate::{exchange, stop};
pub use flags::Args;
use flags::Output;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use pool::Pool;
use request::{Outcome, Plan};
use std::future::Future;
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tally::Tally;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

/// Pause between two tries while waiting for the first good answer.
const WAIT_PAUSE: Duration = Duration::from_millis(200);

/// What the tasks of a run share.
struct Run {
    plan: Plan,
    pool: Pool,
    tally: Mutex<Tally>,
    started: Instant,
}

impl Run {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, due: Instant) {
        let outcome = request::send(&self.plan, &self.pool).await;
        self.tally().record(due - self.started, due.elapsed(), &outcome);
    }

    fn skip(&self, due: Instant, limit: usize) {
        let failure = Failure::new(Kind::NotSent, format!("{limit} requests were waiting for their answers"));
        self.tally().record(due - self.started, Duration::ZERO, &Outcome::unanswered(failure));
    }
}

pub async fn run(args: Args) -> Result<ExitCode, String> {
    let mut stop = pin!(stop::requested(false)?);
    let headers: HeaderMap = args.header.iter().cloned().collect();
    let request = exchange::request(&args.url, Method::GET, &headers, Bytes::new())?;
    let timeout = Duration::from_millis(args.timeout_ms);
    let plan = Plan { target: args.url.clone(), request, expected_status: args.expect_status, timeout };
    let unreached = wait_for_answer(&args, &plan, stop.as_mut()).await;
    let run = Arc::new(Run {
        plan,
        pool: Pool::new(args.concurrency, args.new_connection_every, Duration::from_millis(args.max_idle_ms)),
        tally: Mutex::default(),
        started: Instant::now(),
    });
    let stopped_early = match unreached {
        None => keep_rate(&args, &run, stop.as_mut()).await,
        Some(failure) => {
            run.tally().record(Duration::ZERO, Duration::ZERO, &Outcome::unanswered(failure));
            true
        }
    };
    Ok(report(&args, &run, stopped_early))
}

/// Tries until the first good answer; what still failed last when time was up or a signal came.
async fn wait_for_answer(args: &Args, plan: &Plan, mut stop: Pin<&mut impl Future<Output = &'static str>>) -> Option<Failure> {
    if args.wait_seconds == 0 {
        return None;
    }
    let give_up = Instant::now() + Duration::from_secs(args.wait_seconds);
    let pool = Pool::new(0, Some(1), Duration::ZERO);
    loop {
        let failure = request::send(plan, &pool).await.failure?;
        if Instant::now() + WAIT_PAUSE >= give_up {
            eprintln!("testserver client: no good answer within {} s ({failure})", args.wait_seconds);
            return Some(failure);
        }
        tokio::select! {
            () = sleep(WAIT_PAUSE) => {}
            signal = stop.as_mut() => {
                eprintln!("testserver client: {signal} before the first good answer ({failure})");
                return Some(failure);
            }
        }
    }
}

/// Sends on schedule and returns when the last answer is in; whether a signal cut the schedule short.
async fn keep_rate(args: &Args, run: &Arc<Run>, mut stop: Pin<&mut impl Future<Output = &'static str>>) -> bool {
    let rate = u64::from(args.rate);
    let total = (rate * u64::from(args.seconds)).min(args.requests.unwrap_or(u64::MAX));
    let limit = args.max_in_flight();
    let slots = Arc::new(Semaphore::new(limit));
    let progress = tokio::spawn(show_progress(Arc::clone(run), Duration::from_secs(args.progress_seconds)));
    let mut stopped_early = false;
    for number in 0..total {
        let due = run.started + Duration::from_nanos(number * 1_000_000_000 / rate);
        tokio::select! {
            biased;
            signal = stop.as_mut() => {
                eprintln!("testserver client: {signal}, waiting for the last answers");
                stopped_early = true;
                break;
            }
            () = sleep_until(due) => {}
        }
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => {
                let run = Arc::clone(run);
                tokio::spawn(async move {
                    run.send(due).await;
                    drop(slot);
                });
            }
            Err(_) => run.skip(due, limit),
        }
    }
    // All slots are free again when every request has its outcome; the semaphore is never closed.
    let _ = slots.acquire_many(limit.try_into().unwrap_or(u32::MAX)).await;
    progress.abort();
    stopped_early
}

async fn show_progress(run: Arc<Run>, interval: Duration) {
    while !interval.is_zero() {
        sleep(interval).await;
        let line = run.tally().progress(run.started.elapsed());
        eprintln!("testserver client: {line}");
    }
}

fn report(args: &Args, run: &Run, stopped_early: bool) -> ExitCode {
    let elapsed = run.started.elapsed();
    let summary = run.tally().summary(&args.url.url, args.rate, run.pool.opened(), elapsed, stopped_early);
    match args.output {
        Output::Text => print!("{summary}"),
        Output::Json => match serde_json::to_string(&summary) {
            Ok(line) => println!("{line}"),
            Err(error) => eprintln!("testserver client: cannot write the summary: {error}"),
        },
    }
    if summary.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
