//! `crd`: the CustomResourceDefinition, as it is installed.

use std::process::ExitCode;

use crate::api::crd;

use super::output;

/// Arguments: none.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Prints the CRD as YAML.
pub fn run(_: &Args) -> ExitCode {
    let text = crd::microservice()
        .map_err(|error| error.to_string())
        .and_then(|crd| output::compact_yaml(&crd).map_err(|error| error.to_string()));
    match text {
        Ok(text) => {
            println!("# Generated from the types in src/api by `microservice-operator crd`. Do not edit.\n---\n{}", text.trim_end());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: the CRD cannot be printed, which is a defect: {error}");
            ExitCode::FAILURE
        }
    }
}
