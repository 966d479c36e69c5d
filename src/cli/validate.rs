//! `validate`: what a cluster would say to manifests, without a cluster.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::api::v1alpha1::{Problem, Severity};

use super::input::{Document, Input};
use super::verdict::{self, Profiles, Verdict};
use super::{INVALID, USAGE, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Checks what the API server checks at admission (schema and rules), then what the operator checks beyond. Objects of other
kinds are counted and otherwise left alone.

Examples:
  microservice-operator validate -f manifests/
  helm template . | microservice-operator validate -f -
  microservice-operator validate -f manifests/ -o github     # annotations in a pull request

Exit status: 0 if all Microservices are valid, 1 if one is not, 2 for wrong flags or unreadable files.")]
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
    /// One object
    Json,
    /// Annotations of GitHub workflows, and a summary
    Github,
}

#[derive(Default)]
struct Report<'a> {
    valid: usize,
    invalid: usize,
    skipped: usize,
    problems: Vec<(&'a Document, Problem)>,
}

/// Checks every Microservice, and every profile.
pub fn run(args: &Args) -> ExitCode {
    let manifests = args.input.read();
    let mut report = Report::default();
    let profiles = Profiles::of(&manifests);
    for document in manifests.profiles.iter().chain(&manifests.documents) {
        let (count, problems) = match verdict::judge(document, &profiles) {
            Verdict::Other => (&mut report.skipped, Vec::new()),
            Verdict::Valid(_, warnings) | Verdict::Profile(warnings) => (&mut report.valid, warnings),
            Verdict::Invalid(problems) => (&mut report.invalid, problems),
        };
        *count += 1;
        report.problems.extend(problems.into_iter().map(|problem| (document, problem)));
    }
    let text = match args.output {
        Format::Text => report.text(),
        Format::Json => report.json(&manifests.unreadable),
        Format::Github => report.github(),
    };
    let printed = output::print(&text).map_err(|error| error.to_string());
    let trouble = manifests.unreadable.iter().chain(printed.as_ref().err());
    let troubled = trouble.map(|error| eprintln!("error: {error}")).count() > 0;
    match (troubled, report.invalid) {
        (true, _) => ExitCode::from(USAGE),
        (false, 0) => ExitCode::SUCCESS,
        (false, _) => ExitCode::from(INVALID),
    }
}

impl Report<'_> {
    fn summary(&self) -> String {
        format!("{} valid, {} invalid, {} skipped\n", self.valid, self.invalid, self.skipped)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (document, problem) in &self.problems {
            let _ = writeln!(text, "{}", verdict::line(document, problem));
        }
        text + &self.summary()
    }

    fn json(&self, unreadable: &[String]) -> String {
        let problem = |(document, problem): &(&Document, Problem)| {
            json!({
                "file": document.file(),
                "line": document.line(&problem.field),
                "namespace": document.namespace(),
                "name": document.name(),
                "field": problem.field,
                "severity": problem.severity,
                "reason": problem.reason,
                "message": problem.message,
            })
        };
        let problems: Vec<Value> = self.problems.iter().map(problem).collect();
        let all =
            json!({"valid": self.valid, "invalid": self.invalid, "skipped": self.skipped, "unreadable": unreadable, "problems": problems});
        format!("{all:#}\n")
    }

    /// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
    fn github(&self) -> String {
        let mut text = String::new();
        for (document, problem) in &self.problems {
            let level = if problem.severity == Severity::Error { "error" } else { "warning" };
            let line = document.line(&problem.field).map_or_else(String::new, |line| format!(",line={line}"));
            let (file, title) = (escaped(document.file(), true), escaped(&format!("{} {}", document.kind(), document.name()), true));
            let _ = writeln!(text, "::{level} file={file}{line},title={title}::{}", escaped(&problem.to_string(), false));
        }
        text + &self.summary()
    }
}

/// As GitHub's own toolkit escapes messages, and beyond that properties.
fn escaped(text: &str, property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}
