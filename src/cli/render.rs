//! `render`: what Microservices become, offline, by the code that reconciles.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::model::{Child, ChildRef, Service};
use crate::plan::children::fresh;
use crate::plan::replicas::replicas;

use super::input::{Document, Input};
use super::verdict::{self, Profiles, Verdict};
use super::{INVALID, USAGE, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The children are those of a first rollout. Owner references are left out: only a cluster knows the owner's uid.

Examples:
  microservice-operator render -f orders.yaml
  microservice-operator render -f manifests/ -n shop | kubectl diff -f -
  helm template . | microservice-operator render -f -
  microservice-operator render -f orders.yaml --profile platform/default.yaml

Exit status: 0 if all were rendered, 1 if a Microservice is invalid (the others are printed), 2 for wrong flags or unreadable files.")]
pub struct Args {
    #[command(flatten)]
    input: Input,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// A stream of documents
    Yaml,
    /// One object of kind List
    Json,
}

/// Prints the children of every Microservice.
pub fn run(args: &Args) -> ExitCode {
    let manifests = args.input.read();
    let (mut invalid, mut rendered) = (false, Vec::new());
    let profiles = Profiles::of(&manifests);
    for document in manifests.profiles.iter().chain(&manifests.documents) {
        let problems = match verdict::judge(document, &profiles) {
            Verdict::Other => {
                eprintln!("{}: {}/{}: not a Microservice, skipped", document.file(), document.kind(), document.name());
                continue;
            }
            Verdict::Valid(service, warnings) => {
                rendered.push(Rendered { document, objects: objects(&service), routes: service.route_refs });
                warnings
            }
            Verdict::Profile(warnings) => warnings,
            Verdict::Invalid(problems) => {
                invalid = true;
                problems
            }
        };
        problems.iter().for_each(|problem| eprintln!("{}", verdict::line(document, problem)));
    }
    let printed = text(args.output, &rendered).and_then(|text| output::print(&text).map_err(|error| error.to_string()));
    let trouble = manifests.unreadable.iter().chain(printed.as_ref().err());
    let troubled = trouble.map(|error| eprintln!("error: {error}")).count() > 0;
    match (troubled, invalid) {
        (true, _) => ExitCode::from(USAGE),
        (false, true) => ExitCode::from(INVALID),
        (false, false) => ExitCode::SUCCESS,
    }
}

/// The children as they are created.
fn objects(service: &Service) -> Vec<Value> {
    let planned = fresh(service, jiff::Timestamp::now()).list;
    planned.into_iter().map(complete).collect()
}

fn complete(child: Child) -> Value {
    let mut object = child.object;
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        // The uid of a manifest that was read from a cluster is that cluster's own.
        metadata.remove("ownerReferences");
    }
    let start = child.autoscaled.and_then(|bounds| replicas(bounds, None));
    if let (Some(count), Some(spec)) = (start, object.get_mut("spec").and_then(Value::as_object_mut)) {
        spec.insert("replicas".to_owned(), json!(count));
    }
    object
}

/// A Microservice, its children, and the routes of the user's that it names.
struct Rendered<'a> {
    document: &'a Document,
    objects: Vec<Value>,
    routes: Vec<ChildRef>,
}

fn text(format: Format, rendered: &[Rendered<'_>]) -> Result<String, String> {
    if matches!(format, Format::Json) {
        let items: Vec<&Value> = rendered.iter().flat_map(|rendered| &rendered.objects).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
        return serde_json::to_string_pretty(&list).map(|text| text + "\n").map_err(|error| error.to_string());
    }
    let mut text = String::new();
    for Rendered { document, objects, routes } in rendered {
        for (index, object) in objects.iter().enumerate() {
            text.push_str("---\n");
            if index == 0 {
                let _ = writeln!(text, "# Microservice {}/{} from {}", document.namespace(), document.name(), document.file());
                for route in routes {
                    let _ = writeln!(text, "# not rendered: {route}, in which a canary moves the weight of Service {}", document.name());
                }
            }
            text.push_str(&output::yaml(object).map_err(|error| error.to_string())?);
        }
    }
    Ok(text)
}
