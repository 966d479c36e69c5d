//! The one write of status in a pass.

use kube::Resource;
use serde_json::json;

use crate::api::v1alpha1::{Microservice, MicroserviceStatus};
use crate::observe::{Key, World};

use super::error::{self, Asked, Failure};
use super::{Applier, Named, Server};

/// Why a status was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The object is not what this pass read: look again, with a fresh read.
    Conflict,
    /// The object is gone.
    Gone,
    Failed(Failure),
}

impl<S: Server> Applier<S> {
    /// Writes the status of `world.object`, if it still is what was read. That condition, and not the lease, is what
    /// keeps an old view or a second leader from undoing progress. Whether a write is due is for the caller to say.
    ///
    /// Server-side apply and not a merge patch, which could not remove a field.
    pub async fn report(&self, world: &World, status: &MicroserviceStatus) -> Result<(), Refused> {
        let metadata = &world.object.metadata;
        let key = Key::of(metadata);
        let body = json!({
            "apiVersion": Microservice::api_version(&()),
            "kind": Microservice::kind(&()),
            "metadata": {
                "name": metadata.name,
                "namespace": metadata.namespace,
                "uid": metadata.uid,
                "resourceVersion": metadata.resource_version,
            },
            "status": status,
        });
        let answer = self.wire.server().apply_status(Named::microservice(&key), &body).await;
        match answer {
            Ok(seen) => {
                self.wire.expectations().saw(&key, seen);
                Ok(())
            }
            Err(error) if error::is_gone(&error) => Err(Refused::Gone),
            Err(error) if error::is_conflict(&error) || error::is_replaced(&error) => Err(Refused::Conflict),
            Err(error) => {
                let asked = Asked { verb: "patch", resource: "microservices.microservices.dev/status", namespace: &key.namespace };
                Err(Refused::Failed(error::explain(asked, &error)))
            }
        }
    }
}
