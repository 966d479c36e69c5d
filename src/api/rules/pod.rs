//! The containers and what they need.

use super::Rule;

const COMPANIONS: &[&str] = &["spec.initContainers[]", "spec.sidecars[]"];
const PROBES: &[&str] = &["probes.liveness", "probes.readiness", "probes.startup"];
const HANDLERS: &[&str] = &["lifecycle.postStart", "lifecycle.preStop"];

/// A check finds its port: its own, or the main one if a connection to it can be made.
macro_rules! needs_port {
    ($probe:literal) => {
        concat!(
            "!has(self.probes) || !has(self.probes.",
            $probe,
            ") || has(self.port) && !(has(self.protocol) && self.protocol == 'UDP')",
            " || has(self.probes.",
            $probe,
            ".exec)",
            " || has(self.probes.",
            $probe,
            ".httpGet) && has(self.probes.",
            $probe,
            ".httpGet.port)",
            " || has(self.probes.",
            $probe,
            ".grpc) && has(self.probes.",
            $probe,
            ".grpc.port)",
            " || has(self.probes.",
            $probe,
            ".tcpSocket) && has(self.probes.",
            $probe,
            ".tcpSocket.port)"
        )
    };
}

macro_rules! sleeps_within_grace {
    ($hook:literal) => {
        concat!(
            "!has(self.lifecycle) || !has(self.lifecycle.",
            $hook,
            ") || !has(self.lifecycle.",
            $hook,
            ".sleep)",
            " || self.lifecycle.",
            $hook,
            ".sleep.seconds <= (has(self.terminationGracePeriodSeconds) ? self.terminationGracePeriodSeconds : 30)"
        )
    };
}

macro_rules! mounts_files {
    ($list:literal) => {
        concat!(
            "!has(self.",
            $list,
            ") || self.",
            $list,
            ".all(c, !has(c.mounts)",
            " || c.mounts.all(m, has(self.files) && self.files.exists(f, f.mountPath == m)))"
        )
    };
}

macro_rules! has_other_names {
    ($list:literal) => {
        concat!("!has(self.spec.", $list, ") || self.spec.", $list, ".all(c, c.name != self.metadata.name)")
    };
}

