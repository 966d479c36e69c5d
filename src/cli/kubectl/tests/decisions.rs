//! What is written, and when waiting ends.

use jiff::SignedDuration;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::samples::{self, CANDIDATE, STABLE, conditions, now, service};
use crate::api::v1alpha1::Microservice;
use crate::cli::kubectl::brief::{Brief, Hold, State, age};
use crate::cli::kubectl::expect::{Goal, Outlook, judge};
use crate::cli::kubectl::failure::{Failure, Result};
use crate::cli::kubectl::value::{self, Recorded};
use crate::cli::kubectl::{history, image, is_plugin, name, tree, why};

const GOALS: [Goal; 6] = [Goal::Ready, Goal::Completed, Goal::Paused, Goal::RolledBack, Goal::Stalled, Goal::Available];

/// One letter for each goal: holds, waits, never.
fn outlooks(object: &Microservice) -> String {
    let brief = Brief::of(object, now(), "");
    GOALS
        .map(|goal| match judge(goal, &brief) {
            Outlook::Holds => 'H',
            Outlook::Waits(_) => 'w',
            Outlook::Never(_) => 'n',
        })
        .iter()
        .collect()
}

fn with(object: &Microservice, patch: Value) -> Microservice {
    let mut value = serde_json::to_value(object).unwrap();
    merge(&mut value, patch);
    serde_json::from_value(value).unwrap()
}

fn merge(into: &mut Value, patch: Value) {
    match patch {
        Value::Object(map) => map.into_iter().for_each(|(key, value)| merge(&mut into[key.as_str()], value)),
        other => *into = other,
    }
}

#[test]
fn when_waiting_ends() {
    let progressing = samples::lacking().object;
    let timed = with(&samples::paused().object, json!({"status": {"rollout": {"step": 3}}}));
    let held = with(&progressing, json!({"status": {"rollout": {"state": "Paused", "pausedRevision": CANDIDATE}}}));
    let first = service(
        json!({}),
        json!({"conditions": conditions("Reconciling", "Progressing", "0 of 4", false),
            "rollout": {"state": "Progressing", "candidateRevision": CANDIDATE}}),
    );
    let going_back = with(
        &samples::rolled_back().object,
        json!({"status": {"rollout": {"state": "Progressing", "candidateRevision": STABLE, "strategy": "Canary"}}}),
    );
    let mut replacing = samples::rolled_back().object;
    let mixed = json!({"type": "WorkloadReady", "status": "Unknown", "reason": "Progressing", "message": "",
        "lastTransitionTime": "2026-11-22T09:58:00Z"});
    replacing.status.as_mut().unwrap().conditions.push(serde_json::from_value(mixed).unwrap());
    let left_in_place = with(&samples::rolled_back().object, json!({"status": {"rollout": {"state": "Failed"}}}));
    let retried = with(&samples::rolled_back().object, json!({"metadata": {"annotations": {"microservices.dev/retry": CANDIDATE}}}));
    let applied = with(&samples::ready().object, json!({"metadata": {"generation": 3}}));
    let deleting = with(&samples::ready().object, json!({"metadata": {"deletionTimestamp": "2026-11-22T09:59:00Z"}}));
    let suspended = with(
        &samples::ready().object,
        json!({"status": {"conditions": [
            {"type": "Ready", "status": "True", "reason": "Serving", "message": "", "lastTransitionTime": "2026-11-22T09:58:00Z"},
            {"type": "Suspended", "status": "True", "reason": "Suspended", "message": "", "lastTransitionTime": "2026-11-22T09:58:00Z"}]}}),
    );
    let refused = with(&samples::stalled().object, json!({"metadata": {"annotations": {"microservices.dev/retry": CANDIDATE}}}));
    let new = with(&samples::fresh().object, json!({"status": {"observedGeneration": -1}}));
    let table = vec![
        // The columns: ready, completed, paused, rolled-back, stalled, available.
        ("ready", samples::ready().object, "HHnnnH"),
        ("just applied", applied, "wwwwww"),
        ("no status", samples::fresh().object, "wwwwww"),
        ("the default status", new, "wwwwww"),
        ("first rollout", first, "wwwwww"),
        ("waits for its pods", progressing, "wwwwwH"),
        ("waits for a time", timed, "wwHwwH"),
        ("waits for a promotion", samples::paused().object, "nnHnnH"),
        ("held by command", held, "nnHnnH"),
        ("blue-green waits for a promotion", samples::waiting().object, "nnHnnH"),
        ("rolled back", samples::rolled_back().object, "nnnHHH"),
        ("pods of the failed version are still there", replacing, "nnnwHH"),
        ("goes back at this moment", going_back, "nnnwHH"),
        ("failed and left in place", left_in_place, "nnnnHH"),
        ("a retry is not handled yet", retried, "wwwwww"),
        ("refused spec", samples::stalled().object, "nnnnHn"),
        ("refused spec, and a command", refused, "nnnnHn"),
        ("suspended", suspended, "nnnnnn"),
        ("deleted", deleting, "nnnnnn"),
    ];
    for (what, object, expected) in table {
        assert_eq!(outlooks(&object), expected, "{what}");
    }
}

