//! A stand-in for a gateway: it accepts the routes of a namespace, as a controller does, and keeps a log of their weights.
//! It moves no packets; the real cluster has a gateway that does.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::cluster::{Cluster, checkout};
use super::objects::{api, at, number};
use super::process::run;
use super::story::{SOON, Story};

/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

pub struct Gateway {
    weights: Arc<Mutex<Vec<i64>>>,
    task: JoinHandle<()>,
}

impl Gateway {
    /// Accepts whatever routes there are in the story's namespace, or refuses them with these words.
    pub fn serve(story: &Story, refusal: Option<&'static str>) -> Self {
        let weights = Arc::new(Mutex::new(Vec::new()));
        let (log, client, namespace) = (weights.clone(), story.client.clone(), story.namespace.clone());
        let task = tokio::spawn(async move {
            loop {
                for kind in ["HTTPRoute", "GRPCRoute"] {
                    let routes = api(&client, &namespace, kind);
                    let Ok(list) = routes.list(&ListParams::default()).await else { continue };
                    for route in list {
                        let route = serde_json::to_value(route).unwrap();
                        if let Some(status) = verdict(&route, refusal) {
                            log.lock().unwrap().push(weight(&route));
                            let name = route["metadata"]["name"].as_str().unwrap();
                            drop(routes.patch_status(name, &PatchParams::default(), &Patch::Merge(json!({"status": status}))).await);
                        }
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Self { weights, task }
    }

    /// Waits until it has seen these weights of the candidate, in this order and no others: it sees each a moment after it was
    /// written.
    pub async fn saw(&self, wanted: &[i64]) {
        let deadline = Instant::now() + SOON;
        loop {
            let mut seen = self.weights.lock().unwrap().clone();
            seen.dedup();
            if seen == wanted {
                return;
            }
            let may_come = seen.len() < wanted.len() && Instant::now() < deadline;
            assert!(may_come, "weights that the gateway saw: {seen:?}, and not {wanted:?}");
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Per cent that the candidate's side has.
pub fn weight(route: &Value) -> i64 {
    let rules = at(route, "/spec/rules").as_array().cloned().unwrap_or_default();
    rules.last().map_or(0, |rule| number(rule, "/backendRefs/1/weight"))
}

/// What is to be said of a route, if it has not been said of its present form.
fn verdict(route: &Value, refusal: Option<&str>) -> Option<Value> {
    let generation = number(route, "/metadata/generation");
    if number(route, "/status/parents/0/conditions/0/observedGeneration") == generation {
        return None;
    }
    let condition = |kind: &str, status: &str, reason: &str, message: &str| {
        json!({"type": kind, "status": status, "reason": reason, "message": message, "observedGeneration": generation,
               "lastTransitionTime": "2026-01-01T00:00:00Z"})
    };
    let accepted = match refusal {
        Some(message) => condition("Accepted", "False", "NotAllowedByListeners", message),
        None => condition("Accepted", "True", "Accepted", ""),
    };
    let conditions = [accepted, condition("ResolvedRefs", "True", "ResolvedRefs", "")];
    let parent = at(route, "/spec/parentRefs/0");
    Some(json!({"parents": [{"parentRef": parent, "controllerName": "example.com/stand-in", "conditions": conditions}]}))
}

impl Cluster {
    /// The kinds of the Gateway API.
    pub fn install_gateway_api(&self) {
        self.gateway_api(&["apply", "--server-side", "--force-conflicts"]);
        let established = ["wait", "--for=condition=Established", "--timeout=30s", "crd/httproutes.gateway.networking.k8s.io"];
        while !self.try_kubectl(&established, "").0 {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub fn remove_gateway_api(&self) {
        self.gateway_api(&["delete", "--ignore-not-found"]);
    }

    fn gateway_api(&self, verb: &[&str]) {
        let folder = run(Command::new(checkout().join("clusters/build")).arg("--gateway-api"), "");
        self.kubectl(&[verb, &["-f", folder.trim()]].concat(), "");
    }
}
