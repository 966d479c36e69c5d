//! What is sent holds only fields that mean something: an empty list or map that is sent is owned, is not stored, and
//! so looks like drift for ever.

use k8s_openapi::api::core::v1::{
    Container, EnvVar, PodSpec, ProjectedVolumeSource, ResourceFieldSelector, ResourceRequirements, Toleration, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::Serialize;
use serde_json::Value;

use crate::model::quantity;

/// Fields whose empty object says something: a source without settings, and selectors that select everything.
const MEANINGFUL: [&str; 5] = ["downwardAPI", "emptyDir", "labelSelector", "namespaceSelector", "podSelector"];

/// A typed object as JSON, without what says nothing. Serialising Kubernetes' types cannot fail: their keys are strings
/// and they hold no floats.
pub fn json<T: Serialize>(object: &T) -> Value {
    serde_json::to_value(object).map(tidy).unwrap_or_default()
}

/// Without nulls, empty lists, and empty objects, save those that are [`MEANINGFUL`] and those in lists, where an empty
/// rule is a rule.
pub fn tidy(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            map.into_iter().map(|(key, value)| (key, tidy(value))).filter(|(key, value)| says_something(key, value)).collect()
        }
        Value::Array(items) => items.into_iter().map(tidy).collect(),
        scalar => scalar,
    }
}

fn says_something(key: &str, value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty() || MEANINGFUL.contains(&key),
        _ => true,
    }
}

/// Writes a pod's users' words as the API server will write them: quantities in canonical form, ports with their
/// protocol, no empty strings where absence says the same. What is stored then equals what was sent, and `1000m` and
/// `1` are one revision.
pub fn pod(spec: &mut PodSpec) {
    for container in spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten()) {
        self::container(container);
    }
    spec.resources.iter_mut().for_each(resources);
    spec.overhead.iter_mut().flat_map(|overhead| overhead.values_mut()).for_each(quantity);
    spec.volumes.iter_mut().flatten().for_each(volume);
    spec.tolerations.iter_mut().flatten().for_each(toleration);
}

fn container(container: &mut Container) {
    container.resources.iter_mut().for_each(resources);
    container.env.iter_mut().flatten().for_each(variable);
    for port in container.ports.iter_mut().flatten() {
        port.protocol.get_or_insert_with(|| "TCP".to_owned());
    }
}

fn variable(variable: &mut EnvVar) {
    not_empty(&mut variable.value);
    variable.value_from.iter_mut().filter_map(|from| from.resource_field_ref.as_mut()).for_each(resource_field);
}

fn volume(volume: &mut Volume) {
    volume.empty_dir.iter_mut().filter_map(|dir| dir.size_limit.as_mut()).for_each(quantity);
    let files = volume.downward_api.iter_mut().filter_map(|api| api.items.as_mut()).flatten();
    files.filter_map(|file| file.resource_field_ref.as_mut()).for_each(resource_field);
    volume.projected.iter_mut().for_each(projection);
    let claims = volume.ephemeral.iter_mut().filter_map(|ephemeral| ephemeral.volume_claim_template.as_mut());
    for resources in claims.filter_map(|claim| claim.spec.resources.as_mut()) {
        resources.requests.iter_mut().chain(resources.limits.iter_mut()).flat_map(|map| map.values_mut()).for_each(quantity);
    }
}

fn projection(projected: &mut ProjectedVolumeSource) {
    let apis = projected.sources.iter_mut().flatten().filter_map(|source| source.downward_api.as_mut());
    let files = apis.filter_map(|api| api.items.as_mut()).flatten();
    files.filter_map(|file| file.resource_field_ref.as_mut()).for_each(resource_field);
}

fn resources(resources: &mut ResourceRequirements) {
    resources.requests.iter_mut().chain(resources.limits.iter_mut()).flat_map(|map| map.values_mut()).for_each(quantity);
}

fn resource_field(field: &mut ResourceFieldSelector) {
    field.divisor.iter_mut().for_each(quantity);
}

fn quantity(quantity: &mut Quantity) {
    *quantity = quantity::canonical(quantity);
}

fn toleration(toleration: &mut Toleration) {
    for text in [&mut toleration.effect, &mut toleration.key, &mut toleration.operator, &mut toleration.value] {
        not_empty(text);
    }
}

fn not_empty(text: &mut Option<String>) {
    text.take_if(|text| text.is_empty());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_things_go_and_meaningful_ones_stay() {
        let object = json!({
            "a": null, "b": [], "c": {"d": {"e": []}}, "f": "", "g": false, "h": 0,
            "volumes": [{"name": "tmp", "emptyDir": {}}, {}],
            "from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {}}}],
        });
        let expected = json!({
            "f": "", "g": false, "h": 0,
            "volumes": [{"name": "tmp", "emptyDir": {}}, {}],
            "from": [{"namespaceSelector": {}, "podSelector": {}}],
        });
        assert_eq!(tidy(object), expected);
    }

    #[test]
    fn every_quantity_of_a_pod_is_canonical() {
        let pod_of = |amount: &str| {
            let requirements = json!({"requests": {"cpu": amount}, "limits": {"cpu": amount}});
            let field = json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": amount}});
            let container = json!({"name": "a", "resources": requirements, "env": [{"name": "A", "valueFrom": field}]});
            let item = json!({"path": "cpu", "resourceFieldRef": field["resourceFieldRef"]});
            json!({
                "containers": [container], "initContainers": [container], "resources": requirements, "overhead": {"cpu": amount},
                "volumes": [
                    {"name": "a", "emptyDir": {"sizeLimit": amount}},
                    {"name": "b", "downwardAPI": {"items": [item]}},
                    {"name": "c", "projected": {"sources": [{"downwardAPI": {"items": [item]}}]}},
                    {"name": "d", "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": requirements}}}},
                ],
            })
        };
        let mut spec: PodSpec = serde_json::from_value(pod_of("1000m")).unwrap();
        pod(&mut spec);
        assert_eq!(json(&spec), pod_of("1"));
    }

    #[test]
    fn empty_texts_and_missing_protocols() {
        let mut spec: PodSpec = serde_json::from_value(json!({
            "containers": [{"name": "a", "env": [{"name": "A", "value": ""}], "ports": [{"containerPort": 1}, {"containerPort": 2, "protocol": "UDP"}]}],
            "tolerations": [{"key": "a", "operator": "", "value": "", "effect": ""}],
        })).unwrap();
        pod(&mut spec);
        assert_eq!(
            json(&spec),
            json!({
                "containers": [{"name": "a", "env": [{"name": "A"}], "ports": [{"containerPort": 1, "protocol": "TCP"}, {"containerPort": 2, "protocol": "UDP"}]}],
                "tolerations": [{"key": "a"}],
            })
        );
    }
}
