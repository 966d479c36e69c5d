//! What only a kubelet says about a pod.

use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn a_missing_configmap_and_a_missing_secret_are_named_and_waited_for() {
    let Some(story) = Story::real("missing").await else { return };
    let mut spec = server(&TEST_SERVER[0], 1);
    spec["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    story.service("orders", spec).await;
    let mut spec = server(&TEST_SERVER[0], 1);
    spec["env"] = json!([{"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "database", "key": "password"}}}]);
    story.service("billing", spec).await;
    for (service, object, next) in
        [("orders", "configmap \"settings\"", "create the ConfigMap"), ("billing", "secret \"database\"", "create the Secret")]
    {
        let told = story.until(POD_TIME, object, "Microservice", service, |o| message(o, "Ready").contains(object)).await;
        let said = message(&told, "Ready");
        assert!(said.contains("CreateContainerConfigError") && said.contains(next) && said.contains("optional: true"), "{said}");
    }
    story.apply(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"A": "b"}})).await;
    story.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": {"password": "x"}})).await;
    for service in ["orders", "billing"] {
        story.until(POD_TIME, "Ready", "Microservice", service, is_ready).await;
    }
}

#[tokio::test]
async fn an_image_that_wants_root_is_told_the_field_to_set() {
    let Some(story) = Story::real("wants-root").await else { return };
    let spec = json!({"image": "localhost/busybox:1", "imagePullPolicy": "Never", "args": ["sleep", "3600"], "replicas": 1});
    story.service("legacy", spec.clone()).await;
    let field = "spec.podSecurityContext.runAsNonRoot";
    let told = story.until(POD_TIME, field, "Microservice", "legacy", |o| message(o, "Ready").contains(field)).await;
    assert!(message(&told, "Ready").contains("CreateContainerConfigError"), "{}", message(&told, "Ready"));
    let mut allowed = spec;
    allowed["podSecurityContext"] = json!({"runAsNonRoot": false});
    story.service("legacy", allowed).await;
    story.until(POD_TIME, "Ready with the field that the message names", "Microservice", "legacy", is_ready).await;
}

#[tokio::test]
async fn an_image_that_writes_its_own_files_is_told_the_field_to_set() {
    let Some(story) = Story::real("wants-disk").await else { return };
    let write = json!(["sh", "-c", "echo started > /state && sleep 3600"]);
    let spec = json!({"image": "localhost/busybox:1", "imagePullPolicy": "Never", "args": write, "replicas": 1,
        "podSecurityContext": {"runAsUser": 10001}});
    story.service("legacy", spec).await;
    let field = "readOnlyRootFilesystem";
    let told = story.until(POD_TIME, field, "Microservice", "legacy", |o| message(o, "Ready").contains(field)).await;
    assert!(message(&told, "Ready").contains("exit code"), "{}", message(&told, "Ready"));
}
