//! Logs: for people in a terminal, for machines everywhere else.

mod line;

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::util::SubscriberInitExt;

use line::{Line, Style};

/// Of libraries only what a user can act upon. `kube`'s client and watches report each failure of their own accord;
/// whoever made the request reports it once, and better.
const LIBRARIES: &str = "warn,kube_client=off,kube_runtime::watcher=off";

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `human` in a terminal, else `json`.
    Auto,
    /// Short lines.
    Human,
    /// One JSON object a line.
    Json,
}

impl Format {
    /// Whether lines are JSON, as things are.
    pub fn is_json(self) -> bool {
        match self {
            Self::Auto => !std::io::stderr().is_terminal(),
            Self::Human => false,
            Self::Json => true,
        }
    }
}

/// Why logging cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{level:?} is not a log level: {source}. Write error, warn, info, debug or trace, or a filter such as info,kube=debug")]
    Level { level: String, source: ParseError },
    #[error("logging was started twice")]
    Twice,
}

/// Sends the logs of this process, panics included, to standard error; standard output is for results.
pub fn start(format: Format, level: &str) -> Result<(), Error> {
    let filter = filter(level)?;
    let json = format.is_json();
    let colour = !json && std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        .fmt_fields(JsonFields::new())
        .event_format(Line(if json { Style::Json } else { Style::Human }))
        .finish()
        .try_init()
        .map_err(|_| Error::Twice)?;
    std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    Ok(())
}

/// A bare level is meant for the operator; libraries stay quiet. Anything longer is taken as it stands.
fn filter(level: &str) -> Result<EnvFilter, Error> {
    let bare = matches!(level, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let directives = if bare { format!("{LIBRARIES},{}={level}", env!("CARGO_CRATE_NAME")) } else { level.to_owned() };
    EnvFilter::try_new(&directives).map_err(|source| Error::Level { level: level.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_the_operators_own() {
        let filter = filter("debug").unwrap().to_string();
        for directive in ["warn", "kube_client=off", "microservice_operator=debug"] {
            assert!(filter.split(',').any(|found| found == directive), "{filter}");
        }
    }

    #[test]
    fn a_filter_is_taken_as_it_stands_and_nonsense_is_refused_with_examples() {
        assert_eq!(filter("info,kube=debug").unwrap().to_string(), "kube=debug,info");
        let error = filter("loud=very").unwrap_err().to_string();
        assert!(error.starts_with("\"loud=very\" is not a log level") && error.ends_with("such as info,kube=debug"), "{error}");
    }
}
