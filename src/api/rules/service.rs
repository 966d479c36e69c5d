//! The service as a whole: its name, ports, and the Service in front of it.

use super::Rule;

pub const RULES: &[Rule] = &[
    Rule::new(
        &[""],
        "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
        "the name becomes that of a Service: it must begin with a letter and hold only a-z, 0-9 and inner hyphens",
    )
    .field(".metadata.name"),
    Rule::new(
        &["spec.system", "spec.domain", "spec.owner"],
        "self.matches('^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$')",
        "must be a label's value: letters, digits, and `-`, `_` or `.` between them",
    ),
    Rule::new(
        &["spec.image", "initContainers[].image", "sidecars[].image"],
        "self.matches('^(([a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?|\\\\[[0-9a-fA-F:]+\\\\])(:[0-9]+)?/)?[a-z0-9]+([-._]+[a-z0-9]+)*(/[a-z0-9]+([-._]+[a-z0-9]+)*)*(:[A-Za-z0-9_][-.A-Za-z0-9_]*)?(@[a-z0-9]+:[0-9a-f]+)?$')",
        "must be an image such as `ghcr.io/acme/orders:1.4.2`: a lower-case repository with a tag or digest, without spaces or `https://`",
    ),
    Rule::new(&["spec"], "!has(self.protocol) || has(self.port)", "`protocol` needs `port`: it says what is spoken there")
        .field(".protocol")
        .forbidden(),
    Rule::new(&["spec"], "!has(self.ports) || has(self.port)", "`ports` needs `port`: without a main port the service is a worker")
        .field(".ports")
        .forbidden(),
    Rule::new(&["spec"], "!has(self.service) || has(self.port)", "`service` needs `port`: a worker has no Service")
        .field(".service")
        .forbidden(),
    Rule::new(&["spec"], "!has(self.routes) || has(self.port)", "`routes` needs `port`: a worker answers no requests")
        .field(".routes")
        .forbidden(),
    Rule::new(
        &["spec.ports[].name", "sidecars[].ports[].name", "initContainers[].ports[].name"],
        "self.matches('^([a-z0-9]+-)*[a-z0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$')",
        "must be a port's name: a-z, 0-9 and single inner hyphens, with at least one letter",
    ),
    Rule::new(
        &["spec"],
        "!has(self.port) || !has(self.ports) || self.ports.all(p, p.name != (has(self.protocol) ? self.protocol.lowerAscii() : 'http'))",
        "the main port already has the name of its protocol (`http` unless `protocol` says otherwise): further ports must have others",
    )
    .field(".ports"),
    Rule::new(
        &["spec.ports"],
        "self.all(p, self.exists_one(q, q.port == p.port && (has(q.protocol) && q.protocol == 'UDP') == (has(p.protocol) && p.protocol == 'UDP')))",
        "each `port` must appear once, or once for UDP and once for the others",
    ),
    Rule::new(
        &["spec"],
        "!has(self.port) || !has(self.ports) || self.ports.all(p, p.port != self.port || (has(p.protocol) && p.protocol == 'UDP') != (has(self.protocol) && self.protocol == 'UDP'))",
        "further ports must have other numbers than `port`",
    )
    .field(".ports"),
    Rule::new(
        &["spec"],
        "!has(self.port) || !has(self.ports) || self.ports.all(p, p.port != (has(self.service) && has(self.service.port) ? self.service.port : has(self.service) && has(self.service.headless) && self.service.headless || has(self.protocol) && self.protocol in ['TCP', 'UDP'] ? self.port : 80) || (has(p.protocol) && p.protocol == 'UDP') != (has(self.protocol) && self.protocol == 'UDP'))",
        "the Service already uses this number for the main port (80 for HTTP and GRPC): further ports must have others, or set `service.port`",
    )
    .field(".ports"),
    Rule::new(
        &["spec"],
        "!has(self.service) || !has(self.service.headless) || !self.service.headless || !has(self.service.port) || !has(self.port) || self.service.port == self.port",
        "with `headless`, callers reach the pods themselves: it must equal `spec.port`, or be left out",
    )
    .field(".service.port"),
    Rule::new(
        &["spec.service"],
        "!(has(self.headless) && self.headless && has(self.sessionAffinity) && self.sessionAffinity == 'ClientIP')",
        "with `headless` there is no virtual address to keep a client on: it must be `None`, or be left out",
    )
    .field(".sessionAffinity")
    .forbidden(),
];
