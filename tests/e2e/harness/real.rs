//! What only real pods can do: images, commands inside of pods, and packets.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::cluster::{checkout, folder, operator_binary};
use super::objects::text;
use super::process::{bound_to_us, run, start};
use super::story::Story;

/// Time for a real pod to start: image, network (compiled anew for each pod), checks.
pub const POD_TIME: Duration = Duration::from_secs(90);

/// Time for one request, in milliseconds. These stories find requests that are lost or refused, not slow ones: the clusters,
/// the stories and their pods share the machine, and a second passes easily while a few pods start.
const REQUEST_MS: &str = "10000";

/// Makes an image of one static binary and gives it to the node.
fn image(name_and_tag: &str, binary: &Path, dockerfile: &str) -> String {
    image_of(name_and_tag, binary, &std::fs::read_to_string(checkout().join(dockerfile)).unwrap())
}

/// The same, with the text of the Dockerfile.
pub fn image_of(name_and_tag: &str, binary: &Path, dockerfile: &str) -> String {
    assert!(binary.exists(), "{} is missing: run `make binaries` first", binary.display());
    // A folder of its own: the cluster's image cache hashes it as a whole.
    let context = folder().join(format!("image-{}", name_and_tag.replace(':', "-")));
    std::fs::create_dir_all(&context).unwrap();
    std::fs::copy(binary, context.join(binary.file_name().unwrap())).unwrap();
    std::fs::write(context.join("Dockerfile"), dockerfile).unwrap();
    run(Command::new(checkout().join("clusters/real")).args(["image", name_and_tag]).arg(&context), "");
    std::fs::remove_dir_all(context).unwrap();
    format!("localhost/{name_and_tag}")
}

fn test_server_binary() -> PathBuf {
    let built = || checkout().join("target/x86_64-unknown-linux-gnu/release/testserver");
    std::env::var_os("TESTSERVER_BIN").map_or_else(built, PathBuf::from)
}

/// Two images of the test server, alike but for their name: an old and a new one.
pub static TEST_SERVER: LazyLock<[String; 2]> =
    LazyLock::new(|| ["testserver:e2e-1", "testserver:e2e-2"].map(|name| image(name, &test_server_binary(), "tests/server/Dockerfile")));

/// The operator's image, of the binary that is tested; it must be static.
pub static OPERATOR: LazyLock<String> = LazyLock::new(|| image("microservice-operator:e2e", &operator_binary(), "Dockerfile"));

/// A spec of a test server that listens on 8080.
pub fn server(image: &str, replicas: i32) -> Value {
    json!({
        "image": image, "imagePullPolicy": "Never", "port": 8080, "replicas": replicas,
        "resources": {"requests": {"cpu": "30m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "env": [{"name": "REVISION", "value": image}],
        "probes": {"readiness": {"httpGet": {"path": "/ready"}, "periodSeconds": 1}},
    })
}

/// A pod that runs the test server's image once, with labels that policies see. Pods get their labels at creation:
/// Cilium takes up to half a minute to hear of a change.
#[allow(clippy::needless_pass_by_value, reason = "callers write `json!` in place")]
pub fn visitor(name: &str, labels: Value, arguments: &[&str]) -> Value {
    // A share of the processors, without which a busy machine starves whoever measures before all others.
    let resources = json!({"requests": {"cpu": "100m"}});
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "visitor", "image": TEST_SERVER[0], "imagePullPolicy": "Never", "args": arguments, "resources": resources},
        ]},
    })
}

impl Story {
    /// Runs the test server's image to its end: whether it ended with 0, and what it said.
    pub async fn visit(&self, name: &str, labels: Value, arguments: &[&str]) -> (bool, String) {
        self.apply(visitor(name, labels, arguments)).await;
        self.visited(name).await
    }

    /// Waits for the end of a visitor.
    pub async fn visited(&self, name: &str) -> (bool, String) {
        let ended = |o: &Value| ["Succeeded", "Failed"].contains(&text(o, "/status/phase"));
        let pod = self.until(POD_TIME * 2, "ended", "Pod", name, ended).await;
        (text(&pod, "/status/phase") == "Succeeded", self.kubectl(&["logs", name]))
    }

