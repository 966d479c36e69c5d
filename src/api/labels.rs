//! Labels and annotations that the operator writes or reads, spelled once.

/// Value of `app.kubernetes.io/managed-by` on every child, and the name of the main field manager.
pub const OPERATOR: &str = "microservice-operator";

pub const NAME: &str = "app.kubernetes.io/name";
pub const INSTANCE: &str = "app.kubernetes.io/instance";
pub const COMPONENT: &str = "app.kubernetes.io/component";
pub const PART_OF: &str = "app.kubernetes.io/part-of";
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Which kind of workload a pod belongs to. Part of selectors, so that two workloads of one service never share a pod.
pub const TRACK: &str = "microservices.dev/track";
/// The one Deployment of a service that is rolled in place.
pub const TRACK_ROLLING: &str = "rolling";
/// Value of [`TRACK`] for the pods of a Deployment that runs one revision only.
pub const TRACK_REVISION: &str = "revision";
/// What a Deployment is there for: `stable`, `candidate`, `parked` or `leaving`. Never a label of its pods: a change of
/// role restarts nothing.
pub const ROLE: &str = "microservices.dev/role";
/// On a Service that routes lead to, and by it on its EndpointSlices, which are watched.
pub const ROUTED: &str = "microservices.dev/routed";
/// On a route of the user's, while a rollout has the weights of one of its backends: `rollout.microservices.dev/<service>`,
/// with the per cent of the new version. It is how the route is found and put back, also after the service is gone.
pub const SHARED_FOR: &str = "rollout.microservices.dev/";
/// Bounded context, from `spec.domain`.
pub const DOMAIN: &str = "microservices.dev/domain";
/// Team, from `spec.owner`.
pub const OWNER: &str = "microservices.dev/owner";

/// Revision: an annotation of the Deployment that runs it, and a label of its pods. The label is added to the template
/// when it is applied and left out when it is hashed: a template that carried its own hash could not be hashed.
pub const REVISION: &str = "microservices.dev/revision";
/// `namespace/name` of the Microservice that made a child with `deletionPolicy: Orphan`, which has no owner reference.
pub const ORPHAN_OF: &str = "microservices.dev/orphan-of";

/// Hash of what the operator last applied to a child. Together with a comparison of the fields it owns this tells
/// without a request whether an apply would change anything: the hash sees fields that left the plan, the comparison
/// sees edits by others.
pub const APPLIED: &str = "microservices.dev/applied";
/// On a ControllerRevision: hash of the spec's part that made it.
pub const INPUTS: &str = "microservices.dev/inputs";
/// On a ControllerRevision: when the revision last became stable. Absent on one that never did.
pub const STABLE_SINCE: &str = "microservices.dev/stable-since";

/// Goes one step further with the candidate that is the annotation's value; `<revision>:full` skips all steps. After
/// either may follow `:<anything>`, which makes the value a new one.
pub const PROMOTE: &str = "microservices.dev/promote";
/// Gives the candidate that is the annotation's value up.
pub const ABORT: &str = "microservices.dev/abort";
/// Holds the candidate that is the annotation's value where it is.
pub const PAUSE: &str = "microservices.dev/pause";
/// Takes `pause` back.
pub const RESUME: &str = "microservices.dev/resume";
/// Puts the revision that is the annotation's value in the place of the one that the spec asks for.
pub const UNDO: &str = "microservices.dev/undo";
/// Asks for another try of the failed revision that is the annotation's value.
pub const RETRY: &str = "microservices.dev/retry";
/// Any new value replaces all pods, without another change.
pub const RESTART: &str = "microservices.dev/restart";

/// Prefix of the operator's own labels and annotations.
pub const OWN: &str = "microservices.dev/";
/// Prefixes of annotations that no child carries: the operator's own, and those by which a tool marks what it applied;
/// on a child they would make that tool take it for its own, and delete it as one that it does not know.
pub const NOT_FOR_CHILDREN: [&str; 7] = [
    OWN,
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "helm.sh/",
    "kubectl.kubernetes.io/last-applied-configuration",
];
