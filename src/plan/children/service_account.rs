//! The service's own identity.

use k8s_openapi::api::core::v1::ServiceAccount;

use super::metadata::{annotated, child};
use crate::model::{Child, Kind, Service};

pub fn build(service: &Service) -> Child {
    let settings = service.spec.service_account.as_ref();
    let metadata = annotated(service, &service.name, settings.and_then(|account| account.annotations.as_ref()));
    let account = ServiceAccount {
        metadata: metadata.clone(),
        // Always off here: the pod says for itself whether it wants a token, and a pod that somebody else starts
        // under this account should not get one by accident.
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    child(Kind::ServiceAccount, &metadata, &account)
}
