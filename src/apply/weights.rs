//! Weights in routes that are the user's: read, changed in one place, and written back only over what was read.

use serde_json::{Value, json};

use crate::model::{Kind, Service};
use crate::observe::{Fields, Key, Seen, Watched};
use crate::plan::user_routes;
use crate::plan::{Applied, ChildFailure, Children, Weights};

use super::error::{self, Failure};
use super::wire;
use super::{Applier, Named, Server};

impl<S: Server> Applier<S> {
    /// Moves the weights. Nobody gets a part of the requests to a Service that is not this microservice's own.
    pub(super) async fn move_weights(&self, service: &Service, children: &Children, applied: &mut Applied) {
        let addressed = applied.failures.iter().all(|failure| failure.child.kind != Kind::Service);
        for weights in children.weights.iter().filter(|weights| addressed || weights.share == 0) {
            match self.move_weight(&wire::key(service), weights).await {
                Ok(true) => {
                    applied.written.insert(weights.route.clone());
                    applied.outdated.insert(weights.route.clone());
                }
                Ok(false) => {}
                Err(Failure { cause, message }) => {
                    applied.failures.push(ChildFailure { child: weights.route.clone(), cause, message });
                }
            }
        }
    }

    /// Moves the weights of one route; whether it did. Where the route is no longer what was looked at, the watch tells of it and
    /// brings the next pass.
    pub async fn move_weight(&self, key: &Key, weights: &Weights) -> Result<bool, Failure> {
        let Weights { route, share, generation } = weights;
        let watched = Watched::UserRoute(route.kind);
        let named = Named { watched, namespace: &key.namespace, name: &route.name };
        let failed = |verb| move |error: kube::Error| wire::explain_at(&key.namespace, watched, verb, &error);
        let read = self.wire.server().read(named).await.map_err(failed("get"))?;
        let Some(seen) = read.filter(|seen| seen.metadata.generation == Some(*generation)) else { return Ok(false) };
        match self.wire.server().merge(named, &patch(key, *share, &seen)).await {
            Ok(seen) => {
                tracing::debug!(service = %key, %route, share, "weights moved");
                self.wire.expectations().saw_route(&key.namespace, route, seen);
                Ok(true)
            }
            Err(error) if error::is_gone(&error) => Ok(false),
            // Of a change in metadata or status alone nobody would tell: a conflict is a failure that passes.
            Err(error) => Err(failed("patch")(error)),
        }
    }
}

/// What makes of the route that was read, and of no other, the one with that share.
fn patch(key: &Key, share: i32, seen: &Seen<Fields>) -> Value {
    let metadata = &seen.metadata;
    let found = json!({
        "metadata": {"namespace": metadata.namespace, "annotations": metadata.annotations.clone().unwrap_or_default()},
        "spec": seen.body.get("spec"),
    });
    let planned = user_routes::planned(&found, &key.name, share);
    let mark = user_routes::mark(&key.name);
    json!({
        "metadata": {
            "uid": metadata.uid, "resourceVersion": metadata.resource_version,
            "annotations": {&mark: planned.pointer("/metadata/annotations").and_then(|all| all.get(&mark))},
        },
        "spec": {"rules": planned.pointer("/spec/rules")},
    })
}
