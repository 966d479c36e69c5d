//! Flags of `run`. Each can also be given as an environment variable, so that a manifest can be extended without
//! rewriting its arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::ArgAction;

use crate::cli::flags::{duration, name};
use crate::serve::admin::Address;
use crate::serve::client::Access;
use crate::serve::lease::Terms;
use crate::serve::telemetry::Format;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  microservice-operator run                                # as a pod, or with your current kubectl context
  microservice-operator run --context kind-dev --leader-elect=false
  microservice-operator run --namespaces shop,billing      # needs Roles in these two only

Exit status: 0 after SIGTERM or SIGINT, 1 if it cannot go on or somebody took its lease, 2 for wrong flags.")]
pub struct Args {
    /// Kubeconfig file. Default: the variable KUBECONFIG, else the pod's own account, else ~/.kube/config
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig. Default: its current one
    #[arg(long, env = "MICROSERVICE_OPERATOR_CONTEXT", value_name = "NAME", help_heading = "Cluster")]
    pub context: Option<String>,
    /// Namespaces to work in, by comma or by repeating the flag; needs no cluster-wide rights. Default: all
    #[arg(long, env = "MICROSERVICE_OPERATOR_NAMESPACES", value_name = "NAMES", value_delimiter = ',', value_parser = name, help_heading = "Work")]
    pub namespaces: Vec<String>,
    /// Services worked on at the same time
    #[arg(long, env = "MICROSERVICE_OPERATOR_CONCURRENCY", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Work")]
    pub concurrency: u16,
    /// Folder of the files that `credentialsFile` of a profile's webhooks names, and of ca.crt, whose authorities are trusted
    /// besides the public ones
    #[arg(
        long,
        env = "MICROSERVICE_OPERATOR_CREDENTIALS_DIR",
        default_value = "/etc/microservice-operator/credentials",
        value_name = "FOLDER",
        help_heading = "Work"
    )]
    pub credentials_dir: PathBuf,

    /// Let several operators agree by a Lease on the one that works
    #[arg(long, env = "MICROSERVICE_OPERATOR_LEADER_ELECT", default_value_t = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", action = ArgAction::Set, value_name = "BOOL", help_heading = "Leader election")]
    pub leader_elect: bool,
    /// Name of the Lease. Operators that work in different namespaces need different ones
    #[arg(long, env = "MICROSERVICE_OPERATOR_LEASE_NAME", default_value = "microservice-operator", value_name = "NAME", value_parser = name, help_heading = "Leader election")]
    pub lease_name: String,
    /// Namespace of the Lease. Default: the pod's, or the context's
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAME", value_parser = name, help_heading = "Leader election")]
    pub lease_namespace: Option<String>,
    /// How long the others wait for a leader that fell silent. One that stops in order hands over at once
    #[arg(long, env = "MICROSERVICE_OPERATOR_LEASE_DURATION", default_value = "15s", value_parser = duration, value_name = "TIME", help_heading = "Leader election")]
    pub lease_duration: Duration,
    /// How long a leader works without having renewed. Default: two thirds of the lease duration
    #[arg(long, env = "MICROSERVICE_OPERATOR_RENEW_DEADLINE", value_parser = duration, value_name = "TIME", help_heading = "Leader election")]
    pub renew_deadline: Option<Duration>,
    /// Between two tries to renew or to acquire. Default: two fifteenths of the lease duration
    #[arg(long, env = "MICROSERVICE_OPERATOR_RETRY_PERIOD", value_parser = duration, value_name = "TIME", help_heading = "Leader election")]
    pub retry_period: Option<Duration>,

    /// Address of /healthz and /readyz; 0 for none
    #[arg(
        long,
        env = "MICROSERVICE_OPERATOR_HEALTH_ADDRESS",
        default_value = ":8081",
        value_name = "ADDRESS",
        help_heading = "Observation"
    )]
    pub health_address: Address,
    /// Address of /metrics, plain HTTP; 0 for none
    #[arg(
        long,
        env = "MICROSERVICE_OPERATOR_METRICS_ADDRESS",
        default_value = ":8080",
        value_name = "ADDRESS",
        help_heading = "Observation"
    )]
    pub metrics_address: Address,
    /// How log lines look
    #[arg(long, env = "MICROSERVICE_OPERATOR_LOG_FORMAT", value_enum, default_value_t = Format::Auto, help_heading = "Observation")]
    pub log_format: Format,
    /// error, warn, info, debug or trace for the operator's own log; or a filter such as info,kube=debug
    #[arg(long, env = "MICROSERVICE_OPERATOR_LOG_LEVEL", default_value = "info", value_name = "LEVEL", help_heading = "Observation")]
    pub log_level: String,
}

impl Args {
    pub fn access(&self) -> Access {
        Access { kubeconfig: self.kubeconfig.clone(), context: self.context.clone() }
    }

    pub fn terms(&self) -> Result<Terms, String> {
        Terms::new(self.lease_duration, self.renew_deadline, self.retry_period)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        args: Args,
    }

    fn parse(flags: &[&str]) -> Result<Args, String> {
        let flags = std::iter::once("run").chain(flags.iter().copied());
        Wrapper::try_parse_from(flags).map(|wrapper| wrapper.args).map_err(|error| error.to_string())
    }

    #[test]
    fn without_flags_everything_has_a_value_that_works_in_a_pod() {
        let args = parse(&[]).unwrap();
        assert!(args.leader_elect && args.namespaces.is_empty());
        assert_eq!((args.health_address, args.metrics_address), (Address::All(8081), Address::All(8080)));
        assert_eq!(args.terms().unwrap(), Terms::new(Duration::from_secs(15), None, None).unwrap());
        assert_eq!(args.concurrency, 16);
    }

    #[test]
    fn namespaces_come_by_comma_and_by_repetition() {
        let args = parse(&["--namespaces", "shop,billing", "--namespaces=mail"]).unwrap();
        assert_eq!(args.namespaces, ["shop", "billing", "mail"]);
    }

    #[test]
    fn leader_election_can_be_switched_in_all_usual_ways() {
        for (flags, expected) in [(&["--leader-elect"][..], true), (&["--leader-elect=false"], false), (&["--leader-elect=true"], true)] {
            assert_eq!(parse(flags).unwrap().leader_elect, expected, "{flags:?}");
        }
    }

    #[test]
    fn wrong_values_say_what_is_right() {
        for (flags, hint) in [
            (["--lease-duration", "soon"], "write for example 15s"),
            (["--leader-elect", "--lease-duration=-5s"], "write for example 15s"),
            (["--metrics-address", "8080"], "write :8080"),
            (["--namespaces", "Shop"], "lower-case letters"),
            (["--namespaces", "shop,,mail"], "lower-case letters"),
            (["--concurrency", "0"], "1..=256"),
        ] {
            let error = parse(&flags).unwrap_err();
            assert!(error.contains(hint), "{flags:?}: {error}");
        }
        let args = parse(&["--renew-deadline", "20s"]).unwrap();
        assert!(args.terms().unwrap_err().contains("must be longer than the renew deadline"));
    }
}
