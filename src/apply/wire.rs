//! Requests about children. Every answer is remembered, so that the next pass reads what this one wrote.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::model::{ChildRef, Kind, Service};
use crate::observe::world::Live;
use crate::observe::{Expectations, Fields, Key, Seen, Version, Watched, live};

use super::error::{self, Asked, Failure};
use super::fields;
use super::prune;
use super::quiet::Quiet;

#[derive(Clone)]
pub struct Wire {
    client: Client,
    expectations: Arc<Expectations>,
    quiet: Arc<Quiet>,
}

impl Wire {
    pub fn new(client: Client, expectations: Arc<Expectations>) -> Self {
        Self { client, expectations, quiet: Arc::default() }
    }

    /// Server-side apply. Forced: where we own a field, the plan decides.
    pub async fn apply(&self, service: &Service, reference: &ChildRef, body: &Value) -> kube::Result<Option<Live>> {
        let params = PatchParams::apply(fields::CHILDREN).force();
        let seen = self.ask(self.api(service, reference.kind).patch(&reference.name, &params, &Patch::Apply(body))).await?;
        Ok(self.expectations.answered(&key(service), &service.uid, reference, seen))
    }

    /// Sets the ports of a Service to these and no others. Server-side apply cannot: it leaves what others have added.
    /// Only for the state that was read.
    pub async fn set_ports(&self, service: &Service, live: &Live, ports: &Value) -> kube::Result<()> {
        let patch = json!({
            "metadata": {"uid": live.uid, "resourceVersion": live.resource_version},
            "spec": {"ports": ports},
        });
        let params = PatchParams { field_manager: Some(fields::CHILDREN.to_owned()), ..PatchParams::default() };
        let seen = self.ask(self.api(service, Kind::Service).patch(&live.reference.name, &params, &Patch::Merge(&patch))).await?;
        self.expectations.answered(&key(service), &service.uid, &live.reference, seen);
        Ok(())
    }

    /// Reads a child past the watch.
    pub async fn read(&self, service: &Service, reference: &ChildRef) -> kube::Result<Option<Live>> {
        let seen = self.ask(self.api(service, reference.kind).get_opt(&reference.name)).await?;
        Ok(seen.and_then(|seen| live(&key(service), &service.uid, reference, seen)))
    }

    /// Deletes exactly this object in this state. `false`: it is on its way, held up by somebody's finalizer.
    pub async fn delete(&self, service: &Service, live: &Live) -> kube::Result<bool> {
        let reference = &live.reference;
        let (key, watched) = (key(service), Watched::Child(reference.kind));
        // Some kinds answer with the object that was, others with a status.
        let left = match self.ask(self.api(service, reference.kind).delete(&reference.name, &prune::exactly(live))).await {
            Ok(answer) => answer.left().filter(|seen| seen.metadata.deletion_timestamp.is_some()),
            Err(error) if error::is_gone(&error) => None,
            Err(error) => return Err(error),
        };
        if let Some(seen) = left {
            self.expectations.answered(&key, &service.uid, reference, seen);
            return Ok(false);
        }
        self.expectations.removed(&key, watched, &reference.name, Version::parse(&live.resource_version));
        Ok(true)
    }

    /// Sends a request when the server welcomes it, and takes note if it does not.
    pub async fn ask<T>(&self, request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        self.quiet.over().await;
        request.await.inspect_err(|error| self.quiet.heed(error))
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn expectations(&self) -> &Expectations {
        &self.expectations
    }

    fn api(&self, service: &Service, kind: Kind) -> Api<Seen<Fields>> {
        Api::namespaced_with(self.client.clone(), &service.namespace, &Watched::Child(kind).resource())
    }
}

/// Words for an error of a request about a child.
pub fn explain(service: &Service, kind: Kind, verb: &str, error: &kube::Error) -> Failure {
    let resource = Watched::Child(kind).resource_name();
    error::explain(Asked { verb, resource: &resource, namespace: &service.namespace }, error)
}

pub fn key(service: &Service) -> Key {
    Key::new(service.namespace.as_str(), service.name.as_str())
}
