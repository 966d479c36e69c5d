//! Requests and limits.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Findings, companions, labels};
use crate::api::problem::Reason;
use crate::api::v1alpha1::{MicroserviceSpec, Resources};
use crate::model::quantity::{Amount, canonical};

/// Nano-units in a unit.
const UNIT: i128 = 1_000_000_000;

pub fn check(spec: &MicroserviceSpec, found: &mut Findings) {
    container("spec", spec.resources.as_ref(), found);
    for (path, companion) in companions(spec) {
        container(&path, companion.resources.as_ref(), found);
    }
    for (index, file) in spec.files.iter().flatten().enumerate() {
        if let Some(limit) = file.empty_dir.as_ref().and_then(|dir| dir.size_limit.as_ref()) {
            amount(&format!("spec.files[{index}].emptyDir.sizeLimit"), "memory", limit, found);
        }
    }
}

fn container(path: &str, resources: Option<&Resources>, found: &mut Findings) {
    let Some(resources) = resources else { return };
    let none = BTreeMap::new();
    let (requests, limits) = (resources.requests.as_ref().unwrap_or(&none), resources.limits.as_ref().unwrap_or(&none));
    for (side, amounts) in [("requests", requests), ("limits", limits)] {
        for (name, quantity) in amounts {
            let path = format!("{path}.resources.{side}.{name}");
            known(&path, name, found);
            amount(&path, name, quantity, found);
        }
    }
    for (name, request) in requests {
        let path = format!("{path}.resources.requests.{name}");
        let limit = limits.get(name);
        let pair = limit.and_then(|limit| Some((limit, Amount::parse(&request.0)?, Amount::parse(&limit.0)?)));
        match pair {
            Some((limit, request, most)) if request > most => {
                let message = format!("the request of {} must not exceed the limit of {}", request.canonical(), canonical(limit).0);
                found.error(path, Reason::Invalid, message);
            }
            Some((_, request, most)) if indivisible(name) && request != most => {
                found.error(path, Reason::Invalid, format!("{name} cannot be shared out: request and limit must be equal"));
            }
            None if indivisible(name) => {
                found.error(path, Reason::Required, format!("{name} cannot be shared out: it needs a limit of the same amount"));
            }
            _ => {}
        }
    }
}

fn amount(path: &str, resource: &str, quantity: &Quantity, found: &mut Findings) {
    let Some(amount) = Amount::parse(&quantity.0) else {
        return found.error(path, Reason::Invalid, format!("`{}` must be an amount such as `100m`, `2` or `512Mi`", quantity.0));
    };
    if amount.nanos() < 0 {
        return found.error(path, Reason::Invalid, format!("`{}` must not be negative", quantity.0));
    }
    if amount.nanos() % UNIT != 0 && resource != "cpu" {
        let hint = if quantity.0.ends_with('m') { "; `m` is a thousandth, and a mebibyte is `Mi`" } else { "" };
        found.error(path, Reason::Invalid, format!("`{}` must be a whole number{hint}", quantity.0));
    }
}

/// Resources of core/v1, and others by a domain's name, such as `nvidia.com/gpu`.
fn known(path: &str, name: &str, found: &mut Findings) {
    let own = ["cpu", "memory", "ephemeral-storage"].contains(&name) || name.starts_with("hugepages-");
    if own || (name.contains('/') && labels::key_error(name).is_none()) {
        return;
    }
    let message = "no such resource: `cpu`, `memory`, `ephemeral-storage`, `hugepages-<size>`, or with its domain, e.g. `nvidia.com/gpu`";
    found.error(path, Reason::NotSupported, message);
}

/// What a node hands out in whole pieces and never twice.
fn indivisible(name: &str) -> bool {
    name.contains('/') || name.starts_with("hugepages-")
}
