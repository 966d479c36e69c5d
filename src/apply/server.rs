//! Who answers requests: the API server, or a cluster in memory that stands in for it.

use std::sync::Arc;

use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::Value;

use crate::observe::{Fields, Key, Seen, Watched};

use super::fields;
use super::quiet::Quiet;

/// An object by its name, for a request.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    pub watched: Watched,
    pub namespace: &'a str,
    pub name: &'a str,
}

impl<'a> Named<'a> {
    pub fn microservice(key: &'a Key) -> Self {
        Self { watched: Watched::Microservice, namespace: &key.namespace, name: &key.name }
    }
}

/// The requests that children and status need.
pub trait Server: Clone + Send + Sync + 'static {
    /// Server-side apply as the manager of children. Forced: where we own a field, the plan decides.
    fn apply(&self, named: Named<'_>, body: &Value) -> impl Future<Output = kube::Result<Seen<Fields>>> + Send;

    /// Server-side apply of the status alone, as its own manager.
    fn apply_status(&self, named: Named<'_>, body: &Value) -> impl Future<Output = kube::Result<Seen<Fields>>> + Send;

    /// A JSON merge patch.
    fn merge(&self, named: Named<'_>, patch: &Value) -> impl Future<Output = kube::Result<Seen<Fields>>> + Send;

    fn read(&self, named: Named<'_>) -> impl Future<Output = kube::Result<Option<Seen<Fields>>>> + Send;

    /// What is left of the object: nothing, unless somebody's finalizer holds it up.
    fn delete(&self, named: Named<'_>, params: &DeleteParams) -> impl Future<Output = kube::Result<Option<Seen<Fields>>>> + Send;
}

/// The API server of a real cluster, asked no faster than it likes.
#[derive(Clone)]
pub struct Remote {
    client: Client,
    quiet: Arc<Quiet>,
}

impl Remote {
    pub fn new(client: Client) -> Self {
        Self { client, quiet: Arc::default() }
    }

    /// Sends a request when the server welcomes it, and takes note if it does not.
    async fn ask<T>(&self, request: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
        self.quiet.over().await;
        request.await.inspect_err(|error| self.quiet.heed(error))
    }

    fn api(&self, named: Named<'_>) -> Api<Seen<Fields>> {
        Api::namespaced_with(self.client.clone(), named.namespace, &named.watched.resource())
    }
}

impl Server for Remote {
    async fn apply(&self, named: Named<'_>, body: &Value) -> kube::Result<Seen<Fields>> {
        let params = PatchParams::apply(fields::CHILDREN).force();
        self.ask(self.api(named).patch(named.name, &params, &Patch::Apply(body))).await
    }

    async fn apply_status(&self, named: Named<'_>, body: &Value) -> kube::Result<Seen<Fields>> {
        let params = PatchParams::apply(fields::STATUS).force();
        self.ask(self.api(named).patch_status(named.name, &params, &Patch::Apply(body))).await
    }

    async fn merge(&self, named: Named<'_>, patch: &Value) -> kube::Result<Seen<Fields>> {
        let params = PatchParams { field_manager: Some(fields::CHILDREN.to_owned()), ..PatchParams::default() };
        self.ask(self.api(named).patch(named.name, &params, &Patch::Merge(patch))).await
    }

    async fn read(&self, named: Named<'_>) -> kube::Result<Option<Seen<Fields>>> {
        self.ask(self.api(named).get_opt(named.name)).await
    }

    async fn delete(&self, named: Named<'_>, params: &DeleteParams) -> kube::Result<Option<Seen<Fields>>> {
        // Some kinds answer with the object that was, others with a status.
        let answer = self.ask(self.api(named).delete(named.name, params)).await?;
        Ok(answer.left().filter(|seen| seen.metadata.deletion_timestamp.is_some()))
    }
}
