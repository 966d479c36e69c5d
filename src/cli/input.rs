//! Manifests from files, folders and standard input.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Endings of files that are read from a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

/// Where manifests come from.
#[derive(Debug, clap::Args)]
pub struct Input {
    /// File, folder (searched recursively for .yaml, .yml and .json) or `-` for standard input; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Namespace of manifests that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
}

/// A document of a manifest.
#[derive(Debug)]
pub struct Document {
    /// Where it came from, for messages.
    pub source: String,
    pub value: Value,
}

impl Document {
    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or("object without a kind")
    }

    pub fn name(&self) -> &str {
        let metadata = &self.value["metadata"];
        metadata["name"].as_str().or_else(|| metadata["generateName"].as_str()).unwrap_or("?")
    }
}

impl Input {
    /// All documents in order, lists of kind `List` taken apart; or what could not be read.
    pub fn read(&self) -> Result<Vec<Document>, String> {
        let mut documents = Vec::new();
        for path in &self.paths {
            if path.as_os_str() == "-" {
                let mut text = String::new();
                io::stdin().read_to_string(&mut text).map_err(|error| format!("standard input: {error}"))?;
                self.take("standard input", &text, &mut documents)?;
                continue;
            }
            for file in files(path)? {
                let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
                self.take(&file.display().to_string(), &text, &mut documents)?;
            }
        }
        Ok(documents)
    }

    fn take(&self, source: &str, text: &str, documents: &mut Vec<Document>) -> Result<(), String> {
        let values: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| format!("{source}: {error}"))?;
        for value in values {
            let items = match value["kind"].as_str() {
                Some("List") => value["items"].as_array().cloned().unwrap_or_default(),
                _ => vec![value],
            };
            for mut value in items.into_iter().filter(|value| !value.is_null()) {
                if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.entry("namespace").or_insert_with(|| Value::from(self.namespace.as_str()));
                }
                documents.push(Document { source: source.to_owned(), value });
            }
        }
        Ok(())
    }
}

/// The files below a path, sorted, so that output does not depend on the file system.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let explain = |error: io::Error| format!("{}: {error}", path.display());
    if !fs::metadata(path).map_err(explain)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<PathBuf> =
        fs::read_dir(path).map_err(explain)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(explain)?;
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let wanted = entry.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending));
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if wanted {
            found.push(entry);
        }
    }
    Ok(found)
}
