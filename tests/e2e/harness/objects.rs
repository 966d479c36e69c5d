//! Objects as plain JSON, so that a story reads like the manifest that a user writes.

use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

/// Every kind that stories touch: group, version, plural, and whether it lives in a namespace.
const KINDS: [(&str, &str, &str, &str, bool); 28] = [
    ("Microservice", "microservices.dev", "v1alpha1", "microservices", true),
    ("MicroserviceProfile", "microservices.dev", "v1alpha1", "microserviceprofiles", false),
    ("Deployment", "apps", "v1", "deployments", true),
    ("ReplicaSet", "apps", "v1", "replicasets", true),
    ("ControllerRevision", "apps", "v1", "controllerrevisions", true),
    ("Service", "", "v1", "services", true),
    ("ServiceAccount", "", "v1", "serviceaccounts", true),
    ("ConfigMap", "", "v1", "configmaps", true),
    ("Secret", "", "v1", "secrets", true),
    ("Pod", "", "v1", "pods", true),
    ("Node", "", "v1", "nodes", false),
    ("Namespace", "", "v1", "namespaces", false),
    ("ResourceQuota", "", "v1", "resourcequotas", true),
    ("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers", true),
    ("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets", true),
    ("NetworkPolicy", "networking.k8s.io", "v1", "networkpolicies", true),
    ("Event", "events.k8s.io", "v1", "events", true),
    ("Lease", "coordination.k8s.io", "v1", "leases", true),
    ("Role", "rbac.authorization.k8s.io", "v1", "roles", true),
    ("RoleBinding", "rbac.authorization.k8s.io", "v1", "rolebindings", true),
    ("CustomResourceDefinition", "apiextensions.k8s.io", "v1", "customresourcedefinitions", false),
    ("ClusterRole", "rbac.authorization.k8s.io", "v1", "clusterroles", false),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io", "v1", "clusterrolebindings", false),
    ("GatewayClass", "gateway.networking.k8s.io", "v1", "gatewayclasses", false),
    ("Gateway", "gateway.networking.k8s.io", "v1", "gateways", true),
    ("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes", true),
    ("GRPCRoute", "gateway.networking.k8s.io", "v1", "grpcroutes", true),
    ("EndpointSlice", "discovery.k8s.io", "v1", "endpointslices", true),
];

/// Kinds of children that a Microservice may have.
pub const CHILDREN: [&str; 8] = [
    "ServiceAccount",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "ConfigMap",
    "ControllerRevision",
    "Service",
    "Deployment",
    "HorizontalPodAutoscaler",
];

pub fn api(client: &Client, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let (_, group, version, plural, namespaced) =
        *KINDS.iter().find(|row| row.0 == kind).unwrap_or_else(|| panic!("no story has used the kind {kind} before: add it to KINDS"));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    if namespaced { Api::namespaced_with(client.clone(), namespace, &resource) } else { Api::all_with(client.clone(), &resource) }
}

/// A Microservice of the given spec.
#[allow(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
pub fn microservice(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice", "metadata": {"name": name}, "spec": spec})
}

/// What is at a JSON pointer; null where nothing is.
pub fn at<'a>(object: &'a Value, pointer: &str) -> &'a Value {
    object.pointer(pointer).unwrap_or(&Value::Null)
}

pub fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    at(object, pointer).as_str().unwrap_or_default()
}

pub fn number(object: &Value, pointer: &str) -> i64 {
    at(object, pointer).as_i64().unwrap_or_default()
}

/// A condition, if the object's controller has seen the present spec.
pub fn condition<'a>(object: &'a Value, kind: &str) -> &'a Value {
    if at(object, "/status/observedGeneration") != at(object, "/metadata/generation") {
        return &Value::Null;
    }
    let conditions = at(object, "/status/conditions").as_array().map(Vec::as_slice).unwrap_or_default();
    conditions.iter().find(|c| c["type"] == kind).unwrap_or(&Value::Null)
}

pub fn is_true(object: &Value, kind: &str) -> bool {
    condition(object, kind)["status"] == "True"
}

pub fn reason<'a>(object: &'a Value, kind: &str) -> &'a str {
    text(condition(object, kind), "/reason")
}

pub fn message<'a>(object: &'a Value, kind: &str) -> &'a str {
    text(condition(object, kind), "/message")
}

/// Ready, of this generation, and neither of the other two summary conditions: the rule that status tools live by.
pub fn is_ready(object: &Value) -> bool {
    is_true(object, "Ready") && condition(object, "Reconciling").is_null() && condition(object, "Stalled").is_null()
}

/// Stalled for a reason, and not Ready.
pub fn is_stalled(object: &Value, why: &str) -> bool {
    is_true(object, "Stalled") && reason(object, "Stalled") == why && condition(object, "Ready")["status"] == "False"
}
