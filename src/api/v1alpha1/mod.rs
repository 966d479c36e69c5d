//! `microservices.dev/v1alpha1`. Field docs are what `kubectl explain` prints.
//!
//! Leaves that users know from core/v1 (environment, tolerations, affinity) are the upstream types, so that snippets
//! paste. What is narrower here than upstream (probes, containers, security) has a type of its own.

mod network;
mod profile;
mod rollout;
mod route;
mod scaling;
mod security;
mod status;
mod workload;

pub use network::*;
pub use profile::*;
pub use rollout::*;
pub use route::*;
pub use scaling::*;
pub use security::*;
pub use status::*;
pub use workload::*;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, LocalObjectReference};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A service: one manifest that becomes a Deployment, Service, autoscaler, disruption budget, network policy and identity.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[kube(
    group = "microservices.dev",
    version = "v1alpha1",
    kind = "Microservice",
    plural = "microservices",
    shortname = "msvc",
    category = "all",
    namespaced,
    status = "MicroserviceStatus",
    derive = "Default",
    derive = "PartialEq",
    scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas", label_selector_path = ".status.selector"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether pods of this generation serve"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Why it is, or is not, ready"
    ),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision", description = "Revision that serves"),
    printcolumn(name = "Replicas", type_ = "string", json_path = ".status.readyText", description = "Ready pods of wanted pods"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp", description = "Time since creation"),
    printcolumn(name = "Image", type_ = "string", json_path = ".status.image", priority = 1, description = "Image that serves"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url", priority = 1, description = "Address inside the cluster"),
    printcolumn(
        name = "Autoscaling",
        type_ = "string",
        json_path = ".status.autoscaling.text",
        priority = 1,
        description = "Bounds of the autoscaler and the number it asks for"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].message",
        priority = 1,
        description = "What happens, and what to do next"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct MicroserviceSpec {
    /// Application that this service is part of, e.g. `shop`. Becomes the label `app.kubernetes.io/part-of`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub system: Option<String>,
    /// Bounded context that owns the service's model and data, e.g. `ordering`. Becomes the label `microservices.dev/domain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub domain: Option<String>,
    /// Team that answers for the service, e.g. `team-orders`. Becomes the label `microservices.dev/owner`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub owner: Option<String>,

    /// Container image, by tag or digest, e.g. `ghcr.io/acme/orders:1.4.2`. The digest that runs is shown in
    /// `status.image`; the operator never writes it here.
    #[schemars(length(max = 512))]
    pub image: String,
    /// When the node pulls the image: `Always`, `IfNotPresent` or `Never`. As in core/v1: `Always` for the tag `latest` or no tag, else `IfNotPresent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<ImagePullPolicy>,
    /// Secrets of this namespace that hold registry credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<LocalObjectReference>>,
    /// Entry point; the image's own when absent. Not run in a shell.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128), inner(length(max = 32768)))]
    pub command: Option<Vec<String>>,
    /// Arguments to the entry point; the image's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256), inner(length(max = 32768)))]
    pub args: Option<Vec<String>>,
    /// Working directory; the image's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub working_dir: Option<String>,
    /// Environment variables, as in core/v1: `value`, or `valueFrom` a ConfigMap, a Secret, a pod field or a container resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env: Option<Vec<EnvVar>>,
    /// ConfigMaps and Secrets whose keys all become environment variables, as in core/v1. `env` wins over them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub env_from: Option<Vec<EnvFromSource>>,
    /// Files and folders in the container, each with exactly one source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<File>>,
    /// Compute resources. Default: requests of 100m CPU and 256Mi memory, a memory limit of 512Mi, no CPU limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Health checks. Default: readiness by a TCP connection to `port`, when there is one; no liveness, no startup check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<Probes>,
    /// What to run when the container starts or stops. Default: a pause of 5 s before the stop signal when `port` is
    /// set, so that no request is sent to a pod that has gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Seconds between the stop signal and the kill, the `preStop` hook included. Default 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 86400))]
    pub termination_grace_period_seconds: Option<i64>,
    /// Containers that run to completion, one after the other, before the service starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_containers: Option<Vec<Container>>,
    /// Containers that run beside the service: started before it, stopped after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<Vec<Container>>,
    /// Security settings of the main container, merged over the default: not root, no capabilities, no privilege
    /// escalation, the runtime's seccomp profile, a read-only root file system with a writable `/tmp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<SecurityContext>,
    /// Security settings of the pod, merged over the default: not root, the runtime's seccomp profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_security_context: Option<PodSecurityContext>,
    /// The service's own identity: a ServiceAccount of its name. Its token is not mounted unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccount>,

    /// Port on which the container listens. Without it the service is a worker: no Service, no default probes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<i32>,
    /// What is spoken on `port`. Default `HTTP`. Names the main port (`http`, `grpc`, `tcp`, `udp`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Further ports, e.g. for administration or metrics. They are part of the Service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Vec<Port>>,
    /// The Service in front of the pods. Default: port 80 for HTTP and GRPC, else `port`, so that callers write `http://orders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceSettings>,

    /// Hosts and paths of gateways that lead to the service. Needs the Gateway API in the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<Route>>,

    /// A fixed number of pods. Excludes `autoscaling`. This is what `kubectl scale` sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 10000))]
    pub replicas: Option<i32>,
    /// Autoscaling by load. On by default (2 to 6 pods at 70 % CPU) when neither this nor `replicas` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How many pods voluntary disruptions, such as node drains, may take at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disruption: Option<Disruption>,
    /// Which nodes the pods may run on, and how they spread over them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Who may call this service, and whom it calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_policy: Option<AccessPolicy>,
    /// How a new version replaces the old one, and what happens when it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<Rollout>,

    /// The platform team's profile for this service. Default: the one called `default`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_ref: Option<ProfileRef>,
    /// Escape hatch: a partial pod template, merged over the generated one as `kubectl patch` would (strategic merge;
    /// the main container's name is the service's name). Shown by the condition `Overridden`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_template: Option<PodTemplate>,
    /// What happens to the children when the Microservice is deleted. Default `Delete`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// When true the operator observes and reports, and writes nothing but status. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// What happens to the children when the Microservice is deleted.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq, JsonSchema)]
pub enum DeletionPolicy {
    /// They are deleted with it.
    #[default]
    Delete,
    /// They stay and run on; a Microservice of the same name takes them over again.
    Orphan,
}
