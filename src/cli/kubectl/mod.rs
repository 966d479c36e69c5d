//! The kubectl plugin: `kubectl microservice VERB`. It acts with the caller's rights and needs nothing in the cluster but
//! the CRD. Screens are pure functions of what was fetched ([`screen`]); the verbs only fetch, print and wait.

pub(super) mod brief;
mod command;
mod expect;
mod failure;
mod family;
mod format;
mod get;
mod history;
mod image;
mod overview;
pub(super) mod screen;
pub(super) mod session;
mod show;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod tree;
mod value;
mod watch;
mod why;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::command::{Named, Promote, Undo, Verb as Written};
use failure::{Failure, Result};
use session::{Globals, Session};

/// Look at Microservices, and steer their rollouts.
#[derive(Debug, Parser)]
#[command(name = "kubectl-microservice", bin_name = "kubectl microservice", version, disable_help_subcommand = true)]
pub struct Standalone {
    #[command(flatten)]
    plugin: Plugin,
}

impl Standalone {
    pub fn dispatch(self) -> ExitCode {
        self.plugin.dispatch()
    }
}

/// The verbs, and the flags of all of them.
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Exit status: 0 if it was done or holds; 1 if it was refused, is not there, or can no longer hold; 2 for wrong flags; 3 when the time ran out."
)]
pub struct Plugin {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Services in a table: state, reason, revision, rollout, replicas
    Get(get::Args),
    /// A service, its rollout, and all that came of it, down to the pods
    Tree(show::TreeArgs),
    /// What goes on with a service; or wait until something holds
    Status(status::Args),
    /// Why a service does not serve its new version, and what to do
    Why(show::WhyArgs),
    /// Go one step further with a rollout that waits
    Promote(Promote),
    /// Give a rollout up, and go back to the last good revision
    #[command(after_help = "Example:\n  kubectl microservice abort orders")]
    Abort(Named),
    /// Try a revision that failed once more
    #[command(after_help = "Example:\n  kubectl microservice retry orders")]
    Retry(Named),
    /// Hold a rollout where it is
    #[command(after_help = "Example:\n  kubectl microservice pause orders")]
    Pause(Named),
    /// Let a rollout go on that `pause` holds
    #[command(after_help = "Example:\n  kubectl microservice resume orders")]
    Resume(Named),
    /// Put an earlier revision in the place of the present one, without a change of the spec
    Undo(Undo),
    /// Replace all pods, as an ordinary rollout
    #[command(after_help = "Example:\n  kubectl microservice restart orders")]
    Restart(Named),
    /// Change a field of the spec
    #[command(subcommand)]
    Set(Set),
    /// Recorded revisions, newest first
    History(history::Args),
}

#[derive(Debug, Subcommand)]
enum Set {
    /// The container image
    Image(image::Args),
}

/// Whether the program was called as kubectl calls a plugin.
pub fn is_plugin(program: &Path) -> bool {
    let name = program.file_stem().and_then(|name| name.to_str());
    matches!(name, Some("kubectl-microservice" | "kubectl_microservice"))
}

impl Plugin {
    pub fn dispatch(self) -> ExitCode {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let outcome = match runtime {
            Ok(runtime) => runtime.block_on(self.run()),
            Err(error) => Err(Failure::Refused(format!("cannot start: {error}"))),
        };
        outcome.map_or_else(Failure::report, |()| ExitCode::SUCCESS)
    }

    async fn run(self) -> Result<()> {
        let session = &Session::open(&self.globals).await?;
        match self.verb {
            Verb::Get(args) => args.run(session).await,
            Verb::Tree(args) => args.run(session).await,
            Verb::Status(args) => args.run(session).await,
            Verb::Why(args) => args.run(session).await,
            Verb::Promote(args) => args.run(session).await,
            Verb::Abort(args) => args.run(session, Written::Abort).await,
            Verb::Retry(args) => args.run(session, Written::Retry).await,
            Verb::Pause(args) => args.run(session, Written::Pause).await,
            Verb::Resume(args) => args.run(session, Written::Resume).await,
            Verb::Undo(args) => args.run(session).await,
            Verb::Restart(args) => args.restart(session).await,
            Verb::Set(Set::Image(args)) => args.run(session).await,
            Verb::History(args) => args.run(session).await,
        }
    }
}

/// A service's name; `microservice/orders`, as `get -o name` prints it, will do.
fn name(text: &str) -> std::result::Result<String, String> {
    let name = match text.split_once('/') {
        Some((kind, name)) if ["microservice", "microservices", "msvc", "microservice.microservices.dev"].contains(&kind) => name,
        Some((kind, _)) => return Err(format!("{kind:?} is not a Microservice")),
        None => text,
    };
    super::flags::name(name)
}
