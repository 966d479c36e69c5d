//! What a user does in a story, and what a user waits for.

use std::time::{Duration, Instant};

use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::objects::{api, at, is_ready, microservice, number, text};
use super::story::{SOON, Story};

impl Story {
    // ---- what a user does ------------------------------------------------------------------------------------------

    /// `kubectl apply --server-side`; panics with the server's words if it is refused.
    pub async fn apply(&self, object: Value) -> Value {
        self.try_apply(&object).await.unwrap_or_else(|error| panic!("apply of {object}: {error}"))
    }

    pub async fn try_apply(&self, object: &Value) -> kube::Result<Value> {
        let api = api(&self.client, &self.namespace, text(object, "/kind"));
        let parameters = PatchParams::apply("kubectl").force();
        let applied = api.patch(text(object, "/metadata/name"), &parameters, &Patch::Apply(object)).await?;
        Ok(serde_json::to_value(applied).unwrap())
    }

    /// Applies a Microservice of this spec.
    pub async fn service(&self, name: &str, spec: Value) -> Value {
        self.apply(microservice(name, spec)).await
    }

    /// `kubectl patch --type=merge`.
    pub async fn patch(&self, kind: &str, name: &str, patch: Value) -> Value {
        let api = api(&self.client, &self.namespace, kind);
        let patched = api.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
        serde_json::to_value(patched.unwrap_or_else(|error| panic!("patch of {kind} {name} with {patch}: {error}"))).unwrap()
    }

    pub async fn annotate(&self, name: &str, annotation: &str, value: &str) {
        self.patch("Microservice", name, json!({"metadata": {"annotations": {annotation: value}}})).await;
    }

    pub async fn delete(&self, kind: &str, name: &str) {
        let api = api(&self.client, &self.namespace, kind);
        api.delete(name, &DeleteParams::default()).await.unwrap_or_else(|error| panic!("delete of {kind} {name}: {error}"));
    }

    /// The object; null if it does not exist.
    pub async fn get(&self, kind: &str, name: &str) -> Value {
        let found =
            api(&self.client, &self.namespace, kind).get_opt(name).await.unwrap_or_else(|error| panic!("get of {kind} {name}: {error}"));
        found.map_or(Value::Null, |object| serde_json::to_value(object).unwrap())
    }

    pub async fn list(&self, kind: &str, selector: &str) -> Vec<Value> {
        let parameters = ListParams::default().labels(selector);
        let list = api(&self.client, &self.namespace, kind).list(&parameters).await.unwrap();
        list.items.into_iter().map(|object| serde_json::to_value(object).unwrap()).collect()
    }

    /// Names of the pods of a service, in order.
    pub async fn pods(&self, name: &str) -> Vec<String> {
        self.living(&format!("app.kubernetes.io/instance={name}")).await
    }

    /// Those of one revision.
    pub async fn pods_of(&self, name: &str, revision: &str) -> Vec<String> {
        self.living(&format!("app.kubernetes.io/instance={name},microservices.dev/revision={revision}")).await
    }

    async fn living(&self, selection: &str) -> Vec<String> {
        let pods = self.list("Pod", selection).await;
        let living = pods.iter().filter(|pod| at(pod, "/metadata/deletionTimestamp").is_null());
        let mut names: Vec<_> = living.map(|pod| text(pod, "/metadata/name").to_owned()).collect();
        names.sort();
        names
    }

    /// kubectl in the story's namespace; panics unless it succeeds.
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        let namespaced: Vec<_> = ["--namespace", &self.namespace].into_iter().chain(arguments.iter().copied()).collect();
        self.cluster.kubectl(&namespaced, "")
    }

    // ---- what a user waits for -------------------------------------------------------------------------------------

    /// Waits until an object is as `test` wants it and returns it; an absent object is null.
    pub async fn until(&self, within: Duration, what: &str, kind: &str, name: &str, test: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + within;
        loop {
            let object = self.get(kind, name).await;
            if test(&object) {
                return object;
            }
            assert!(Instant::now() < deadline, "not within {within:?}: {what}; {kind} {name} is {}", brief(&object));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn until_ready(&self, name: &str) -> Value {
        self.until(SOON, "Ready", "Microservice", name, is_ready).await
    }

    /// A command by annotation.
    pub async fn command(&self, name: &str, verb: &str, value: &str) {
        let annotations = json!({format!("microservices.dev/{verb}"): value});
        self.patch("Microservice", name, json!({"metadata": {"annotations": annotations}})).await;
    }

    /// Evicts a pod, as a drain does. The budget answers 429 while the one before has no successor, and for a while the
    /// client asks again by itself.
    pub async fn evict(&self, pod: &str) {
        let pods = kube::Api::<k8s_openapi::api::core::v1::Pod>::namespaced(self.client.clone(), &self.namespace);
        while let Err(error) = pods.evict(pod, &kube::api::EvictParams::default()).await {
            assert!(matches!(&error, kube::Error::Api(status) if status.code == 429), "{error}");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// Ready, with this image and no other.
    pub async fn until_ready_with(&self, name: &str, image: &str) -> Value {
        self.until(SOON, "Ready", "Microservice", name, |o| is_ready(o) && text(o, "/status/image") == image).await
    }

    pub async fn until_gone(&self, kind: &str, name: &str) {
        self.until(SOON, "gone", kind, name, Value::is_null).await;
    }

    /// Watches for a while that something stays as it is.
    pub async fn stays(&self, during: Duration, what: &str, kind: &str, name: &str, test: impl Fn(&Value) -> bool) {
        let end = Instant::now() + during;
        while Instant::now() < end {
            let object = self.get(kind, name).await;
            assert!(test(&object), "no longer: {what}; {kind} {name} is {}", brief(&object));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the operator has had its say: the object's version does not change for a second and a half, which is
    /// longer than any of its retries at that point.
    pub async fn until_settled(&self, name: &str) -> Value {
        let deadline = Instant::now() + SOON;
        let mut last = self.get("Microservice", name).await;
        let mut since = Instant::now();
        while since.elapsed() < Duration::from_millis(1500) {
            assert!(Instant::now() < deadline, "Microservice {name} is still being written: {}", brief(&last));
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = self.get("Microservice", name).await;
            if at(&now, "/metadata/resourceVersion") != at(&last, "/metadata/resourceVersion") {
                since = Instant::now();
            }
            last = now;
        }
        last
    }
}

/// An object in a line: what a condition is about, without the bulk.
fn brief(object: &Value) -> String {
    if object.is_null() {
        return "absent".to_owned();
    }
    let conditions = at(object, "/status/conditions").as_array().cloned().unwrap_or_default();
    let said: Vec<_> = conditions
        .iter()
        .map(|c| format!("{}={} {}: {}", text(c, "/type"), text(c, "/status"), text(c, "/reason"), text(c, "/message")))
        .collect();
    format!(
        "of generation {} (observed {}): {}",
        number(object, "/metadata/generation"),
        at(object, "/status/observedGeneration"),
        said.join(" | ")
    )
}
