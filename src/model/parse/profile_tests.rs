use serde_json::{Value, json};

use crate::api::v1alpha1::{Microservice, MicroserviceProfile, Problem};
use crate::model::parse::{Parsed, parse_under};
use crate::model::profile::Given;
use crate::model::{Scaling, Step};

fn object(spec: &Value) -> Microservice {
    let object = json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "Microservice", "metadata": {"name": "orders"}, "spec": spec});
    serde_json::from_value(object).unwrap()
}

fn profile(spec: &Value) -> Given {
    let object =
        json!({"apiVersion": "microservices.dev/v1alpha1", "kind": "MicroserviceProfile", "metadata": {"name": "strict"}, "spec": spec});
    Given::Found(Box::new(serde_json::from_value::<MicroserviceProfile>(object).unwrap()))
}

fn under(defaults: &Value, spec: &Value) -> Result<Parsed, Vec<Problem>> {
    parse_under(&object(spec), &profile(&json!({ "defaults": defaults })))
}

fn told(problems: Vec<Problem>) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn locked(locks: &[&str], defaults: &Value, spec: &Value) -> Vec<String> {
    match parse_under(&object(spec), &profile(&json!({"locks": locks, "defaults": defaults}))) {
        Ok(_) => Vec::new(),
        Err(problems) => told(problems),
    }
}

