//! One small static binary that plays every part of a traffic test: the service that is called (`serve`), the caller
//! that counts failures (`client`), the packet that a policy lets through or not (`probe`), the worker or job that only
//! lives and ends (`sleep`), and the hand that switches a running server (`control`). `README.md` is the manual.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test fails by panicking"))]

mod client;
mod control;
mod exchange;
mod failure;
mod probe;
mod serve;
mod sleep;
mod stop;
mod target;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Exit code of a wrong flag (clap's own) and of everything that kept a subcommand from starting.
const EXIT_USAGE: u8 = 2;

#[derive(Parser)]
#[command(name = "testserver", version, about = "Server, client and probe for traffic tests")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answer HTTP requests, with failures, latency and CPU use on request
    Serve(serve::Args),
    /// Send requests at a steady rate and count every failure
    Client(client::Args),
    /// Try once whether a target can be reached, as a network policy test needs it
    Probe(probe::Args),
    /// Do nothing until SIGTERM or for a given time
    Sleep(sleep::Args),
    /// Read or switch the behaviour of a running server
    Control(control::Args),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    // Two workers: enough for thousands of requests a second, and one that is stuck does not stop the other.
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail_to_start(&format!("cannot start worker threads: {error}")),
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(args).await,
            Command::Client(args) => client::run(args).await,
            Command::Probe(args) => probe::run(args).await,
            Command::Sleep(args) => sleep::run(args).await,
            Command::Control(args) => control::run(args).await,
        }
    });
    // A name lookup that hangs must not hold the exit back.
    runtime.shutdown_background();
    outcome.unwrap_or_else(|message| fail_to_start(&message))
}

fn fail_to_start(message: &str) -> ExitCode {
    eprintln!("testserver: error: {message}");
    ExitCode::from(EXIT_USAGE)
}
