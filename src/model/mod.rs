//! The validated domain. A [`Service`] cannot be wrong: whatever the schema could not refuse was checked in [`parse`],
//! and every default is filled in. What the operator passes on untouched stays in `spec`, in the user's own words.

pub mod access;
pub mod cron;
pub mod kind;
pub mod parse;
pub mod profile;
pub mod progress;
pub mod quantity;
pub mod question;
pub mod route;
pub mod standard;

use std::collections::BTreeMap;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString};
use serde_json::{Map, Value};

use crate::api::v1alpha1::{DeletionPolicy, MicroserviceSpec, OnFailure, OnSpecChange, Protocol, Routing, StableScale, Strategy};

pub use access::{Access, Direction, Peer, Who};
pub use kind::{Autoscaled, Child, ChildRef, Kind};
pub use profile::{Profile, Webhook};
pub use progress::{Candidate, Placed, Progress};
pub use question::{Answer, Question};
pub use route::{Header, Route, Scale};

/// One microservice: who it is, what it runs, and every number that its children need.
#[derive(Clone, Debug)]
pub struct Service {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub generation: i64,
    /// The spec as written, over the profile's defaults; for what passes through untouched (environment, images, probes, …).
    pub spec: MicroserviceSpec,
    /// What the platform team sets.
    pub profile: Option<Profile>,
    /// `system`, `domain` and `owner` as labels.
    pub labels: BTreeMap<String, String>,
    /// Ports, the main one first. Empty for a worker.
    pub ports: Vec<Port>,
    pub scaling: Scaling,
    /// `maxUnavailable` of the disruption budget; `None`: no budget.
    pub disruption: Option<IntOrString>,
    pub access: Access,
    /// Hosts and paths of gateways that lead here.
    pub routes: Vec<Route>,
    /// Routes of the user's own in which the weights are moved.
    pub route_refs: Vec<ChildRef>,
    pub rollout: Rollout,
    /// `podTemplate`, typed.
    pub overrides: Option<PodTemplateSpec>,
    pub deletion: DeletionPolicy,
    pub suspend: bool,
    /// Commands by annotation.
    pub commands: Commands,
    /// Values in force that the spec leaves out, as `status.defaults` publishes them.
    pub defaults: Map<String, Value>,
}

impl Service {
    /// There are routes, our own or the user's, whose weights can be moved.
    pub fn has_routes(&self) -> bool {
        !self.routes.is_empty() || !self.route_refs.is_empty()
    }
}

/// A port of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    pub name: String,
    /// In the container.
    pub number: i32,
    /// In the Service.
    pub service_port: i32,
    pub protocol: Protocol,
}

/// Who decides how many pods there are.
#[allow(clippy::large_enum_variant, reason = "one for each service, and only while a pass runs")]
#[derive(Clone, Debug, PartialEq)]
pub enum Scaling {
    /// The user.
    Fixed(i32),
    /// A HorizontalPodAutoscaler.
    Auto(Autoscaling),
}

impl Scaling {
    /// Fewest pods that serve the service's promise.
    pub fn minimum(&self) -> i32 {
        match self {
            Self::Fixed(replicas) => *replicas,
            Self::Auto(bounds) => bounds.min,
        }
    }
}

/// Bounds and targets of the autoscaler; at least one target is set.
#[derive(Clone, Debug, PartialEq)]
pub struct Autoscaling {
    pub min: i32,
    pub max: i32,
    pub cpu: Option<Target>,
    pub memory: Option<Target>,
    /// Always written in full: the defaults of autoscaling/v2 are ambiguous between its text and its code.
    pub behavior: HorizontalPodAutoscalerBehavior,
}

/// What the autoscaler steers a resource to.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Per cent of the request.
    Utilization(i32),
    /// Amount per pod.
    Value(Quantity),
}

/// How a new version replaces the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    pub strategy: Strategy,
    pub max_surge: IntOrString,
    pub max_unavailable: IntOrString,
    pub min_ready_seconds: i32,
    pub progress_deadline_seconds: i32,
    pub on_failure: OnFailure,
    pub history_limit: usize,
    /// Nothing goes on by itself.
    pub paused: bool,
    pub on_spec_change: OnSpecChange,
    /// Seconds for which replaced pods stay after a switch.
    pub scale_down_delay_seconds: i32,
    /// Seconds for which the pods of a version that was given up stay.
    pub abort_scale_down_delay_seconds: i32,
    /// Who splits the requests of a canary.
    pub routing: Routing,
    /// Pods of the stable revision while a gateway moves its requests away.
    pub stable_scale: StableScale,
    /// How many stable revisions back, and how many seconds, a revision may have served to come back without steps.
    pub rollback_window: (usize, i64),
    /// Steps of a canary.
    pub steps: Vec<Step>,
    /// Seconds for which the old pods stay without requests after a canary; 0: they are gone by then.
    pub bake_seconds: i32,
    pub blue_green: BlueGreen,
}

/// One step of a canary.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Per cent of the pods that run the new version, 0 to 100.
    Weight(i32),
    /// Seconds to wait; `None`: until somebody goes on.
    Pause(Option<i32>),
    /// Pods of the new version from here on.
    Scale(Scale),
    /// Requests with all these headers go to the new version; none: no longer.
    Match(Vec<Header>),
    /// Per cent of the requests that the new version gets copies of.
    Mirror(i32),
    /// Until the webhook of this name says yes.
    Gate(String),
}

impl Step {
    /// Only a gateway can do it.
    pub const fn needs_gateway(&self) -> bool {
        matches!(self, Self::Scale(_) | Self::Match(_) | Self::Mirror(_))
    }
}

/// How a second set takes over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlueGreen {
    /// Seconds to wait before the switch; `None`: until somebody goes on.
    pub delay_seconds: Option<i32>,
    /// Pods before the promotion; `None`: as many as the old set has.
    pub preview: Option<i32>,
}

/// Commands by annotation, as they stand on the object. Each names a revision, `<revision>` or `<revision>:<anything>`,
/// so that the same can be asked for twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// `<revision>`: one step further; `<revision>:full`: all steps.
    pub promote: Option<String>,
    pub abort: Option<String>,
    pub retry: Option<String>,
    pub pause: Option<String>,
    pub resume: Option<String>,
    pub undo: Option<String>,
    /// Any text; a new one replaces all pods.
    pub restart: Option<String>,
}
