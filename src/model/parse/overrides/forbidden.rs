//! What a partial pod template must not set: all that the Pod Security level `baseline` refuses
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>, as of Kubernetes 1.36), and what
//! belongs to the operator or to the node.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    AppArmorProfile, Container, LifecycleHandler, PodSpec, Probe, SELinuxOptions, SeccompProfile, WindowsSecurityContextOptions,
};

use super::Findings;
use crate::api::problem::Reason;

/// Capabilities that `baseline` allows to be added.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];
/// Kernel settings that `baseline` allows.
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];
/// SELinux types that `baseline` allows.
const SELINUX_TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];
/// Annotation by which AppArmor was set before it had a field.
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
/// Prefix of the priority classes that are the cluster's own.
const SYSTEM_PRIORITY: &str = "system-";

pub fn pod(path: &str, pod: &PodSpec, found: &mut Findings) {
    let mut refuse = |set: bool, field: &str, why: &str| {
        if set {
            found.error(format!("{path}.{field}"), Reason::Forbidden, why);
        }
    };
    let host = "the pod must not share the node's namespaces: remove it";
    refuse(pod.host_network == Some(true), "hostNetwork", host);
    refuse(pod.host_pid == Some(true), "hostPID", host);
    refuse(pod.host_ipc == Some(true), "hostIPC", host);
    refuse(pod.node_name.is_some(), "nodeName", "the scheduler chooses the node: use `spec.placement`");
    let identity = "the service runs under an identity of its own: use `spec.serviceAccount`";
    refuse(pod.service_account_name.is_some(), "serviceAccountName", identity);
    refuse(pod.service_account.is_some(), "serviceAccount", identity);
    let token = "use `spec.serviceAccount.automountToken`";
    refuse(pod.automount_service_account_token.is_some(), "automountServiceAccountToken", token);
    let lasting = "pods of a service run until they are replaced: remove it";
    refuse(pod.restart_policy.as_deref().is_some_and(|policy| policy != "Always"), "restartPolicy", lasting);
    refuse(pod.active_deadline_seconds.is_some(), "activeDeadlineSeconds", lasting);
    refuse(pod.ephemeral_containers.is_some(), "ephemeralContainers", "they are for running pods only: use `kubectl debug`");
    let class = pod.priority_class_name.as_deref();
    let theirs = class.is_some_and(|class| class.starts_with(SYSTEM_PRIORITY));
    refuse(theirs, "priorityClassName", "classes that begin with `system-` are the cluster's own: choose another");
    let windows = pod.os.as_ref().is_some_and(|os| os.name == "windows");
    refuse(windows, "os", "services run on Linux: their security settings have no meaning elsewhere");
    for (index, volume) in pod.volumes.iter().flatten().enumerate() {
        let why = "the node's files must not be mounted: use `spec.files` with another source";
        refuse(volume.host_path.is_some(), &format!("volumes[{index}].hostPath"), why);
    }
    if let Some(context) = &pod.security_context {
        let path = format!("{path}.securityContext");
        profiles(&path, context.seccomp_profile.as_ref(), context.app_armor_profile.as_ref(), found);
        labels(&path, context.se_linux_options.as_ref(), found);
        host_process(&path, context.windows_options.as_ref(), found);
        for (index, sysctl) in context.sysctls.iter().flatten().enumerate() {
            if !SYSCTLS.contains(&sysctl.name.as_str()) {
                let why = format!("`{}` is not among the kernel settings that Pod Security `baseline` allows: remove it", sysctl.name);
                found.error(format!("{path}.sysctls[{index}].name"), Reason::Forbidden, why);
            }
        }
    }
    let lists = [("containers", pod.containers.as_slice()), ("initContainers", pod.init_containers.as_deref().unwrap_or_default())];
    for (list, containers) in lists {
        for (index, item) in containers.iter().enumerate() {
            container(&format!("{path}.{list}[{index}]"), item, found);
        }
    }
}

