//! The flags of `testserver client`.

use crate::target::Target;
use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use hyper::header::{HeaderName, HeaderValue};

/// Most requests that wait for answers at once, unless told otherwise: below the file descriptors that processes get.
const DEFAULT_MAX_IN_FLIGHT: u64 = 900;

#[derive(clap::Args)]
pub struct Args {
    /// Where to send GET requests
    #[arg(long)]
    pub url: Target,
    /// Requests per second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub rate: u32,
    /// Length of the run; at most a day
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: u32,
    /// End after this many requests, if that comes first
    #[arg(long, value_name = "N")]
    pub requests: Option<u64>,
    /// Connections that requests rotate over; when all are busy, further ones are opened to keep the rate
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub concurrency: usize,
    /// Most requests that may wait for an answer; one that is due beyond counts as the failure `not_sent`
    /// [default: what rate and time-out can bring about, at most 900]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub max_in_flight: Option<usize>,
    /// Give a connection up after N requests; 1 spreads requests over pods as evenly as the Service can
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub new_connection_every: Option<u64>,
    /// Do not reuse a connection that was idle for longer; below the server's draining time, so that no request is
    /// sent into a connection that a stopping server is about to close
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub max_idle_ms: u64,
    /// Time for a request from name lookup to the end of its answer
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub timeout_ms: u64,
    /// Status that counts as success
    #[arg(long, value_name = "STATUS", default_value_t = 200)]
    pub expect_status: u16,
    /// Further header, as in "X-Canary: yes"; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = parse_header)]
    pub header: Vec<(HeaderName, HeaderValue)>,
    /// Before the run, wait this long for a first good answer; what fails until then is not counted
    #[arg(long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub wait_seconds: u64,
    /// Interval of the progress lines on standard error; 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub progress_seconds: u64,
    /// Form of the summary on standard output
    #[arg(long, default_value = "json")]
    pub output: Output,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Output {
    /// One line, so that the last line of a pod's log is the summary
    Json,
    /// For people
    Text,
}

impl Args {
    pub fn max_in_flight(&self) -> usize {
        self.max_in_flight.unwrap_or_else(|| self.usual_max_in_flight())
    }

    /// Every request is over after its time-out, so that no more than these are ever under way.
    fn usual_max_in_flight(&self) -> usize {
        let during_timeout = u64::from(self.rate) * self.timeout_ms / 1000;
        usize::try_from(during_timeout.min(DEFAULT_MAX_IN_FLIGHT)).unwrap_or_default() + self.concurrency
    }
}

fn parse_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("needs a colon, as in \"X-Canary: yes\"")?;
    let name = name.trim().parse().map_err(|error| format!("{error}"))?;
    let value = value.trim().parse().map_err(|error| format!("{error}"))?;
    Ok((name, value))
}
