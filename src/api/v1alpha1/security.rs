//! Identity and security settings. Fields that leave the container (privileged, host namespaces, sysctls) do not exist
//! here: an author who may create a Microservice must not gain through it what pod admission would refuse.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::SELinuxOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The service's own identity.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccount {
    /// Annotations of the ServiceAccount, e.g. for a cloud provider's workload identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
    /// Whether pods get the account's token, which only programs that call the Kubernetes API need. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_token: Option<bool>,
}

/// Security settings of a container, as in core/v1. What is not given keeps the safe default.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecurityContext {
    /// User that the process runs as. Default: the image's user, which must not be 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_user: Option<i64>,
    /// Group that the process runs as. Default: the image's group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start the container as root. Default true; false for an image that wants root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_non_root: Option<bool>,
    /// Whether the image's files are read-only. Default true; `/tmp` is writable all the same. False for an image that writes elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only_root_filesystem: Option<bool>,
    /// Whether the process may gain rights that its parent lacks. Default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_privilege_escalation: Option<bool>,
    /// Linux capabilities. Default: all dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Capabilities>,
    /// System call filter. Default `RuntimeDefault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp_profile: Option<SeccompProfile>,
    /// SELinux labels, as in core/v1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub se_linux_options: Option<SELinuxOptions>,
}

/// Security settings of the pod, as in core/v1. What is not given keeps the safe default.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodSecurityContext {
    /// User that all containers run as. Default: the image's user, which must not be 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_user: Option<i64>,
    /// Group that all containers run as. Default: the image's group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub run_as_group: Option<i64>,
    /// Whether the kubelet refuses to start containers as root. Default true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_as_non_root: Option<bool>,
    /// Group that owns the pod's volumes, so that a process that is not root can write to them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub fs_group: Option<i64>,
    /// When the ownership of volumes is changed to `fsGroup`. Default `OnRootMismatch` when `fsGroup` is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fs_group_change_policy: Option<FsGroupChangePolicy>,
    /// Further groups of the processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplemental_groups: Option<Vec<i64>>,
    /// System call filter. Default `RuntimeDefault`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seccomp_profile: Option<SeccompProfile>,
}

/// When volumes change their group.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum FsGroupChangePolicy {
    Always,
    OnRootMismatch,
}

/// Linux capabilities beside the empty default.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, JsonSchema)]
pub struct Capabilities {
    /// Capabilities to add, of those that the Pod Security level `baseline` allows, e.g. `NET_BIND_SERVICE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub add: Option<Vec<Capability>>,
}

/// What the Pod Security level `baseline` allows to be added
/// (<https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>).
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capability {
    AuditWrite,
    Chown,
    DacOverride,
    Fowner,
    Fsetid,
    Kill,
    Mknod,
    NetBindService,
    Setfcap,
    Setgid,
    Setpcap,
    Setuid,
    SysChroot,
}

/// A system call filter.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeccompProfile {
    /// `RuntimeDefault`, or `Localhost` for a profile on the node.
    pub r#type: SeccompType,
    /// Path of the profile below the kubelet's seccomp folder; for `Localhost`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub localhost_profile: Option<String>,
}

/// Kind of system call filter. `Unconfined` does not exist: `baseline` refuses it.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
pub enum SeccompType {
    RuntimeDefault,
    Localhost,
}
