//! Manifests from files, folders and standard input.

use std::cell::OnceCell;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::lines::Shape;

/// Endings of files that are read from a folder.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
const STDIN: &str = "-";

/// Where manifests come from.
#[derive(Debug, clap::Args)]
pub struct Input {
    /// File, folder (searched for .yaml, .yml and .json, subfolders included) or `-` for standard input; may be repeated
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Namespace of manifests that name none
    #[arg(short, long, value_name = "NAME", default_value = "default")]
    namespace: String,
    /// File with the MicroserviceProfile to go by; may be repeated. Those among the manifests count as well
    #[arg(long = "profile", value_name = "FILE")]
    profiles: Vec<PathBuf>,
}

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub struct Manifests {
    pub documents: Vec<Document>,
    /// From the files that were named for their profiles.
    pub profiles: Vec<Document>,
    pub unreadable: Vec<String>,
}

/// An object in a manifest.
#[derive(Debug)]
pub struct Document {
    pub value: Value,
    file: Rc<File>,
    /// Which document of the file it is, and which item of it, if that is a list.
    place: (usize, Option<usize>),
}

#[derive(Debug)]
struct File {
    name: String,
    text: String,
    /// Looked up only when there is something to point at.
    shapes: OnceCell<Vec<Shape>>,
}

impl Document {
    /// The same place, with another object.
    pub fn with(&self, value: Value) -> Self {
        Self { value, file: Rc::clone(&self.file), place: self.place }
    }

    pub fn kind(&self) -> &str {
        self.value["kind"].as_str().unwrap_or("Object")
    }

    pub fn name(&self) -> &str {
        self.value["metadata"]["name"].as_str().unwrap_or("(without a name)")
    }

    pub fn namespace(&self) -> &str {
        self.value["metadata"]["namespace"].as_str().unwrap_or_default()
    }

    pub fn file(&self) -> &str {
        &self.file.name
    }

    /// The line of a field, or of the nearest part of its path.
    pub fn line(&self, field: &str) -> Option<u64> {
        let shapes = self.file.shapes.get_or_init(|| documents(&self.file.text).unwrap_or_default());
        let (index, item) = self.place;
        let field = item.map_or_else(|| field.to_owned(), |item| format!("items[{item}].{field}"));
        // A problem of the object as a whole is shown where the object says what it is.
        let shape = shapes.get(index)?;
        shape.line(&field).or_else(|| shape.line("kind"))
    }
}

impl Input {
    fn read_profiles(&self, all: &mut Manifests) {
        for path in &self.profiles {
            let mut held = Manifests::default();
            self.open(path, &mut held);
            held.documents.retain(|document| document.kind() == "MicroserviceProfile");
            if held.documents.is_empty() && held.unreadable.is_empty() {
                all.unreadable.push(format!("{}: the file holds no MicroserviceProfile", path.display()));
            }
            all.profiles.extend(held.documents);
            all.unreadable.extend(held.unreadable);
        }
    }

    /// All objects in order, lists taken apart.
    pub fn read(&self) -> Manifests {
        let mut all = self.read_all(&self.paths);
        self.read_profiles(&mut all);
        all
    }

    /// All objects of another path, by the same rules.
    pub fn read_beside(&self, path: &Path) -> Manifests {
        self.read_all(&[path.to_owned()])
    }

    fn read_all(&self, paths: &[PathBuf]) -> Manifests {
        let mut all = Manifests::default();
        for path in paths {
            if path.as_os_str() == STDIN {
                let mut text = String::new();
                match io::stdin().read_to_string(&mut text) {
                    Ok(_) => self.take("standard input", text, &mut all),
                    Err(error) => all.unreadable.push(format!("standard input: {error}")),
                }
                continue;
            }
            match files(path) {
                Ok(found) if found.is_empty() => {
                    all.unreadable.push(format!("{}: the folder holds no .yaml, .yml or .json file", path.display()));
                }
                Ok(found) => found.iter().for_each(|file| self.open(file, &mut all)),
                Err(error) => all.unreadable.push(error),
            }
        }
        all
    }

    fn open(&self, path: &Path, all: &mut Manifests) {
        match fs::read_to_string(path) {
            Ok(text) => self.take(&path.display().to_string(), text, all),
            Err(error) => all.unreadable.push(format!("{}: {error}", path.display())),
        }
    }

    fn take(&self, name: &str, text: String, all: &mut Manifests) {
        let values: Vec<Value> = match documents(&text) {
            Ok(values) => values,
            Err(error) => return all.unreadable.push(explained(name, &error)),
        };
        let file = Rc::new(File { name: name.to_owned(), text, shapes: OnceCell::new() });
        for (index, value) in values.into_iter().enumerate() {
            // `kubectl get -o yaml` prints several objects as one of kind List.
            let objects: Vec<(Option<usize>, Value)> = match value {
                Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => match list.remove("items") {
                    Some(Value::Array(items)) => items.into_iter().enumerate().map(|(item, value)| (Some(item), value)).collect(),
                    _ => Vec::new(),
                },
                Value::Null => Vec::new(),
                value => vec![(None, value)],
            };
            for (item, mut value) in objects {
                if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
                    metadata.entry("namespace").or_insert_with(|| Value::from(self.namespace.as_str()));
                }
                all.documents.push(Document { value, file: Rc::clone(&file), place: (index, item) });
            }
        }
    }
}

/// All documents of a text. JSON is read as YAML too: it is a part of it.
fn documents<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, serde_saphyr::Error> {
    // As kubectl's reader, which is of YAML 1.1: `defaultMode: 0644` is octal. `yes` and `on` are booleans to both.
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    serde_saphyr::from_multiple_with_options(text, options)
}

/// The reader's words with the lines around the place.
fn explained(name: &str, error: &serde_saphyr::Error) -> String {
    let options = serde_saphyr::render_options! { formatter: &serde_saphyr::UserMessageFormatter, source_name: Some(name) };
    let text = error.render_with_options(options);
    format!("{name}: {}", text.strip_prefix("error: ").unwrap_or(&text))
}

/// The files below a path, sorted, so that output does not depend on the file system; hidden ones are left alone.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let explain = |error: io::Error| format!("{}: {error}", path.display());
    if !fs::metadata(path).map_err(explain)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>());
    let mut entries = entries.map_err(explain)?;
    entries.retain(|entry| entry.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
    entries.sort();
    let mut found = Vec::new();
    for entry in entries {
        let ending = entry.extension().and_then(|ending| ending.to_str());
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            found.push(entry);
        }
    }
    Ok(found)
}
