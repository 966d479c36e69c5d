//! Flags of `simulate`, and what they mean for a play.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::cli::flags;
use crate::cli::input::Input;
use crate::cli::kubectl::session::Colour;
use crate::simulate::gates::Gate;
use crate::simulate::pods::Nature;

/// Milliseconds.
pub type Moment = i64;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The operator's own code runs against a small cluster in memory, in virtual time: nothing is sent anywhere. The service is
made Ready first; then the new spec is applied, at 0:00. TIME is a number of seconds, or a length such as 90s or 5m.

Examples:
  microservice-operator simulate -f orders.yaml                            # the spec as it is, with another image before it
  microservice-operator simulate -f new.yaml --from old.yaml               # one spec after the other
  microservice-operator simulate -f orders.yaml --image orders:2 --svg rollout.svg
  microservice-operator simulate -f orders.yaml --auto-promote 60          # somebody goes on 60 s after each manual pause
  microservice-operator simulate -f orders.yaml --do promote@2m --do abort@5m
  microservice-operator simulate -f orders.yaml --gate approval=300        # that webhook opens its gate after five minutes
  microservice-operator simulate -f orders.yaml --fail crash@90            # the new version crashes after 90 s
  microservice-operator simulate -f orders.yaml --lose-pods 2@30 --restart-operator 31

Exit status: 0 if it completes, or waits for somebody as its spec says; 1 if it ends in a rollback, a failure or an abort,
or if a safety rule is broken; 2 for wrong flags, unreadable files or an invalid Microservice; 3 if it is not over at --until.")]
pub struct Args {
    #[command(flatten)]
    pub input: Input,
    /// Which Microservice, where there are several
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// Manifest of the service as it runs now
    #[arg(long, value_name = "PATH", conflicts_with = "image")]
    pub from: Option<PathBuf>,
    /// Image to roll out; what runs now is then the spec in the file
    #[arg(long, value_name = "IMAGE")]
    pub image: Option<String>,
    /// Pods that the load of an autoscaled service needs, all the time; otherwise its `minReplicas`
    #[arg(long, value_name = "PODS")]
    pub replicas: Option<i32>,
    /// How long a new pod takes until it is ready
    #[arg(long, value_name = "TIME", default_value = "5", value_parser = flags::seconds)]
    pub pod_ready: Duration,
    /// What is wrong with the new version, from the start or from TIME on
    #[arg(long, value_name = "HOW[@TIME]", value_parser = failure)]
    pub fail: Option<(Failure, Duration)>,
    /// So many pods are lost with their nodes; may be repeated
    #[arg(long, value_name = "PODS@TIME", value_parser = loss)]
    pub lose_pods: Vec<(usize, Duration)>,
    /// The operator ends, and starts again five seconds later; may be repeated
    #[arg(long, value_name = "TIME", value_parser = flags::seconds)]
    pub restart_operator: Vec<Duration>,
    /// Most pods in the namespace, those that end included
    #[arg(long, value_name = "PODS")]
    pub quota: Option<usize>,
    /// A command to the rollout: promote, promote-full, abort, pause, resume or retry; may be repeated
    #[arg(long = "do", value_name = "COMMAND@TIME", value_parser = command)]
    pub commands: Vec<(Command, Duration)>,
    /// Goes on so long after the begin of each pause that waits for somebody
    #[arg(long, value_name = "TIME", value_parser = flags::seconds)]
    pub auto_promote: Option<Duration>,
    /// Whether and when a webhook opens its gates: so many seconds after it was asked, `never`, or `refuse`; may be repeated.
    /// One that is not named opens at once
    #[arg(long = "gate", value_name = "WEBHOOK=HOW", value_parser = gate)]
    pub gates: Vec<(String, Gate)>,
    /// Ends here at the latest
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = flags::seconds)]
    pub until: Duration,
    /// From which the delays of watches and controllers follow; the same seed gives the same bytes
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
    /// Also writes the picture to this file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// When to use colours. `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each change, and a summary
    Text,
    /// One object
    Json,
    /// A picture
    Svg,
}

/// What is wrong with a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Failure {
    /// Its program ends again and again.
    Crash,
    /// It runs, and is never ready.
    Unready,
    /// Its image cannot be pulled.
    Pull,
}

