//! Rollouts told as stories, line by line: what the operator did, and when. Whoever changes their course sees it here.

use serde_json::json;

use super::Story;
use super::stories::canary;
use crate::model::Kind;
use crate::observe::Watched;

/// What users and the operator did from a line on. Revisions go by their images, so that a change of the pods' template is none
/// of the story.
fn tale(story: &Story, from: usize) -> String {
    let told = |line: &&String| line.contains(" # ") || line.contains(" operator-") || line.contains(" user ");
    let mut text = story.0.trace[from..].iter().filter(told).map(|line| line.trim_start()).collect::<Vec<_>>().join("\n");
    let truth = story.truth();
    for (name, record) in truth.all(Watched::Child(Kind::ControllerRevision)) {
        let (hash, image) = (name.rsplit('-').next().unwrap(), record.pointer("/data/spec/containers/0/image").unwrap());
        text = text.replace(hash, &image.as_str().unwrap().replace("orders:", "v"));
    }
    story.sound();
    text
}

#[test]
fn a_spec_that_changes_on_the_way() {
    let mut story = Story::ready(&canary("orders:1"));
    let from = story.0.trace.len();
    story.edit(&json!({"image": "orders:2"})).settled();
    story.edit(&json!({"image": "orders:3"})).settled();
    insta::assert_snapshot!(tale(&story, from));
}

#[test]
fn from_a_canary_to_a_rolling_update() {
    let mut story = Story::ready(&canary("orders:1"));
    let from = story.0.trace.len();
    story.edit(&json!({"image": "orders:2"})).settled();
    story.edit(&json!({"image": "orders:3", "rollout": {"strategy": "RollingUpdate", "canary": null}})).settled();
    insta::assert_snapshot!(tale(&story, from));
}
