//! Whole stories in the simulated cluster: first some that are told step by step, then any number of random ones.

mod baking;
mod dynamic;
mod gates;
mod moving;
mod places;
mod refill;
mod route_refs;
mod routed;
mod schedule;
mod stories;
mod tales;

use serde_json::{Value, json};

use crate::api::labels;
use crate::model::{Kind, Progress};
use crate::observe::Watched;

use super::invariants::Truth;
use super::{Delays, PROMPT, Simulation};

pub const NAME: &str = "orders";

/// A service in a cluster, and the words in which tests speak of it.
pub struct Story(pub Simulation);

impl Story {
    pub fn with(seed: u64, delays: Delays, spec: &Value) -> Self {
        let mut simulation = Simulation::new(seed, delays);
        simulation.run(10);
        simulation.create(NAME, spec);
        Self(simulation)
    }

    /// A service that is ready.
    pub fn ready(spec: &Value) -> Self {
        let mut story = Self::with(1, PROMPT, spec);
        story.settled();
        assert_eq!(story.summary(), "Ready/Serving", "{}", story.told());
        story
    }

    pub fn edit(&mut self, spec: &Value) -> &mut Self {
        self.0.patch(NAME, &json!({ "spec": spec }));
        self
    }

    pub fn command(&mut self, verb: &str, value: &str) -> &mut Self {
        self.0.patch(NAME, &json!({"metadata": {"annotations": {format!("microservices.dev/{verb}"): value}}}));
        self
    }

    /// A backup is restored, in which there is no status.
    pub fn lose_status(&mut self) {
        let empty = json!({"observedGeneration": -1});
        self.0.note("the status is lost");
        let id = crate::simulate::store::Id::new(Watched::Microservice, NAME);
        drop(self.0.store().edit(crate::simulate::USER, &id, |object| object["status"] = empty));
        self.0.absorb();
    }

    pub fn run(&mut self, seconds: i64) -> &mut Self {
        self.0.run(seconds * 1000);
        self
    }

    /// Lets it settle; what it then does is nothing.
    pub fn settled(&mut self) -> &mut Self {
        let quiet = self.0.settle(150_000, 1_800_000);
        assert!(quiet, "it does not come to rest\n{}", self.told());
        self
    }

    pub fn truth(&self) -> Truth {
        self.0.truth(NAME).cloned().unwrap_or_default()
    }

    pub fn progress(&self) -> Progress {
        self.truth().progress()
    }

    pub fn summary(&self) -> String {
        let status = self.truth().status().unwrap_or_default();
        let of = |kind: &str| status.conditions.iter().find(|c| c.type_ == kind && c.status == "True");
        let found = ["Ready", "Reconciling", "Stalled"].into_iter().find_map(of);
        found.map(|c| format!("{}/{}", c.type_, c.reason)).unwrap_or_default()
    }

    /// Image of a revision.
    pub fn image(&self, revision: Option<&String>) -> String {
        let truth = self.truth();
        let Some(revision) = revision else { return String::new() };
        let records = truth.all(Watched::Child(Kind::ControllerRevision));
        let found = records
            .filter(|(name, _)| name.ends_with(revision.as_str()))
            .find_map(|(_, record)| record.pointer("/data/spec/containers/0/image").and_then(Value::as_str).map(str::to_owned));
        found.unwrap_or_default()
    }

    pub fn stable(&self) -> String {
        self.image(self.progress().stable_revision())
    }

    /// Whether there is a pod of any of these images.
    pub fn runs_any(&self, images: &[&str]) -> bool {
        let image = |pod: &Value| pod.pointer("/status/containerStatuses/0/image").and_then(Value::as_str).unwrap_or_default().to_owned();
        self.truth().all(Watched::Pod).any(|(_, pod)| images.contains(&image(pod).as_str()))
    }

    /// How many pods that get requests run each image.
    pub fn serving(&self) -> Vec<(String, usize)> {
        let truth = self.truth();
        let mut images: Vec<String> = truth
            .serving()
            .map(|pod| pod.pointer("/metadata/labels").and_then(|all| all[labels::REVISION].as_str()).unwrap_or_default().to_owned())
            .map(|revision| self.image(Some(&revision)))
            .collect();
        images.sort();
        let mut counts: Vec<(String, usize)> = Vec::new();
        for image in images {
            match counts.last_mut().filter(|(last, _)| *last == image) {
                Some((_, count)) => *count += 1,
                None => counts.push((image, 1)),
            }
        }
        counts
    }

    pub fn pods(&self) -> usize {
        self.0.pods().len()
    }

    /// Everything that happened, for a failure's message.
    pub fn told(&self) -> String {
        let broken: Vec<String> = self.0.violations.iter().map(|(at, what)| format!("{at} ms: {what}")).collect();
        format!("{}\n{}", self.0.trace.join("\n"), broken.join("\n"))
    }

    /// The first rule that was broken.
    pub fn broken(&self) -> Option<String> {
        self.0.violations.first().map(|(at, what)| format!("{at} ms: {what}"))
    }

    pub fn sound(&self) {
        assert!(self.0.violations.is_empty(), "{}", self.told());
    }
}
