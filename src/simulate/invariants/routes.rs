//! Rules about the sides of routes: rule 2 where a gateway splits the requests.

use std::sync::Arc;

use serde_json::Value;

use crate::model::{Kind, Scaling};
use crate::observe::Watched;
use crate::plan::children::{canary_name, stable_name, weight_of};
use crate::plan::user_routes;
use crate::simulate::autoscaler::selects;
use crate::simulate::store::Change;

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
