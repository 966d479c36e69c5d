//! Patterns of the schema, and what they mean in words: the API server only repeats them, `validate` explains.

/// A name as most objects have it: a DNS subdomain of at most 253 characters (RFC 1123).
pub const SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A key of a ConfigMap or Secret.
pub const DATA_KEY: &str = "^[-._a-zA-Z0-9]+$";
/// A label's key: an optional DNS subdomain and a slash, then at most 63 characters.
pub const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$";
pub const LABEL_VALUE: &str = "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$";
/// A relative path that does not climb.
pub const RELATIVE: &str = "^([^/.][^/]*|[.][^/.][^/]*|[.][.][^/]+)(/([^/.][^/]*|[.][^/.][^/]*|[.][.][^/]+))*$";
/// An amount that is not negative, as in Kubernetes' `resource.Quantity`.
pub const QUANTITY: &str = "^[+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";
/// A port's name: letters, digits and single hyphens, with at least one letter (RFC 6335).
pub const PORT_NAME: &str = "^([a-z0-9]+-)*[a-z0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*$";
/// What core/v1 offers to `fieldRef` in an environment variable.
pub const POD_FIELD: &str = "^(metadata[.](name|namespace|uid|(labels|annotations)\\['[^']+'\\])|spec[.](nodeName|serviceAccountName)|status[.](hostIPs?|podIPs?))$";
pub const RESOURCE_FIELD: &str = "^(limits|requests)[.](cpu|memory|ephemeral-storage|hugepages-.+)$";
/// Any printable ASCII but `=`, as core/v1 has it since 1.34: .NET's `Logging:Level` is common.
pub const VARIABLE: &str = "^[ -<>-~]+$";
pub const PREFIX: &str = "^[ -<>-~]*$";
pub const PERCENT: &str = "^(0|[1-9][0-9]{0,3})%$";
pub const PERCENT_OF_ALL: &str = "^(0|[1-9][0-9]?|100)%$";
/// A disruption budget of nothing would block every drain.
pub const PERCENT_OF_SOME: &str = "^([1-9][0-9]?|100)%$";
/// An address of HTTP or HTTPS with a host; no user info, whose `@` would hide the host that is meant, and no fragment.
const URL: &str = "^https?://([A-Za-z0-9]([-A-Za-z0-9._]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?([/?][!$-;=?-Z_a-z~\\[\\]]*)?$";
/// A file's name: no folder, and not hidden, which a Secret's own links are.
const FILE_NAME: &str = "^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$";
/// A DNS label (RFC 1123), as it stands at the fields themselves.
const LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// What must stand there.
pub fn meaning(pattern: &str) -> Option<&'static str> {
    let words = match pattern {
        SUBDOMAIN => "an object's name: a-z, 0-9, and `-` or `.` between them",
        LABEL => "a name of a-z, 0-9 and inner hyphens",
        DATA_KEY => "a key of letters, digits, `-`, `_` and `.`",
        LABEL_KEY => "a label's key such as `team` or `example.com/team`",
        LABEL_VALUE => "a label's value: letters, digits, and `-`, `_` or `.` between them",
        RELATIVE => "a relative path without `.` and `..`",
        QUANTITY => "an amount such as `100m`, `2` or `512Mi`",
        URL => "an address such as `https://approvals.example.com/gate`: http or https, a host, no user info, no fragment",
        FILE_NAME => "the name of a file, without a folder, that does not begin with a dot",
        PORT_NAME => "a port's number without quotes, or its name such as `http`",
        POD_FIELD => "a field that pods offer, such as `metadata.name`, `metadata.labels['app']`, `spec.nodeName` or `status.podIP`",
        RESOURCE_FIELD => "a resource such as `limits.memory` or `requests.cpu`",
        VARIABLE | PREFIX => "printable ASCII without `=`",
        PERCENT => "a number, or a percentage such as `25%`",
        PERCENT_OF_ALL => "a number, or a percentage from `0%` to `100%`",
        PERCENT_OF_SOME => "a number of at least 1, or a percentage from `1%` to `100%`",
        _ => return None,
    };
    Some(words)
}