pub const RULES: &[Rule] = &[
    // ---- environment
    Rule::new(&["env[]"], "!(has(self.value) && has(self.valueFrom))", "`value` and `valueFrom` exclude each other"),
    Rule::new(
        &["env[].valueFrom"],
        "[has(self.configMapKeyRef), has(self.secretKeyRef), has(self.fieldRef), has(self.resourceFieldRef)].filter(given, given).size() == 1",
        "exactly one of `configMapKeyRef`, `secretKeyRef`, `fieldRef` and `resourceFieldRef` must be given",
    ),
    Rule::new(
        &["envFrom[]"],
        "has(self.configMapRef) != has(self.secretRef)",
        "exactly one of `configMapRef` and `secretRef` must be given",
    ),
    // ---- files
    Rule::new(
        &["files[].mountPath"],
        "self.matches('^(/[^/:]+)+$') && !self.matches('/[.][.]?(/|$)')",
        "must be an absolute path such as `/etc/orders`, without `:`, `.`, `..`, empty parts or a `/` at the end",
    ),
    Rule::new(
        &["files[].mountPath"],
        "!self.matches('^/(proc|sys)(/|$)') && self != '/dev'",
        "`/proc`, `/sys` and `/dev` are the kernel's: it must be another path",
    )
    .forbidden(),
    Rule::new(
        &["files[]"],
        "[has(self.content), has(self.configMap), has(self.secret), has(self.emptyDir), has(self.persistentVolumeClaim), has(self.projected)].filter(given, given).size() == 1",
        "exactly one of `content`, `configMap`, `secret`, `emptyDir`, `persistentVolumeClaim` and `projected` must be given",
    ),
    Rule::new(
        &["files[]"],
        "!has(self.readOnly) || self.readOnly || has(self.emptyDir) || has(self.persistentVolumeClaim)",
        "it must be true or absent: only `emptyDir` and `persistentVolumeClaim` can be written to",
    )
    .field(".readOnly"),
    Rule::new(
        &["projected.sources[]"],
        "[has(self.configMap), has(self.secret), has(self.downwardAPI), has(self.serviceAccountToken), has(self.clusterTrustBundle)].filter(given, given).size() == 1",
        "exactly one of `configMap`, `secret`, `downwardAPI`, `serviceAccountToken` and `clusterTrustBundle` must be given",
    ),
    Rule::new(
        &["downwardAPI.items[]"],
        "has(self.fieldRef) != has(self.resourceFieldRef)",
        "exactly one of `fieldRef` and `resourceFieldRef` must be given",
    ),
    // ---- resources. Of the main container only: before kubernetes/kubernetes#132837 (in 1.34) the server's estimate
    // took quantities for texts of 3 MB each, and for twenty companions that is too much.
    Rule::new(
        &["spec.resources"],
        "!has(self.requests) || !has(self.limits) || ['cpu', 'memory', 'ephemeral-storage'].all(r, !(r in self.requests) || !(r in self.limits) || quantity(string(self.requests[r])).compareTo(quantity(string(self.limits[r]))) <= 0)",
        "a request must not exceed the limit of the same resource",
    )
    .field(".requests"),
    // ---- health
    Rule::new(
        PROBES,
        "[has(self.httpGet), has(self.grpc), has(self.tcpSocket), has(self.exec)].filter(given, given).size() <= 1",
        "at most one of `httpGet`, `grpc`, `tcpSocket` and `exec` must be given",
    ),
    Rule::new(
        &["probes.liveness", "probes.startup"],
        "!has(self.successThreshold) || self.successThreshold == 1",
        "must be 1 for liveness and startup",
    )
    .field(".successThreshold"),
    Rule::new(
        &["spec"],
        needs_port!("liveness"),
        "a check without a port of its own needs a main `port` that is not UDP",
    )
    .field(".probes.liveness"),
    Rule::new(
        &["spec"],
        needs_port!("readiness"),
        "a check without a port of its own needs a main `port` that is not UDP",
    )
    .field(".probes.readiness"),
    Rule::new(
        &["spec"],
        needs_port!("startup"),
        "a check without a port of its own needs a main `port` that is not UDP",
    )
    .field(".probes.startup"),
    Rule::new(&["httpGet.path"], "self.startsWith('/')", "must begin with `/`"),
    // ---- start and stop
    Rule::new(
        HANDLERS,
        "[has(self.sleep), has(self.exec), has(self.httpGet)].filter(given, given).size() == 1",
        "exactly one of `sleep`, `exec` and `httpGet` must be given",
    ),
    Rule::new(
        &["spec"],
        "has(self.port) || !has(self.lifecycle) || !(has(self.lifecycle.preStop) && has(self.lifecycle.preStop.httpGet) && !has(self.lifecycle.preStop.httpGet.port) || has(self.lifecycle.postStart) && has(self.lifecycle.postStart.httpGet) && !has(self.lifecycle.postStart.httpGet.port))",
        "an `httpGet` without a port of its own needs the main `port`",
    )
    .field(".lifecycle"),
    Rule::new(
        &["spec"],
        sleeps_within_grace!("preStop"),
        "the pause must not exceed `terminationGracePeriodSeconds` (default 30): the container would be killed in its sleep",
    )
    .field(".lifecycle.preStop.sleep.seconds"),
    Rule::new(
        &["spec"],
        sleeps_within_grace!("postStart"),
        "the pause must not exceed `terminationGracePeriodSeconds` (default 30)",
    )
    .field(".lifecycle.postStart.sleep.seconds"),
    // ---- companions
    Rule::new(
        &[""],
        has_other_names!("initContainers"),
        "the main container has the service's own name: init containers must have others",
    )
    .field(".spec.initContainers"),
    Rule::new(
        &[""],
        has_other_names!("sidecars"),
        "the main container has the service's own name: sidecars must have others",
    )
    .field(".spec.sidecars"),
    Rule::new(
        &["spec"],
        "!has(self.initContainers) || !has(self.sidecars) || self.sidecars.all(c, !self.initContainers.exists(i, i.name == c.name))",
        "init containers and sidecars share one pod: their names must differ",
    )
    .field(".sidecars"),
    Rule::new(
        &["spec"],
        mounts_files!("initContainers"),
        "each of `mounts` must be the `mountPath` of an entry in `files`",
    )
    .field(".initContainers"),
    Rule::new(
        &["spec"],
        mounts_files!("sidecars"),
        "each of `mounts` must be the `mountPath` of an entry in `files`",
    )
    .field(".sidecars"),
    Rule::new(&["spec.initContainers[]"], "!has(self.probes)", "`probes` needs a sidecar: init containers run to completion")
        .field(".probes")
        .forbidden(),
    Rule::new(
        &["sidecars[].probes.liveness", "sidecars[].probes.readiness", "sidecars[].probes.startup"],
        "has(self.exec) || has(self.httpGet) && has(self.httpGet.port) || has(self.grpc) && has(self.grpc.port) || has(self.tcpSocket) && has(self.tcpSocket.port)",
        "a sidecar's check needs a handler with its port: a sidecar has no main port to fall back on",
    )
    .required(),
    Rule::new(
        &["spec"],
        "!has(self.port) || !has(self.sidecars) || self.sidecars.all(c, !has(c.ports) || c.ports.all(q, q.containerPort != self.port && (!has(self.ports) || self.ports.all(p, p.port != q.containerPort))))",
        "containers of a pod share its address: sidecars must listen on other ports than the service",
    )
    .field(".sidecars"),
    // ---- security
    Rule::new(
        &["spec"],
        "!((has(self.securityContext) && has(self.securityContext.runAsUser) ? self.securityContext.runAsUser : has(self.podSecurityContext) && has(self.podSecurityContext.runAsUser) ? self.podSecurityContext.runAsUser : 1) == 0 && (has(self.securityContext) && has(self.securityContext.runAsNonRoot) ? self.securityContext.runAsNonRoot : has(self.podSecurityContext) && has(self.podSecurityContext.runAsNonRoot) ? self.podSecurityContext.runAsNonRoot : true))",
        "user 0 is root: `runAsUser: 0` needs `runAsNonRoot: false` beside it; better, use an image that does not want root",
    )
    .field(".securityContext"),
    Rule::new(
        COMPANIONS,
        "!has(self.securityContext) || !has(self.securityContext.runAsUser) || self.securityContext.runAsUser != 0 || has(self.securityContext.runAsNonRoot) && !self.securityContext.runAsNonRoot",
        "user 0 is root: `runAsUser: 0` needs `runAsNonRoot: false` beside it",
    )
    .field(".securityContext"),
    Rule::new(
        &["seccompProfile"],
        "(self.type == 'Localhost') == has(self.localhostProfile)",
        "`localhostProfile` must be given for `Localhost`, and only then",
    )
    .field(".localhostProfile"),
    Rule::new(
        &["seccompProfile.localhostProfile"],
        "self.matches('^[^/]') && !self.matches('(^|/)[.][.](/|$)')",
        "must be a relative path without `..`",
    ),
    Rule::new(
        &["seLinuxOptions"],
        "!(has(self.user) && self.user != '') && !(has(self.role) && self.role != '') && (!has(self.type) || self.type in ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t'])",
        "`user` and `role` must be absent and `type` one of the container types, as the Pod Security level `baseline` asks",
    )
    .forbidden(),
    Rule::new(
        &["spec.podSecurityContext"],
        "!has(self.fsGroupChangePolicy) || has(self.fsGroup)",
        "`fsGroupChangePolicy` needs `fsGroup`",
    )
    .field(".fsGroupChangePolicy")
    .forbidden(),
];
