//! `history`: recorded revisions, newest first.

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use serde_json::Value;

use crate::api::labels;
use crate::api::v1alpha1::Microservice;
use crate::plan::digest::SHORT;

use super::brief::{Brief, age, role_tone};
use super::failure::Result;
use super::format::{self, Format};
use super::screen::{Screen, Tone, plain, word};
use super::session::{Session, put};
use super::value::Recorded;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  kubectl microservice history orders
  kubectl microservice history orders -o yaml      # with the pod template of each revision")]
pub struct Args {
    /// The service
    #[arg(value_parser = super::name)]
    name: String,
    /// How to print
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t = Format::Table)]
    output: Format,
}

impl Args {
    pub async fn run(&self, session: &Session) -> Result<()> {
        let object = session.service(&self.name).await?;
        let listed = session.records(&self.name).await?;
        let mut records: Vec<&ControllerRevision> = own(&object, &listed).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.revision));
        if let Some(text) = format::objects(self.output, "controllerrevision.apps", &records, false)? {
            return put(&text);
        }
        if records.is_empty() {
            eprintln!("There is no revision of {} on record yet.", self.name);
            return Ok(());
        }
        let brief = Brief::of(&object, Timestamp::now(), &session.flag);
        session.paper.show(&table(&records, &brief, self.output == Format::Wide))
    }
}

/// Records of this very Microservice, and not of a namesake before it.
pub fn own<'a>(object: &Microservice, records: &'a [ControllerRevision]) -> impl Iterator<Item = &'a ControllerRevision> {
    let uid = object.metadata.uid.clone();
    records.iter().filter(move |record| {
        let mut owners = record.metadata.owner_references.iter().flatten().filter(|owner| owner.controller == Some(true)).peekable();
        // Without an owner: with `deletionPolicy: Orphan`.
        owners.peek().is_none() || owners.any(|owner| Some(&owner.uid) == uid.as_ref())
    })
}

/// What a record of the service tells. The hash is the end of its name.
pub fn recorded(record: &ControllerRevision, service: &str) -> Recorded {
    let name = record.metadata.name.as_deref().unwrap_or_default();
    let start = name.len().saturating_sub(SHORT);
    let hash = name.get(start..).unwrap_or_default().to_owned();
    let since = record.metadata.annotations.as_ref().and_then(|all| all.get(labels::STABLE_SINCE));
    let stable_since = since.and_then(|since| since.parse().ok());
    Recorded { hash, number: record.revision, image: image(template(record), service), stable_since }
}

/// The table, of records from new to old.
pub fn table(records: &[&ControllerRevision], brief: &Brief, wide: bool) -> Screen {
    let mut header = vec!["NUMBER", "REVISION", "ROLE", "STABLE", "AGE", "IMAGE", "CAUSE"];
    if wide {
        header.push("RECORD");
    }
    let mut rows = vec![header.into_iter().map(|title| word(Tone::Quiet, title)).collect::<Vec<_>>()];
    for (index, record) in records.iter().enumerate() {
        let Recorded { hash, number, image, stable_since } = recorded(record, brief.name());
        let role = brief.role(&hash).unwrap_or("-");
        let older = records.get(index + 1).map(|older| template(older));
        let created = record.metadata.creation_timestamp.as_ref();
        let mut row = vec![
            plain(number.to_string()),
            word(Tone::Strong, hash),
            word(role_tone(role), role),
            plain(stable_since.map_or("-".to_owned(), |since| format!("{} ago", age(brief.now.as_second() - since.as_second())))),
            plain(created.map_or("-".to_owned(), |created| age(brief.now.as_second() - created.0.as_second()))),
            plain(image),
            plain(cause(template(record), older, brief.name())),
        ];
        if wide {
            row.push(plain(record.metadata.name.clone().unwrap_or_default()));
        }
        rows.push(row);
    }
    let mut screen = Screen::default();
    screen.table(rows);
    screen
}

fn template(record: &ControllerRevision) -> &Value {
    record.data.as_ref().map_or(&Value::Null, |data| &data.0)
}

/// The image of the main container, which has the service's name.
fn image(template: &Value, service: &str) -> String {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array);
    let main = containers.and_then(|all| all.iter().find(|container| container["name"] == service).or_else(|| all.first()));
    main.and_then(|container| container["image"].as_str()).unwrap_or("-").to_owned()
}

/// What made it another revision than the one before.
fn cause(template: &Value, older: Option<&Value>, service: &str) -> String {
    let Some(older) = older else { return "first on record".to_owned() };
    let restart = |template: &Value| Some(template.pointer("/metadata/annotations")?.get(labels::RESTART)?.as_str()?.to_owned());
    if image(template, service) != image(older, service) {
        return "image".to_owned();
    }
    match restart(template) {
        Some(value) if Some(&value) != restart(older).as_ref() => format!("restart {value}"),
        _ => "configuration".to_owned(),
    }
}
