//! Revisions: the target, what is applied, what is kept.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::json;

use super::{Candidate, fresh, only, placed, record, service, with};
use crate::api::v1alpha1::Baking;
use crate::model::{ChildRef, Kind, Progress};
use crate::observe::world::Revision;
use crate::plan::revision::{kept, stable_since, target};

fn image(tag: &str) -> String {
    format!("port: 8080\nimage: orders:{tag}")
}

/// Records of the images `tags`, applied one after the other.
fn history(tags: &[&str]) -> Vec<Revision> {
    tags.iter().fold(Vec::new(), |mut known, tag| {
        let record = record(&service(&image(tag)), &known);
        known.push(record);
        known
    })
}

fn names(references: &[ChildRef]) -> Vec<&str> {
    references.iter().map(|reference| reference.name.as_str()).collect()
}

#[test]
fn numbers_count_up_and_going_back_is_news() {
    let known = history(&["1", "2", "3"]);
    assert_eq!(known.iter().map(|revision| revision.number).collect::<Vec<_>>(), [1, 2, 3]);
    let same = target(&service(&image("3")), &known);
    assert_eq!((same.number, same.recorded), (3, true));
    let back = target(&service(&image("1")), &known);
    assert_eq!((back.number, back.recorded, &back.hash), (4, true, &known[0].hash));
    let new = target(&service(&image("4")), &known);
    assert_eq!((new.number, new.recorded), (4, false));
}

#[test]
fn a_recorded_template_is_used_as_it_stands() {
    let service = service(&image("1"));
    let mut known = history(&["1"]);
    // As an older version of the operator rendered it.
    known[0].template["spec"]["fromThePast"] = json!(true);
    known[0].hash = "0000aaaa".to_owned();
    let target = target(&service, &known);
    assert_eq!((target.hash.as_str(), &target.template, target.recorded), ("0000aaaa", &known[0].template, true));
    let children = with(&service, &Progress::default(), &known);
    let deployment = super::find(&children, Kind::Deployment).unwrap_or_default();
    assert_eq!(deployment["spec"]["template"]["spec"]["fromThePast"], json!(true), "fields that this version does not know stay");
}

#[test]
fn other_words_for_the_same_pods_are_the_same_revision() {
    let one = service("port: 8080\nresources: {limits: {cpu: 1}}");
    let other = service("port: 8080\nresources: {limits: {cpu: 1000m}}");
    let known = [record(&one, &[])];
    let found = target(&other, &known);
    assert_eq!((found.hash.as_str(), found.number, found.recorded), (known[0].hash.as_str(), 1, true));
    assert_ne!(found.inputs, known[0].inputs);
}

#[test]
fn another_template_under_the_same_hash_is_not_mistaken() {
    let service = service(&image("1"));
    let mut known = history(&["1"]);
    known[0].inputs = "other".to_owned();
    known[0].template = json!({"of": "somebody else"});
    let salted = target(&service, &known);
    assert_ne!(salted.hash, known[0].hash);
    assert!(!salted.recorded);
    known.push(record(&service, &known));
    assert_eq!(target(&service, &known).hash, salted.hash, "and it is found again");
}

#[test]
fn a_failed_target_gives_way_to_the_stable_revision() {
    let mut known = history(&["1", "2"]);
    known[0].stable_since = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    let progress = Progress { stable: Some(placed(&known[0].hash)), failed: Some(known[1].hash.clone()), ..Progress::default() };
    let failed = service(&image("2"));
    let children = with(&failed, &progress, &known);
    let deployment = super::find(&children, Kind::Deployment).unwrap_or_default();
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], json!("orders:1"));
    assert_eq!(deployment["metadata"]["annotations"]["microservices.dev/revision"], json!(known[0].hash));
    assert_eq!(deployment["spec"]["template"]["metadata"]["labels"]["microservices.dev/revision"], json!(known[0].hash));
    let recorded = super::find(&children, Kind::ControllerRevision).unwrap_or_default();
    assert_eq!(recorded["metadata"]["name"], json!(known[1].name), "the record in the list is the target's");
    assert_eq!(names(&children.retained), [known[0].name.as_str()]);

    let applied = |spec: &str, progress: &Progress| {
        let deployment = super::find(&with(&service(spec), progress, &known), Kind::Deployment).unwrap_or_default();
        deployment["metadata"]["annotations"]["microservices.dev/revision"].as_str().unwrap_or_default().to_owned()
    };
    let held = format!("{}\nrollout: {{onFailure: Hold}}", image("2"));
    assert_eq!(applied(&held, &progress), known[1].hash, "not when the user wants it held");
    let unknown = Progress { stable: Some(placed("gone")), ..progress.clone() };
    assert_eq!(applied(&image("2"), &unknown), known[1].hash, "not to what is not on record");
    let first = Progress { stable: None, ..progress.clone() };
    assert_eq!(applied(&image("2"), &first), known[1].hash, "not without anything to go back to");
    let third = target(&service(&image("3")), &known).hash;
    assert_eq!(applied(&image("3"), &progress), third, "another spec is another try");
}

