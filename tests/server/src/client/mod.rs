//! `testserver client`: steady requests, every failure counted. The schedule is open-loop: request `k` is due at
//! `k / rate` whether or not earlier ones are answered, and its latency counts from then, so that a server that stalls
//! can neither slow the client down nor hide its stall.

mod histogram;
mod pool;
mod request;
mod tally;

use crate::failure::{Failure, Kind};
use crate::target::Target;
use crate::{exchange, stop};
use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use hyper::body::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::Method;
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

/// Most requests that wait for answers at once, unless told otherwise: below the file descriptors that processes get.
const DEFAULT_MAX_IN_FLIGHT: u64 = 900;
/// Pause between two tries while waiting for the first good answer.
const WAIT_PAUSE: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub struct Args {
    /// Where to send GET requests
    #[arg(long)]
    url: Target,
    /// Requests per second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Length of the run; at most a day
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// End after this many requests, if that comes first
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
    /// Connections that requests rotate over; when all are busy, further ones are opened to keep the rate
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    concurrency: usize,
    /// Most requests that may wait for an answer; one that is due beyond counts as the failure `not_sent`
    /// [default: what rate and time-out can bring about, at most 900]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    max_in_flight: Option<usize>,
    /// Give a connection up after N requests; 1 spreads requests over pods as evenly as the Service can
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    new_connection_every: Option<u64>,
    /// Do not reuse a connection that was idle for longer; below the server's draining time, so that no request is
    /// sent into a connection that a stopping server is about to close
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    max_idle_ms: u64,
    /// Time for a request from name lookup to the end of its answer
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
    /// Status that counts as success
    #[arg(long, value_name = "STATUS", default_value_t = 200)]
    expect_status: u16,
    /// Further header, as in "X-Canary: yes"; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// Before the run, wait this long for a first good answer; what fails until then is not counted
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=86_400))]
    wait_seconds: u64,
    /// Interval of the progress lines on standard error; 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    progress_seconds: u64,
    /// Form of the summary on standard output
    #[arg(long, default_value = "json")]
    output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// One line, so that the last line of a pod's log is the summary
    Json,
    /// For people
    Text,
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("needs a colon, as in \"X-Canary: yes\"")?;
    let name = name.trim().parse().map_err(|error| format!("{error}"))?;
    let value = value.trim().parse().map_err(|error| format!("{error}"))?;
    Ok((name, value))
}

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
    let limit = args.max_in_flight.unwrap_or_else(|| usual_max_in_flight(args));
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

/// Every request is over after its time-out, so that no more than these are ever under way.
fn usual_max_in_flight(args: &Args) -> usize {
    let during_timeout = u64::from(args.rate) * args.timeout_ms / 1000;
    usize::try_from(during_timeout.min(DEFAULT_MAX_IN_FLIGHT)).unwrap_or_default() + args.concurrency
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
