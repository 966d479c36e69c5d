//! The offline subcommands, as a user or a CI job runs them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test's way to fail")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Runs the binary in the repository, with `input` on standard input.
fn run(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_microservice-operator"))
        .args(arguments)
        .current_dir(ROOT)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn microservice(spec: &str) -> String {
    format!("apiVersion: microservices.dev/v1alpha1\nkind: Microservice\nmetadata: {{name: orders}}\nspec: {spec}\n")
}

#[test]
fn the_crd_in_the_repository_is_the_one_that_is_printed() {
    let (code, printed, _) = run(&["crd"], "");
    let kept = std::fs::read_to_string(Path::new(ROOT).join("crds/microservices.yaml")).unwrap();
    assert_eq!(code, 0);
    assert!(printed == kept, "run hack/generate");
}

#[test]
fn ten_lines_become_seven_children() {
    let (code, out, err) = run(&["render", "-f", "config/samples/ten-lines.yaml"], "");
    assert_eq!((code, err.as_str()), (0, ""));
    let kinds: Vec<&str> = out.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    let expected = [
        "ServiceAccount",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "ControllerRevision",
        "Service",
        "Deployment",
        "HorizontalPodAutoscaler",
    ];
    assert_eq!(kinds, expected);
    assert!(out.contains("\n  replicas: 2\n"), "as at creation");
    assert!(!out.contains("ownerReferences"));
}

#[test]
fn rendering_twice_gives_the_same_bytes_also_as_json() {
    for format in ["yaml", "json"] {
        let once = run(&["render", "-o", format, "-f", "config/samples"], "");
        assert_eq!(once, run(&["render", "-o", format, "-f", "config/samples"], ""));
        assert_eq!(once.0, 0, "{}", once.2);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_crash() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_microservice-operator"))
        .args(["render", "-f", "config/samples"])
        .current_dir(ROOT)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
}

#[test]
fn every_sample_is_valid() {
    let (code, out, err) = run(&["validate", "-f", "config/samples"], "");
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert!(out.contains("valid, 0 invalid"), "{out}");
}

#[test]
fn problems_name_the_field_and_what_must_hold() {
    let table = [
        ("{image: a, prot: 3}", "spec.prot: unknown field; did you mean `port`?"),
        ("{image: a, port: 70000}", "spec.port: "),
        ("{image: a, replicas: 2, autoscaling: {minReplicas: 2}}", "`replicas`"),
        ("{image: a, accessPolicy: {inbound: [{cidr: 10.0.0.1/33}]}}", "spec.accessPolicy.inbound[0].cidr: "),
        ("{port: 80}", "spec.image: "),
    ];
    for (spec, expected) in table {
        let (code, out, _) = run(&["validate", "-f", "-"], &microservice(spec));
        assert_eq!(code, 1, "{spec}: {out}");
        assert!(out.contains(expected), "{spec}: {out}");
        assert!(out.starts_with("standard input: Microservice/orders: "), "{out}");
        assert!(out.ends_with("0 valid, 1 invalid, 0 skipped\n"), "{out}");
    }
}

#[test]
fn one_bad_document_hides_no_other() {
    let input = format!(
        "{}---\n{}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\n",
        microservice("{image: a, port: 80}"),
        microservice("{imag: b}")
    );
    let (code, out, _) = run(&["validate", "-f", "-"], &input);
    assert_eq!(code, 1);
    assert!(out.ends_with("1 valid, 1 invalid, 1 skipped\n"), "{out}");
    let (code, out, err) = run(&["render", "-f", "-"], &input);
    assert_eq!(code, 1);
    assert!(out.contains("kind: Deployment"), "the good one is rendered");
    assert!(err.contains("ConfigMap c is not a Microservice") && err.contains("spec.imag"), "{err}");
}

#[test]
fn json_is_one_object() {
    let (code, out, _) = run(&["validate", "-o", "json", "-f", "-"], &microservice("{imag: b}"));
    let value: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &value["invalid"]), (1, &serde_json::json!(1)));
    assert!(value["problems"].as_array().is_some_and(|problems| !problems.is_empty()));
}

#[test]
fn what_cannot_be_read_is_exit_code_2_and_says_where() {
    for (arguments, input, expected) in [
        (vec!["validate", "-f", "no/such/file"], "", "no/such/file"),
        (vec!["validate", "-f", "-"], "a: [1, 2", "standard input"),
        (vec!["render", "-f", "-"], "a: [1, 2", "standard input"),
        (vec!["validate"], "", "--filename"),
    ] {
        let (code, _, err) = run(&arguments, input);
        assert_eq!(code, 2, "{arguments:?}: {err}");
        assert!(err.contains(expected), "{arguments:?}: {err}");
    }
}
