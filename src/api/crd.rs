//! The CRD as it is installed: what is derived from the types, made into what the API server enforces and `kubectl
//! explain` shows.

mod facets;
mod shape;

use kube::CustomResourceExt;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::labels;
use super::rules::{Of, Rule};
use super::v1alpha1::{Microservice, MicroserviceProfile};

/// The CustomResourceDefinition, as JSON with sorted keys.
pub fn microservice() -> Result<Value, serde_json::Error> {
    let mut crd = serde_json::to_value(Microservice::crd())?;
    crd["metadata"]["labels"] = json!({ (labels::PART_OF): labels::OPERATOR });
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["description"] =
        json!("A service: one manifest that becomes a Deployment, Service, autoscaler, disruption budget, network policy and identity.");
    // Of metadata the server lets a CRD restrict these two only. Both must be there for rules to see the bound of either.
    schema["properties"]["metadata"] = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": NAME_MAX},
            "generateName": {"type": "string", "maxLength": NAME_MAX - GENERATED_SUFFIX},
        },
    });
    // Without it a new object has neither `observedGeneration` nor conditions, and GitOps tools take it for healthy.
    schema["properties"]["status"]["default"] = json!({"observedGeneration": -1});
    shape::shape(schema, |rule| rule.of != Of::Profile);
    Ok(crd)
}

/// The CustomResourceDefinition of profiles, as JSON with sorted keys.
pub fn profile() -> Result<Value, serde_json::Error> {
    let mut crd = serde_json::to_value(MicroserviceProfile::crd())?;
    crd["metadata"]["labels"] = json!({ (labels::PART_OF): labels::OPERATOR });
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["description"] =
        json!("What the platform team sets for many services: defaults, locked fields, the gateway, and when rollouts may begin.");
    shape::shape(schema, is_for_profiles);
    Ok(crd)
}

/// What is said of a Microservice as a whole speaks of fields that a profile has not.
fn is_for_profiles(rule: &Rule) -> bool {
    let whole = rule.of == Of::Whole || rule.at.iter().any(|at| ["", "spec"].contains(at));
    rule.of == Of::Profile || !whole
}

/// All that is installed.
pub fn all() -> Result<[Value; 2], serde_json::Error> {
    Ok([microservice()?, profile()?])
}

/// The OpenAPI schema of the one version.
pub fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Length of a DNS label: the name becomes that of a Service.
const NAME_MAX: u32 = 63;
/// Random characters that the server appends to `generateName`.
const GENERATED_SUFFIX: u32 = 5;

/// An object that is passed on as it is; checked when it is parsed.
pub fn free_form(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kubectl apply` without `--server-side` stores the whole object in an annotation of at most 256 KiB.
    const COMPACT_MAX: usize = 262_144;
    /// The bound that the project sets itself; the CRDs of others with pods in them have 500 KB and more.
    const YAML_MAX: usize = 200_000;
    /// What it embeds is described with the Microservice.
    const PROFILE_MAX: usize = 40_000;

    #[test]
    fn the_crd_is_small_enough_for_a_plain_apply() {
        let crd = microservice().unwrap();
        let compact = serde_json::to_string(&crd).unwrap().len();
        let yaml = crate::cli::output::compact_yaml(&crd).unwrap().len();
        assert!(compact < COMPACT_MAX, "{compact} bytes of JSON");
        assert!(yaml < YAML_MAX, "{yaml} bytes of YAML");
    }

    #[test]
    fn the_crd_of_profiles_is_small_and_every_rule_of_defaults_is_in_it() {
        let crd = profile().unwrap();
        let yaml = crate::cli::output::compact_yaml(&crd).unwrap();
        assert!(yaml.len() < PROFILE_MAX, "{} bytes of YAML", yaml.len());
        for message in ["`minReplicas` must not exceed", "a step must have exactly one", "a toleration without `key`"] {
            assert!(yaml.contains(message), "{message}");
        }
        assert!(!yaml.contains("`canary` needs"), "steps may be given for whoever chooses the strategy");
        assert!(!yaml.contains("`replicas` and `autoscaling` exclude"), "a rule about fields that are not there would be refused");
    }

    #[test]
    fn everything_is_bounded_and_described() {
        for crd in all().unwrap() {
            bounded_and_described(&crd);
        }
    }

    fn bounded_and_described(crd: &Value) {
        let mut unbounded = Vec::new();
        visit(schema(crd), "", &mut |path, node| {
            let kind = node["type"].as_str().unwrap_or_default();
            let free =
                node.get("x-kubernetes-preserve-unknown-fields").is_some() || node.get("enum").is_some() || node.get("format").is_some();
            let bound = match kind {
                "string" => node.get("maxLength").is_some() || free,
                "array" => node.get("maxItems").is_some(),
                "object" => node.get("additionalProperties").is_none() || node.get("maxProperties").is_some(),
                _ => true,
            };
            let described = node.get("description").is_some() || ["", ".metadata"].contains(&path) || path.ends_with(['}', ']']);
            let embedded = path.strip_prefix(".spec.defaults.").is_some_and(|rest| rest.contains('.'));
            let elsewhere = path.contains(".affinity.") || path.starts_with(".metadata.") || embedded;
            if !bound || !(described || elsewhere) || node.get("nullable").is_some() {
                unbounded.push(path.to_owned());
            }
        });
        assert_eq!(unbounded, Vec::<String>::new());
    }

    #[test]
    fn descriptions_end_with_a_stop_and_stay_on_one_line() {
        for crd in all().unwrap() {
            visit(schema(&crd), "", &mut |path, node| {
                if let Some(text) = node.get("description").and_then(Value::as_str) {
                    assert!(text.ends_with('.') && !text.contains('\n'), "{path}: {text}");
                }
            });
        }
    }

    fn visit(node: &Value, path: &str, see: &mut impl FnMut(&str, &Value)) {
        see(path, node);
        for (name, child) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
            visit(child, &format!("{path}.{name}"), see);
        }
        for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
            if let Some(child) = node.get(key).filter(|child| child.is_object()) {
                visit(child, &format!("{path}{mark}"), see);
            }
        }
    }
}
