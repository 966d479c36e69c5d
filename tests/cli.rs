//! The subcommands that need no cluster, run as users and CI jobs run them.

#![allow(clippy::expect_used, reason = "a test's way to fail")]

#[path = "cli/simulate.rs"]
mod simulate;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const SHORT: &str = "\
apiVersion: microservices.dev/v1alpha1
kind: Microservice
metadata: {name: orders}
spec: {image: 'ghcr.io/acme/orders:1', port: 8080}
";

fn operator(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_microservice-operator"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the binary reads");
    child.wait_with_output().expect("the binary ends")
}

/// Standard output, standard error, exit code.
fn run(args: &[&str], input: &str) -> (String, String, i32) {
    let output = operator(args, input);
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr), output.status.code().expect("an exit code"))
}

/// A folder of this test's own, with files in it.
fn folder(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

fn kinds(yaml: &str) -> Vec<String> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).expect("YAML");
    documents.iter().map(|document| document["kind"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_crds_in_the_repository_are_those_of_the_types() {
    let (text, _, code) = run(&["crd"], "");
    assert_eq!(code, 0);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let files = ["microservices.yaml", "microserviceprofiles.yaml"].map(|name| fs::read_to_string(folder.join(name)).expect("the file"));
    assert!(text == files.concat(), "crds/ is out of date: run `make generate`");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_microservice-operator"))
        .arg("crd")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn ten_lines_become_children() {
    let (yaml, notes, code) = run(&["render", "-n", "shop", "-f", "-"], SHORT);
    assert_eq!((notes.as_str(), code), ("", 0));
    assert!(yaml.starts_with("---\n# Microservice shop/orders from standard input\n"), "{yaml}");
    let expected = [
        "ServiceAccount",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ControllerRevision",
        "Service",
        "Deployment",
        "HorizontalPodAutoscaler",
    ];
    assert_eq!(kinds(&yaml), expected);
    assert!(yaml.contains("\n  replicas: 2\n"), "as at creation");
    assert!(!yaml.contains("ownerReferences") && !yaml.contains("uid"), "{yaml}");

    let (json, ..) = run(&["render", "-n", "shop", "-f", "-", "-o", "json"], SHORT);
    let list: Value = serde_json::from_str(&json).expect("JSON");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml).expect("YAML");
    assert_eq!(list["items"], Value::from(documents));
}

#[test]
fn samples_are_valid_and_render() {
    let (text, notes, code) = run(&["validate", "-f", "config/samples"], "");
    assert_eq!(code, 0, "{text}{notes}");
    assert!(text.contains(" 0 invalid, "), "{text}");
    let (yaml, notes, code) = run(&["render", "-f", "config/samples"], "");
    assert_eq!(code, 0, "{notes}");
    assert!(kinds(&yaml).len() > 50);
    assert_eq!(run(&["render", "-f", "config/samples"], "").0, yaml, "always the same");
}

#[test]
fn other_kinds_are_skipped_with_a_note() {
    let input = format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\n---\n{SHORT}---\n");
    let (yaml, notes, code) = run(&["render", "-f", "-"], &input);
    assert_eq!((notes.as_str(), code), ("standard input: Secret/a: not a Microservice, skipped\n", 0));
    assert!(!kinds(&yaml).contains(&"Secret".to_owned()));
    let (text, _, code) = run(&["validate", "-f", "-"], &input);
    assert_eq!((text.as_str(), code), ("1 valid, 0 invalid, 1 skipped\n", 0));
}

#[test]
fn an_invalid_service_does_not_hide_the_valid_ones() {
    let input = format!("{}---\n{SHORT}", SHORT.replace("orders", "broken").replace("8080", "0"));
    let (yaml, notes, code) = run(&["render", "-f", "-"], &input);
    assert_eq!(code, 1);
    assert_eq!(notes, "standard input:4: Microservice/broken: spec.port: must be at least 1, and is 0\n");
    assert!(yaml.contains("name: orders") && !yaml.contains("broken"), "{yaml}");
}

#[test]
fn problems_are_shown_with_file_line_object_and_path() {
    let wrong = "\
apiVersion: microservices.dev/v1alpha1
kind: Microservice
metadata:
  name: orders
spec:
  image: ghcr.io/acme/orders
  port: 8080
  replica: 3
  accessPolicy:
    inbound:
    - cidr: 10.0.0.0/8
    - service: web
      namspace: front
";
    let parsed = "\
apiVersion: microservices.dev/v1alpha1
kind: Microservice
metadata: {name: late}
spec:
  image: a:1
  port: 1
  probes:
    readiness:
      httpGet: {port: htpp}
";
    let folder = folder(
        "problems",
        &[
            ("b/wrong.yaml", wrong),
            ("a.yml", SHORT),
            ("c.json", "{\"kind\": \"ConfigMap\", \"apiVersion\": \"v1\"}"),
            ("late.yaml", parsed),
            (".hidden.yaml", ":"),
            ("README.md", ""),
        ],
    );
    let path = folder.display();
    let (text, notes, code) = run(&["validate", "-f", &path.to_string()], "");
    assert_eq!((notes.as_str(), code), ("", 1));
    let expected = [
        format!(
            "{path}/b/wrong.yaml:13: Microservice/orders: spec.accessPolicy.inbound[1].namspace: unknown field; did you mean `namespace`?"
        ),
        format!("{path}/b/wrong.yaml:8: Microservice/orders: spec.replica: unknown field; did you mean `replicas`?"),
        format!(
            "{path}/late.yaml:9: Microservice/late: spec.probes.readiness.httpGet.port: this container has no port named `htpp`: there is `http`"
        ),
        "1 valid, 2 invalid, 1 skipped".to_owned(),
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expected);

    let (json, ..) = run(&["validate", "-o", "json", "-f", &path.to_string()], "");
    let report: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&report["valid"], &report["invalid"], &report["skipped"]), (&1.into(), &2.into(), &1.into()));
    assert_eq!(report["problems"][1]["field"], "spec.replica");
    assert_eq!(report["problems"][1]["line"], 8);
    assert_eq!(report["problems"][1]["severity"], "Error");

    let (github, ..) = run(&["validate", "-o", "github", "-f", &path.to_string()], "");
    let line = github.lines().nth(1).expect("a second line");
    assert_eq!(
        line,
        format!("::error file={path}/b/wrong.yaml,line=8,title=Microservice orders::spec.replica: unknown field; did you mean `replicas`?")
    );
}

