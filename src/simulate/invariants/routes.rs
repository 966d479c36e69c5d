//! Rules about the sides of routes: rule 2 where a gateway splits the requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::model::{Kind, Scaling};
use crate::observe::Watched;
use crate::plan::children::{canary_name, stable_name, weight_of};
use crate::plan::rollout::routed::PROPAGATION_SECONDS;
use crate::plan::user_routes;
use crate::simulate::autoscaler::selects;
use crate::simulate::store::{Change, Id};

use super::truth::{count, revision};
use super::{COUNTING, Record, Truth};

/// A route, or a Service, was written by the operator. A side that its own pods have left is nobody's doing.
pub fn written(record: &Record, change: &Change, broken: &mut Vec<String>) {
    let truth = &record.truth;
    // A stable revision without pods is where its pods have left it; to go back to it is somebody's word.
    let progress = truth.progress();
    let Some(stable) = progress.stable_revision() else { return };
    if change.lag > COUNTING || !truth.ready_pods().any(|pod| revision(pod) == stable) {
        return;
    }
    let unknown = record.unknown(change);
    let name = &truth.name;
    let selected = |object: &Option<Arc<Value>>| {
        let selector = object.as_ref().and_then(|object| object.pointer("/spec/selector"));
        count(truth.ready_pods().filter(|pod| selects(selector, pod)))
    };
    let own = truth.all(Watched::Child(Kind::HTTPRoute)).map(|(route, object)| (route, stable_name(name), weight_of(object)));
    let users = truth.all(Watched::UserRoute(Kind::HTTPRoute)).flat_map(|(route, object)| {
        let shares = user_routes::shares(object, name);
        shares.into_iter().map(move |share| (route, name.clone(), share))
    });
    for (route, stable, weight) in own.chain(users) {
        for (side, share) in [(stable, 100 - weight), (canary_name(name), weight)] {
            let turned = change.id.name == side && selected(&change.before) > 0;
            if share > 0 && turned && selected(&change.after) + unknown == 0 {
                broken.push(format!("{side} turns to nobody, with {share} % of {route}"));
            }
        }
    }
    let weight = |object: &Value| match change.id.watched {
        Watched::Child(Kind::HTTPRoute) => Some(weight_of(object)),
        Watched::UserRoute(_) => user_routes::shares(object, name).into_iter().max(),
        _ => None,
    };
    let given = |object: &Option<Arc<Value>>| object.as_ref().and_then(|object| weight(object)).unwrap_or_default();
    let (was, is) = (i64::from(given(&change.before)), i64::from(given(&change.after)));
    let fixed = |service: &crate::model::Service| match service.scaling {
        Scaling::Fixed(count) => Some(i64::from(count)),
        Scaling::Auto(_) => None,
    };
    let Some(total) = record.specs(change).filter_map(fixed).min() else { return };
    let candidate = progress.candidate.as_ref().filter(|candidate| candidate.yielded.is_some());
    let own = count(truth.ready_pods().filter(|pod| revision(pod) == stable));
    let carried = ready(truth, &canary_name(name)) + unknown;
    // Where both sides together are too few, each has its part of it.
    let short = candidate.is_some() && (100 - is) * total + unknown * 100 >= own * 100;
    if is > was && is * total > carried * 100 && !short {
        broken.push(format!("{} grows from {was} to {is} % for {carried} of {total} pods", change.id));
    }
    let Some(candidate) = candidate else { return };
    let asked = i64::from(candidate.weight.max(candidate.observed_weight));
    let spare = (is + 1) * (carried + own) < (carried - 2 * unknown) * 100;
    if is < was && (100 - is) * total > (own + unknown) * 100 && spare && is < asked {
        broken.push(format!("{} gives {} % back to {own} of {total} pods, while {carried} others are there", change.id, 100 - is));
    }
}

/// The least that any route may still give the candidate, over time.
#[derive(Debug, Default)]
pub struct Given {
    routes: BTreeMap<Id, i64>,
    /// Each with the time from which on it held.
    least: Vec<(i64, i64)>,
}

impl Given {
    /// A gateway that has not yet taken a route in its present form may have any of those before.
    pub fn remember(&mut self, name: &str, change: &Change) {
        let Some(object) = &change.after else {
            self.routes.remove(&change.id);
            return;
        };
        let weight = match change.id.watched {
            Watched::Child(Kind::HTTPRoute) => Some(weight_of(object)),
            Watched::UserRoute(_) => user_routes::shares(object, name).into_iter().min(),
            _ => return,
        };
        let weight = i64::from(weight.unwrap_or_default());
        let taken = object.pointer("/status/parents/0/conditions/0/observedGeneration") == object.pointer("/metadata/generation");
        let known = self.routes.entry(change.id.clone()).or_default();
        *known = if taken { weight } else { weight.min(*known) };
        let least = self.routes.values().copied().min().unwrap_or_default();
        if self.least.last().is_none_or(|(_, last)| *last != least) {
            self.least.push((change.at, least));
        }
    }

    /// The least at any moment of the time that a gateway has to act.
    pub fn least(&self, at: i64) -> i64 {
        let since = at - PROPAGATION_SECONDS * 1000;
        let known = self.least.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
        self.least.iter().skip(known).map(|(_, least)| *least).min().unwrap_or_default()
    }
}

/// Ready pods behind a Service.
fn ready(truth: &Truth, service: &str) -> i64 {
    let selector = truth.get(Watched::Child(Kind::Service), service).and_then(|service| service.pointer("/spec/selector"));
    count(truth.ready_pods().filter(|pod| selects(selector, pod)))
}