    /// Begins steady requests to a URL; `all_answered` says how they fared. A connection serves three of them.
    pub async fn begin_requests(&self, url: &str, seconds: u32) {
        self.begin_requests_of(url, seconds, "3").await;
    }

    /// Begins steady requests, so many on each connection.
    pub async fn begin_requests_of(&self, url: &str, seconds: u32, requests: &str) {
        let length = seconds.to_string();
        let arguments = [
            "client",
            "--url",
            url,
            "--rate",
            "20",
            "--timeout-ms",
            REQUEST_MS,
            "--seconds",
            &length,
            "--new-connection-every",
            requests,
            "--wait-seconds",
            "30",
            "--progress-seconds",
            "0",
        ];
        self.apply(visitor("client", json!({"app": "client"}), &arguments)).await;
        self.until(POD_TIME, "sends requests", "Pod", "client", |o| text(o, "/status/phase") == "Running").await;
        // Its network needs about two seconds, and some requests should be answered before anything happens.
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    /// Sends requests for some seconds, each on a connection of its own: the share of them that the image answered, and how
    /// many there were. None may fail.
    pub async fn sample(&self, name: &str, url: &str, image: &str) -> (f64, f64) {
        self.sample_with(name, url, image, &["--seconds", "12"]).await
    }

    /// The same, with further arguments.
    pub async fn sample_with(&self, name: &str, url: &str, image: &str, more: &[&str]) -> (f64, f64) {
        let arguments = ["client", "--url", url, "--rate", "50", "--new-connection-every", "1"];
        let quiet = ["--timeout-ms", REQUEST_MS, "--wait-seconds", "30", "--progress-seconds", "0"];
        let (succeeded, said) = self.visit(name, json!({"app": "client"}), &[&arguments[..], &quiet[..], more].concat()).await;
        let summary: Value =
            serde_json::from_str(said.trim().lines().last().unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {said}"));
        assert!(succeeded && summary["failed"] == 0, "requests failed: {summary:#}");
        let count = |value: &Value| value.as_f64().unwrap_or(0.0);
        let all = count(&summary["answered"]);
        (count(&summary["revisions"][image]["share"]), all)
    }

    /// The end of the steady requests: not one may have failed, and there must have been many.
    pub async fn all_answered(&self, least: u64) -> Value {
        self.answered_but_for_resets(least, 0).await
    }

    /// The same, but so many requests may have been under way on a connection that the cluster's proxy cut.
    pub async fn answered_but_for_resets(&self, least: u64, resets: u64) -> Value {
        let (_, said) = self.visited("client").await;
        let line = said.trim().lines().last().unwrap_or_default();
        let summary: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {said}"));
        let count = |value: &Value| value.as_u64().unwrap_or_default();
        let failed = count(&summary["failed"]);
        assert!(failed <= resets && failed == count(&summary["failures"]["reset"]), "requests failed: {summary:#}");
        assert!(summary["answered"].as_u64().unwrap() >= least, "too few to speak of: {summary:#}");
        summary
    }

    /// Runs a command of the test server inside a pod of a service.
    pub fn inside(&self, pod: &str, arguments: &[&str]) -> (bool, String) {
        let all: Vec<_> =
            ["--namespace", &self.namespace, "exec", pod, "--", "/testserver"].into_iter().chain(arguments.iter().copied()).collect();
        self.cluster.try_kubectl(&all, "")
    }
}

/// A listener in the namespace that plays the internet; ends with the test.
pub struct Internet(Child);

impl Internet {
    pub fn serve(port: u16) -> Self {
        let mut command = bound_to_us(&checkout().join("clusters/real"));
        command.args(["internet-exec", "busybox", "httpd", "-f", "-h", "/etc", "-p", &port.to_string()]);
        Self(start(command))
    }
}

impl Drop for Internet {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
