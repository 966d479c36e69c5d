//! Labels, annotations and selectors: their syntax, which a schema can say of values but not of keys.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::Findings;
use crate::api::labels as names;
use crate::api::problem::Reason;
use crate::api::v1alpha1::MicroserviceSpec;

/// Most that all annotations of an object take, from apimachinery (`TotalAnnotationSizeLimitB`).
const ANNOTATIONS_MAX: usize = 262_144;
/// Longest prefix of a key: a DNS subdomain.
const PREFIX_MAX: usize = 253;
/// Longest name in a key, and longest value of a label.
const LABEL_MAX: usize = 63;

pub fn check(spec: &MicroserviceSpec, found: &mut Findings) {
    let service = spec.service.as_ref().and_then(|service| service.annotations.as_ref());
    annotations("spec.service.annotations", service, found);
    let account = spec.service_account.as_ref().and_then(|account| account.annotations.as_ref());
    annotations("spec.serviceAccount.annotations", account, found);
    let nodes = spec.placement.as_ref().and_then(|placement| placement.node_selector.as_ref());
    keys("spec.placement.nodeSelector", nodes, found);
}

/// Annotations of a child.
pub fn annotations(path: &str, annotations: Option<&BTreeMap<String, String>>, found: &mut Findings) {
    keys(path, annotations, found);
    for key in annotations.into_iter().flatten().map(|(key, _)| key) {
        if let Some(prefix) = names::NOT_FOR_CHILDREN.iter().find(|prefix| key.starts_with(**prefix)) {
            let message = match *prefix {
                names::OWN => "this prefix is the operator's own: remove it, or set it on the Microservice if it is a command",
                _ => "it speaks to the tool that applied the Microservice, which would take the child for its own: remove it here",
            };
            found.error(format!("{path}[{key}]"), Reason::Forbidden, message);
        }
    }
    let size: usize = annotations.into_iter().flatten().map(|(key, value)| key.len() + value.len()).sum();
    if size > ANNOTATIONS_MAX {
        found.error(path, Reason::TooLong, format!("annotations take {size} bytes together, and at most {ANNOTATIONS_MAX} are allowed"));
    }
}

/// Keys of labels and annotations.
pub fn keys(path: &str, map: Option<&BTreeMap<String, String>>, found: &mut Findings) {
    for key in map.into_iter().flatten().map(|(key, _)| key) {
        if let Some(error) = key_error(key) {
            found.error(format!("{path}[{key}]"), Reason::Invalid, error);
        }
    }
}

/// A selector as Kubernetes reads it.
pub fn selector(path: &str, selector: Option<&LabelSelector>, found: &mut Findings) {
    let Some(selector) = selector else { return };
    keys(&format!("{path}.matchLabels"), selector.match_labels.as_ref(), found);
    for (key, value) in selector.match_labels.iter().flatten() {
        value_of(&format!("{path}.matchLabels[{key}]"), value, found);
    }
    for (index, expression) in selector.match_expressions.iter().flatten().enumerate() {
        let path = format!("{path}.matchExpressions[{index}]");
        if let Some(error) = key_error(&expression.key) {
            found.error(format!("{path}.key"), Reason::Invalid, error);
        }
        let values = expression.values.as_deref().unwrap_or_default();
        match (expression.operator.as_str(), values) {
            ("In" | "NotIn", []) => {
                found.error(format!("{path}.values"), Reason::Required, "`In` and `NotIn` need at least one value");
            }
            ("Exists" | "DoesNotExist", [_, ..]) => {
                found.error(format!("{path}.values"), Reason::Forbidden, "`Exists` and `DoesNotExist` take no values");
            }
            ("In" | "NotIn" | "Exists" | "DoesNotExist", _) => {}
            (other, _) => {
                let message = format!("`{other}` must be one of `In`, `NotIn`, `Exists` and `DoesNotExist`");
                found.error(format!("{path}.operator"), Reason::NotSupported, message);
            }
        }
        for (index, value) in values.iter().enumerate() {
            value_of(&format!("{path}.values[{index}]"), value, found);
        }
    }
}

/// A label's value.
pub fn value_of(path: &str, value: &str, found: &mut Findings) {
    if !value.is_empty() && (value.len() > LABEL_MAX || !is_name(value)) {
        let message = format!("`{value}` must be a label's value: at most {LABEL_MAX} letters, digits, and `-`, `_` or `.` between them");
        found.error(path, Reason::Invalid, message);
    }
}

/// What is wrong with a key, if anything.
pub fn key_error(key: &str) -> Option<String> {
    let (prefix, name) = key.rsplit_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    if prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        return Some("before the `/` of a key there must be a DNS name in lower case, e.g. `example.com/team`".to_owned());
    }
    if name.is_empty() || name.len() > LABEL_MAX || !is_name(name) {
        return Some(format!("a key must have a name of at most {LABEL_MAX} letters, digits, and `-`, `_` or `.` between them"));
    }
    None
}

fn is_name(text: &str) -> bool {
    let edges = [text.bytes().next(), text.bytes().last()];
    edges.into_iter().all(|byte| byte.is_some_and(|byte| byte.is_ascii_alphanumeric()))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_subdomain(text: &str) -> bool {
    let label = |part: &str| {
        !part.is_empty()
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= PREFIX_MAX && text.split('.').all(label)
}
