//! `podTemplate`, typed, and kept within the Pod Security level `baseline`: the escape hatch must not give an author more
//! than pod admission would.

mod forbidden;

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use serde_json::{Map, Value};

use super::{Findings, companions, labels};
use crate::api::labels as names;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{Microservice, PodTemplateMetadata};

const PATH: &str = "spec.podTemplate";
/// Labels that selectors and the operator depend on.
const FIXED: [&str; 4] = [names::NAME, names::INSTANCE, names::MANAGED_BY, names::PART_OF];

pub fn overrides(object: &Microservice, found: &mut Findings) -> Option<PodTemplateSpec> {
    let given = object.spec.pod_template.as_ref()?;
    let metadata = given.metadata.as_ref().map(|metadata| checked(metadata, found));
    let spec = given.spec.as_ref().and_then(|spec| typed(spec, found));
    if let Some(spec) = &spec {
        forbidden::pod(&format!("{PATH}.spec"), spec, found);
        complete(object, spec, found);
    }
    Some(PodTemplateSpec { metadata, spec })
}

fn checked(given: &PodTemplateMetadata, found: &mut Findings) -> ObjectMeta {
    let path = format!("{PATH}.metadata");
    labels::keys(&format!("{path}.labels"), given.labels.as_ref(), found);
    for (key, value) in given.labels.iter().flatten() {
        let path = format!("{path}.labels[{key}]");
        labels::value_of(&path, value, found);
        if FIXED.contains(&key.as_str()) || key.starts_with(names::OWN) {
            found.error(path, Reason::Forbidden, "selectors and the operator depend on this label: remove it, or choose another key");
        }
    }
    labels::annotations(&format!("{path}.annotations"), given.annotations.as_ref(), found);
    forbidden::annotations(&format!("{path}.annotations"), given.annotations.as_ref(), found);
    ObjectMeta { labels: given.labels.clone(), annotations: given.annotations.clone(), ..ObjectMeta::default() }
}

/// The pod's partial spec as Kubernetes' own type, or what keeps it from being one.
fn typed(given: &Map<String, Value>, found: &mut Findings) -> Option<PodSpec> {
    let path = format!("{PATH}.spec");
    let mut sound = true;
    for (key, value) in given {
        // Alone, so that an error can be laid at one field's door: serde does not say where it was.
        let one = Value::Object([(key.clone(), value.clone())].into_iter().collect());
        match serde_json::from_value::<PodSpec>(one) {
            Ok(pod) => {
                let read = serde_json::to_value(pod).ok();
                let read = read.as_ref().and_then(|read| read.get(key));
                sound &= understood(&format!("{path}.{key}"), value, read, found);
            }
            Err(error) => {
                sound = false;
                found.error(
                    format!("{path}.{key}"),
                    Reason::TypeInvalid,
                    format!("must be as in a Pod's spec (see `kubectl explain pod.spec.{key}`): {error}"),
                );
            }
        }
    }
    sound.then(|| serde_json::from_value(Value::Object(given.clone())).ok()).flatten()
}

/// Whether all that was written was also read. The type drops what it does not know, without a word.
fn understood(path: &str, written: &Value, read: Option<&Value>, found: &mut Findings) -> bool {
    match (written, read) {
        (Value::Null, _) => {
            found.error(path, Reason::Invalid, "null removes nothing here: leave the field out");
            false
        }
        (_, None) => {
            found.error(path, Reason::Unknown, "a Pod's spec has no such field, as far as this operator knows (Kubernetes 1.33)");
            false
        }
        (Value::Object(written), Some(Value::Object(read))) => {
            written.iter().fold(true, |all, (key, value)| understood(&format!("{path}.{key}"), value, read.get(key), found) && all)
        }
        (Value::Array(written), Some(Value::Array(read))) => written
            .iter()
            .zip(read)
            .enumerate()
            .fold(true, |all, (index, (value, read))| understood(&format!("{path}[{index}]"), value, Some(read), found) && all),
        _ => true,
    }
}

/// Entries of keyed lists need their key, and containers that are not there yet an image.
fn complete(object: &Microservice, pod: &PodSpec, found: &mut Findings) {
    let main = object.name_any();
    let init: Vec<&str> = companions(&object.spec).map(|(_, companion)| companion.name.as_str()).collect();
    containers("containers", &pod.containers, &[&main], found);
    containers("initContainers", pod.init_containers.as_deref().unwrap_or_default(), &init, found);
    let volumes = pod.volumes.as_deref().unwrap_or_default();
    for (index, _) in volumes.iter().enumerate().filter(|(_, volume)| volume.name.is_empty()) {
        found.error(format!("{PATH}.spec.volumes[{index}].name"), Reason::Required, "each volume needs its name");
    }
}

fn containers(list: &str, containers: &[Container], generated: &[&str], found: &mut Findings) {
    let there = generated.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for (index, container) in containers.iter().enumerate() {
        let path = format!("{PATH}.spec.{list}[{index}]");
        if container.name.is_empty() {
            let hint = if there.is_empty() { String::new() } else { format!("; the service's own: {there}") };
            found.error(format!("{path}.name"), Reason::Required, format!("each container needs its name{hint}"));
        } else if container.image.is_none() && !generated.contains(&container.name.as_str()) {
            let hint = if there.is_empty() { String::new() } else { format!(", unless it means one of {there}") };
            found.error(
                format!("{path}.image"),
                Reason::Required,
                format!("the container `{}` is new, so it needs an image{hint}", container.name),
            );
        }
    }
}
