//! `render`: what Microservices become, offline, by the code that reconciles.

use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::api::schema;
use crate::api::v1alpha1::Problem;
use crate::model::{Kind, Progress, Service, parse};
use crate::plan::children;
use crate::plan::replicas::replicas;

use super::input::{Document, Input};
use super::{INVALID, USAGE, output};

/// Arguments of `render`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The children are as at creation, without owner references and resource versions, which only a cluster can give.\n\n\
    Example:\n  microservice-operator render -f orders.yaml | kubectl diff -f -"
)]
pub struct Args {
    #[command(flatten)]
    input: Input,
    /// How to print
    #[arg(short, long, value_enum, default_value_t = Format::Yaml)]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Yaml,
    Json,
}

/// Prints the children of every Microservice.
pub fn run(args: &Args) -> ExitCode {
    let documents = match args.input.read() {
        Ok(documents) => documents,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(USAGE);
        }
    };
    let (mut failed, mut all) = (false, Vec::new());
    for document in &documents {
        if !schema::is_ours(&document.value) {
            eprintln!("{}: {} {} is not a Microservice; passed over", document.source, document.kind(), document.name());
            continue;
        }
        match render(document) {
            Ok(list) => all.push((document, list)),
            Err(problems) => {
                failed = true;
                for problem in problems {
                    eprintln!("{}: Microservice/{}: {problem}", document.source, document.name());
                }
            }
        }
    }
    if let Err(error) = print(args.output, &all) {
        eprintln!("error: {error}");
        return ExitCode::FAILURE;
    }
    if failed { ExitCode::from(INVALID) } else { ExitCode::SUCCESS }
}

fn render(document: &Document) -> Result<Vec<Value>, Vec<Problem>> {
    let parsed = parse::parse(&schema::read(document.value.clone())?.object)?;
    let planned = children::children(&parsed.service, &Progress::default(), &[]);
    Ok(planned.list.into_iter().map(|child| finish(&parsed.service, child.reference.kind, child.object)).collect())
}

/// A child as it is created, less what only a cluster can give.
fn finish(service: &Service, kind: Kind, mut object: Value) -> Value {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("ownerReferences");
    }
    if kind == Kind::Deployment
        && let (Some(count), Some(spec)) = (replicas(&service.scaling, None), object.get_mut("spec").and_then(Value::as_object_mut))
    {
        spec.insert("replicas".to_owned(), json!(count));
    }
    object
}

fn print(format: Format, all: &[(&Document, Vec<Value>)]) -> Result<(), String> {
    match format {
        Format::Json => {
            let items: Vec<&Value> = all.iter().flat_map(|(_, list)| list).collect();
            let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
            println!("{}", serde_json::to_string_pretty(&list).map_err(|error| error.to_string())?);
        }
        Format::Yaml => {
            for (document, list) in all {
                println!("# Microservice {}, from {}", document.name(), document.source);
                for child in list {
                    println!("---\n{}", output::yaml(child).map_err(|error| error.to_string())?.trim_end());
                }
            }
        }
    }
    Ok(())
}
