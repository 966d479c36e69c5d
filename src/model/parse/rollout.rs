//! How a new version replaces the old one.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::Findings;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{
    HeaderMatchType, Match, MicroserviceSpec, Pause, Protocol, Routing, SetScale, StableScale, Step as Given, Strategy,
};
use crate::model::{BlueGreen, Header, Rollout, Scale, Step};

/// Seconds without progress after which an update has failed; Kubernetes' own default.
const DEADLINE_SECONDS: i32 = 600;
/// Revisions that are kept; Kubernetes' own default.
const HISTORY: usize = 10;
/// Seconds for which replaced pods stay: how long proxies and clients may hold on to an old address.
const DELAY_SECONDS: i32 = 30;

pub fn rollout(spec: &MicroserviceSpec, found: &mut Findings) -> Rollout {
    let rollout = complete(spec, found);
    // Admission sees the spec alone, and what a profile adds to it may contradict it.
    let none = |amount: &IntOrString| [IntOrString::Int(0), IntOrString::String("0%".to_owned())].contains(amount);
    if rollout.strategy != Strategy::Recreate && none(&rollout.max_surge) && none(&rollout.max_unavailable) {
        let message = "`maxSurge` and `maxUnavailable` must not both be zero: no pod could be replaced";
        found.error("spec.rollout.maxSurge", Reason::Invalid, message);
    }
    if rollout.progress_deadline_seconds <= rollout.min_ready_seconds {
        let message = "`progressDeadlineSeconds` must exceed `minReadySeconds`: no update could succeed";
        found.error("spec.rollout.progressDeadlineSeconds", Reason::Invalid, message);
    }
    rollout
}

fn complete(spec: &MicroserviceSpec, found: &mut Findings) -> Rollout {
    let given = spec.rollout.clone().unwrap_or_default();
    let blue_green = given.blue_green.unwrap_or_default();
    let canary = given.canary.unwrap_or_default();
    let routing = canary.routing.unwrap_or_default();
    let steps = steps(canary.steps.unwrap_or_default(), found);
    routed(spec, routing, &steps, found);
    dynamic(spec, found);
    let automatic = blue_green.auto_promotion.unwrap_or(true);
    Rollout {
        strategy: given.strategy.unwrap_or_default(),
        max_surge: given.max_surge.unwrap_or_else(|| IntOrString::String("25%".to_owned())),
        max_unavailable: given.max_unavailable.unwrap_or(IntOrString::Int(0)),
        min_ready_seconds: given.min_ready_seconds.unwrap_or(0),
        progress_deadline_seconds: given.progress_deadline_seconds.unwrap_or(DEADLINE_SECONDS),
        on_failure: given.on_failure.unwrap_or_default(),
        history_limit: given.revision_history_limit.and_then(|limit| limit.try_into().ok()).unwrap_or(HISTORY),
        paused: given.paused.unwrap_or_default(),
        on_spec_change: given.on_spec_change.unwrap_or_default(),
        scale_down_delay_seconds: given.scale_down_delay_seconds.unwrap_or(DELAY_SECONDS),
        abort_scale_down_delay_seconds: given.abort_scale_down_delay_seconds.unwrap_or(DELAY_SECONDS),
        routing,
        stable_scale: canary.stable_scale.unwrap_or_default(),
        rollback_window: given.rollback_window.map_or((0, 0), |window| (window.revisions.try_into().unwrap_or(0), window.seconds.into())),
        steps,
        bake_seconds: canary.bake.map_or(0, |bake| bake.seconds),
        blue_green: BlueGreen {
            delay_seconds: automatic.then(|| blue_green.auto_promotion_delay_seconds.unwrap_or(0)),
            preview: blue_green.preview_replicas,
        },
    }
}

fn steps(given: Vec<Given>, found: &mut Findings) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, step) in given.into_iter().enumerate() {
        let path = format!("spec.rollout.canary.steps[{index}]");
        let parts = [
            step.set_weight.map(|weight| Ok(Step::Weight(weight))),
            step.pause.as_ref().map(|given| pause(given).ok_or(("pause", "a pause must have exactly one of `seconds` and `manual: true`"))),
            step.set_scale
                .as_ref()
                .map(|given| scale(given).ok_or(("setScale", "must have exactly one of `replicas`, `percent` and `matchWeight: true`"))),
            step.matches.map(|given| Ok(Step::Match(headers(given)))),
            step.mirror.map(|given| Ok(Step::Mirror(given.percent))),
            step.gate.map(|given| Ok(Step::Gate(given.webhook))),
        ];
        let mut parts = parts.into_iter().flatten();
        match (parts.next(), parts.next()) {
            (Some(Ok(step)), None) => steps.push(step),
            (Some(Err((field, message))), None) => found.error(format!("{path}.{field}"), Reason::Invalid, message),
            _ => {
                let message = "a step must have exactly one of `setWeight`, `pause`, `setScale`, `match`, `mirror` and `gate`";
                found.error(path, Reason::Invalid, message);
            }
        }
    }
    steps
}

