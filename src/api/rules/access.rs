//! Who may call, and whom the service calls.

use super::Rule;

const PEERS: &[&str] = &["inbound[]", "outbound[]"];
const SELECTORS: &[&str] = &[
    "inbound[].namespaceSelector.matchExpressions[]",
    "inbound[].podSelector.matchExpressions[]",
    "outbound[].namespaceSelector.matchExpressions[]",
    "outbound[].podSelector.matchExpressions[]",
];
const LISTS: &[&str] = &["accessPolicy.inbound", "accessPolicy.outbound"];

pub const RULES: &[Rule] = &[
    Rule::new(
        &["spec.accessPolicy"],
        "!(has(self.isolation) && self.isolation == 'None') || !(has(self.inbound) || has(self.outbound))",
        "`isolation: None` and the lists exclude each other: without a policy nothing is enforced",
    )
    .field(".isolation")
    .forbidden(),
    Rule::new(
        PEERS,
        "[has(self.service), has(self.cidr), has(self.namespaceSelector) || has(self.podSelector)].filter(given, given).size() == 1",
        "exactly one of `service`, `cidr`, and selectors (`namespaceSelector`, `podSelector` or both) must be given",
    ),
    Rule::new(PEERS, "!has(self.__namespace__) || has(self.service)", "`namespace` needs `service`; for others use `namespaceSelector`")
        .field(".namespace")
        .forbidden(),
    Rule::new(
        &["inbound[].cidr", "outbound[].cidr"],
        "isCIDR(self) && cidr(self).masked() == cidr(self)",
        "must be a network such as `203.0.113.0/24` or `2001:db8::/32`, with no bits set beyond the prefix",
    ),
    Rule::new(
        LISTS,
        "self.all(p, !has(p.service) || self.exists_one(q, has(q.service) && q.service == p.service && (has(q.__namespace__) ? q.__namespace__ : '') == (has(p.__namespace__) ? p.__namespace__ : '')))",
        "each `service` of a `namespace` must appear once: put all its ports into one entry",
    ),
    Rule::new(
        LISTS,
        "self.all(p, !has(p.cidr) || self.exists_one(q, has(q.cidr) && q.cidr == p.cidr))",
        "each `cidr` must appear once: put all its ports into one entry",
    ),
    Rule::new(&["outbound[]"], "!has(self.env) || has(self.service)", "`env` needs `service`: it receives the URL of that service")
        .field(".env")
        .forbidden(),
    Rule::new(
        &["accessPolicy.outbound"],
        "self.all(p, !has(p.env) || self.exists_one(q, has(q.env) && q.env == p.env))",
        "each variable of `env` must appear once",
    ),
    Rule::new(
        &["spec"],
        "!has(self.env) || !has(self.accessPolicy) || !has(self.accessPolicy.outbound) || self.accessPolicy.outbound.all(p, !has(p.env) || !self.env.exists(e, e.name == p.env))",
        "`accessPolicy.outbound[].env` and `env` must not set the same variable: remove one",
    )
    .field(".env"),
    Rule::new(
        &["spec"],
        "has(self.port) || !has(self.accessPolicy) || !has(self.accessPolicy.inbound) || self.accessPolicy.inbound.all(p, has(p.ports))",
        "entries of `inbound` need `ports`, since this service has no `port`",
    )
    .field(".accessPolicy.inbound")
    .required(),
    Rule::new(
        SELECTORS,
        "self.operator in ['Exists', 'DoesNotExist'] ? !has(self.values) || self.values.size() == 0 : has(self.values) && self.values.size() > 0",
        "`values` must be given for `In` and `NotIn`, and be absent for `Exists` and `DoesNotExist`",
    )
    .field(".values"),
];
