//! Security settings: the user's over defaults that pass the Pod Security level `restricted`
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>).
//!
//! No user id is set: images bring their own, and a fixed one would break those whose files belong to it.

use k8s_openapi::api::core::v1 as core;

use super::word;
use crate::api::v1alpha1::{PodSecurityContext, SeccompProfile, SecurityContext};

/// Of the pod; containers inherit what they do not set.
pub fn pod(user: Option<&PodSecurityContext>) -> core::PodSecurityContext {
    let user = user.cloned().unwrap_or_default();
    // Changing the owner of every file at every start takes minutes on large volumes; once is enough.
    let change_policy = user.fs_group_change_policy.and_then(word);
    let once = user.fs_group.map(|_| "OnRootMismatch".to_owned());
    core::PodSecurityContext {
        run_as_user: user.run_as_user,
        run_as_group: user.run_as_group,
        run_as_non_root: Some(user.run_as_non_root.unwrap_or(true)),
        fs_group: user.fs_group,
        fs_group_change_policy: change_policy.or(once),
        supplemental_groups: user.supplemental_groups,
        seccomp_profile: Some(user.seccomp_profile.map_or_else(runtime_default, seccomp)),
        ..core::PodSecurityContext::default()
    }
}

/// Of a container. What the pod already says is not repeated.
pub fn container(user: Option<&SecurityContext>) -> core::SecurityContext {
    let user = user.cloned().unwrap_or_default();
    let added = user.capabilities.and_then(|capabilities| capabilities.add);
    core::SecurityContext {
        run_as_user: user.run_as_user,
        run_as_group: user.run_as_group,
        run_as_non_root: user.run_as_non_root,
        read_only_root_filesystem: Some(user.read_only_root_filesystem.unwrap_or(true)),
        allow_privilege_escalation: Some(user.allow_privilege_escalation.unwrap_or(false)),
        capabilities: Some(core::Capabilities {
            add: added.map(|names| names.into_iter().filter_map(word).collect()),
            drop: Some(vec!["ALL".to_owned()]),
        }),
        seccomp_profile: user.seccomp_profile.map(seccomp),
        se_linux_options: user.se_linux_options,
        ..core::SecurityContext::default()
    }
}

fn runtime_default() -> core::SeccompProfile {
    core::SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }
}

fn seccomp(profile: SeccompProfile) -> core::SeccompProfile {
    core::SeccompProfile { type_: word(profile.r#type).unwrap_or_default(), localhost_profile: profile.localhost_profile }
}
