//! The operator as a pod, under its chart's own role.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::*;

const CHART: &str = "charts/microservice-operator";
const CRDS: [&str; 2] = ["microservices.microservices.dev", "microserviceprofiles.microservices.dev"];

/// A helm of the given version.
struct Helm<'a> {
    story: &'a Story,
    program: String,
    namespace: String,
}

impl<'a> Helm<'a> {
    fn new(story: &'a Story, version: &str) -> Self {
        let program = run(Command::new(checkout().join("clusters/build")).args(["--path", version]), "");
        Self { story, program: program.trim().to_owned(), namespace: story.namespace.clone() }
    }

    fn run(&self, arguments: &[&str]) {
        let mut command = Command::new(Path::new(&self.program));
        command.current_dir(checkout()).arg("--kubeconfig").arg(&self.story.cluster.kubeconfig);
        run(command.args(["--namespace", &self.namespace]).args(arguments), "");
    }

    /// Installs or upgrades, and waits until the operator's pod is ready.
    fn apply(&self, verb: &str, values: &[String]) {
        let (repository, tag) = OPERATOR.rsplit_once(':').unwrap();
        let mut arguments =
            vec![verb.to_owned(), "operator".to_owned(), CHART.to_owned(), "--wait".to_owned(), "--timeout=120s".to_owned()];
        let image = [format!("image.repository={repository}"), format!("image.tag={tag}"), "image.pullPolicy=Never".to_owned()];
        for value in image.iter().chain(values) {
            arguments.extend(["--set".to_owned(), value.clone()]);
        }
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        self.run(&arguments);
    }
}

/// The life of an installation: works, is upgraded, goes, and comes back, and no pod of a service notices.
async fn life(story: &Story, helm: &Helm<'_>, values: &[String]) {
    helm.apply("install", values);
    story.service("orders", server(&TEST_SERVER[0], 2)).await;
    story.until(POD_TIME, "Ready", "Microservice", "orders", is_ready).await;
    let pods = story.pods("orders").await;

    let changed: Vec<_> = values.iter().cloned().chain(["concurrency=4".to_owned()]).collect();
    helm.apply("upgrade", &changed);
    story.patch("Microservice", "orders", json!({"spec": {"disruption": {"maxUnavailable": 2}}})).await;
    story.until(SOON, "followed by the upgraded one", "PodDisruptionBudget", "orders", |o| number(o, "/spec/maxUnavailable") == 2).await;

    helm.run(&["uninstall", "operator", "--wait"]);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(story.pods("orders").await, pods, "workloads outlive their operator");
    assert!(!story.get("Microservice", "orders").await.is_null(), "and so do the manifests");

    helm.apply("install", values);
    story.patch("Microservice", "orders", json!({"spec": {"disruption": {"maxUnavailable": 1}}})).await;
    story.until(SOON, "followed by the new one", "PodDisruptionBudget", "orders", |o| number(o, "/spec/maxUnavailable") == 1).await;
    assert_eq!(story.pods("orders").await, pods);
    helm.run(&["uninstall", "operator", "--wait"]);
}

/// With a `ClusterRole` the operator works for every namespace, so no other story may run.
async fn for_the_cluster(title: &'static str, version: &str) {
    let Some(story) = Story::real_alone(title).await else { return };
    // The chart brings the CRDs; Helm takes over none that it has not made.
    story.cluster.kubectl(&[&["delete", "crd"][..], &CRDS, &["--ignore-not-found", "--timeout=60s"]].concat(), "");
    life(&story, &Helm::new(&story, version), &[]).await;
    let crd = story.get("CustomResourceDefinition", "microservices.microservices.dev").await;
    assert!(!crd.is_null(), "the CRD is kept, and with it everybody's services");
    story.cluster.kubectl(&[&["delete", "crd"][..], &CRDS, &["--timeout=60s"]].concat(), "");
    story.cluster.install_crd();
}

#[tokio::test]
async fn helm_3_installs_upgrades_and_uninstalls_the_operator() {
    for_the_cluster("chart-helm3", "helm3").await;
}

#[tokio::test]
async fn helm_4_installs_upgrades_and_uninstalls_the_operator() {
    for_the_cluster("chart-helm4", "helm4").await;
}

#[tokio::test]
async fn confined_to_namespaces_the_chart_needs_no_clusterrole() {
    let Some(story) = Story::real_alone("chart-roles").await else { return };
    let values = ["crds.install=false".to_owned(), format!("watchNamespaces={{{}}}", story.namespace)];
    life(&story, &Helm::new(&story, "helm4"), &values).await;
    let roles: Value = serde_json::from_str(&story.cluster.kubectl(&["get", "clusterroles", "--output=json"], "")).unwrap();
    let made: Vec<_> = roles["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| text(r, "/metadata/labels/app.kubernetes.io~1instance") == "operator")
        .collect();
    assert!(made.is_empty(), "{made:#?}");
}
