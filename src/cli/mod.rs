//! The command line. One file for each subcommand; this one only names them.

mod crd;
mod input;
mod lines;
pub mod output;
mod render;
mod run;
mod validate;
mod verdict;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit status when a manifest is not valid.
const INVALID: u8 = 1;
/// Exit status for wrong usage, as clap's own, and for input that cannot be read.
const USAGE: u8 = 2;

/// One Microservice manifest becomes a production-grade service on Kubernetes.
#[derive(Debug, Parser)]
#[command(version, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator: in a pod, or on your machine against the current kubectl context
    Run(Box<run::Args>),
    /// Print the CustomResourceDefinition
    Crd(crd::Args),
    /// Print what Microservices become, offline
    Render(render::Args),
    /// Check Microservices without a cluster, by the rules of admission and the operator's own
    Validate(validate::Args),
    /// Print the version
    Version,
}

impl Cli {
    /// Does what was asked for.
    pub fn dispatch(self) -> ExitCode {
        match self.command {
            Command::Run(args) => run::run(&args),
            Command::Crd(args) => crd::run(&args),
            Command::Render(args) => render::run(&args),
            Command::Validate(args) => validate::run(&args),
            Command::Version => {
                println!("microservice-operator {}", env!("CARGO_PKG_VERSION"));
                ExitCode::SUCCESS
            }
        }
    }
}
