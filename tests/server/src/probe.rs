//! `testserver probe`: can this pod reach that target? Three answers are kept apart, because a test that takes every
//! error for "denied" also passes when its target is down or its name is wrong.

use crate::exchange;
use crate::failure::{Failure, Kind};
use crate::target::{Address, Target};
use clap::ValueEnum;
use hyper::body::Bytes;
use hyper::{HeaderMap, Method};
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, sleep};

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("target").required(true).args(["url", "tcp"]))]
pub struct Args {
    /// HTTP target; any HTTP response means that it was reached
    #[arg(long)]
    url: Option<Target>,
    /// TCP target; an accepted connection means that it was reached
    #[arg(long, value_name = "HOST:PORT")]
    tcp: Option<Address>,
    /// Outcome that makes the exit code 0
    #[arg(long, default_value = "allowed")]
    expect: Expect,
    /// How long one try may take
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,
    /// Try again up to this many times until the outcome is the expected one: policies take a moment to arrive
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    tries: u32,
    /// Pause between two tries
    #[arg(long, value_name = "MS", default_value_t = 500)]
    interval_ms: u64,
    /// Count refused and unreachable as denied, for network plugins that reject instead of dropping
    #[arg(long)]
    rejected_is_denied: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Expect {
    Allowed,
    Denied,
}

enum Outcome {
    Allowed(String),
    Denied(Failure),
    /// Neither: it says nothing about the policy.
    Broken(Failure),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed(detail) => write!(f, "allowed ({detail})"),
            Self::Denied(failure) => write!(f, "denied ({failure})"),
            Self::Broken(failure) => {
                write!(f, "broken ({failure})")?;
                match failure.kind {
                    Kind::ConnectRefused => f.write_str("; nobody listens there or the Service has no endpoint, so this shows no policy"),
                    Kind::Dns => f.write_str("; check the name and that DNS itself is allowed"),
                    _ => Ok(()),
                }
            }
        }
    }
}

pub async fn run(args: Args) -> Result<ExitCode, String> {
    for number in 1..=args.tries {
        let started = Instant::now();
        let outcome = try_once(&args, started + Duration::from_millis(args.timeout_ms)).await?;
        let as_expected = match outcome {
            Outcome::Allowed(_) => args.expect == Expect::Allowed,
            Outcome::Denied(_) => args.expect == Expect::Denied,
            Outcome::Broken(_) => false,
        };
        if as_expected || number == args.tries {
            let verdict = if as_expected { "as expected" } else { "NOT as expected" };
            println!("{outcome}: {verdict}, try {number} of {}, {} ms", args.tries, started.elapsed().as_millis());
            return Ok(if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        sleep(Duration::from_millis(args.interval_ms)).await;
    }
    Err("--tries must be at least 1".to_owned())
}

async fn try_once(args: &Args, deadline: Instant) -> Result<Outcome, String> {
    let result = match (&args.url, &args.tcp) {
        (Some(target), _) => {
            let request = exchange::request(target, Method::GET, &HeaderMap::new(), Bytes::new())?;
            exchange::once(target, request, deadline).await.map(|answer| format!("HTTP {}", answer.status.as_u16()))
        }
        (None, Some(address)) => address.connect(deadline).await.map(|_| "connected".to_owned()),
        (None, None) => return Err("give --url or --tcp".to_owned()),
    };
    Ok(match result {
        Ok(detail) => Outcome::Allowed(detail),
        Err(failure) => match failure.kind {
            Kind::ConnectTimeout => Outcome::Denied(failure),
            Kind::ConnectRefused | Kind::ConnectError if args.rejected_is_denied => Outcome::Denied(failure),
            _ => Outcome::Broken(failure),
        },
    })
}
