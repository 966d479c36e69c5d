use std::collections::BTreeSet;

use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;

use super::*;
use crate::serve::lease::Leadership;

fn printed(registry: &Registry) -> String {
    let mut out = String::new();
    text::encode(&mut out, registry).unwrap();
    out
}

fn call() -> Call {
    Call { method: "PATCH", verb: "apply", resource: "deployments", watch: false }
}

#[test]
fn names_are_pinned_because_dashboards_and_alerts_hold_on_to_them() {
    let (metrics, mut registry) = Metrics::new("10.96.0.1:443", 16);
    registry.register_collector(Box::new(LeaderStatus { name: "lease".to_owned(), leadership: Leadership::unconditional() }));
    Meter::finished(&metrics, call(), Some(200), Duration::ZERO);
    let text = printed(&registry);
    let names: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect();
    let expected = [
        "controller_runtime_active_workers",
        "controller_runtime_max_concurrent_reconciles",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_reconcile_panics_total",
        "controller_runtime_reconcile_time_seconds_bucket",
        "controller_runtime_reconcile_time_seconds_count",
        "controller_runtime_reconcile_time_seconds_sum",
        "controller_runtime_reconcile_total",
        "controller_runtime_terminal_reconcile_errors_total",
        "leader_election_master_status",
        "microservice_child_writes_total",
        "microservice_operator_api_requests_total",
        "microservice_operator_build_info",
        "microservice_question_duration_seconds_bucket",
        "microservice_question_duration_seconds_count",
        "microservice_question_duration_seconds_sum",
        "microservice_questions_total",
        "microservice_rollbacks_total",
        "microservice_skipped_writes_total",
        "microservice_status_writes_total",
        "process_cpu_seconds_total",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_start_time_seconds",
        "process_virtual_memory_bytes",
        "rest_client_request_duration_seconds_bucket",
        "rest_client_request_duration_seconds_count",
        "rest_client_request_duration_seconds_sum",
        "rest_client_requests_total",
        "workqueue_depth",
    ];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn every_metric_explains_itself_in_one_sentence_or_more() {
    let (_, registry) = Metrics::new("host", 16);
    let text = printed(&registry);
    for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = line.split_once(' ').unwrap();
        assert!(help.len() > 20 && help.ends_with('.') && !help.ends_with(".."), "{name}: {help}");
    }
}

#[test]
fn a_finished_pass_counts_once_and_an_aborted_one_only_ends() {
    let (metrics, registry) = Metrics::new("host", 16);
    let pass = metrics.begin();
    let aborted = metrics.begin();
    assert!(printed(&registry).contains("controller_runtime_active_workers{controller=\"microservice\"} 2\n"));
    pass.finish(Outcome::TerminalError);
    drop(aborted);
    let text = printed(&registry);
    for line in [
        "controller_runtime_active_workers{controller=\"microservice\"} 0\n",
        "controller_runtime_reconcile_total{controller=\"microservice\",result=\"error\"} 1\n",
        "controller_runtime_reconcile_total{controller=\"microservice\",result=\"success\"} 0\n",
        "controller_runtime_reconcile_errors_total{controller=\"microservice\"} 1\n",
        "controller_runtime_terminal_reconcile_errors_total{controller=\"microservice\"} 1\n",
        "controller_runtime_reconcile_time_seconds_count{controller=\"microservice\"} 1\n",
        "controller_runtime_max_concurrent_reconciles{controller=\"microservice\"} 16\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn requests_are_counted_as_client_go_does_and_by_resource() {
    let (metrics, registry) = Metrics::new("10.96.0.1:443", 16);
    Meter::finished(&metrics, call(), Some(409), Duration::from_millis(3));
    Meter::finished(&metrics, Call { watch: true, ..call() }, None, Duration::from_secs(300));
    let text = printed(&registry);
    for line in [
        "rest_client_requests_total{host=\"10.96.0.1:443\",code=\"409\",method=\"PATCH\"} 1\n",
        "rest_client_requests_total{host=\"10.96.0.1:443\",code=\"<error>\",method=\"PATCH\"} 1\n",
        "microservice_operator_api_requests_total{verb=\"apply\",resource=\"deployments\",code=\"409\"} 1\n",
        // The watch is not timed: it lasts as long as it is wanted.
        "rest_client_request_duration_seconds_count{host=\"10.96.0.1:443\",verb=\"PATCH\"} 1\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}

#[test]
fn writes_panics_and_the_queue_are_counted() {
    let (metrics, registry) = Metrics::new("host", 16);
    metrics.child_written(Kind::Deployment, Write::Apply);
    metrics.child_written(Kind::Service, Write::Delete);
    metrics.write_skipped(Kind::Service);
    metrics.status_written();
    metrics.rolled_back();
    metrics.panicked();
    metrics.queued(7);
    let text = printed(&registry);
    for line in [
        "microservice_child_writes_total{kind=\"Deployment\",verb=\"apply\"} 1\n",
        "microservice_child_writes_total{kind=\"Service\",verb=\"delete\"} 1\n",
        "microservice_child_writes_total{kind=\"Service\",verb=\"apply\"} 0\n",
        "microservice_skipped_writes_total{kind=\"Service\"} 1\n",
        "microservice_status_writes_total 1\n",
        "microservice_rollbacks_total 1\n",
        "controller_runtime_reconcile_panics_total{controller=\"microservice\"} 1\n",
        "workqueue_depth{name=\"microservice\",controller=\"microservice\"} 7\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
}
