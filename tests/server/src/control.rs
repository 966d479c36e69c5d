//! `testserver control`: reads or switches the behaviour of a running server. It exists because the image holds nothing
//! else, so that `kubectl exec POD -- /testserver control '{"failPercent":5}'` reaches exactly that pod.

use crate::target::Target;
use crate::{EXIT_USAGE, exchange};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

/// The server answers at once, whatever latency it plays for others.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub struct Args {
    /// Fields to change, as JSON; without it the present behaviour is printed
    #[arg(value_name = "JSON")]
    change: Option<String>,
    /// Control address of the server
    #[arg(long, default_value = "http://127.0.0.1:8080/control")]
    url: Target,
}

pub async fn run(args: Args) -> Result<ExitCode, String> {
    let method = if args.change.is_some() { Method::POST } else { Method::GET };
    let body = Bytes::from(args.change.unwrap_or_default());
    let request = exchange::request(&args.url, method, &HeaderMap::new(), body)?;
    let answer = exchange::once(&args.url, request, Instant::now() + TIMEOUT)
        .await
        .map_err(|failure| format!("{} does not answer ({failure}); is `testserver serve` running there?", args.url.url))?;
    println!("{}", String::from_utf8_lossy(&answer.body).trim_end());
    Ok(if answer.status.is_success() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_USAGE) })
}
