//! Rules about the sides of routes: rule 2 where a gateway splits the requests.

use std::sync::Arc;

use serde_json::Value;

use crate::model::{Kind, Scaling};
use crate::observe::Watched;
use crate::plan::children::{canary_name, stable_name, weight_of};
use crate::simulate::autoscaler::selects;
use crate::simulate::store::Change;

use super::truth::count;
use super::{COUNTING, Record, Truth};

/// A route, or a Service, was written by the operator.
pub fn written(record: &Record, change: &Change, broken: &mut Vec<String>) {
    let truth = &record.truth;
    if truth.progress().stable.is_none() || change.lag > COUNTING {
        return;
    }
    let unknown = record.unknown(change);
    let name = &truth.name;
    for (route, object) in truth.all(Watched::Child(Kind::HTTPRoute)) {
        let weight = weight_of(object);
        for (side, share) in [(stable_name(name), 100 - weight), (canary_name(name), weight)] {
            if share > 0 && ready(truth, &side) + unknown == 0 && truth.ready_pods().next().is_some() {
                broken.push(format!("{route} gives {share} % to {side}, which has no pod"));
            }
        }
    }
    if !matches!(change.id.watched, Watched::Child(Kind::HTTPRoute)) {
        return;
    }
    let given = |object: &Option<Arc<Value>>| object.as_ref().map_or(0, |object| weight_of(object));
    let (was, is) = (i64::from(given(&change.before)), i64::from(given(&change.after)));
    let fixed = |service: &crate::model::Service| match service.scaling {
        Scaling::Fixed(count) => Some(i64::from(count)),
        Scaling::Auto(_) => None,
    };
    let Some(total) = record.specs(change).filter_map(fixed).min() else { return };
    let carried = ready(truth, &canary_name(name)) + unknown;
    if is > was && is * total > carried * 100 {
        broken.push(format!("{} grows from {was} to {is} % for {carried} of {total} pods", change.id));
    }
}

/// Ready pods behind a Service.
fn ready(truth: &Truth, service: &str) -> i64 {
    let selector = truth.get(Watched::Child(Kind::Service), service).and_then(|service| service.pointer("/spec/selector"));
    count(truth.ready_pods().filter(|pod| selects(selector, pod)))
}