#[test]
fn warnings_do_not_fail() {
    let (text, _, code) = run(&["validate", "-f", "-"], &SHORT.replace("orders:1", "orders"));
    assert_eq!(code, 0);
    assert!(text.starts_with("standard input:4: Microservice/orders: warning: spec.image: "), "{text}");
    assert!(text.ends_with("1 valid, 0 invalid, 0 skipped\n"), "{text}");
}

#[test]
fn a_slip_in_the_kind_is_not_overlooked() {
    let (text, _, code) = run(&["validate", "-f", "-"], &SHORT.replace("kind: Microservice", "kind: Microservce"));
    assert_eq!(code, 1);
    assert_eq!(text.lines().next(), Some("standard input:2: Microservce/orders: kind: must be `Microservice`"));
}

#[test]
fn lists_are_taken_apart() {
    let item = SHORT.replace('\n', "\n  ");
    let input = format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n- {}", item.replace("8080", "0"));
    let (text, notes, code) = run(&["validate", "-f", "-"], &input);
    assert_eq!((notes.as_str(), code), ("", 1), "{text}");
    assert!(text.starts_with("standard input:12: Microservice/orders: spec.port: "), "{text}");
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_done() {
    let folder = folder("unreadable", &[("good.yaml", SHORT), ("bad.yaml", "spec:\n  a: [1\n"), ("empty/readme.txt", "")]);
    let path = folder.display().to_string();
    let (text, notes, code) = run(&["validate", "-f", &path], "");
    assert_eq!((text.as_str(), code), ("1 valid, 0 invalid, 0 skipped\n", 2));
    assert!(notes.starts_with(&format!("error: {path}/bad.yaml: ")) && notes.contains("line"), "{notes}");
    let (_, notes, code) = run(&["validate", "-f", &format!("{path}/empty")], "");
    assert!(code == 2 && notes.contains("holds no .yaml"), "{notes}");
    let (_, notes, code) = run(&["render", "-f", &format!("{path}/absent.yaml")], "");
    assert!(code == 2 && notes.contains("absent.yaml"), "{notes}");
    assert_eq!(run(&["validate"], "").2, 2, "a missing flag is wrong usage");
}

/// kubectl reads YAML 1.1, and so must this: otherwise the verdicts differ.
#[test]
fn yaml_is_read_as_kubectl_reads_it() {
    let input = SHORT.replace("port: 8080", "suspend: on, files: [{mountPath: /a, configMap: {name: a, defaultMode: 0440}}]");
    let (yaml, notes, code) = run(&["render", "-f", "-"], &input);
    assert_eq!(code, 0, "{notes}");
    assert!(yaml.contains("defaultMode: 288"), "{yaml}");
    let (text, _, code) = run(&["validate", "-f", "-"], &SHORT.replace("port: 8080", "env: [{name: A, value: off}]"));
    assert_eq!(code, 1);
    assert!(text.contains("spec.env[0].value: must be a string, and is the boolean false"), "{text}");
}

/// The same binary under the name by which kubectl finds a plugin.
fn plugin(args: &[&str]) -> (String, String, i32) {
    let folder = folder(&format!("plugin-{}", args.concat().replace(['-', '='], "")), &[("kubeconfig", "{}")]);
    let path = folder.join("kubectl-microservice");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_microservice-operator"), &path).expect("a link");
    let mut command = Command::new(&path);
    command.args(args).env("KUBECONFIG", folder.join("absent")).env_remove("KUBERNETES_SERVICE_HOST").stdin(Stdio::null());
    let output = command.output().expect("the binary ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (text(output.stdout), text(output.stderr), output.status.code().expect("an exit code"))
}

#[test]
fn by_its_other_name_it_is_a_kubectl_plugin() {
    let (help, _, code) = plugin(&["--help"]);
    assert!(code == 0 && help.contains("Usage: kubectl microservice ") && help.contains("Exit status: 0"), "{help}");
    let (same, _, code) = run(&["kubectl", "--help"], "");
    assert_eq!((same.contains("  promote "), code), (true, 0), "{same}");
    assert!(!run(&["--help"], "").0.contains("kubectl plugin"), "the group is hidden");
}

#[test]
fn every_verb_of_the_plugin_shows_an_example() {
    let verbs = ["get", "tree", "status", "why", "promote", "abort", "retry", "pause", "resume", "undo", "restart", "set image", "history"];
    for verb in verbs {
        let mut args: Vec<&str> = verb.split(' ').collect();
        args.insert(0, "kubectl");
        args.push("--help");
        let (help, _, code) = run(&args, "");
        assert!(code == 0 && help.contains(&format!("\n  kubectl microservice {verb}")), "{help}");
    }
}

#[test]
fn wrong_usage_of_the_plugin_and_a_missing_cluster_are_told_apart() {
    for args in [&["status", "orders", "--for=nonsense"][..], &["get", "pod/a"], &["set", "image", "orders", ""], &["promote"], &[]] {
        let (out, error, code) = plugin(args);
        assert_eq!((out.as_str(), code), ("", 2), "{args:?}: {error}");
    }
    let (_, error, code) = plugin(&["get"]);
    assert!(code == 1 && error.starts_with("error: ") && error.contains("kubectl config get-contexts"), "{error}");
}

const PROFILE: &str = "\
apiVersion: microservices.dev/v1alpha1
kind: MicroserviceProfile
metadata: {name: default}
spec:
  defaults: {autoscaling: {minReplicas: 3}}
  locks: [spec.rollout.strategy]
";

#[test]
fn a_profile_by_flag_or_among_the_manifests_holds() {
    let folder = folder("profile", &[("default.yaml", PROFILE)]);
    let file = folder.join("default.yaml");
    let file = file.to_str().expect("a path");
    let (yaml, notes, code) = run(&["render", "-f", "-", "--profile", file], SHORT);
    assert_eq!((notes.as_str(), code), ("", 0));
    assert!(yaml.contains("\n  minReplicas: 3\n") && yaml.contains("\n  replicas: 3\n"), "{yaml}");
    assert_eq!(run(&["render", "-f", "-"], &format!("{SHORT}---\n{PROFILE}")).0, yaml, "among the manifests");

    let other = SHORT.replace("port: 8080", "rollout: {strategy: Recreate}");
    let (text, _, code) = run(&["validate", "-f", "-", "--profile", file], &other);
    assert_eq!(code, 1, "{text}");
    let line = "standard input:4: Microservice/orders: spec.rollout.strategy: locked by profile `default`: it must be left out, or be `RollingUpdate`";
    assert!(text.starts_with(line) && text.ends_with("1 valid, 1 invalid, 0 skipped\n"), "{text}");

    let named = SHORT.replace("port: 8080", "profileRef: {name: other}");
    let (text, _, code) = run(&["validate", "-f", "-", "--profile", file], &named);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("warning: spec.profileRef.name: profile `other` is not among the manifests"), "{text}");

    let (_, notes, code) = run(&["validate", "-f", "-", "--profile", "Cargo.toml"], SHORT);
    assert_eq!(code, 2, "{notes}");
}

#[test]
fn a_profile_is_checked_itself() {
    for (spec, said) in [
        (
            "{rollouts: {freezeWindows: [{name: a, start: 0 25 * * *, durationSeconds: 60}]}}",
            "spec.rollouts.freezeWindows[0].start: `25` is no hour",
        ),
        (
            "{rollouts: {freezeWindows: [{name: a, start: daily-at-noon, durationSeconds: 60}]}}",
            "freezeWindows[0].start: must be five fields",
        ),
        (
            "{rollouts: {freezeWindows: [{name: a, start: 0 1 * * *, durationSeconds: 60, timeZone: Europe/Bonn}]}}",
            "timeZone: `Europe/Bonn` is no time zone",
        ),
        ("{rollouts: {maxConcurrent: 0}}", "spec.rollouts.maxConcurrent: must be at least 1"),
        ("{defaults: {replicas: 3}}", "spec.defaults.replicas: unknown field"),
        ("{defaults: {autoscaling: {minReplicas: 3, maxReplicas: 2}}}", "`minReplicas` must not exceed `maxReplicas`"),
        ("{providers: {webhooks: [{name: a, url: 'https://user@a/'}]}}", "webhooks[0].url: must be an address such as"),
        ("{providers: {webhooks: [{name: a, url: 'https://a/#b'}]}}", "webhooks[0].url: must be an address such as"),
        (
            "{providers: {webhooks: [{name: a, url: 'http://a:99999/'}]}}",
            "webhooks[0].url: it must have a host, and a port of at most 65535",
        ),
        ("{providers: {webhooks: [{name: a, url: 'http://a', timeoutSeconds: 61}]}}", "timeoutSeconds: must be at most 60"),
        ("{providers: {webhooks: [{name: a, url: 'http://a', credentialsFile: ../a}]}}", "credentialsFile: must be the name of a file"),
        ("{providers: {webhooks: [{name: a, url: 'http://a', credentialsFile: .a}]}}", "credentialsFile: must be the name of a file"),
        ("{providers: {webhooks: [{name: a, url: 'http://a'}, {name: a, url: 'http://b'}]}}", "name \"a\" must appear once"),
        ("{locks: [spec.image]}", "`spec.image` and `spec.profileRef` must not be locked"),
        ("{locks: [spec.rollout.stratgy]}", "warning: spec.locks[0]: `spec.rollout.stratgy` is no field of a Microservice"),
    ] {
        let text = format!("apiVersion: microservices.dev/v1alpha1\nkind: MicroserviceProfile\nmetadata: {{name: a}}\nspec: {spec}\n");
        let (found, notes, code) = run(&["validate", "-f", "-"], &text);
        assert_eq!(code, i32::from(!said.starts_with("warning")), "{spec}: {found}{notes}");
        assert!(found.contains(said), "{spec}: {found}");
    }
}
