//! The command line. One file for each subcommand; this one only names them.

mod crd;
mod flags;
mod input;
mod kubectl;
mod lines;
pub mod output;
mod render;
mod run;
mod simulate;
mod validate;
mod verdict;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Exit status when a manifest is not valid.
const INVALID: u8 = 1;
/// Exit status for wrong usage, as clap's own, and for input that cannot be read.
const USAGE: u8 = 2;

/// Does what the command line asks for. By the name `kubectl-microservice` the same binary is kubectl's plugin.
pub fn run_as_named() -> ExitCode {
    match std::env::args_os().next() {
        Some(name) if kubectl::is_plugin(Path::new(&name)) => kubectl::Standalone::parse().dispatch(),
        _ => Cli::parse().dispatch(),
    }
}

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
    /// Show how a rollout would go, without a cluster: by the operator's own code, in virtual time
    Simulate(Box<simulate::Args>),
    /// Check Microservices without a cluster, by the rules of admission and the operator's own
    Validate(validate::Args),
    /// The verbs of the kubectl plugin, without another name for the binary
    #[command(hide = true)]
    Kubectl(kubectl::Plugin),
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
            Command::Simulate(args) => simulate::run(&args),
            Command::Validate(args) => validate::run(&args),
            Command::Kubectl(plugin) => plugin.dispatch(),
            Command::Version => {
                println!("microservice-operator {}", env!("CARGO_PKG_VERSION"));
                ExitCode::SUCCESS
            }
        }
    }
}
