//! An object as it comes from the server, read with no more of it than is needed.
//!
//! Managed fields are about half of an object's bytes, and a pod's spec most of a pod; neither is ever built in memory.
//! Because every other field stays JSON, an object that today's types cannot hold does not break the watch: it is read
//! by [`gather`](super::gather), for its own service only. (`DeserializeGuard` of kube-core gives the same safety but
//! buffers and copies every object first.)

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::api::core::v1::PodStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope, ObjectMeta};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use crate::api::labels;

/// An object of any kind: metadata, and what `B` keeps of the rest.
#[derive(Clone, Debug, Default)]
pub struct Seen<B> {
    /// Without managed fields.
    pub metadata: ObjectMeta,
    /// Whether our field manager owns `spec.replicas`.
    pub claims_replicas: bool,
    pub body: B,
}

/// What is kept of an object beside its metadata.
pub trait Body: Default {
    /// Reads the value of the top-level field `name`, or passes over it.
    fn field<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error>;
}

/// Everything.
pub type Fields = Map<String, Value>;

impl Body for Fields {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        self.insert(name, map.next_value()?);
        Ok(())
    }
}

/// A pod's status.
#[derive(Clone, Debug, Default)]
pub struct PodFields(pub PodStatus);

impl Body for PodFields {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        if name == "status" {
            self.0 = map.next_value::<Option<PodStatus>>()?.unwrap_or_default();
        } else {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// How many endpoints of a slice are ready.
#[derive(Clone, Debug, Default)]
pub struct SliceFields {
    pub address_type: String,
    pub ready: usize,
}

impl Body for SliceFields {
    fn field<'de, A: MapAccess<'de>>(&mut self, name: String, map: &mut A) -> Result<(), A::Error> {
        match name.as_str() {
            "addressType" => self.address_type = map.next_value()?,
            "endpoints" => {
                let all = map.next_value::<Option<Vec<Endpoint>>>()?.unwrap_or_default();
                // "A nil value should be interpreted as true", says the API.
                self.ready = all.iter().filter(|endpoint| endpoint.conditions.ready != Some(false)).count();
            }
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Endpoint {
    conditions: EndpointConditions,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct EndpointConditions {
    ready: Option<bool>,
}

impl<'de, B: Body> Deserialize<'de> for Seen<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fill(PhantomData))
    }
}

struct Fill<B>(PhantomData<B>);

impl<'de, B: Body> Visitor<'de> for Fill<B> {
    type Value = Seen<B>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut metadata = Metadata::default();
        let mut body = B::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "metadata" => metadata = map.next_value()?,
                _ => body.field(name, &mut map)?,
            }
        }
        let claims_replicas = metadata.managed_fields.iter().flatten().any(Manager::claims_replicas);
        Ok(Seen { metadata: metadata.into(), claims_replicas, body })
    }
}

/// The part of metadata that anything here asks for.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<OwnerReference>>,
    finalizers: Option<Vec<String>>,
    managed_fields: Option<Vec<Manager>>,
}

impl From<Metadata> for ObjectMeta {
    fn from(read: Metadata) -> Self {
        Self {
            name: read.name,
            namespace: read.namespace,
            uid: read.uid,
            resource_version: read.resource_version,
            generation: read.generation,
            creation_timestamp: read.creation_timestamp,
            deletion_timestamp: read.deletion_timestamp,
            labels: read.labels,
            annotations: read.annotations,
            owner_references: read.owner_references,
            finalizers: read.finalizers,
            ..Self::default()
        }
    }
}

/// A field manager, with the one field that is asked for.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Manager {
    #[serde(rename = "manager")]
    name: Option<String>,
    operation: Option<String>,
    subresource: Option<String>,
    fields_v1: Option<OwnedFields>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct OwnedFields {
    #[serde(rename = "f:spec")]
    spec: Option<OwnedSpec>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct OwnedSpec {
    #[serde(rename = "f:replicas")]
    replicas: Option<IgnoredAny>,
}

impl Manager {
    fn claims_replicas(&self) -> bool {
        self.name.as_deref() == Some(labels::OPERATOR)
            && self.operation.as_deref() == Some("Apply")
            && self.subresource.as_deref().unwrap_or_default().is_empty()
            && self.fields_v1.as_ref().and_then(|fields| fields.spec.as_ref()).is_some_and(|spec| spec.replicas.is_some())
    }
}

impl<B> Resource for Seen<B> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read<B: Body>(value: &Value) -> Seen<B> {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    fn deployment(managers: &Value) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "orders", "namespace": "shop", "resourceVersion": "7", "managedFields": managers},
            "spec": {"replicas": 3}, "status": {"replicas": 3}
        })
    }

    fn manager(name: &str, operation: &str, subresource: &str, fields: &Value) -> Value {
        json!({"manager": name, "operation": operation, "subresource": subresource, "apiVersion": "apps/v1",
               "time": "2026-11-22T10:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields})
    }

    #[test]
    fn keeps_everything_but_managed_fields() {
        let seen: Seen<Fields> = read(&deployment(&json!([manager("kubectl", "Update", "", &json!({"f:spec": {"f:paused": {}}}))])));
        assert_eq!(seen.metadata.name.as_deref(), Some("orders"));
        assert_eq!(seen.metadata.resource_version.as_deref(), Some("7"));
        assert_eq!(seen.metadata.managed_fields, None);
        assert_eq!(seen.body["spec"], json!({"replicas": 3}));
        assert_eq!(seen.body["kind"], json!("Deployment"));
        assert!(!seen.claims_replicas);
    }

    #[test]
    fn replicas_are_claimed_by_our_apply_alone() {
        let replicas = json!({"f:spec": {"f:replicas": {}, "f:template": {"f:spec": {}}}});
        for (claims, managers) in [
            (true, json!([manager("x", "Update", "", &json!({})), manager(labels::OPERATOR, "Apply", "", &replicas)])),
            (false, json!([manager(labels::OPERATOR, "Update", "", &replicas)])),
            (false, json!([manager(labels::OPERATOR, "Apply", "scale", &replicas)])),
            (false, json!([manager("kube-controller-manager", "Apply", "", &replicas)])),
            (false, json!([manager(labels::OPERATOR, "Apply", "", &json!({"f:spec": {"f:template": {}}}))])),
            (false, json!(null)),
        ] {
            assert_eq!(read::<Fields>(&deployment(&managers)).claims_replicas, claims, "{managers}");
        }
    }

    #[test]
    fn a_pod_is_its_metadata_and_status() {
        let seen: Seen<PodFields> = read(&json!({
            "metadata": {"name": "orders-1", "namespace": "shop"},
            "spec": {"containers": "not even a list"},
            "status": {"phase": "Running"}
        }));
        assert_eq!(seen.body.0.phase.as_deref(), Some("Running"));
        assert_eq!(read::<PodFields>(&json!({"metadata": {"name": "a"}, "status": null})).body.0, PodStatus::default());
    }

    #[test]
    fn an_object_without_metadata_is_read_all_the_same() {
        assert_eq!(read::<Fields>(&json!({"spec": 1})).metadata, ObjectMeta::default());
    }
}
