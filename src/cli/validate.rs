//! `validate`: what a cluster would say to manifests, without a cluster.

use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use crate::api::schema;
use crate::api::v1alpha1::{Problem, Severity};
use crate::model::parse;

use super::input::{Document, Input};
use super::{INVALID, USAGE};

/// Arguments of `validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 all valid, 1 some invalid, 2 some unreadable.\n\n\
    Example:\n  helm template . | microservice-operator validate -f -")]
pub struct Args {
    #[command(flatten)]
    input: Input,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A line for each problem, and a summary
    Text,
    /// One JSON object
    Json,
    /// Annotations of GitHub workflows
    Github,
}

/// Checks every Microservice; other kinds are passed over.
pub fn run(args: &Args) -> ExitCode {
    let documents = match args.input.read() {
        Ok(documents) => documents,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(USAGE);
        }
    };
    let (ours, others): (Vec<_>, Vec<_>) = documents.iter().partition(|document| schema::is_ours(&document.value));
    let findings: Vec<(&Document, Vec<Problem>)> = ours.into_iter().map(|document| (document, check(document))).collect();
    let invalid = findings.iter().filter(|(_, problems)| problems.iter().any(|p| p.severity == Severity::Error)).count();
    print(args.output, &findings, invalid, others.len());
    if invalid > 0 { ExitCode::from(INVALID) } else { ExitCode::SUCCESS }
}

/// The schema and rules of admission, then what the operator checks beyond them.
fn check(document: &Document) -> Vec<Problem> {
    match schema::read(document.value.clone()) {
        Err(problems) => problems,
        Ok(admitted) => {
            let mut problems = admitted.warnings;
            problems.extend(match parse::parse(&admitted.object) {
                Ok(parsed) => parsed.warnings,
                Err(errors) => errors,
            });
            problems
        }
    }
}

fn print(format: Format, findings: &[(&Document, Vec<Problem>)], invalid: usize, skipped: usize) {
    let valid = findings.len() - invalid;
    let all = findings.iter().flat_map(|(document, problems)| problems.iter().map(move |problem| (document, problem)));
    match format {
        Format::Json => {
            let problems: Vec<_> =
                all.map(|(document, problem)| json!({"source": document.source, "name": document.name(), "problem": problem})).collect();
            println!("{}", json!({"valid": valid, "invalid": invalid, "skipped": skipped, "problems": problems}));
        }
        Format::Github => {
            for (document, problem) in all {
                let level = if problem.severity == Severity::Error { "error" } else { "warning" };
                println!("::{level} file={}::Microservice/{}: {problem}", document.source, document.name());
            }
        }
        Format::Text => {
            for (document, problem) in all {
                let warning = if problem.severity == Severity::Warning { "warning: " } else { "" };
                println!("{}: Microservice/{}: {warning}{problem}", document.source, document.name());
            }
            println!("{valid} valid, {invalid} invalid, {skipped} skipped");
        }
    }
}
