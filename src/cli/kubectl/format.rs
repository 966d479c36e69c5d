//! `-o`: how objects are printed, as kubectl does.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::output;

use super::failure::{Failure, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Table,
    /// The table with more columns
    Wide,
    Json,
    Yaml,
    /// KIND/NAME, a line each
    Name,
}

/// The objects as text; `None` where a table is wanted. `alone`: one object that was asked for by its name.
pub fn objects<T: Serialize>(format: Format, kind: &str, objects: &[T], alone: bool) -> Result<Option<String>> {
    let values = objects.iter().map(serde_json::to_value).collect::<std::result::Result<Vec<Value>, _>>();
    let mut values = values.map_err(|error| failed(&error))?;
    if let Format::Name = format {
        let names = values.iter().map(|value| format!("{kind}/{}\n", value["metadata"]["name"].as_str().unwrap_or_default()));
        return Ok(Some(names.collect()));
    }
    for value in &mut values {
        if let Some(metadata) = value["metadata"].as_object_mut() {
            // Nobody who reads the object asks for them, and they are the better half of it.
            metadata.remove("managedFields");
        }
    }
    let value = match values.pop() {
        Some(only) if alone && values.is_empty() => only,
        last => {
            values.extend(last);
            json!({"apiVersion": "v1", "kind": "List", "items": values})
        }
    };
    Ok(match format {
        Format::Json => Some(format!("{value:#}\n")),
        Format::Yaml => Some(output::yaml(&value).map_err(|error| failed(&error))?),
        Format::Table | Format::Wide | Format::Name => None,
    })
}

fn failed(error: &dyn std::error::Error) -> Failure {
    Failure::Refused(format!("the objects cannot be printed: {error}"))
}
