//! What an account asked of the API server, from the server's own audit log.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

/// One finished request.
#[derive(Clone, Debug)]
pub struct Request {
    pub user: String,
    pub verb: String,
    /// With the subresource, e.g. `deployments/status`.
    pub resource: String,
    pub namespace: String,
    pub name: String,
    pub code: i64,
    /// When the server received it, and when it had answered.
    pub received: Timestamp,
    pub answered: Timestamp,
}

impl Request {
    pub fn writes(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    fn parse(line: &str) -> Option<Self> {
        let event: Value = serde_json::from_str(line).ok()?;
        let target = &event["objectRef"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let resource = match (text(&target["resource"]), text(&target["subresource"])) {
            (resource, part) if part.is_empty() => resource,
            (resource, part) => format!("{resource}/{part}"),
        };
        Some(Self {
            user: text(&event["user"]["username"]),
            verb: text(&event["verb"]),
            resource,
            namespace: text(&target["namespace"]),
            name: text(&target["name"]),
            code: event["responseStatus"]["code"].as_i64().unwrap_or_default(),
            received: event["requestReceivedTimestamp"].as_str()?.parse().ok()?,
            answered: event["stageTimestamp"].as_str()?.parse().ok()?,
        })
    }
}

/// How long the audit log is now: a place to begin reading from.
pub fn end(log: &Path) -> u64 {
    std::fs::metadata(log).unwrap().len()
}

/// Requests since a place, in the order in which they were answered.
pub fn since(log: &Path, place: u64) -> Vec<Request> {
    let mut file = File::open(log).unwrap();
    file.seek(SeekFrom::Start(place)).unwrap();
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let finished = text.lines().filter(|line| !line.contains("\"stage\":\"ResponseStarted\""));
    finished.filter_map(Request::parse).collect()
}

/// A short table for messages: how many of which kind.
pub fn tally<'a>(requests: impl IntoIterator<Item = &'a Request>) -> String {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for request in requests {
        *counts.entry(format!("{} {} {}", request.verb, request.resource, request.code)).or_default() += 1;
    }
    counts.iter().map(|(what, count)| format!("{count} × {what}")).collect::<Vec<_>>().join(", ")
}