#[test]
fn old_records_go_and_those_in_use_stay() {
    let mut known = history(&["1", "2", "3", "4", "5", "6"]);
    known[0].stable_since = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    let service = service(&format!("{}\nrollout: {{revisionHistoryLimit: 2}}", image("6")));
    let hash = |index: usize| Some(known[index].hash.clone());
    let candidate = Candidate { at: placed(&known[5].hash), ..Candidate::default() };
    let progress = Progress { stable: Some(placed(&known[0].hash)), failed: hash(1), candidate: Some(candidate), ..Progress::default() };
    let kept: Vec<i64> = kept(&service, &progress, &known, &target(&service, &known)).iter().map(|revision| revision.number).collect();
    assert_eq!(kept, [1, 2, 6, 5, 4], "in use: 1, 2 and 6; of the others the two newest");
    let mut expected: Vec<_> = [0, 1, 3, 4].map(|index: usize| known[index].name.as_str()).into();
    expected.sort_unstable();
    assert_eq!(names(&with(&service, &progress, &known).retained), expected);
}

#[test]
fn files_of_kept_revisions_stay() {
    let files = |content: &str| {
        format!("{}\nfiles: [{{mountPath: /a, content: {content}}}, {{mountPath: /b, configMap: {{name: orders-flags}}}}]", image("1"))
    };
    let (old, new) = (service(&files("old")), service(&files("new")));
    let mut known = vec![record(&old, &[])];
    known.push(record(&new, &known));
    let map = only(&old, Kind::ConfigMap)["metadata"]["name"].clone();
    let children = with(&new, &Progress::default(), &known);
    let retained: Vec<_> =
        children.retained.iter().filter(|reference| reference.kind == Kind::ConfigMap).map(|reference| json!(reference.name)).collect();
    assert_eq!(retained, [map], "the old one, neither the new one, which is in the list, nor the user's own");
}

#[test]
fn files_under_a_name_of_the_past_are_not_doubled() {
    let service = service("files: [{mountPath: /a, content: x}]");
    let mut known = vec![record(&service, &[])];
    known[0].template["spec"]["volumes"][0]["configMap"]["name"] = json!("orders-01234567");
    let children = with(&service, &Progress::default(), &known);
    assert_eq!(super::find(&children, Kind::ConfigMap), None);
    assert!(names(&children.retained).contains(&"orders-01234567"));
}

#[test]
fn a_restart_is_a_revision_and_taking_it_back_is_none() {
    let plain = service(&image("1"));
    let mut restarted = service(&image("1"));
    restarted.commands.restart = Some("monday".to_owned());
    let mut known = history(&["1"]);
    let monday = record(&restarted, &known);
    assert_ne!(monday.hash, known[0].hash);
    assert_eq!(monday.template["metadata"]["annotations"], json!({"microservices.dev/restart": "monday"}));
    known.push(monday.clone());
    assert_eq!(target(&plain, &known).hash, monday.hash, "the annotation may be removed again");
    restarted.commands.restart = Some("tuesday".to_owned());
    assert_ne!(target(&restarted, &known).hash, monday.hash);
}