#[test]
fn a_reason_is_given_when_waiting_is_in_vain() {
    let object = samples::rolled_back().object;
    let outlook = judge(Goal::Ready, &Brief::of(&object, now(), ""));
    assert!(matches!(&outlook, Outlook::Never(why) if why.contains("ImagePullBackOff")), "{outlook:?}");
}

#[test]
fn values_of_commands_are_new() {
    let stamp = now().as_second();
    let table: [(&str, Option<&str>, Option<&str>, String); 8] = [
        ("77ab01cd", None, None, "77ab01cd".to_owned()),
        ("77ab01cd", Some("5e6f7a8b"), Some("5e6f7a8b:1"), "77ab01cd".to_owned()),
        ("77ab01cd", Some("77ab01cd"), None, format!("77ab01cd:{stamp}")),
        ("77ab01cd", None, Some("77ab01cd:full"), format!("77ab01cd:{stamp}")),
        ("77ab01cd", Some(&format!("77ab01cd:{stamp}")), Some("77ab01cd"), format!("77ab01cd:{}", stamp + 1)),
        ("77ab01cd:full", Some("77ab01cd"), Some("77ab01cd"), "77ab01cd:full".to_owned()),
        ("77ab01cd:full", Some("77ab01cd:full"), Some("77ab01cd"), format!("77ab01cd:full:{stamp}")),
        ("77ab01cd:full", Some("x"), Some("77ab01cd:full:1"), format!("77ab01cd:full:{stamp}")),
    ];
    for (wanted, present, handled, expected) in table {
        let value = value::fresh(wanted, &[present, handled], now());
        assert_eq!(value, expected, "{wanted} after {present:?} and {handled:?}");
        assert!(value.len() <= 64, "longer ones are cut when they are remembered");
    }
}

