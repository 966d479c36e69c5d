//! From the objects of a service to its state as a timeline shows it.

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::kubectl::brief::Brief;
use crate::model::Kind;
use crate::observe::Watched;
use crate::plan::children::{canary_name, stable_name, weight_of};
use crate::plan::user_routes;
use crate::simulate::autoscaler::{is_ready, selects};
use crate::simulate::invariants::{Truth, revision};

use super::options::Moment;
use super::timeline::{Frame, Pods, Said, rational};
use super::words;

/// Looks at a service, of which one revision is the old one.
pub struct Sight {
    old: String,
    /// What status says, by the version of the object: most changes are others'.
    said: Option<(Value, Said)>,
}

impl Sight {
    pub fn of(old: &str) -> Self {
        Self { old: old.to_owned(), said: None }
    }

    /// The service now: milliseconds since `zero`, which is on the cluster's clock.
    pub fn frame(&mut self, truth: &Truth, (at, zero): (Moment, Timestamp), wanted: i32) -> Frame {
        let (mut old, mut new) = (Pods::default(), Pods::default());
        let sides = sides(truth);
        for (_, pod) in truth.all(Watched::Pod).filter(|(_, pod)| pod.pointer("/metadata/deletionTimestamp").is_none()) {
            let side = if revision(pod) == self.old { &mut old } else { &mut new };
            let ready = is_ready(pod);
            let routed = sides.iter().flatten().any(|(weight, selector)| *weight > 0 && selects(*selector, pod));
            side.there += 1;
            side.ready += i64::from(ready);
            side.serving += i64::from(ready && (routed || truth.is_addressed(pod)));
        }
        let share = match sides {
            // Each side gives all its pods as many.
            Some(sides) => {
                sides.iter().map(|(weight, selector)| f64::from(*weight) * self.part(truth, |pod| selects(*selector, pod))).sum()
            }
            None => 100.0 * self.part(truth, |pod| truth.is_addressed(pod)),
        };
        Frame { at, old, new, wanted, share, said: self.said(truth, zero) }
    }

    /// Which part of some ready pods is new.
    fn part(&self, truth: &Truth, among: impl Fn(&Value) -> bool) -> f64 {
        let (mut all, mut new) = (0, 0);
        for pod in truth.ready_pods().filter(|pod| among(pod)) {
            all += 1;
            new += i64::from(revision(pod) != self.old);
        }
        if all == 0 { 0.0 } else { rational(new) / rational(all) }
    }

    fn said(&mut self, truth: &Truth, zero: Timestamp) -> Said {
        let object = truth.get(Watched::Microservice, &truth.name);
        let version = object.and_then(|object| object.pointer("/metadata/resourceVersion")).cloned().unwrap_or_default();
        if let Some((_, said)) = self.said.as_ref().filter(|(known, _)| *known == version) {
            return said.clone();
        }
        let said = self.read(truth, zero);
        self.said = Some((version, said.clone()));
        said
    }

    fn read(&self, truth: &Truth, zero: Timestamp) -> Said {
        // What the operator reads, this can read.
        let Some(object) = truth.microservice() else { return Said::default() };
        let brief = Brief::of(&object, zero, "");
        let known = Said { state: brief.state(), rollout: brief.rollout_state(), hold: brief.hold(), ..Said::default() };
        if !brief.is_seen() {
            // Of this spec nothing is said yet.
            return known;
        }
        let rollout = brief.status.rollout.clone().unwrap_or_default();
        let index = |number: i32| usize::try_from(number).unwrap_or_default();
        let (_, message) = brief.summary();
        let mut words = words::versioned(&words::relative(words::rest(&message), zero), &self.old, "old");
        if let Some(new) = brief.progress.candidate_revision().or(brief.progress.failed.as_ref()) {
            words = words::versioned(&words, new, "new");
        }
        let moved = brief.progress.stable_revision().is_some_and(|stable| *stable != self.old);
        Said {
            new_is_stable: moved || brief.progress.candidate.is_none() && brief.progress.failed.is_none(),
            strategy: rollout.strategy,
            step: rollout.step.zip(rollout.steps).map(|(step, steps)| (index(step), index(steps))),
            weight: rollout.weight.zip(rollout.observed_weight),
            words,
            ..known
        }
    }
}

/// Behind a gateway, the sides of the first route: per cent of the requests, and the selector of the pods that get them.
fn sides(truth: &Truth) -> Option<[(i32, Option<&Value>); 2]> {
    const KINDS: [Kind; 2] = [Kind::HTTPRoute, Kind::GRPCRoute];
    let name = &truth.name;
    let own = KINDS.into_iter().flat_map(|kind| truth.all(Watched::Child(kind)));
    let own = own.map(|(_, route)| (stable_name(name), weight_of(route)));
    let users = KINDS.into_iter().flat_map(|kind| truth.all(Watched::UserRoute(kind)));
    let users = users.filter_map(|(_, route)| Some((name.clone(), user_routes::shares(route, name).into_iter().max()?)));
    let (stable, weight) = own.chain(users).next()?;
    let selector = |name: String| truth.get(Watched::Child(Kind::Service), &name)?.pointer("/spec/selector");
    // Where the route leads to the service itself, it has no sides.
    let stable = selector(stable)?;
    Some([(100 - weight, Some(stable)), (weight, selector(canary_name(&truth.name)))])
}