fn container(path: &str, container: &Container, found: &mut Findings) {
    for (index, port) in container.ports.iter().flatten().enumerate() {
        if port.host_port.is_some_and(|port| port != 0) {
            let why = "the pod must not take a port of the node: use the Service";
            found.error(format!("{path}.ports[{index}].hostPort"), Reason::Forbidden, why);
        }
    }
    let probes = [
        ("livenessProbe", container.liveness_probe.as_ref()),
        ("readinessProbe", container.readiness_probe.as_ref()),
        ("startupProbe", container.startup_probe.as_ref()),
    ];
    for (name, probe) in probes {
        checked_host(&format!("{path}.{name}"), probe, found);
    }
    if let Some(hooks) = &container.lifecycle {
        for (name, hook) in [("postStart", hooks.post_start.as_ref()), ("preStop", hooks.pre_stop.as_ref())] {
            hooked_host(&format!("{path}.lifecycle.{name}"), hook, found);
        }
    }
    let Some(context) = &container.security_context else { return };
    let path = format!("{path}.securityContext");
    if context.privileged == Some(true) {
        found.error(format!("{path}.privileged"), Reason::Forbidden, "a privileged container owns the node: remove it");
    }
    let added = context.capabilities.iter().filter_map(|capabilities| capabilities.add.as_ref()).flatten();
    for (index, name) in added.enumerate().filter(|(_, name)| !CAPABILITIES.contains(&name.as_str())) {
        let why = format!("`{name}` is not among the capabilities that Pod Security `baseline` allows: remove it");
        found.error(format!("{path}.capabilities.add[{index}]"), Reason::Forbidden, why);
    }
    if context.proc_mount.as_deref().is_some_and(|kind| kind != "Default") {
        found.error(format!("{path}.procMount"), Reason::Forbidden, "`/proc` must stay masked: remove it");
    }
    profiles(&path, context.seccomp_profile.as_ref(), context.app_armor_profile.as_ref(), found);
    labels(&path, context.se_linux_options.as_ref(), found);
    host_process(&path, context.windows_options.as_ref(), found);
}

fn profiles(path: &str, seccomp: Option<&SeccompProfile>, app_armor: Option<&AppArmorProfile>, found: &mut Findings) {
    let kinds = [("seccompProfile", seccomp.map(|profile| &profile.type_)), ("appArmorProfile", app_armor.map(|profile| &profile.type_))];
    for (name, kind) in kinds {
        if kind.is_some_and(|kind| !["RuntimeDefault", "Localhost"].contains(&kind.as_str())) {
            let why = "the container must stay confined: use `RuntimeDefault` or `Localhost`";
            found.error(format!("{path}.{name}.type"), Reason::Forbidden, why);
        }
    }
}

fn labels(path: &str, options: Option<&SELinuxOptions>, found: &mut Findings) {
    let Some(options) = options else { return };
    let set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let foreign = options.type_.as_deref().is_some_and(|kind| !SELINUX_TYPES.contains(&kind));
    if set(&options.user) || set(&options.role) || foreign {
        let why = "`user` and `role` must be absent, and `type` one of the container types, e.g. `container_t`";
        found.error(format!("{path}.seLinuxOptions"), Reason::Forbidden, why);
    }
}

fn host_process(path: &str, options: Option<&WindowsSecurityContextOptions>, found: &mut Findings) {
    if options.and_then(|options| options.host_process) == Some(true) {
        found.error(
            format!("{path}.windowsOptions.hostProcess"),
            Reason::Forbidden,
            "the container must not run on the node itself: remove it",
        );
    }
}

/// A check of another host is a request forged in the kubelet's name.
const ELSEWHERE: &str = "it must reach the pod itself: remove it";

fn checked_host(path: &str, probe: Option<&Probe>, found: &mut Findings) {
    let http = probe.and_then(|probe| probe.http_get.as_ref()?.host.as_ref());
    let tcp = probe.and_then(|probe| probe.tcp_socket.as_ref()?.host.as_ref());
    hosts(path, [("httpGet", http), ("tcpSocket", tcp)], found);
}

fn hooked_host(path: &str, hook: Option<&LifecycleHandler>, found: &mut Findings) {
    let http = hook.and_then(|hook| hook.http_get.as_ref()?.host.as_ref());
    let tcp = hook.and_then(|hook| hook.tcp_socket.as_ref()?.host.as_ref());
    hosts(path, [("httpGet", http), ("tcpSocket", tcp)], found);
}

fn hosts(path: &str, hosts: [(&str, Option<&String>); 2], found: &mut Findings) {
    for (name, host) in hosts {
        if host.is_some_and(|host| !host.is_empty()) {
            found.error(format!("{path}.{name}.host"), Reason::Forbidden, ELSEWHERE);
        }
    }
}

/// AppArmor by annotation.
pub fn annotations(path: &str, annotations: Option<&BTreeMap<String, String>>, found: &mut Findings) {
    for (key, value) in annotations.into_iter().flatten().filter(|(key, _)| key.starts_with(APP_ARMOR)) {
        if !(value.is_empty() || value == "runtime/default" || value.starts_with("localhost/")) {
            found.error(
                format!("{path}[{key}]"),
                Reason::Forbidden,
                "the container must stay confined: use `runtime/default` or `localhost/…`",
            );
        }
    }
}
