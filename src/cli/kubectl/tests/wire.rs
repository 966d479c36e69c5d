//! Requests, against a server that answers from a list.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::FutureExt;
use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::Service;

use super::samples::service;
use crate::cli::kubectl::failure::Failure;
use crate::cli::kubectl::session::{Paper, Session};

/// Answers in order, and remembers what it was asked.
#[derive(Clone, Default)]
struct Server {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Service<Request<Body>> for Server {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let line = format!("{} {}", request.method(), request.uri());
        // The body is in memory, so it is there at once.
        let body = request.into_body().collect_bytes().now_or_never().unwrap().unwrap();
        self.asked.lock().unwrap().push((line, String::from_utf8(body.to_vec()).unwrap()));
        let (status, answer) = self.answers.lock().unwrap().pop_front().expect("no more requests than answers");
        ready(Ok(Response::builder().status(status).body(Body::from(answer.to_string().into_bytes())).unwrap()))
    }
}

/// A session with a server that gives these answers.
fn session(answers: Vec<(u16, Value)>) -> (Session, Server) {
    let server = Server { answers: Arc::new(Mutex::new(answers.into())), ..Server::default() };
    let client = Client::new(server.clone(), "shop");
    let paper = Paper { colour: false, terminal: false };
    (Session { client, namespace: "shop".to_owned(), flag: String::new(), paper }, server)
}

fn object(version: &str) -> (u16, Value) {
    let mut object = serde_json::to_value(service(json!({}), json!({}))).unwrap();
    object["metadata"]["resourceVersion"] = json!(version);
    (200, object)
}

fn refusal(code: u16, reason: &str) -> (u16, Value) {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "no",
        "details": {"name": "orders"}}),
    )
}

#[tokio::test]
async fn a_change_is_decided_again_when_somebody_was_faster() {
    let (session, server) = session(vec![object("1"), refusal(409, "Conflict"), object("2"), object("3")]);
    let edit = |seen: &crate::api::v1alpha1::Microservice| {
        let version = seen.metadata.resource_version.clone().unwrap();
        Ok((json!({"metadata": {"annotations": {"a": version}}}), version))
    };
    let (after, told) = session.change("orders", edit).await.unwrap();
    assert_eq!((after.metadata.resource_version.as_deref(), told.as_str()), (Some("3"), "2"));
    let asked = server.asked.lock().unwrap();
    let lines: Vec<&str> = asked.iter().map(|(line, _)| line.split(' ').next().unwrap()).collect();
    assert_eq!(lines, ["GET", "PATCH", "GET", "PATCH"]);
    assert!(asked[3].0.contains("fieldManager=kubectl-microservice"), "{}", asked[3].0);
    let patch: Value = serde_json::from_str(&asked[3].1).unwrap();
    assert_eq!(patch, json!({"metadata": {"annotations": {"a": "2"}, "resourceVersion": "2"}}));
}

#[tokio::test]
async fn a_change_that_is_refused_is_not_tried_again() {
    let (session, server) = session(vec![object("1"), refusal(403, "Forbidden")]);
    let failure = session.change("orders", |_| Ok((json!({"metadata": {}}), ()))).await.unwrap_err();
    assert!(matches!(&failure, Failure::Refused(text) if text.starts_with("cannot change Microservice shop/orders: no; ask")), "{failure}");
    assert_eq!(server.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn others_being_faster_for_ever_is_given_up() {
    let answers = (1..=5).flat_map(|version| [object(&version.to_string()), refusal(409, "Conflict")]).collect();
    let (session, server) = session(answers);
    assert!(session.change("orders", |_| Ok((json!({"metadata": {}}), ()))).await.is_err());
    assert!(server.answers.lock().unwrap().is_empty());
}
