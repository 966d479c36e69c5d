//! What else of a pod the schema cannot see: affinity, projected volumes, and images that move.

use k8s_openapi::api::core::v1::{Affinity, NodeSelectorTerm, PodAffinityTerm};

use super::{Findings, companions, labels};
use crate::api::problem::Reason;
use crate::api::v1alpha1::MicroserviceSpec;

pub fn check(spec: &MicroserviceSpec, found: &mut Findings) {
    image("spec.image", &spec.image, found);
    for (path, companion) in companions(spec) {
        image(&format!("{path}.image"), &companion.image, found);
    }
    if let Some(affinity) = spec.placement.as_ref().and_then(|placement| placement.affinity.as_ref()) {
        placed("spec.placement.affinity", affinity, found);
    }
    for (index, file) in spec.files.iter().flatten().enumerate() {
        let sources = file.projected.iter().filter_map(|projected| projected.sources.as_ref()).flatten();
        for (number, bundle) in sources.enumerate().filter_map(|(number, source)| Some((number, source.cluster_trust_bundle.as_ref()?))) {
            let path = format!("spec.files[{index}].projected.sources[{number}].clusterTrustBundle");
            if bundle.name.is_some() == bundle.signer_name.is_some() {
                found.error(&path, Reason::Invalid, "exactly one of `name` and `signerName` must be given");
            }
            labels::selector(&format!("{path}.labelSelector"), bundle.label_selector.as_ref(), found);
        }
    }
}

/// A tag that moves makes two pods of one revision differ, and a rollback bring back nothing.
fn image(path: &str, image: &str, found: &mut Findings) {
    let last = image.rsplit('/').next().unwrap_or_default();
    let moves = !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
    if moves {
        let message = "without a tag, or with `latest`, the image changes under a running service and cannot be rolled back: name a version or a digest";
        found.warning(path, Reason::Invalid, message);
    }
}

fn placed(path: &str, affinity: &Affinity, found: &mut Findings) {
    if let Some(nodes) = &affinity.node_affinity {
        let path = format!("{path}.nodeAffinity");
        let required = nodes.required_during_scheduling_ignored_during_execution.iter();
        for (index, term) in required.flat_map(|selector| &selector.node_selector_terms).enumerate() {
            node_term(&format!("{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[{index}]"), term, found);
        }
        let preferred = nodes.preferred_during_scheduling_ignored_during_execution.iter().flatten();
        for (index, weighted) in preferred.enumerate() {
            node_term(&format!("{path}.preferredDuringSchedulingIgnoredDuringExecution[{index}].preference"), &weighted.preference, found);
        }
    }
    let near = affinity.pod_affinity.as_ref().map(|pods| {
        (&pods.required_during_scheduling_ignored_during_execution, &pods.preferred_during_scheduling_ignored_during_execution)
    });
    let apart = affinity.pod_anti_affinity.as_ref().map(|pods| {
        (&pods.required_during_scheduling_ignored_during_execution, &pods.preferred_during_scheduling_ignored_during_execution)
    });
    for (name, (required, preferred)) in
        [("podAffinity", near), ("podAntiAffinity", apart)].into_iter().filter_map(|(name, terms)| Some((name, terms?)))
    {
        for (index, term) in required.iter().flatten().enumerate() {
            pod_term(&format!("{path}.{name}.requiredDuringSchedulingIgnoredDuringExecution[{index}]"), term, found);
        }
        for (index, weighted) in preferred.iter().flatten().enumerate() {
            let path = format!("{path}.{name}.preferredDuringSchedulingIgnoredDuringExecution[{index}].podAffinityTerm");
            pod_term(&path, &weighted.pod_affinity_term, found);
        }
    }
}

fn pod_term(path: &str, term: &PodAffinityTerm, found: &mut Findings) {
    labels::selector(&format!("{path}.labelSelector"), term.label_selector.as_ref(), found);
    labels::selector(&format!("{path}.namespaceSelector"), term.namespace_selector.as_ref(), found);
    if term.label_selector.is_none() && (term.match_label_keys.is_some() || term.mismatch_label_keys.is_some()) {
        found.error(format!("{path}.labelSelector"), Reason::Required, "`matchLabelKeys` and `mismatchLabelKeys` need a `labelSelector`");
    }
}

fn node_term(path: &str, term: &NodeSelectorTerm, found: &mut Findings) {
    for (index, expression) in term.match_expressions.iter().flatten().enumerate() {
        let values = expression.values.as_deref().unwrap_or_default();
        let wrong = match expression.operator.as_str() {
            "In" | "NotIn" => values.is_empty().then_some("`In` and `NotIn` need at least one value"),
            "Exists" | "DoesNotExist" => (!values.is_empty()).then_some("`Exists` and `DoesNotExist` take no values"),
            _ => match values {
                [one] if one.parse::<i64>().is_ok() => None,
                _ => Some("`Gt` and `Lt` need exactly one value, a whole number"),
            },
        };
        if let Some(message) = wrong {
            found.error(format!("{path}.matchExpressions[{index}].values"), Reason::Invalid, message);
        }
    }
    for (index, expression) in term.match_fields.iter().flatten().enumerate() {
        let one = expression.values.as_ref().is_some_and(|values| values.len() == 1);
        if !one || !["In", "NotIn"].contains(&expression.operator.as_str()) {
            found.error(
                format!("{path}.matchFields[{index}]"),
                Reason::Invalid,
                "a node is named by `In` or `NotIn` with exactly one value",
            );
        }
    }
}