fn said(result: Result<String>) -> String {
    match result {
        Ok(value) => value,
        Err(Failure::Refused(text)) => text,
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn commands_name_the_revision_that_they_are_about() {
    let candidate = |object: &Microservice, verb| said(value::candidate(&Brief::of(object, now(), ""), verb));
    assert_eq!(candidate(&samples::paused().object, "promote"), CANDIDATE);
    assert_eq!(candidate(&samples::ready().object, "promote"), "cannot promote orders: no rollout is under way; revision 77ab01cd serves");
    assert_eq!(candidate(&samples::fresh().object, "abort"), "cannot abort orders: its first rollout has not begun");
    let rolled_back = samples::rolled_back().object;
    assert_eq!(
        candidate(&rolled_back, "promote"),
        "cannot promote orders: revision 77ab01cd has failed; see: kubectl microservice why orders"
    );
    let left = with(&rolled_back, json!({"status": {"rollout": {"state": "Failed", "candidateRevision": CANDIDATE}}}));
    assert_eq!(candidate(&left, "abort"), CANDIDATE, "what failed and was left in place can be taken back");
    assert!(candidate(&left, "promote").contains("has failed"));

    let restart = |object: &Microservice| value::restartable(&Brief::of(object, now(), ""));
    assert!(restart(&samples::ready().object).is_ok() && restart(&samples::paused().object).is_ok());
    let refused = restart(&rolled_back).unwrap_err().to_string();
    assert!(refused.ends_with("to do that: kubectl microservice retry orders"), "{refused}");

    let bake = json!({"revision": STABLE, "until": "2026-11-22T10:30:00Z", "pods": 4});
    let bakes = with(&samples::ready().object, json!({"status": {"rollout": {"state": "Baking", "bake": bake}}}));
    assert_eq!(["promote", "abort"].map(|verb| candidate(&bakes, verb)), [CANDIDATE, CANDIDATE]);
    assert!(candidate(&bakes, "pause").contains("no rollout is under way"));

    let failed = |object: &Microservice| said(value::failed(&Brief::of(object, now(), " -n shop")));
    assert_eq!(failed(&rolled_back), CANDIDATE);
    assert!(failed(&samples::ready().object).ends_with("see: kubectl microservice status orders -n shop"));
}

#[test]
fn undo_goes_to_the_revision_before() {
    let records: Vec<Recorded> = [("aaaaaaaa", 3), (STABLE, 7), (CANDIDATE, 8)]
        .map(|(hash, number)| Recorded { hash: hash.to_owned(), number, image: String::new(), stable_since: None })
        .into();
    let previous = |object: &Microservice, to| said(value::previous(&Brief::of(object, now(), ""), &records, to));
    let undone = with(
        &samples::rolled_back().object,
        json!({"status": {"rollout": {"undoRevision": STABLE, "failure": {"reason": "Undone", "message": ""}}}}),
    );
    let table = vec![
        ("ready", samples::ready().object, None, STABLE),
        ("under way", samples::paused().object, None, STABLE),
        ("rolled back", samples::rolled_back().object, None, "aaaaaaaa"),
        ("undone before", undone, None, "aaaaaaaa"),
        ("by hash", samples::ready().object, Some("aaaaaaaa"), "aaaaaaaa"),
        ("by number", samples::ready().object, Some("3"), "aaaaaaaa"),
        ("unknown", samples::ready().object, Some("9"), "there is no record of revision 9; see: kubectl microservice history orders"),
    ];
    for (what, object, to, expected) in table {
        assert_eq!(previous(&object, to), expected, "{what}");
    }
    // Of those that are known to have served the last one, whatever was tried and given up since.
    let mut served = records.clone();
    served[0].stable_since = Some(now());
    assert_eq!(said(value::previous(&Brief::of(&samples::ready().object, now(), ""), &served, None)), "aaaaaaaa");
    served[1].stable_since = Some(now());
    assert_eq!(said(value::previous(&Brief::of(&samples::ready().object, now(), ""), &served, None)), STABLE);
    let alone = value::previous(&Brief::of(&samples::ready().object, now(), ""), &records[2..], None);
    assert!(said(alone).starts_with("there is no earlier revision on record"));
}

#[test]
fn what_a_rollout_waits_for() {
    let paused = samples::paused().object;
    let hold = |patch: Value| Brief::of(&with(&paused, patch), now(), "").hold();
    assert_eq!(hold(json!({})), Some(Hold::Promotion));
    assert_eq!(hold(json!({"spec": {"rollout": {"paused": true}}})), Some(Hold::Spec));
    let gate = json!({"spec": {"rollout": {"canary": {"steps": [{"setWeight": 25}, {"gate": {"webhook": "approval"}}]}}}});
    let at_gate = hold(gate).unwrap();
    assert_eq!((&at_gate, at_gate.text(now()).as_str()), (&Hold::Gate("approval".to_owned()), "waits for gate `approval`"));
    assert_eq!(hold(json!({"status": {"rollout": {"pausedRevision": CANDIDATE}}})), Some(Hold::Command));
    assert_eq!(hold(json!({"status": {"rollout": {"state": "Progressing"}}})), None);
    let end = "2026-11-22T10:07:00Z".parse().unwrap();
    let timed = hold(json!({"status": {"rollout": {"step": 3}}})).unwrap();
    assert_eq!(timed, Hold::Until(Some(end)));
    assert_eq!(timed.text(now() + SignedDuration::from_secs(30)), "goes on by itself in 6m");
}

#[test]
fn names_and_words() {
    for (seconds, text) in [(-5, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172_800, "2d")] {
        assert_eq!(age(seconds), text);
    }
    assert_eq!(name("microservice.microservices.dev/orders").as_deref(), Ok("orders"));
    assert!(name("pod/orders").is_err() && name("Orders").is_err() && name("").is_err());
    for (program, plugin) in [("/a/kubectl-microservice", true), ("kubectl_microservice.exe", true), ("microservice-operator", false)] {
        assert_eq!(is_plugin(program.as_ref()), plugin, "{program}");
    }
    let old = with(&samples::ready().object, json!({"metadata": {"generation": 3}}));
    assert_eq!(Brief::of(&old, now(), "").state(), State::Unseen);
    assert_eq!(Brief::of(&old, now(), "").rollout(), "-");
}

#[test]
fn tools_that_would_undo_it_are_named() {
    let managed = |manager: &str, fields: Value| -> ObjectMeta {
        serde_json::from_value(json!({"managedFields": [{"manager": manager, "operation": "Apply", "fieldsV1": fields}]})).unwrap()
    };
    let image_of = json!({"f:spec": {"f:image": {}}});
    assert_eq!(image::tool(&managed("argocd-controller", image_of.clone())), Some(("argocd-controller".to_owned(), "Argo CD")));
    assert_eq!(image::tool(&managed("helm-controller", image_of.clone())), Some(("helm-controller".to_owned(), "Flux")));
    assert_eq!(image::tool(&managed("kubectl", image_of)), None);
    assert_eq!(image::tool(&managed("argocd-controller", json!({"f:spec": {"f:port": {}}}))), None);
    let text = image::answer("orders", "a:1", "a:2", Some(("argocd-controller".to_owned(), "Argo CD")), "").text(false);
    assert!(text.contains("Warning: Argo CD (argocd-controller) manages spec.image"), "{text}");
}

#[test]
fn recorded_revisions_in_a_table() {
    let record = |hash: &str, number: i64, image: &str, restart: Option<&str>| -> ControllerRevision {
        let since = ([STABLE, "aaaaaaaa"].contains(&hash)).then_some("2026-11-22T08:10:00Z");
        serde_json::from_value(json!({
            "metadata": {
                "name": format!("orders-{hash}"), "creationTimestamp": "2026-11-22T08:00:00Z",
                "annotations": since.map(|since| json!({"microservices.dev/stable-since": since})),
            },
            "revision": number,
            "data": {
                "metadata": {"annotations": restart.map(|value| json!({"microservices.dev/restart": value}))},
                "spec": {"containers": [{"name": "proxy", "image": "p"}, {"name": "orders", "image": image}]},
            },
        }))
        .unwrap()
    };
    let records = [
        record(CANDIDATE, 9, "orders:2", Some("2026-11-22T08:00:00Z")),
        record("bbbbbbbb", 8, "orders:2", None),
        record(STABLE, 7, "orders:2", None),
        record("aaaaaaaa", 3, "orders:1", None),
    ];
    let object = samples::paused().object;
    let brief = Brief::of(&object, now(), "");
    insta::assert_snapshot!(history::table(&records.iter().collect::<Vec<_>>(), &brief, false).text(false), @r"
    NUMBER   REVISION   ROLE        STABLE     AGE   IMAGE      CAUSE
    9        77ab01cd   candidate   -          2h    orders:2   restart 2026-11-22T08:00:00Z
    8        bbbbbbbb   -           -          2h    orders:2   configuration
    7        5e6f7a8b   stable      110m ago   2h    orders:2   image
    3        aaaaaaaa   -           110m ago   2h    orders:1   first on record
    ");
}

#[test]
fn only_what_changed_is_told() {
    let tree_of = |family: &crate::cli::kubectl::family::Family| tree::parts(&tree::tree(family, &Brief::of(&family.object, now(), "")));
    let (before, after) = (tree_of(&samples::paused()), tree_of(&samples::lacking()));
    assert!(tree::changes(&before, &before).is_empty());
    insta::assert_snapshot!(tree::changes(&before, &after).join("\n"), @r"
    Microservice orders: Reconciling RolloutInProgress, 3/4 pods ready
    Rollout Canary: Progressing 1/4 25%
    candidate 77ab01cd: in Deployment orders-77ab01cd, wants 25 %, has 0 %
    Deployment orders-77ab01cd: candidate, revision 77ab01cd, 0/1 ready
    Pod orders-77ab01cd-9dccb4794-4: ImagePullBackOff
    ");
}

#[test]
fn a_rollout_that_waits_to_begin_is_told_as_that() {
    let message = "4 of 4 pods serve; revision 77ab01cd waits: freeze window `friday` of profile `default` until 2026-11-23T01:00:00Z";
    let rollout = json!({"state": "Paused", "stableRevision": STABLE});
    let status = json!({"conditions": conditions("Reconciling", "RolloutWaiting", message, true), "rollout": rollout});
    let family = samples::family(service(json!({}), status), Vec::new());
    let brief = Brief::of(&family.object, now(), "");
    assert_eq!((brief.state(), brief.hold()), (State::Reconciling, None));
    assert_eq!(outlooks(&family.object), "wwwwwH", "nothing can be promoted yet");
    let text = why::answer(&family, &brief).text(false);
    assert!(text.contains("its rollout waits to begin") && text.contains("freeze window `friday`"), "{text}");
}

#[test]
fn steps_of_a_profile_count_as_those_of_the_spec() {
    let sample = samples::paused().object;
    let steps = serde_json::to_value(&sample.spec.rollout).unwrap();
    let mut object = with(&sample, json!({"status": {"defaults": {"rollout": steps}, "rollout": {"step": 3}}}));
    let before = Brief::of(&object, now(), "").hold();
    assert!(matches!(before, Some(Hold::Until(Some(_)))), "the last pause has its time");
    object.spec.rollout = None;
    assert_eq!(Brief::of(&object, now(), "").hold(), before);
}