fn pause(given: &Pause) -> Option<Step> {
    match (given.seconds, given.manual.unwrap_or_default()) {
        (Some(seconds), false) => Some(Step::Pause(Some(seconds))),
        (None, true) => Some(Step::Pause(None)),
        _ => None,
    }
}

fn scale(given: &SetScale) -> Option<Step> {
    let weight = given.match_weight.unwrap_or_default().then_some(Scale::Weight);
    let all = [given.replicas.map(Scale::Replicas), given.percent.map(Scale::Percent), weight];
    let mut all = all.into_iter().flatten();
    all.next().filter(|_| all.next().is_none()).map(Step::Scale)
}

/// A gateway knows no cookies, but headers that match a regular expression.
fn headers(given: Match) -> Vec<Header> {
    let plain = given.headers.into_iter().flatten().map(|header| Header {
        name: header.name.to_ascii_lowercase(),
        value: header.value,
        kind: header.kind.unwrap_or_default(),
    });
    let cookies = given.cookies.into_iter().flatten().map(|cookie| Header {
        name: "cookie".to_owned(),
        value: format!("^(.*;\\s*)?{}={}(;.*)?$", literal(&cookie.name), literal(&cookie.value)),
        kind: HeaderMatchType::RegularExpression,
    });
    plain.chain(cookies).collect()
}

/// A regular expression, of RE2's syntax, that matches nothing but this text.
fn literal(text: &str) -> String {
    let special = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '=' | ':' | '/' | '@' | '%' | '&' | '!' | '~' | '\''));
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// What only a gateway can do needs one.
fn routed(spec: &MicroserviceSpec, routing: Routing, steps: &[Step], found: &mut Findings) {
    let routes = spec.routes.as_deref().unwrap_or_default();
    let canary = spec.rollout.as_ref().and_then(|rollout| rollout.canary.as_ref());
    let referenced = canary.and_then(|canary| canary.route_refs.as_ref()).is_some_and(|references| !references.is_empty());
    if routing == Routing::Gateway && routes.is_empty() && !referenced {
        let message = "`Gateway` needs `spec.routes` or `routeRefs`: there must be a route to give weights to";
        found.error("spec.rollout.canary.routing", Reason::Invalid, message);
        return;
    }
    let split = (referenced || !routes.is_empty()) && routing != Routing::Pods;
    let grpc = spec.protocol == Some(Protocol::GRPC);
    for (index, step) in steps.iter().enumerate() {
        let path = format!("spec.rollout.canary.steps[{index}]");
        if step.needs_gateway() && !split {
            let message = "`setScale`, `match` and `mirror` need a gateway: declare `spec.routes`, or `routeRefs` for `setScale`, and \
                           `routing` must not be `Pods`";
            found.error(path, Reason::Invalid, message);
        } else if referenced && matches!(step, Step::Match(_) | Step::Mirror(_)) {
            let message = "`match` and `mirror` need `spec.routes`: of the routes in `routeRefs` only weights are changed";
            found.error(path, Reason::Invalid, message);
        } else if grpc && matches!(step, Step::Mirror(_)) {
            found.error(format!("{path}.mirror"), Reason::NotSupported, "only HTTP is mirrored: it must be left out with `protocol: GRPC`");
        }
    }
}

/// What follows a gateway's weights needs a gateway, and a number that nobody else changes.
fn dynamic(spec: &MicroserviceSpec, found: &mut Findings) {
    const PATH: &str = "spec.rollout.canary.stableScale";
    let canary = spec.rollout.as_ref().and_then(|rollout| rollout.canary.as_ref());
    let Some(canary) = canary.filter(|canary| canary.stable_scale == Some(StableScale::Dynamic)) else { return };
    let given = |list: Option<usize>| list.is_some_and(|count| count > 0);
    let split = given(spec.routes.as_ref().map(Vec::len)) || given(canary.route_refs.as_ref().map(Vec::len));
    if !split || canary.routing == Some(Routing::Pods) {
        let message = "`Dynamic` needs a gateway: declare `spec.routes` or `routeRefs`, and `routing` must not be `Pods`, where the split is the scale";
        found.error(PATH, Reason::Invalid, message);
    }
    if spec.replicas.is_none() {
        let message = "`Dynamic` needs a fixed number of `replicas`: set `spec.replicas` in place of `autoscaling`, or take it out";
        found.error(PATH, Reason::Invalid, message);
    }
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn a_cookie_is_no_expression() {
        assert_eq!(literal("a.b+c"), r"a\.b\+c");
        assert_eq!(literal("beta-1_x=%20"), "beta-1_x=%20");
    }
}
