//! The CRD as it is installed.
use schemars::{Schema, SchemaGenerator, json_schema};
/// An object that is passed on as it is; checked when it is parsed.
pub fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
