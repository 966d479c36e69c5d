//! Weights in routes that are the user's: read, changed in one place, and written back only over what was read.

use serde_json::json;

use crate::model::{Kind, Service};
use crate::observe::{Key, Watched};
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
        let Weights { route, share, version } = weights;
        let watched = Watched::UserRoute(route.kind);
        let named = Named { watched, namespace: &key.namespace, name: &route.name };
        let failed = |verb| move |error: kube::Error| wire::explain_at(&key.namespace, watched, verb, &error);
        let read = self.wire.server().read(named).await.map_err(failed("get"))?;
        let Some(seen) = read.filter(|seen| seen.metadata.resource_version.as_ref() == Some(version)) else { return Ok(false) };
        let metadata = json!({
            "namespace": seen.metadata.namespace, "uid": seen.metadata.uid, "annotations": seen.metadata.annotations.clone().unwrap_or_default(),
        });
        let found = json!({"metadata": metadata, "spec": seen.body.get("spec")});
        let planned = user_routes::planned(&found, &key.name, *share);
        let mark = user_routes::mark(&key.name);
        let patch = json!({
            "metadata": {
                "uid": seen.metadata.uid, "resourceVersion": version,
                "annotations": {&mark: planned.pointer("/metadata/annotations").and_then(|all| all.get(&mark))},
            },
            "spec": {"rules": planned.pointer("/spec/rules")},
        });
        match self.wire.server().merge(named, &patch).await {
            Ok(seen) => {
                tracing::debug!(service = %key, %route, share, "weights moved");
                self.wire.expectations().saw_route(&key.namespace, route, seen);
                Ok(true)
            }
            Err(error) if error::is_conflict(&error) || error::is_gone(&error) => Ok(false),
            Err(error) => Err(failed("patch")(error)),
        }
    }
}