#[test]
fn what_is_not_of_the_pods_is_no_revision() {
    let base = target(&service("port: 8080"), &[]);
    for edit in [
        "replicas: 3",
        "autoscaling: {minReplicas: 3, maxReplicas: 30, memory: {averageUtilization: 50}}",
        "disruption: {policy: None}",
        "rollout: {maxSurge: 3, onFailure: Hold}",
        "service: {port: 81, annotations: {a: b}}",
        "accessPolicy: {isolation: Strict, inbound: [{service: web}], outbound: [{service: payments}]}",
        "serviceAccount: {annotations: {a: b}}",
        "deletionPolicy: Orphan",
        "suspend: true",
    ] {
        let edited = target(&service(&format!("port: 8080\n{edit}")), &[]);
        assert_eq!((&edited.hash, &edited.inputs), (&base.hash, &base.inputs), "{edit}");
    }
    for edit in [
        "env: [{name: A, value: b}]",
        "system: shop",
        "accessPolicy: {outbound: [{service: payments, env: URL}]}",
        "serviceAccount: {automountToken: true}",
        "files: [{mountPath: /a, content: b}]",
        "podTemplate: {metadata: {annotations: {a: b}}}",
    ] {
        let edited = target(&service(&format!("port: 8080\n{edit}")), &[]);
        assert_ne!(edited.hash, base.hash, "{edit}");
        assert_ne!(edited.inputs, base.inputs, "{edit}");
    }
}

#[test]
fn nothing_is_retained_without_history() {
    assert_eq!(fresh(&service("files: [{mountPath: /a, content: x}]")).retained, []);
}

/// Records of the images, the stable one, and what the records say after a pass at this second.
fn marks(known: &[Revision], stable: usize, asked: &str, second: i64) -> Vec<Revision> {
    let progress = Progress { stable: Some(placed(&known[stable].hash)), ..Progress::default() };
    let service = service(&image(asked));
    let world = super::World { revisions: known.to_vec(), ..super::World::default() };
    let now = jiff::Timestamp::from_second(second).expect("a time");
    let children = crate::plan::children::children(&service, &progress, &world, now);
    let written = children.list.iter().filter(|child| child.reference.kind == Kind::ControllerRevision);
    let mut after = known.to_vec();
    for child in written {
        let since = child.object.pointer("/metadata/annotations/microservices.dev~1stable-since").and_then(|since| since.as_str());
        let record = after.iter_mut().find(|record| record.name == child.reference.name).expect("on record");
        record.stable_since = since.map(|since| Time(since.parse().expect("a time")));
        assert_eq!(child.object["data"], record.template);
    }
    after
}

fn seconds(known: &[Revision]) -> Vec<Option<i64>> {
    known.iter().map(|record| record.stable_since.as_ref().map(|since| since.0.as_second())).collect()
}

#[test]
fn a_record_says_when_its_revision_became_stable() {
    let known = marks(&history(&["1", "2", "3"]), 0, "1", 100);
    assert_eq!(seconds(&known), [Some(100), None, None]);
    assert_eq!(marks(&known, 0, "1", 200), known, "once");
    let known = marks(&known, 0, "2", 200);
    assert_eq!(seconds(&known), [Some(100), None, None], "not while it is on its way");
    let known = marks(&known, 1, "3", 300);
    assert_eq!(seconds(&known), [Some(100), Some(300), None], "also where the spec has gone on");
    let known = marks(&known, 0, "3", 400);
    assert_eq!(seconds(&known), [Some(400), Some(300), None], "again, when it is stable again");
    let known = marks(&known, 1, "2", 350);
    assert_eq!(seconds(&known), [Some(400), Some(400), None], "another process's clock may be late");
    assert_eq!(marks(&known, 1, "2", 360), known);

    let now = jiff::Timestamp::from_second(500).expect("a time");
    let since = |bake| {
        let progress = Progress { stable: Some(placed(&known[2].hash)), bake, ..Progress::default() };
        stable_since(&known[2].hash, &progress, &known, now)
    };
    let bake = Baking { revision: known[1].hash.clone(), until: Time(now), pods: 2, unwell_since: None };
    assert_eq!((since(Some(bake)), since(None)), (None, Some(Time(now))), "not before the end of its bake");
}
