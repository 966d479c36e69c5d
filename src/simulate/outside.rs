//! What users, nodes and faults do to the cluster.

use std::sync::Arc;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::model::profile;
use crate::observe::Watched;

use super::desk::{Fault, lock};
use super::pods::{Fates, Nature};
use super::random::Random;
use super::store::{By, Id};
use super::{Event, PROMPT, Simulation, USER, autoscaler, fields};

impl Simulation {
    /// How pods behave from now on, those to come; and how many there may be.
    pub fn conduct(&mut self, fates: Fates, quota: Option<usize>) {
        self.deployments.fates = fates;
        self.deployments.quota = quota;
    }

    /// The user applies a manifest, for the first time or again: its labels, annotations and spec.
    pub fn apply(&mut self, name: &str, manifest: &Value) {
        let id = Id::new(Watched::Microservice, name);
        if self.store().get(&id).is_none() {
            let mut body = manifest.clone();
            body["status"] = json!({"observedGeneration": -1});
            self.store().create(USER, &id, &body);
        } else {
            drop(self.store().edit(USER, &id, |object| {
                object["spec"] = manifest["spec"].clone();
                for field in ["labels", "annotations"] {
                    object["metadata"][field] = manifest["metadata"][field].clone();
                }
            }));
        }
        self.absorb();
    }

    /// The platform team makes the profile that holds for all.
    pub fn profile(&mut self, spec: &Value) {
        let id = Id::new(Watched::Profile, profile::DEFAULT);
        self.store().create(USER, &id, &json!({ "spec": spec }));
        self.absorb();
    }

    /// The user applies a manifest.
    pub fn create(&mut self, name: &str, spec: &Value) {
        self.note(&format!("the user creates {name}: {spec}"));
        self.apply(name, &json!({ "spec": spec }));
    }

    /// The user changes a manifest: a merge patch.
    pub fn patch(&mut self, name: &str, patch: &Value) {
        self.note(&format!("the user patches {name}: {patch}"));
        let id = Id::new(Watched::Microservice, name);
        drop(self.store().edit(USER, &id, |object| fields::merge(object, patch)));
        self.absorb();
    }

    /// Somebody deletes an object by hand.
    pub fn delete(&mut self, id: &Id) {
        self.note(&format!("somebody deletes {id}"));
        drop(self.store().delete(USER, id, &DeleteParams::default()));
        self.absorb();
    }

    /// A pod dies with its node.
    pub fn kill(&mut self, pod: &str) {
        self.note(&format!("{pod} is killed"));
        let looks = self.deployments.kill(&mut lock(&self.store), By::other("node"), pod);
        self.look(looks);
        self.absorb();
    }

    /// The program in a pod changes its nature.
    pub fn befall(&mut self, pod: &str, nature: Nature) {
        self.note(&format!("{pod} turns out to be {nature:?}"));
        let looks = self.deployments.befall(&mut lock(&self.store), pod, nature);
        self.look(looks);
        self.absorb();
    }

    /// The operator ends, and another process takes its place so much later.
    pub fn restart(&mut self, after: i64) {
        self.note("the operator ends");
        self.operators.clear();
        let at = self.store().now + after;
        self.agenda.add(at, Event::Start(0));
    }

    /// A node is drained: the pod goes if the budgets allow it.
    pub fn evict(&mut self, pod: &str) {
        let id = Id::new(Watched::Pod, pod);
        let allowed = {
            let store = self.store();
            store.get(&id).is_some_and(|object| autoscaler::may_evict(&store, object))
        };
        if allowed {
            self.kill(pod);
        }
    }

    /// The next pass meets a fault after so many writes.
    pub fn fail(&mut self, writes: u32, fault: Fault) {
        self.fault = Some((writes, fault));
    }

    /// No watch tells anything for so long.
    pub fn freeze(&mut self, milliseconds: i64) {
        let until = self.store().now + milliseconds;
        self.note(&format!("all views are frozen for {milliseconds} ms"));
        self.operators.values_mut().for_each(|operator| operator.freeze(until));
    }

    /// The watch of a kind is broken for so long.
    pub fn lose(&mut self, watched: Watched, milliseconds: i64) {
        let until = self.store().now + milliseconds;
        self.note(&format!("the watch of {} is broken for {milliseconds} ms", watched.name()));
        self.operators.values_mut().for_each(|operator| operator.lose(watched, until));
    }

    /// A second process leads too, from lists of a while ago, and one of the two ends some time later.
    pub fn split(&mut self, ago: i64, frozen: i64, together: i64) {
        let first = self.operators.keys().next().copied();
        let second = self.start(ago);
        let now = self.store().now;
        if let Some(operator) = self.operators.get_mut(&second) {
            operator.freeze(now + frozen);
        }
        let ends = if self.random.percent(50) { first.unwrap_or(second) } else { second };
        self.agenda.add(now + together, Event::End(ends));
    }

    /// No further faults.
    pub fn calm(&mut self) {
        self.note("no more faults");
        self.fault = None;
        self.delays = PROMPT;
        self.operators.values_mut().for_each(|operator| operator.calm(PROMPT));
    }

    /// Names of the pods that are there.
    pub fn pods(&self) -> Vec<String> {
        self.deployments.pods().filter(|pod| !pod.is_leaving()).map(|pod| pod.name.clone()).collect()
    }

    /// Names of the objects of a kind.
    pub fn names(&self, watched: Watched) -> Vec<String> {
        self.store().all(watched).map(|(id, _)| id.name.clone()).collect()
    }

    pub fn object(&self, watched: Watched, name: &str) -> Option<Arc<Value>> {
        self.store().get(&Id::new(watched, name)).cloned()
    }

    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}
