//! `crd`: the CustomResourceDefinitions, as they are installed.

use std::process::ExitCode;

use crate::api::crd;

use super::output;

const HEADER: &str = "# Generated from the types in src/api by `microservice-operator crd`. Do not edit.\n---\n";

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  microservice-operator crd | kubectl apply --server-side -f -")]
pub struct Args {}

/// Prints the CRDs as YAML.
pub fn run(_: &Args) -> ExitCode {
    match text().and_then(|text| output::print(&text).map_err(|error| error.to_string())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: the CRDs cannot be printed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn text() -> Result<String, String> {
    let all = crd::all().map_err(|error| error.to_string())?;
    let yaml = all.iter().map(|crd| Ok(format!("{HEADER}{}", output::compact_yaml(crd).map_err(|error| error.to_string())?)));
    yaml.collect()
}
