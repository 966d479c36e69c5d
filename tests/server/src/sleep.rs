//! `testserver sleep`: a worker or a job without work.

use crate::stop;
use std::process::ExitCode;
use std::time::Duration;

#[derive(clap::Args)]
pub struct Args {
    /// End by itself after this many seconds [default: only on SIGTERM]
    #[arg(long, value_name = "SECONDS", env = "EXIT_AFTER_SECONDS")]
    exit_after_seconds: Option<u64>,
    /// Exit code when it ends by itself; SIGTERM always ends with 0
    #[arg(long, value_name = "CODE", env = "EXIT_CODE", default_value_t = 0)]
    exit_code: u8,
    /// Ignore SIGTERM, as a bad worker does
    #[arg(long, env = "IGNORE_SIGTERM")]
    ignore_sigterm: bool,
}

pub async fn run(args: Args) -> Result<ExitCode, String> {
    let stop = stop::requested(args.ignore_sigterm)?;
    let own_end = async {
        match args.exit_after_seconds {
            Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
            None => std::future::pending().await,
        }
    };
    eprintln!("testserver: sleeping");
    tokio::select! {
        signal = stop => {
            eprintln!("testserver: {signal}, exiting with 0");
            Ok(ExitCode::SUCCESS)
        }
        () = own_end => {
            eprintln!("testserver: time is up, exiting with {}", args.exit_code);
            Ok(ExitCode::from(args.exit_code))
        }
    }
}
