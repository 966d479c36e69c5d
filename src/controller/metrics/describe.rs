//! Names and help texts. A help text says how to read the number and what is worth an alert.
//! The library adds `_total` to counters, `_info` to the build, and a full stop to help texts.

use std::borrow::Cow;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::Metrics;
use super::labels::ControllerLabels;
use crate::serve::process::Process;

pub(super) fn register(metrics: &Metrics, host: String, concurrency: u16) -> Registry {
    let mut registry = Registry::default();
    passes(&mut registry, metrics, concurrency);
    writes(&mut registry, metrics);
    questions(&mut registry, metrics);
    requests(&mut registry, metrics, host);
    registry.register(
        "microservice_operator_build",
        "Version that runs; always 1",
        Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]),
    );
    registry.register_collector(Box::new(Process));
    registry
}

fn passes(registry: &mut Registry, metrics: &Metrics, concurrency: u16) {
    registry.register(
        "controller_runtime_reconcile",
        "Passes over a service, by how they ended: success waits for events, requeue_after looks again at a set time, \
         as is normal during a rollout, requeue was overtaken by another writer. Alert on a lasting rate of error",
        metrics.passes.clone(),
    );
    registry.register(
        "controller_runtime_reconcile_errors",
        "Passes that failed. Single ones are normal, as when the API server restarts; alert on a rate that lasts for minutes",
        metrics.errors.clone(),
    );
    registry.register(
        "controller_runtime_terminal_reconcile_errors",
        "Failed passes that are not tried again until the spec changes",
        metrics.terminal_errors.clone(),
    );
    registry.register(
        "controller_runtime_reconcile_panics",
        "Passes that ended in a panic, which is a defect of the operator: please report the log line",
        metrics.panics.clone(),
    );
    registry.register(
        "controller_runtime_reconcile_time_seconds",
        "Time from the start of a pass to its end, requests included",
        metrics.pass_seconds.clone(),
    );
    registry.register(
        "controller_runtime_active_workers",
        "Passes under way. If it stays at controller_runtime_max_concurrent_reconciles, services wait: raise --concurrency",
        metrics.active.clone(),
    );
    registry.register(
        "workqueue_depth",
        "Services that are due for a pass and wait for one under way to end. Rises for a while after a start; alert if it \
         stays up",
        metrics.queued.clone(),
    );
    let limit = Family::<ControllerLabels, Gauge>::default();
    limit.get_or_create(&ControllerLabels::THE_ONE).set(i64::from(concurrency));
    registry.register("controller_runtime_max_concurrent_reconciles", "Most passes at once, from --concurrency", limit);
}

fn writes(registry: &mut Registry, metrics: &Metrics) {
    registry.register(
        "microservice_child_writes",
        "Children applied or deleted, by kind. Zero while nothing changes; a steady rate says that the operator and \
         somebody else undo each other's writes",
        metrics.child_writes.clone(),
    );
    registry.register(
        "microservice_skipped_writes",
        "Children that were found as planned, so that nothing was sent",
        metrics.skipped_writes.clone(),
    );
    registry.register("microservice_status_writes", "Writes of status. Zero while nothing changes", metrics.status_writes.clone());
    registry.register(
        "microservice_rollbacks",
        "Rollouts that failed and were taken back. Which ones, kubectl get microservices -A tells",
        metrics.rollbacks.clone(),
    );
}

fn questions(registry: &mut Registry, metrics: &Metrics) {
    registry.register(
        "microservice_questions",
        "Requests to webhooks of profiles, by what the answer said: trouble is 429, a status from 500 on, or no answer. Alert if \
         that lasts: rollouts wait at their gates",
        metrics.questions.clone(),
    );
    registry.register(
        "microservice_question_duration_seconds",
        "Time from the connection to a webhook to the last byte of its answer",
        metrics.question_seconds.clone(),
    );
}

fn requests(registry: &mut Registry, metrics: &Metrics, host: String) {
    registry.register(
        "microservice_operator_api_requests",
        "Requests to the API server by verb, resource and status code: what each kind costs. <error>: no answer came",
        metrics.calls.clone(),
    );
    let of_host = registry.sub_registry_with_label((Cow::from("host"), Cow::from(host)));
    of_host.register(
        "rest_client_requests",
        "Requests to the API server by method and status code. <error>: no answer came; alert if that lasts",
        metrics.requests.clone(),
    );
    of_host.register(
        "rest_client_request_duration_seconds",
        "Time until the API server began to answer, watches left out. Rises when the server is busy",
        metrics.request_seconds.clone(),
    );
}
