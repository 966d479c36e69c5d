//! How a new version replaces the old one.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a new version replaces the old one.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// `RollingUpdate` replaces pods step by step; `Recreate` stops the old ones first; `Canary` gives the new version a
    /// growing share of the pods; `BlueGreen` starts a full second set and switches. Default `RollingUpdate`. Another
    /// strategy holds from the next rollout on, and restarts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Pods above the wanted number during an update, as a number or a percentage (rounded up). Default `25%`. Not for
    /// `Recreate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_surge: Option<IntOrString>,
    /// Pods below the wanted number during an update, as a number or a percentage (rounded down). Default 0. Not for
    /// `Recreate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unavailable: Option<IntOrString>,
    /// Seconds for which a new pod must be ready without a break before it counts. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub min_ready_seconds: Option<i32>,
    /// Seconds without progress after which the update has failed. Pauses and delays do not count. For `Canary` and
    /// `BlueGreen` up to twice as long once a step has made some. Must exceed `minReadySeconds`. Default 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: Option<i32>,
    /// What a failed update does: `Rollback` puts the last good version back; `Hold` leaves things as they are. Default
    /// `Rollback`. The spec is never changed, and a version that failed is not tried again until the spec changes or
    /// the annotation `microservices.dev/retry` names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Old revisions that are kept. Default 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub revision_history_limit: Option<i32>,
    /// Holds a rollout of `Canary` or `BlueGreen` where it is. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// What a new spec does to a rollout of `Canary` or `BlueGreen` that is under way: `Restart` begins again from the
    /// stable version; `Queue` waits for its end. A spec that is back at the stable version always ends it at once.
    /// Default `Restart`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_spec_change: Option<OnSpecChange>,
    /// Seconds for which the old pods stay after a switch of `BlueGreen`, so that going back is immediate. Default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 604_800))]
    pub scale_down_delay_seconds: Option<i32>,
    /// Seconds for which the pods of a version that was given up stay, to be looked at. With `Canary` only after the promotion,
    /// because before it every pod gets requests. Default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 604_800))]
    pub abort_scale_down_delay_seconds: Option<i32>,
    /// Within it the way back to a version that served is without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_window: Option<RollbackWindow>,
    /// For `strategy: Canary`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// For `strategy: BlueGreen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blue_green: Option<BlueGreen>,
}

/// Which versions are known well enough to skip the steps of `Canary` and the wait of `BlueGreen`. Both fields must hold.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackWindow {
    /// How many stable versions before the present one. 0: none.
    #[schemars(range(min = 0, max = 50))]
    pub revisions: i32,
    /// Seconds since it last served. 0: none.
    #[schemars(range(min = 0, max = 31_536_000))]
    pub seconds: i32,
}

/// How pods are replaced.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, JsonSchema)]
pub enum Strategy {
    #[default]
    RollingUpdate,
    Recreate,
    Canary,
    BlueGreen,
}

/// What a failed update does.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum OnFailure {
    #[default]
    Rollback,
    Hold,
}

/// What a new spec does to a rollout that is under way.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum OnSpecChange {
    #[default]
    Restart,
    Queue,
}

/// A new version gets its share step by step: of the requests that come through `routes`, or else of the pods, which needs
/// no gateway, no mesh, and no port.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Canary {
    /// Who splits. `Gateway`: the weights of `routes` or `routeRefs`; callers inside the cluster stay with the stable version
    /// until the end. `Pods`: the share of pods is the share of requests. `Auto`: `Gateway` where there are such routes and the
    /// cluster serves the Gateway API, else `Pods`. Default `Auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing: Option<Routing>,
    /// Routes of this namespace that are not the operator's, with the Service of this service as a backend. While a rollout is
    /// under way that backend shares its weight with the new version; before and after, the operator does not touch them.
    /// Excludes `spec.routes`, and the steps `match` and `mirror`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_refs: Option<Vec<RouteRef>>,
    /// Pods of the old version while a gateway moves its requests away. `Full`: all of them stay until the end, so that the way
    /// back needs none. `Dynamic`: as many as its share still needs, rounded up and at least one; they go once the requests have
    /// gone, and on the way back requests return only as they do. Needs `replicas`, and `routes` or `routeRefs`; without effect
    /// where `routing: Auto` falls back to pods. Not for services that many callers inside the cluster use: these stay with the
    /// old version. Default `Full`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_scale: Option<StableScale>,
    /// Done one after the other; after the last one the new version takes over. None: at once, as far as `maxSurge` allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    /// After its promotion. None unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Bake>,
}

