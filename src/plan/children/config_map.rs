//! Files whose content stands in the spec.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use serde_json::{Value, json};

use super::metadata::{child, metadata};
use super::names;
use crate::model::{Child, Kind, Service};
use crate::plan::digest;

/// Longest key of a ConfigMap, from apimachinery's `IsConfigMapKey`.
const LONGEST_KEY: usize = 253;

/// A file with its key in the ConfigMap.
pub struct Inline<'a> {
    pub path: &'a str,
    pub key: String,
    pub content: &'a str,
}

/// The spec's files that have their content in it.
pub fn inline(service: &Service) -> Vec<Inline<'_>> {
    let files = service.spec.files.iter().flatten();
    let inline: Vec<_> = files.filter_map(|file| Some((file.mount_path.as_str(), file.content.as_deref()?))).collect();
    let paths: Vec<String> = inline.iter().map(|(path, _)| (*path).to_owned()).collect();
    let keys = names::distinct(&paths, LONGEST_KEY, names::key);
    inline.into_iter().zip(keys).map(|((path, content), key)| Inline { path, key, content }).collect()
}

/// Name of the ConfigMap that holds them. It follows the content, so that old pods keep the old files and a rollback
/// finds them again. The service's name is part of the hash: equal files of two services whose long names are cut
/// alike must not meet.
pub fn name(service: &Service) -> Option<String> {
    let data = data(service);
    let content = json!({"service": service.name, "data": data});
    (!data.is_empty()).then(|| names::suffixed(&service.name, &digest::short(&content)))
}

/// The ConfigMap; immutable, which also spares every node a watch on it.
pub fn build(service: &Service) -> Option<Child> {
    let metadata = metadata(service, &name(service)?);
    let map = ConfigMap { metadata: metadata.clone(), data: Some(data(service)), binary_data: None, immutable: Some(true) };
    Some(child(Kind::ConfigMap, &metadata, &map))
}

/// ConfigMaps of ours that a pod template mounts.
pub fn mounted<'a>(service: &'a Service, template: &'a Value) -> impl Iterator<Item = &'a str> {
    let volumes = template.pointer("/spec/volumes").and_then(Value::as_array).into_iter().flatten();
    let names = volumes.filter_map(|volume| volume.pointer("/configMap/name")?.as_str());
    names.filter(|name| names::is_suffixed(&service.name, name))
}

fn data(service: &Service) -> BTreeMap<String, String> {
    inline(service).into_iter().map(|file| (file.key, file.content.to_owned())).collect()
}
