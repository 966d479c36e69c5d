//! Before work starts: does the API server answer, and does it serve our kind? Neither is fatal. The operator stays
//! alive, says what is missing, and goes on as soon as it is there, so that install order does not matter.

use std::time::Duration;

use kube::{Client, Resource};
use tracing::{info, warn};

use super::client::explain;
use super::readiness::Readiness;
use crate::api::v1alpha1::Microservice;

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// The reminder in the log: every so many looks, hence once a minute.
const REMIND: u32 = 30;

/// Name in `/readyz`.
const API_SERVER: &str = "api-server";
const CRD: &str = "crd";

/// Returns when the API server serves Microservices.
pub async fn wait(client: &Client, readiness: &Readiness) {
    readiness.missing(API_SERVER, "not asked yet");
    readiness.missing(CRD, "not asked yet");
    let mut looks = 0_u32;
    let mut last = None;
    loop {
        let finding = look(client).await;
        if finding == Finding::Served {
            break;
        }
        finding.note(readiness);
        if last.as_ref() != Some(&finding) || looks.is_multiple_of(REMIND) {
            warn!("not ready: {finding}");
        }
        last = Some(finding);
        looks += 1;
        tokio::time::sleep(PAUSE).await;
    }
    readiness.found(API_SERVER);
    readiness.found(CRD);
    if last.is_some() {
        info!("the API server serves Microservices now; starting");
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Finding {
    #[error("served")]
    Served,
    #[error("the CustomResourceDefinition of Microservice is not installed. Install it: kubectl apply --server-side -f crds/")]
    NoCrd,
    #[error("the API server does not let us in: {0}. Check the kubeconfig's or the ServiceAccount's credentials")]
    Refused(String),
    #[error("the API server does not answer: {0}")]
    NoAnswer(String),
}

impl Finding {
    fn note(&self, readiness: &Readiness) {
        if *self == Self::NoCrd {
            readiness.found(API_SERVER);
            readiness.missing(CRD, self.to_string());
        } else {
            readiness.missing(API_SERVER, self.to_string());
        }
    }
}

/// Discovery, since it needs no right that every account does not have.
async fn look(client: &Client) -> Finding {
    match client.list_api_group_resources(&Microservice::api_version(&())).await {
        Ok(list) if list.resources.iter().any(|resource| resource.name == Microservice::plural(&())) => Finding::Served,
        Ok(_) => Finding::NoCrd,
        // By code: the server answers an unknown group with plain text, and kube 5.0's `is_not_found` and its kin do not
        // look at the code of an answer that is not a Status (`reason_or_code` asks about the wrong reason).
        Err(kube::Error::Api(status)) if status.code == 404 => Finding::NoCrd,
        Err(kube::Error::Api(status)) if matches!(status.code, 401 | 403) => Finding::Refused(status.message.clone()),
        Err(error) => Finding::NoAnswer(explain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use kube::Config;

    use super::*;
    use crate::serve::client;
    use crate::serve::lease::Leadership;
    use crate::serve::traffic::{Call, Limits, Meter, Traffic};

    struct Ignore;

    impl Meter for Ignore {
        fn finished(&self, _: Call, _: Option<u16>, _: Duration) {}
    }

    async fn client(router: Option<Router>) -> Client {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        if let Some(router) = router {
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        let limits = Limits { under_way: 4, deadline: Duration::from_secs(5) };
        let traffic = Traffic::new(limits, Arc::new(Ignore), Leadership::unconditional());
        client::connect(Config::new(url.parse().unwrap()), &traffic).unwrap()
    }

    fn group(answer: &'static str) -> Router {
        Router::new().route("/apis/microservices.dev/v1alpha1", get(move || async move { answer }))
    }

    #[tokio::test]
    async fn each_finding_is_told_from_the_others() {
        const SERVED: &str = r#"{"groupVersion":"microservices.dev/v1alpha1","resources":[
            {"name":"microservices","singularName":"","namespaced":true,"kind":"Microservice","verbs":[]}]}"#;
        assert_eq!(look(&client(Some(group(SERVED))).await).await, Finding::Served);
        let other = r#"{"groupVersion":"microservices.dev/v1alpha1","resources":[]}"#;
        assert_eq!(look(&client(Some(group(other))).await).await, Finding::NoCrd);
        assert_eq!(look(&client(Some(Router::new())).await).await, Finding::NoCrd);
        let refusing = Router::new().fallback(async || (StatusCode::UNAUTHORIZED, "no"));
        assert!(matches!(look(&client(Some(refusing)).await).await, Finding::Refused(_)));
        let Finding::NoAnswer(why) = look(&client(None).await).await else { panic!("somebody answered") };
        assert!(why.contains("onnect"), "{why}");
    }

    #[test]
    fn readiness_names_the_crd_only_when_the_server_answers() {
        let readiness = Readiness::default();
        Finding::NoAnswer("x".to_owned()).note(&readiness);
        assert_eq!(readiness.report().into_keys().collect::<Vec<_>>(), [API_SERVER]);
        Finding::NoCrd.note(&readiness);
        assert_eq!(readiness.report().into_keys().collect::<Vec<_>>(), [CRD]);
    }
}