#[test]
fn defaults_are_merged_under_the_spec_and_over_the_built_in_ones() {
    let defaults = json!({
        "resources": {"requests": {"cpu": "200m", "memory": "1Gi"}},
        "autoscaling": {"minReplicas": 3},
        "placement": {"nodeSelector": {"pool": "apps", "disk": "ssd"}, "tolerations": [{"key": "a", "operator": "Exists"}]},
        "rollout": {"strategy": "Canary", "canary": {"steps": [{"setWeight": 10}, {"pause": {"seconds": 60}}]}},
        "probes": {"liveness": {"httpGet": {"path": "/live"}, "periodSeconds": 7}},
    });
    let spec = json!({"image": "a:1", "port": 8080, "resources": {"requests": {"cpu": "500m"}},
        "placement": {"nodeSelector": {"disk": "hdd"}, "tolerations": []}});
    let service = under(&defaults, &spec).unwrap().service;
    let whole = serde_json::to_value(&service.spec).unwrap();
    assert_eq!(whole["resources"]["requests"], json!({"cpu": "500m", "memory": "1Gi"}));
    assert_eq!(whole["placement"], json!({"nodeSelector": {"pool": "apps", "disk": "hdd"}, "tolerations": []}), "lists replace");
    assert_eq!(whole["probes"]["liveness"], json!({"httpGet": {"path": "/live"}, "periodSeconds": 7}));
    assert_eq!(service.rollout.steps, [Step::Weight(10), Step::Pause(Some(60))]);
    let Scaling::Auto(bounds) = &service.scaling else { panic!("it is autoscaled") };
    assert_eq!((bounds.min, bounds.max), (3, 6));

    let shown = Value::Object(service.defaults);
    assert_eq!(shown["resources"], json!({"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}}), "what was written is not shown");
    assert_eq!(shown["placement"], json!({"nodeSelector": {"pool": "apps"}, "spread": "Preferred"}));
    assert_eq!(shown["rollout"]["canary"]["steps"][0], json!({"setWeight": 10}));
    assert_eq!(shown["rollout"]["onFailure"], "Rollback");
    assert_eq!(shown.get("image"), None);
}

#[test]
fn a_default_gives_way_to_what_it_would_contradict() {
    let scaled = json!({"autoscaling": {"minReplicas": 4, "maxReplicas": 8, "cpu": {"averageUtilization": 50}}});
    let fixed = under(&scaled, &json!({"image": "a:1", "replicas": 2})).unwrap().service;
    assert_eq!(fixed.scaling, Scaling::Fixed(2));
    for (given, expected) in
        [(json!({"maxReplicas": 2}), (2, 2)), (json!({"minReplicas": 9}), (9, 9)), (json!({"cpu": {"averageValue": "1"}}), (4, 8))]
    {
        let service = under(&scaled, &json!({"image": "a:1", "autoscaling": given})).unwrap().service;
        let Scaling::Auto(bounds) = service.scaling else { panic!("it is autoscaled") };
        assert_eq!((bounds.min, bounds.max), expected, "{given}");
    }

    let probes = json!({"probes": {"readiness": {"httpGet": {"path": "/ready"}, "periodSeconds": 5}}});
    let spec = json!({"image": "a:1", "port": 1, "probes": {"readiness": {"tcpSocket": {}}}});
    let service = under(&probes, &spec).unwrap().service;
    assert_eq!(serde_json::to_value(&service.spec.probes).unwrap()["readiness"], json!({"tcpSocket": {}, "periodSeconds": 5}));

    let rollout = json!({"rollout": {"strategy": "Canary", "maxSurge": 1, "canary": {"steps": [{"setWeight": 10}]}}});
    let service = under(&rollout, &json!({"image": "a:1", "rollout": {"strategy": "Recreate"}})).unwrap().service;
    let left = serde_json::to_value(&service.spec.rollout).unwrap();
    assert_eq!(left, json!({"strategy": "Recreate"}));

    let resources = json!({"resources": {"requests": {"cpu": "2", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}});
    let service =
        under(&resources, &json!({"image": "a:1", "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "4Gi"}}})).unwrap().service;
    let whole = serde_json::to_value(&service.spec.resources).unwrap();
    assert_eq!(whole, json!({"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"cpu": "1", "memory": "4Gi"}}));
}

#[test]
fn a_problem_with_a_value_of_the_profile_says_so() {
    let problems =
        under(&json!({"rollout": {"maxSurge": 0, "maxUnavailable": 1}}), &json!({"image": "a:1", "rollout": {"maxUnavailable": 0}}));
    assert_eq!(
        told(problems.unwrap_err()),
        [
            "spec.rollout.maxSurge: `maxSurge` and `maxUnavailable` must not both be zero: no pod could be replaced (a value of profile `strict`)"
        ]
    );
    let problems = under(&json!({"rollout": {"minReadySeconds": 700}}), &json!({"image": "a:1"}));
    assert!(told(problems.unwrap_err())[0].contains("must exceed `minReadySeconds`"));
}

#[test]
fn a_locked_field_holds_what_would_hold_without_it() {
    let spec = |rollout: Value| json!({"image": "a:1", "port": 1, "rollout": rollout});
    let defaults = json!({"rollout": {"strategy": "Canary"}});
    assert_eq!(locked(&["spec.rollout.strategy"], &defaults, &spec(json!({}))), [""; 0]);
    assert_eq!(locked(&["spec.rollout.strategy"], &defaults, &spec(json!({"strategy": "Canary"}))), [""; 0]);
    assert_eq!(
        locked(&["spec.rollout.strategy"], &defaults, &spec(json!({"strategy": "BlueGreen"}))),
        ["spec.rollout.strategy: locked by profile `strict`: it must be left out, or be `Canary`"]
    );
    // Without a value of the profile's, the built-in one holds.
    let none = json!({});
    assert_eq!(locked(&["spec.rollout.strategy"], &none, &spec(json!({"strategy": "RollingUpdate"}))), [""; 0]);
    let locks = ["spec.accessPolicy.isolation", "spec.securityContext", "spec.podTemplate", "spec.resources"];
    let fine = json!({"image": "a:1", "accessPolicy": {"isolation": "Namespace", "inbound": []}, "resources": {"limits": {"memory": "0.5Gi"}},
        "securityContext": {"readOnlyRootFilesystem": true}});
    assert_eq!(locked(&locks, &none, &fine), [""; 0]);
    let wrong = json!({"image": "a:1", "accessPolicy": {"isolation": "None"}, "resources": {"limits": {"memory": "1Gi"}},
        "securityContext": {"readOnlyRootFilesystem": false}, "podTemplate": {"spec": {"hostAliases": []}}});
    let problems = locked(&locks, &none, &wrong);
    let fields: Vec<&str> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
    assert_eq!(fields, locks, "{problems:#?}");
    assert!(problems[0].ends_with("left out, or be `Namespace`") && problems[2].ends_with("left out"), "{problems:#?}");
}

#[test]
fn a_spec_that_is_wrong_anyway_is_measured_against_the_profile_alone() {
    let defaults = json!({"rollout": {"strategy": "Canary"}});
    let spec = json!({"image": "a:1", "resources": {"limits": {"memory": "1m"}}, "rollout": {"strategy": "Recreate"}});
    let problems = locked(&["spec.rollout.strategy"], &defaults, &spec);
    assert!(problems.iter().any(|problem| problem.contains("must be left out, or be `Canary`")), "{problems:#?}");
    assert!(problems.iter().any(|problem| problem.starts_with("spec.resources.limits.memory")), "{problems:#?}");
}

#[test]
fn a_profile_that_cannot_be_had_is_one_problem() {
    let missing = Given::Missing("there is no MicroserviceProfile `a`: create it".to_owned());
    let problems = parse_under(&object(&json!({"image": "a:1"})), &missing).unwrap_err();
    assert_eq!((problems[0].field.as_str(), problems[0].reason.as_str()), ("spec.profileRef.name", "ProfileNotFound"));
}

#[test]
fn routes_that_name_no_gateway_use_the_profiles() {
    let gateway = json!({"gatewayRef": {"name": "public", "namespace": "gateways", "sectionName": "https"}});
    let spec = json!({"image": "a:1", "port": 8080, "routes": [{"name": "a"}, {"name": "b", "gatewayRef": {"name": "own"}}]});
    let service = parse_under(&object(&spec), &profile(&gateway)).unwrap().service;
    let names: Vec<&str> = service.routes.iter().map(|route| route.gateway.name.as_str()).collect();
    assert_eq!(names, ["public", "own"]);
    let kept = service.profile.and_then(|profile| profile.gateway);
    assert_eq!(kept.and_then(|gateway| gateway.section_name).as_deref(), Some("https"));
}

#[test]
fn a_gate_needs_a_webhook_that_can_be_asked() {
    let spec = json!({"image": "a:1", "rollout": {"strategy": "Canary", "canary": {"steps": [{"setWeight": 5}, {"gate": {"webhook": "approval"}}]}}});
    let of = |webhooks: Value| parse_under(&object(&spec), &profile(&json!({"providers": {"webhooks": webhooks}})));
    let parsed = of(json!([{"name": "approval", "url": "https://a.example.com/gate?x=1", "timeoutSeconds": 3, "credentialsFile": "t"}]));
    let service = parsed.unwrap().service;
    assert_eq!(service.rollout.steps, [Step::Weight(5), Step::Gate("approval".to_owned())]);
    let webhook = &service.profile.unwrap().webhooks[0];
    assert_eq!((webhook.url.to_string().as_str(), webhook.timeout.as_secs()), ("https://a.example.com/gate?x=1", 3));
    assert_eq!(webhook.credentials_file.as_deref(), Some("t"));

    let path = "spec.rollout.canary.steps[1].gate.webhook: ";
    let other = told(of(json!([{"name": "b", "url": "http://b"}, {"name": "c", "url": "http://c"}])).unwrap_err());
    assert_eq!(
        other,
        [format!("{path}it must be a webhook of profile `strict`, which has `b`, `c`: name one of them, or have it added there")]
    );
    let wrong = told(of(json!([{"name": "b", "url": "http://b"}, {"name": "approval", "url": "http://b:99999/"}])).unwrap_err());
    assert!(
        wrong[0].starts_with(&format!("{path}profile `strict` must be corrected: spec.providers.webhooks[1].url: it must ")),
        "{wrong:?}"
    );
    let none = told(parse_under(&object(&spec), &Given::None).unwrap_err());
    assert!(none[0].starts_with(&format!("{path}webhooks are a profile's, and this service has none")), "{none:?}");
    let unknown = parse_under(&object(&spec), &Given::Unknown).unwrap().warnings;
    assert!(told(unknown)[0].contains("is not looked at; name the profile with `--profile FILE`"));
}

#[test]
fn an_address_that_would_mislead_is_refused() {
    for (url, right) in [
        ("https://a.example.com/gate", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080/x?y=z", true),
        ("http://a:65536/", false),
        ("http://a:/", false),
        ("http://user:word@a/", false),
        ("http://a#b", false),
        ("ftp://a/", false),
        ("//a/", false),
        ("http:///x", false),
        ("http://a b/", false),
    ] {
        let given = crate::api::v1alpha1::Webhook { name: "a".to_owned(), url: url.to_owned(), ..Default::default() };
        let read = crate::model::Webhook::of(&given);
        assert_eq!(read.is_ok(), right, "{url}: {read:?}");
    }
}
