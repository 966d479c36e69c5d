use proptest::prelude::*;
use serde_json::json;

use super::*;

fn backend(name: &str, weight: i64) -> Value {
    json!({"group": "", "kind": "Service", "name": name, "port": 80, "weight": weight})
}

fn route(rules: &[Vec<Value>]) -> Value {
    let rules: Vec<Value> = rules.iter().map(|backends| json!({"matches": [{"path": {"value": "/"}}], "backendRefs": backends})).collect();
    json!({
        "kind": "HTTPRoute", "metadata": {"name": "shop", "namespace": "shop", "annotations": {"team": "a"}},
        "spec": {"hostnames": ["a.example.com"], "rules": rules},
    })
}

fn weights(route: &Value, rule: usize) -> Vec<(String, i64)> {
    let backends = route["spec"]["rules"][rule]["backendRefs"].as_array().unwrap();
    backends.iter().map(|backend| (backend["name"].as_str().unwrap().to_owned(), weight(backend))).collect()
}

#[test]
fn the_service_shares_its_part_and_others_keep_theirs() {
    let users = route(&[vec![backend("orders", 1)], vec![backend("other", 3), backend("orders", 2)], vec![backend("other", 1)]]);
    let open = with_share(&users, "orders", 25).unwrap();
    assert_eq!(weights(&open, 0), [("orders".into(), 75), ("orders-canary".into(), 25)]);
    assert_eq!(weights(&open, 1), [("other".into(), 300), ("orders".into(), 150), ("orders-canary".into(), 50)]);
    assert_eq!(open["spec"]["rules"][2], users["spec"]["rules"][2]);
    assert_eq!(open["metadata"]["annotations"], json!({"team": "a", "rollout.microservices.dev/orders": "25"}));
    assert_eq!((shares(&open, "orders"), shares(&users, "orders")), (vec![25, 25], vec![0, 0]));
    assert!(gives(&open, "orders") && !gives(&users, "orders"));
}

#[test]
fn only_a_service_of_this_name_and_place_is_meant() {
    let mut elsewhere = backend("orders", 1);
    elsewhere["namespace"] = json!("bank");
    let mut bucket = backend("orders", 1);
    (bucket["kind"], bucket["group"]) = (json!("Bucket"), json!("example.com"));
    for stranger in [elsewhere, bucket, backend("orders-2", 1), backend("orders", 0)] {
        let users = route(&[vec![stranger]]);
        assert_eq!(with_share(&users, "orders", 50), Ok(users));
    }
    let mut here = backend("orders", 1);
    here["namespace"] = json!("shop");
    here["filters"] = json!([{"type": "RequestHeaderModifier"}]);
    let open = with_share(&route(&[vec![here.clone()]]), "orders", 50).unwrap();
    let canary = &open["spec"]["rules"][0]["backendRefs"][1];
    assert_eq!((&canary["namespace"], &canary["filters"]), (&here["namespace"], &here["filters"]));
}

#[test]
fn a_weight_that_cannot_be_divided_is_refused_and_left() {
    let users = route(&[vec![backend("orders", 1), backend("other", 10_001)]]);
    assert!(with_share(&users, "orders", 1).unwrap_err().contains("at most 10000"));
    assert_eq!(planned(&users, "orders", 1), users);
    let most = route(&[vec![backend("orders", 10_000)]]);
    assert_eq!(weights(&with_share(&most, "orders", 99).unwrap(), 0)[1].1, 990_000);
}

#[test]
fn what_is_left_of_an_edit_by_hand_leads_somewhere() {
    // The candidate's side alone: whoever took the other away meant the service.
    let mut odd = route(&[vec![backend("orders-canary", 30)]]);
    odd["metadata"]["annotations"]["rollout.microservices.dev/orders"] = json!("30");
    assert_eq!(weights(&planned(&odd, "orders", 0), 0), [("orders".into(), 30)]);
    // Weights that are no hundreds: the proportions are what counts.
    let mut odd = route(&[vec![backend("orders", 75), backend("orders-canary", 30), backend("other", 300)]]);
    odd["metadata"]["annotations"]["rollout.microservices.dev/orders"] = json!("25");
    let closed = planned(&odd, "orders", 0);
    assert_eq!(weights(&closed, 0), [("orders".into(), 105), ("other".into(), 300)]);
    assert_eq!(closed["metadata"]["annotations"], json!({"team": "a"}));
}

fn backends() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec((0..3_usize, 0..=10_000_i64), 0..4).prop_map(|all| {
        // A name that stands there twice may differ by its port.
        all.into_iter()
            .enumerate()
            .map(|(port, (name, weight))| {
                let mut backend = backend(["orders", "web", "other"][name], weight);
                backend["port"] = json!(port);
                backend
            })
            .collect()
    })
}

proptest! {
    /// Whatever two services do on one route, in whatever order: each has its share of its own part, all parts are to each other
    /// as the user wrote them, and in the end the route is the user's.
    #[test]
    fn the_way_back_is_exact(
        rules in proptest::collection::vec(backends(), 0..4),
        steps in proptest::collection::vec((any::<bool>(), 0..=100_i32), 0..12),
    ) {
        let users = route(&rules);
        let mut now = users.clone();
        for (first, share) in steps {
            let service = if first { "orders" } else { "web" };
            now = with_share(&now, service, share).unwrap();
            prop_assert_eq!(with_share(&now, service, share), Ok(now.clone()), "twice is once");
            for (index, backends) in rules.iter().enumerate() {
                let part = |name: &str| weights(&now, index).iter().filter(|(found, _)| found.starts_with(name)).map(|(_, w)| *w).sum::<i64>();
                let wrote = |name: &str| backends.iter().filter(|backend| backend["name"] == name).map(weight).sum::<i64>();
                for (a, b) in [("orders", "web"), ("orders", "other"), ("web", "other")] {
                    prop_assert_eq!(part(a) * wrote(b), part(b) * wrote(a));
                }
                let given = weights(&now, index).iter().filter(|(name, _)| *name == canary_name(service)).map(|(_, w)| *w).sum::<i64>();
                prop_assert_eq!(given * 100, part(service) * i64::from(share));
            }
        }
        let back = planned(&planned(&now, "orders", 0), "web", 0);
        prop_assert_eq!(back, users);
    }
}
