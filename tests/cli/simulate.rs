//! `simulate`, and that what the documentation shows of it is what it prints.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{SHORT, folder, run};

const CANARY: &str = "config/samples/canary.yaml";

fn document(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a document")
}

/// Every block that begins with `$ microservice-operator simulate` is what that command prints.
#[test]
fn the_guide_shows_what_is_printed() {
    let guide = document("docs/simulate.md");
    let blocks: Vec<&str> = guide.split("```text\n$ microservice-operator ").skip(1).collect();
    assert!(!blocks.is_empty(), "there is an example");
    for block in blocks {
        let (command, shown) = block.split_once('\n').expect("a command");
        let shown = shown.split_once("```").expect("the end of the block").0;
        let args: Vec<&str> = command.split_whitespace().collect();
        let (printed, errors, _) = run(&args, "");
        assert_eq!((printed.as_str(), errors.as_str()), (shown, ""), "docs/simulate.md is out of date: {command}");
    }
}

#[test]
fn the_picture_in_the_guide_is_the_one_that_is_drawn() {
    let args = ["simulate", "-f", CANARY, "--auto-promote", "30", "-o", "svg"];
    let (picture, _, code) = run(&args, "");
    assert_eq!(code, 0);
    assert!(picture == document("docs/images/canary.svg"), "docs/images/canary.svg is out of date: run `make generate`");
}

#[test]
fn the_picture_goes_to_a_file_beside_the_text() {
    let folder = folder("simulate-picture", &[]);
    let file = folder.join("rollout.svg");
    let name = file.to_str().expect("UTF-8");
    let (text, _, code) = run(&["simulate", "-f", CANARY, "--auto-promote", "30", "--svg", name], "");
    assert!(code == 0 && text.contains("\nCompleted "), "{text}");
    assert_eq!(fs::read_to_string(&file).expect("the picture"), document("docs/images/canary.svg"));
    let (_, error, code) = run(&["simulate", "-f", CANARY, "--svg", "no/such/folder.svg"], "");
    assert_eq!((error.starts_with("error: no/such/folder.svg: "), code), (true, 2), "{error}");
}

#[test]
fn one_spec_follows_another() {
    let next = SHORT.replace("orders:1", "orders:2");
    let folder = folder("simulate-from", &[("old.yaml", SHORT), ("new.yaml", &next)]);
    let path = |name: &str| folder.join(name).display().to_string();
    let (json, _, code) = run(&["simulate", "-f", &path("new.yaml"), "--from", &path("old.yaml"), "-o", "json"], "");
    let told: Value = serde_json::from_str(&json).expect("JSON");
    let images = ["from", "to"].map(|side| told[side]["image"].as_str().unwrap_or_default());
    assert_eq!((images, code), (["ghcr.io/acme/orders:1", "ghcr.io/acme/orders:2"], 0));
    assert_eq!((&told["outcome"], &told["strategy"]), (&Value::from("Completed"), &Value::from("RollingUpdate")));
    assert_eq!(
        (&told["summary"]["leastServing"]["pods"], &told["summary"]["brokenRules"]),
        (&Value::from(2), &Value::from(Vec::<Value>::new()))
    );
    let last = told["timeline"].as_array().and_then(|frames| frames.last()).cloned().unwrap_or_default();
    assert_eq!(last["new"], serde_json::json!({"pods": 2, "ready": 2, "serving": 2}), "{last}");
    let (text, _, code) = run(&["simulate", "-f", "-", "--from", &path("old.yaml")], SHORT);
    assert!(code == 0 && text.contains("Unchanged    the pods are the same in both specs"), "{text}");
}

#[test]
fn a_failure_fails_the_job() {
    for (flags, code) in [
        (&["--fail", "unready"][..], 1),
        (&["--do", "abort@20"], 1),
        (&["--auto-promote", "1m"], 0),
        (&["--auto-promote", "1m", "--until", "30s"], 3),
    ] {
        let args: Vec<&str> = ["simulate", "-f", CANARY].iter().chain(flags).copied().collect();
        assert_eq!(run(&args, "").2, code, "{flags:?}");
    }
}

#[test]
fn bad_input_is_named() {
    for (flags, input, expected) in [
        (&[][..], "spec: {}", "error: there is no Microservice in the input"),
        (&[], "a: [", "error: standard input: "),
        (&["--fail", "explode"], SHORT, "\"explode\" is none of crash, unready, pull"),
        (&["--do", "promote"], SHORT, "when? write for example promote@60"),
        (&["--from", "a.yaml", "--image", "a"], SHORT, "cannot be used with '--image <IMAGE>'"),
        (&["--from", "no-such-file.yaml"], SHORT, "error: no-such-file.yaml: "),
    ] {
        let args: Vec<&str> = ["simulate", "-f", "-"].iter().chain(flags).copied().collect();
        let (out, error, code) = run(&args, input);
        assert_eq!((out.as_str(), code), ("", 2), "{flags:?}: {error}");
        assert!(error.contains(expected), "{error}");
    }
    let wrong = SHORT.replace("port: 8080", "port: 808080");
    let (_, error, code) = run(&["simulate", "-f", "-"], &wrong);
    assert!(code == 2 && error.contains("standard input:4: Microservice/orders: spec.port: "), "{error}");
    let suspended = SHORT.replace("port: 8080", "port: 8080, suspend: true");
    assert!(run(&["simulate", "-f", "-"], &suspended).1.starts_with("error: spec.suspend: must be false in the running spec"));
}

#[test]
fn a_gate_opens_refuses_or_stays_closed() {
    let rollout = "  rollout: {strategy: Canary, canary: {steps: [{setWeight: 50}, {gate: {webhook: approval}}]}}\n";
    let manifest =
        format!("{}{rollout}", SHORT.replace("spec: {image: 'ghcr.io/acme/orders:1', port: 8080}", "spec:\n  image: a:1\n  replicas: 2"));
    for (gate, outcome, said, status) in [
        ("", "Completed", "gate approval", 0),
        ("approval=120", "Completed", "gate `approval` is closed: answered 202; asked again every 10 s", 0),
        ("approval=refuse", "RolledBack", "was refused by gate `approval` at step 2 of 2", 1),
        ("approval=never", "Waiting", "gate `approval` is closed", 0),
    ] {
        let flags = if gate.is_empty() { vec![] } else { vec!["--gate", gate] };
        let (json, errors, code) = run(&[&["simulate", "-f", "-", "-o", "json"], flags.as_slice()].concat(), &manifest);
        let told: Value = serde_json::from_str(&json).unwrap_or_default();
        assert_eq!((told["outcome"].as_str(), code), (Some(outcome), status), "{gate}: {json}{errors}");
        assert!(json.contains(said), "{gate}: {json}");
    }
    let (_, error, code) = run(&["simulate", "-f", "-", "--gate", "other=never"], &manifest);
    assert_eq!((error.contains("error: --gate: no step waits for the webhook \"other\""), code), (true, 2), "{error}");
}