/// The old pods stay for a while without requests, and take over again by a switch if the new version has too few available
/// pods for 30 s.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bake {
    /// Seconds.
    #[schemars(range(min = 1, max = 604_800))]
    pub seconds: i32,
}

/// One step of a canary. Exactly one of the fields.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Per cent for the new version. Of the pods: as near as whole pods allow, with at least one on each side from 1 to 99;
    /// done when they are available. By a gateway: as many pods as that share of the load needs, and then the weight; done
    /// when the gateway has accepted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub set_weight: Option<i32>,
    /// Waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// Pods of the new version from here on, whatever its weight. Only by a gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_scale: Option<SetScale>,
    /// Requests that go to the new version whatever the weight, until another `match`. Only by a gateway.
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<Match>,
    /// Copies of requests go to the new version, whose answers are thrown away, until another `mirror`. Only by a gateway,
    /// and only HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Mirror>,
    /// Waits until a webhook says yes. No command skips it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
}

/// A route of the Gateway API, in the namespace of the service.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct RouteRef {
    /// `HTTPRoute` or `GRPCRoute`.
    pub kind: RouteKind,
    /// Name.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
}

/// Kinds of routes.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
#[allow(clippy::upper_case_acronyms, reason = "the field's own spelling")]
pub enum RouteKind {
    #[default]
    HTTPRoute,
    GRPCRoute,
}

/// Who splits the requests.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum Routing {
    #[default]
    Auto,
    Pods,
    Gateway,
}

/// Pods of the old version during a canary behind a gateway.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum StableScale {
    #[default]
    Full,
    Dynamic,
}

/// Pods of the new version. Exactly one of the fields.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetScale {
    /// A number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub replicas: Option<i32>,
    /// Per cent of the stable version's pods, rounded up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<i32>,
    /// `true`: as the weight needs again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_weight: Option<bool>,
}

/// Requests by what they carry: all that is given must hold. Nothing given ends an earlier one.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Match {
    /// Headers that a request must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub headers: Option<Vec<HeaderMatch>>,
    /// Cookies that a request must have. Only HTTP, and by gateways that compare headers with regular expressions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub cookies: Option<Vec<CookieMatch>>,
}

/// A header, and how its value is compared.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct HeaderMatch {
    /// Name, e.g. `x-tester`; upper and lower case are the same.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,
    /// Value.
    #[schemars(length(min = 1, max = 4096))]
    pub value: String,
    /// `Exact`, or `RegularExpression`, which not every gateway knows. Default `Exact`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<HeaderMatchType>,
}

/// How a header's value is compared.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, Hash, JsonSchema)]
pub enum HeaderMatchType {
    #[default]
    Exact,
    RegularExpression,
}

/// A cookie with this value.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct CookieMatch {
    /// Name.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,
    /// Value.
    #[schemars(length(min = 1, max = 1024), regex(pattern = "^[A-Za-z0-9!#$%&'()*+./:<=>?@^_`{|}~-]+$"))]
    pub value: String,
}

/// Copies of requests.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct Mirror {
    /// Per cent of the requests; 0 ends it.
    #[schemars(range(min = 0, max = 100))]
    pub percent: i32,
}

/// A step that waits. Exactly one of the fields.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// Seconds to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000))]
    pub seconds: Option<i32>,
    /// `true`: until somebody goes on, with the annotation `microservices.dev/promote`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manual: Option<bool>,
}

/// A step that a webhook opens. A refusal (status 403) gives the version up.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct Gate {
    /// Name of a webhook of the profile, e.g. `change-approval`.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub webhook: String,
}

/// A new version starts beside the old one, is reachable as Service `<name>-preview`, and takes over by a switch.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BlueGreen {
    /// Whether it switches by itself once all new pods are available; otherwise it waits for the annotation
    /// `microservices.dev/promote`. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_promotion: Option<bool>,
    /// Seconds to wait before it switches by itself. Default 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_592_000))]
    pub auto_promotion_delay_seconds: Option<i32>,
    /// Pods of the new version until it is promoted. Default as many as the old one has, to which it grows before the
    /// switch in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub preview_replicas: Option<i32>,
}
