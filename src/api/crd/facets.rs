//! What the types cannot say of themselves: bounds and patterns inside types that Kubernetes defines, and how lists
//! merge under server-side apply. A facet never overrides what a type says.

use serde_json::{Value, json};

use crate::api::patterns::{
    DATA_KEY, LABEL_KEY, LABEL_VALUE, PERCENT, PERCENT_OF_ALL, PERCENT_OF_SOME, POD_FIELD, PORT_NAME, PREFIX, QUANTITY, RELATIVE,
    RESOURCE_FIELD, SUBDOMAIN, VARIABLE,
};

/// Only the first sentence of descriptions stays below these: types that Kubernetes defines, probes, which are described in
/// full for readiness, and the companions, whose fields the main container describes in full.
pub const SHORTENED: &[&str] = &[
    "env[]",
    "envFrom[]",
    "imagePullSecrets[]",
    "initContainers[]",
    "sidecars[]",
    "files[].configMap",
    "files[].secret",
    "files[].projected",
    "tolerations[]",
    "seLinuxOptions",
    "namespaceSelector",
    "podSelector",
    "conditions[]",
    "probes.liveness",
    "probes.startup",
];
/// No description stays below these. With its full texts affinity alone would be a fifth of the CRD; its own
/// description says where they are, and so do those of a profile's defaults.
pub const UNDESCRIBED: &[&str] = &[
    "affinity",
    "spec.defaults.resources",
    "spec.defaults.autoscaling",
    "spec.defaults.probes",
    "spec.defaults.placement",
    "spec.defaults.rollout",
];
/// Taken as it comes, and read by the operator: spelled out it would be half of the profile's CRD.
pub const FREE: &str = "spec.defaults.placement.affinity";
/// A field of a shared type that makes no sense here.
pub const REFUSED: &str = "initContainers[].probes";

fn named() -> Value {
    json!({"maxLength": 253, "pattern": SUBDOMAIN})
}

fn data_key() -> Value {
    json!({"maxLength": 253, "pattern": DATA_KEY})
}

fn keyed(key: &str, max: u32) -> Value {
    json!({"maxItems": max, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]})
}

fn set(max: u32) -> Value {
    json!({"maxItems": max, "x-kubernetes-list-type": "set"})
}

fn quantity() -> Value {
    json!({"minimum": 0, "maxLength": 32, "pattern": QUANTITY})
}

fn port_reference() -> Value {
    json!({"minimum": 1, "maximum": 65535, "maxLength": 15, "pattern": PORT_NAME})
}

/// One unit that is replaced as a whole.
fn atomic() -> Value {
    json!({"x-kubernetes-map-type": "atomic"})
}

/// By the end of a path. All that match apply.
pub fn facets() -> Vec<(&'static str, Value)> {
    [lists(), references(), numbers(), selectors()].concat()
}

fn lists() -> Vec<(&'static str, Value)> {
    vec![
        ("spec.env", keyed("name", 256)),
        ("initContainers[].env", keyed("name", 256)),
        ("sidecars[].env", keyed("name", 256)),
        ("envFrom", json!({"maxItems": 32})),
        ("imagePullSecrets", keyed("name", 16)),
        ("locks", set(64)),
        ("freezeWindows", keyed("name", 16)),
        ("providers.webhooks", keyed("name", 64)),
        ("canary.steps", json!({"maxItems": 50})),
        ("spec.routes", keyed("name", 16)),
        ("rollout.parked", json!({"maxItems": 64})),
        ("rollout.handled", json!({"maxProperties": 16})),
        ("files", keyed("mountPath", 64)),
        ("initContainers", keyed("name", 10)),
        ("sidecars", keyed("name", 10)),
        ("spec.ports", keyed("name", 32)),
        ("sidecars[].ports", keyed("containerPort", 16)),
        ("initContainers[].ports", keyed("containerPort", 16)),
        ("mounts", set(32)),
        ("capabilities.add", set(13)),
        ("supplementalGroups", set(16)),
        ("status.conditions", keyed("type", 32)),
        ("tolerations", json!({"maxItems": 32})),
        ("inbound[].ports", json!({"minItems": 1, "maxItems": 16})),
        ("outbound[].ports", json!({"minItems": 1, "maxItems": 16})),
        ("httpHeaders", json!({"maxItems": 16})),
        ("nodeSelectorTerms", json!({"minItems": 1, "maxItems": 16})),
        ("requiredDuringSchedulingIgnoredDuringExecution", json!({"maxItems": 16})),
        ("preferredDuringSchedulingIgnoredDuringExecution", json!({"maxItems": 16})),
        ("matchExpressions", json!({"maxItems": 16})),
        ("matchFields", json!({"maxItems": 4})),
        ("matchLabels", json!({"maxProperties": 32})),
        ("nodeSelector", json!({"maxProperties": 32})),
        ("requests", json!({"maxProperties": 16})),
        ("limits", json!({"maxProperties": 16})),
        ("projected.sources", json!({"minItems": 1, "maxItems": 16})),
    ]
}

