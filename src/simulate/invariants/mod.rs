//! What must hold at every moment, whatever fails: the safety rules of rollouts, checked against what really is.
//!
//! Pods come and die by themselves, and no operator can know of it before it is told. So a rule about pods that serve
//! grants those that came or were lost within the time by which the view of the one who acted was behind.

mod pods;
mod routes;
mod status;
mod truth;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::api::labels;
use crate::model::{Kind, Scaling, Service, parse};
use crate::observe::Watched;
use crate::plan::rollout::ratio::Slack;

use super::autoscaler::{is_ready, selects};
use super::store::Change;

pub use truth::{Truth, revision};

/// How long, beside the lag of the view, numbers are on their way: the Deployment's controller counts pods first.
const COUNTING: i64 = 1_500;

/// All services, each with what is remembered of it.
#[derive(Debug, Default)]
pub struct Judge {
    services: BTreeMap<String, Record>,
}

/// What is remembered of a service.
#[derive(Debug, Default)]
struct Record {
    truth: Truth,
    /// Specs, each with the time of its coming.
    specs: Vec<(i64, Service)>,
    /// Times at which a pod that served ceased to, by itself; and at which one began to.
    losses: Vec<i64>,
    gains: Vec<i64>,
    /// The pass in progress, by its maker and time, and the sets that it has made smaller.
    pass: (String, i64),
    shrunk: Vec<String>,
    /// Since when a pod has been under two budgets, and which.
    doubled: Option<(i64, String)>,
    /// What routes give candidates.
    given: routes::Given,
    /// Since when a canary by pod ratio has lacked pods that nobody makes up for.
    short: Option<i64>,
}

impl Judge {
    /// Takes in a change, and says which rules it broke.
    pub fn see(&mut self, change: &Change) -> Vec<String> {
        if let Watched::UserRoute(_) = change.id.watched {
            // It is of all services that it leads to, and stays in their sight when it no longer does.
            return self.services.values_mut().flat_map(|record| record.see(change)).collect();
        }
        let Some(object) = change.after.as_ref().or(change.before.as_ref()) else { return Vec::new() };
        let label = object.pointer("/metadata/labels").and_then(|all| all.get(labels::INSTANCE)).and_then(Value::as_str);
        let name = label.unwrap_or(&change.id.name).to_owned();
        let record = self.services.entry(name.clone()).or_default();
        record.truth.name = name;
        record.see(change)
    }

    /// The service as it is.
    pub fn truth(&self, name: &str) -> Option<&Truth> {
        self.services.get(name).map(|record| &record.truth)
    }
}

impl Record {
    fn see(&mut self, change: &Change) -> Vec<String> {
        self.remember_pods(change);
        self.given.remember(&self.truth.name, change);
        let ruled = matches!(
            change.id.watched,
            Watched::Microservice | Watched::Child(Kind::Deployment | Kind::Service | Kind::HTTPRoute) | Watched::UserRoute(_)
        );
        let before = (change.by_operator && ruled).then(|| self.truth.clone());
        match &change.after {
            Some(object) => drop(self.truth.objects.insert(change.id.clone(), object.clone())),
            None => drop(self.truth.objects.remove(&change.id)),
        }
        if change.id.watched == Watched::Microservice {
            self.remember_spec(change);
        }
        let pass = (change.by.clone(), change.at);
        if self.pass != pass {
            self.pass = pass;
            self.shrunk.clear();
        }
        let mut broken = Vec::new();
        if let Some(before) = before {
            match change.id.watched {
                Watched::Child(Kind::Deployment) => pods::deployment(self, &before, change, &mut broken),
                Watched::UserRoute(_) => routes::written(self, change, &mut broken),
                Watched::Child(_) => {
                    pods::service(self, &before, change, &mut broken);
                    routes::written(self, change, &mut broken);
                }
                _ => status::written(self, &before, change, &mut broken),
            }
        }
        pods::budgets(self, change, &mut broken);
        pods::refilled(self, change, &mut broken);
        pods::autoscalers(&self.truth, change, &mut broken);
        pods::requests(&self.truth, change, &mut broken);
        broken
    }

    fn remember_spec(&mut self, change: &Change) {
        let changed = |path: &str| {
            let of = |object: &Option<std::sync::Arc<Value>>| object.as_ref().and_then(|object| object.pointer(path).cloned());
            of(&change.before) != of(&change.after)
        };
        if !changed("/spec") && !changed("/metadata/annotations") {
            return;
        }
        self.short = None;
        // A spec that is refused changes nothing.
        if let Some(parsed) = self.truth.microservice().and_then(|object| parse::parse(&object).ok()) {
            self.specs.push((change.at, parsed.service));
        }
    }

    fn remember_pods(&mut self, change: &Change) {
        if change.id.watched != Watched::Pod || change.by == "deployment-controller" {
            return;
        }
        let serves = |pod: &Option<std::sync::Arc<Value>>| pod.as_ref().is_some_and(|pod| is_ready(pod) && self.truth.is_addressed(pod));
        match (serves(&change.before), serves(&change.after)) {
            (true, false) => self.losses.push(change.at),
            (false, true) => self.gains.push(change.at),
            _ => {}
        }
    }

    /// Pods that were lost, or came, where whoever made the change could not know of it yet.
    fn unknown(&self, change: &Change) -> i64 {
        truth::count(self.losses.iter().chain(&self.gains).filter(|at| **at >= change.at - change.lag - COUNTING))
    }

    /// The specs that whoever made the change may have had before his eyes.
    fn specs(&self, change: &Change) -> impl Iterator<Item = &Service> {
        let since = change.at - change.lag - COUNTING;
        let known = self.specs.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
        self.specs.iter().skip(known).map(|(_, service)| service)
    }

    /// Fewest pods that must serve, by the mildest spec that applies.
    fn least(&self, change: &Change) -> i64 {
        self.specs(change).map(|service| i64::from(total(service) - slack(service).unavailable)).min().unwrap_or(0)
    }
}

/// Pods that the service promises.
fn total(service: &Service) -> i32 {
    service.scaling.minimum()
}

/// Most pods that the service may want.
fn most(service: &Service) -> i32 {
    match &service.scaling {
        Scaling::Fixed(count) => *count,
        Scaling::Auto(bounds) => bounds.max,
    }
}

fn slack(service: &Service) -> Slack {
    Slack::of(&service.rollout, service.rollout.strategy, total(service))
}
