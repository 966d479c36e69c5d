//! Requests about children. Every answer is remembered, so that the next pass reads what this one wrote.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::model::{ChildRef, Kind, Service};
use crate::observe::world::Live;
use crate::observe::{Expectations, Key, Version, Watched, live};

use super::error::{self, Asked, Failure};
use super::prune;
use super::server::{Named, Server};

#[derive(Clone)]
pub struct Wire<S> {
    server: S,
    expectations: Arc<Expectations>,
}

impl<S: Server> Wire<S> {
    pub fn new(server: S, expectations: Arc<Expectations>) -> Self {
        Self { server, expectations }
    }

    pub async fn apply(&self, service: &Service, reference: &ChildRef, body: &Value) -> kube::Result<Option<Live>> {
        let seen = self.server.apply(named(service, reference), body).await?;
        Ok(self.expectations.answered(&key(service), &service.uid, reference, seen))
    }

    /// Sets the ports of a Service to these and no others. Server-side apply cannot: it leaves what others have added.
    /// Only for the state that was read.
    pub async fn set_ports(&self, service: &Service, live: &Live, ports: &Value) -> kube::Result<()> {
        let patch = json!({
            "metadata": {"uid": live.uid, "resourceVersion": live.resource_version},
            "spec": {"ports": ports},
        });
        let seen = self.server.merge(named(service, &live.reference), &patch).await?;
        self.expectations.answered(&key(service), &service.uid, &live.reference, seen);
        Ok(())
    }

    /// Reads a child past the watch.
    pub async fn read(&self, service: &Service, reference: &ChildRef) -> kube::Result<Option<Live>> {
        let seen = self.server.read(named(service, reference)).await?;
        Ok(seen.and_then(|seen| live(&key(service), &service.uid, reference, seen)))
    }

    /// Deletes exactly this object in this state. `false`: it is on its way, held up by somebody's finalizer.
    pub async fn delete(&self, service: &Service, live: &Live) -> kube::Result<bool> {
        let reference = &live.reference;
        let (key, watched) = (key(service), Watched::Child(reference.kind));
        let left = match self.server.delete(named(service, reference), &prune::exactly(live)).await {
            Err(error) if error::is_gone(&error) => None,
            answer => answer?,
        };
        if let Some(seen) = left {
            self.expectations.answered(&key, &service.uid, reference, seen);
            return Ok(false);
        }
        self.expectations.removed(&key, watched, &reference.name, Version::parse(&live.resource_version));
        Ok(true)
    }

    pub fn server(&self) -> &S {
        &self.server
    }

    pub fn expectations(&self) -> &Expectations {
        &self.expectations
    }
}

/// Words for an error of a request about a child.
pub fn explain(service: &Service, kind: Kind, verb: &str, error: &kube::Error) -> Failure {
    let resource = Watched::Child(kind).resource_name();
    error::explain(Asked { verb, resource: &resource, namespace: &service.namespace }, error)
}

/// A failure in words, about something that is no child.
pub fn explain_at(namespace: &str, watched: Watched, verb: &str, error: &kube::Error) -> Failure {
    error::explain(Asked { verb, resource: &watched.resource_name(), namespace }, error)
}

pub fn key(service: &Service) -> Key {
    Key::new(service.namespace.as_str(), service.name.as_str())
}

fn named<'a>(service: &'a Service, reference: &'a ChildRef) -> Named<'a> {
    Named { watched: Watched::Child(reference.kind), namespace: &service.namespace, name: &reference.name }
}