fn references() -> Vec<(&'static str, Value)> {
    vec![
        // Any printable ASCII but `=`, as core/v1 has it since 1.34: .NET's `Logging:Level` is common.
        ("env[].name", json!({"maxLength": 253, "pattern": VARIABLE})),
        ("env[].value", json!({"maxLength": 32_768})),
        ("envFrom[].prefix", json!({"maxLength": 253, "pattern": PREFIX})),
        ("configMapKeyRef.name", named()),
        ("configMapKeyRef.key", data_key()),
        ("secretKeyRef.name", named()),
        ("secretKeyRef.key", data_key()),
        ("configMapRef.name", named()),
        ("secretRef.name", named()),
        ("imagePullSecrets[].name", named()),
        ("configMap.name", named()),
        ("files[].secret", json!({"required": ["secretName"]})),
        ("secret.secretName", named()),
        ("sources[].secret.name", named()),
        ("claimName", named()),
        ("priorityClassName", named()),
        ("items[].key", data_key()),
        ("items[].path", json!({"maxLength": 512, "pattern": RELATIVE})),
        ("serviceAccountToken.path", json!({"maxLength": 512, "pattern": RELATIVE})),
        ("clusterTrustBundle.path", json!({"maxLength": 512, "pattern": RELATIVE})),
        ("fieldRef.apiVersion", json!({"enum": ["v1"]})),
        ("fieldRef.fieldPath", json!({"maxLength": 512, "pattern": POD_FIELD})),
        ("resourceFieldRef.resource", json!({"maxLength": 128, "pattern": RESOURCE_FIELD})),
        ("resourceFieldRef.containerName", json!({"maxLength": 63})),
        ("resourceFieldRef.divisor", quantity()),
        ("configMapKeyRef", atomic()),
        ("secretKeyRef", atomic()),
        ("fieldRef", atomic()),
        ("resourceFieldRef", atomic()),
        ("configMapRef", atomic()),
        ("secretRef", atomic()),
    ]
}

fn numbers() -> Vec<(&'static str, Value)> {
    let mode = json!({"minimum": 0, "maximum": 0o777});
    vec![
        ("requests{}", quantity()),
        ("limits{}", quantity()),
        ("sizeLimit", quantity()),
        ("averageValue", quantity()),
        ("httpGet.port", port_reference()),
        ("tcpSocket.port", port_reference()),
        ("inbound[].ports[]", port_reference()),
        ("outbound[].ports[]", port_reference()),
        ("maxSurge", json!({"minimum": 0, "maximum": 10_000, "maxLength": 5, "pattern": PERCENT})),
        ("rollout.maxUnavailable", json!({"minimum": 0, "maximum": 10_000, "maxLength": 4, "pattern": PERCENT_OF_ALL})),
        ("disruption.maxUnavailable", json!({"minimum": 1, "maximum": 10_000, "maxLength": 4, "pattern": PERCENT_OF_SOME})),
        ("supplementalGroups[]", json!({"minimum": 0, "maximum": 2_147_483_647})),
        ("defaultMode", mode.clone()),
        ("mode", mode),
        ("preferredDuringSchedulingIgnoredDuringExecution[].weight", json!({"minimum": 1, "maximum": 100})),
        // The kubelet refuses shorter lives of a token, and longer ones than 2^32 seconds.
        ("expirationSeconds", json!({"minimum": 600, "maximum": 4_294_967_296_i64})),
    ]
}

fn selectors() -> Vec<(&'static str, Value)> {
    let node = json!({"enum": ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]});
    let label = json!({"enum": ["In", "NotIn", "Exists", "DoesNotExist"]});
    vec![
        ("nodeSelectorTerms[].matchExpressions[].operator", node.clone()),
        ("nodeSelectorTerms[].matchFields[].operator", node.clone()),
        ("preference.matchExpressions[].operator", node.clone()),
        ("preference.matchFields[].operator", node),
        ("matchExpressions[].operator", label),
        ("matchExpressions[].key", json!({"maxLength": 317, "pattern": LABEL_KEY})),
        ("matchExpressions[].values[]", json!({"maxLength": 63, "pattern": LABEL_VALUE})),
        ("matchFields[].key", json!({"enum": ["metadata.name"]})),
        ("matchLabels{}", json!({"maxLength": 63, "pattern": LABEL_VALUE})),
        ("nodeSelector{}", json!({"maxLength": 63, "pattern": LABEL_VALUE})),
        ("podTemplate.metadata.labels{}", json!({"maxLength": 63, "pattern": LABEL_VALUE})),
        ("topologyKey", json!({"maxLength": 317, "pattern": LABEL_KEY})),
        ("tolerations[].key", json!({"maxLength": 317})),
        ("tolerations[].value", json!({"maxLength": 63, "pattern": LABEL_VALUE})),
        ("tolerations[].operator", json!({"enum": ["Exists", "Equal"]})),
        ("tolerations[].effect", json!({"enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"]})),
        ("namespaceSelector", atomic()),
        ("podSelector", atomic()),
        ("labelSelector", atomic()),
        ("nodeSelector", atomic()),
    ]
}
