//! The defaults of the pods, in numbers. Pods are built from them, and `status.defaults` shows them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::quantity::Amount;
use crate::api::v1alpha1::Resources;

/// Seconds between the stop signal and the kill; Kubernetes' own default, written out because the pause before the
/// signal is measured against it.
pub const GRACE_SECONDS: i64 = 30;

/// Pause before the stop signal, in seconds: how long it takes until every node has taken the pod out of its Service,
/// which happens at the same time as the stop and not before it.
const PRE_STOP_SECONDS: i64 = 5;

/// The pause where the user gives none: at most half of the grace period, so that a program with little of it still
/// sees the signal.
pub fn pre_stop_seconds(grace_seconds: i64) -> i64 {
    PRE_STOP_SECONDS.min(grace_seconds / 2)
}

/// Amounts for a kind of container. There is no CPU limit: it throttles a service that could have used idle CPU, and
/// saves nothing.
pub struct Amounts {
    pub cpu_request: &'static str,
    pub memory_request: &'static str,
    pub memory_limit: &'static str,
}

pub const MAIN: Amounts = Amounts { cpu_request: "100m", memory_request: "256Mi", memory_limit: "512Mi" };
pub const COMPANION: Amounts = Amounts { cpu_request: "10m", memory_request: "64Mi", memory_limit: "128Mi" };

/// Each resource on its own: one that the user names keeps the user's amount, and a default gives way so that the
/// request never exceeds the limit. So a memory limit of 128Mi lowers the default request to 128Mi, and a memory request
/// of 1Gi raises the default limit to 1Gi.
pub fn resources(user: Option<&Resources>, defaults: &Amounts) -> Resources {
    let mut requests = user.and_then(|user| user.requests.clone()).unwrap_or_default();
    let mut limits = user.and_then(|user| user.limits.clone()).unwrap_or_default();
    if !limits.contains_key("memory") {
        let limit = settle(defaults.memory_limit, requests.get("memory"), |default, request| request > default);
        limits.insert("memory".to_owned(), limit);
    }
    for (resource, default) in [("cpu", defaults.cpu_request), ("memory", defaults.memory_request)] {
        if !requests.contains_key(resource) {
            let request = settle(default, limits.get(resource), |default, limit| limit < default);
            requests.insert(resource.to_owned(), request);
        }
    }
    Resources { requests: Some(requests), limits: Some(limits) }
}

/// The default, unless the user's amount of the other side must take its place.
fn settle(default: &str, user: Option<&Quantity>, gives_way: impl Fn(Amount, Amount) -> bool) -> Quantity {
    let amounts = user.and_then(|user| Some((user, Amount::parse(default)?, Amount::parse(&user.0)?)));
    match amounts {
        Some((user, default, amount)) if gives_way(default, amount) => user.clone(),
        _ => Quantity(default.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn amounts(pairs: &[(&str, &str)]) -> Option<BTreeMap<String, Quantity>> {
        let map: BTreeMap<_, _> = pairs.iter().map(|(name, amount)| ((*name).to_owned(), Quantity((*amount).to_owned()))).collect();
        (!map.is_empty()).then_some(map)
    }

    #[test]
    fn defaults_give_way() {
        type Pairs = &'static [(&'static str, &'static str)];
        let table: [(&str, Pairs, Pairs, Pairs, Pairs); 8] = [
            ("nothing", &[], &[], &[("cpu", "100m"), ("memory", "256Mi")], &[("memory", "512Mi")]),
            ("small limit", &[], &[("memory", "128Mi")], &[("cpu", "100m"), ("memory", "128Mi")], &[("memory", "128Mi")]),
            ("large limit", &[], &[("memory", "2Gi")], &[("cpu", "100m"), ("memory", "256Mi")], &[("memory", "2Gi")]),
            ("large request", &[("memory", "1Gi")], &[], &[("cpu", "100m"), ("memory", "1Gi")], &[("memory", "1Gi")]),
            ("small request", &[("memory", "64Mi")], &[], &[("cpu", "100m"), ("memory", "64Mi")], &[("memory", "512Mi")]),
            ("small CPU limit", &[], &[("cpu", "0.05")], &[("cpu", "0.05"), ("memory", "256Mi")], &[("cpu", "0.05"), ("memory", "512Mi")]),
            (
                "another resource",
                &[("ephemeral-storage", "1Gi")],
                &[("nvidia.com/gpu", "1")],
                &[("cpu", "100m"), ("ephemeral-storage", "1Gi"), ("memory", "256Mi")],
                &[("memory", "512Mi"), ("nvidia.com/gpu", "1")],
            ),
            (
                "both",
                &[("cpu", "2"), ("memory", "1Gi")],
                &[("cpu", "4"), ("memory", "1Gi")],
                &[("cpu", "2"), ("memory", "1Gi")],
                &[("cpu", "4"), ("memory", "1Gi")],
            ),
        ];
        for (case, requests, limits, expected_requests, expected_limits) in table {
            let user = Resources { requests: amounts(requests), limits: amounts(limits) };
            let result = resources(Some(&user), &MAIN);
            assert_eq!(result.requests, amounts(expected_requests), "{case}");
            assert_eq!(result.limits, amounts(expected_limits), "{case}");
        }
    }

    #[test]
    fn a_short_grace_period_is_shared() {
        for (grace, pause) in [(30, 5), (10, 5), (6, 3), (1, 0), (0, 0)] {
            assert_eq!(pre_stop_seconds(grace), pause, "{grace}");
        }
    }

    #[test]
    fn companions_are_smaller() {
        let result = resources(None, &COMPANION);
        assert_eq!(result.requests, amounts(&[("cpu", "10m"), ("memory", "64Mi")]));
        assert_eq!(result.limits, amounts(&[("memory", "128Mi")]));
    }
}