impl Failure {
    pub const fn nature(self) -> Nature {
        match self {
            Self::Crash => Nature::Crash,
            Self::Unready => Nature::Mute,
            Self::Pull => Nature::Bad,
        }
    }

    pub const fn words(self) -> &'static str {
        match self {
            Self::Crash => "pods of the new version crash",
            Self::Unready => "pods of the new version are not ready",
            Self::Pull => "the new image cannot be pulled",
        }
    }
}

/// A command to a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Command {
    Promote,
    PromoteFull,
    Abort,
    Pause,
    Resume,
    Retry,
}

/// Something that happens from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Fail(Failure),
    Lose(usize),
    Restart,
    Command(Command),
}

impl Args {
    /// All that happens from outside, in order of time.
    pub fn deeds(&self) -> Vec<(Moment, Deed)> {
        let mut deeds: Vec<(Moment, Deed)> = Vec::new();
        deeds.extend(self.fail.map(|(failure, at)| (moment(at), Deed::Fail(failure))));
        deeds.extend(self.lose_pods.iter().map(|(count, at)| (moment(*at), Deed::Lose(*count))));
        deeds.extend(self.restart_operator.iter().map(|at| (moment(*at), Deed::Restart)));
        deeds.extend(self.commands.iter().map(|(command, at)| (moment(*at), Deed::Command(*command))));
        deeds.sort_by_key(|(at, _)| *at);
        deeds
    }
}

/// A length of time as milliseconds; at most some thousand years.
pub fn moment(time: Duration) -> Moment {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX).min(i64::MAX / 1_000_000)
}

fn failure(text: &str) -> Result<(Failure, Duration), String> {
    if text.contains('@') { timed(text, word) } else { Ok((word(text)?, Duration::ZERO)) }
}

fn command(text: &str) -> Result<(Command, Duration), String> {
    timed(text, word)
}

fn loss(text: &str) -> Result<(usize, Duration), String> {
    timed(text, |count| count.parse().map_err(|_| format!("{count:?} is not a number of pods")))
}

/// `WEBHOOK=HOW`.
fn gate(text: &str) -> Result<(String, Gate), String> {
    let (name, how) = text.split_once('=').ok_or_else(|| format!("when does it open? write for example {text}=60, or {text}=never"))?;
    let gate = match how {
        "never" => Gate::Never,
        "refuse" => Gate::Refuses,
        time => Gate::Opens(moment(flags::seconds(time).map_err(|why| format!("{why}; or write `never` or `refuse`"))?)),
    };
    Ok((name.to_owned(), gate))
}

/// `WHAT@TIME`.
fn timed<T>(text: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<(T, Duration), String> {
    let (what, time) = text.split_once('@').ok_or_else(|| format!("when? write for example {text}@60"))?;
    Ok((read(what)?, flags::seconds(time)?))
}

fn word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let known: Vec<String> =
            T::value_variants().iter().filter_map(ValueEnum::to_possible_value).map(|value| value.get_name().to_owned()).collect();
        format!("{text:?} is none of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_names_its_time() {
        assert_eq!(failure("crash@90"), Ok((Failure::Crash, Duration::from_secs(90))));
        assert_eq!(failure("pull"), Ok((Failure::Pull, Duration::ZERO)));
        assert_eq!(command("promote-full@2m"), Ok((Command::PromoteFull, Duration::from_secs(120))));
        assert_eq!(loss("2@1m30s"), Ok((2, Duration::from_secs(90))));
        assert_eq!(gate("approval=5m"), Ok(("approval".to_owned(), Gate::Opens(300_000))));
        assert_eq!(["a=never", "a=refuse"].map(|text| gate(text).map(|(_, gate)| gate)), [Ok(Gate::Never), Ok(Gate::Refuses)]);
        assert_eq!(gate("a").unwrap_err(), "when does it open? write for example a=60, or a=never");
        assert!(gate("a=later").unwrap_err().ends_with("or write `never` or `refuse`"));
        assert_eq!(command("promote").unwrap_err(), "when? write for example promote@60");
        assert_eq!(failure("explode").unwrap_err(), "\"explode\" is none of crash, unready, pull");
        assert_eq!(loss("two@1").unwrap_err(), "\"two\" is not a number of pods");
        assert!(loss("2@soon").unwrap_err().contains("is not a length of time"));
    }
}
