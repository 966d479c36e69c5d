//! `podTemplate`: the user's partial template over the generated one, as a strategic merge patch.
//!
//! [`DeepMerge`] knows which lists are keyed by what. It does not know which fields exclude each other: merging
//! `valueFrom` over `value`, or an `httpGet` over a `tcpSocket`, would give an object that the server refuses. So what
//! the user names in such a union replaces the generated whole.

use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1::{Container, LifecycleHandler, PodSpec, PodTemplateSpec, Probe};

use super::metadata::{allowed, common_labels};
use super::tidy;
use crate::api::labels;
use crate::model::Service;

/// What makes a pod one of this service is set again after the merge: whatever the partial template says, its pods
/// are selected by this service only and run under its identity only.
pub fn merge(service: &Service, mut template: PodTemplateSpec, partial: &PodTemplateSpec) -> PodTemplateSpec {
    let mut partial = partial.clone();
    if let Some(pod) = &mut partial.spec {
        // The merge finds ports by number and protocol, so the protocol must be there.
        tidy::pod(pod);
    }
    if let Some(metadata) = &mut partial.metadata {
        metadata.annotations = metadata.annotations.as_ref().map(allowed);
        metadata.labels.iter_mut().for_each(|all| all.retain(|key, _| !key.starts_with(labels::OWN)));
    }
    if let (Some(pod), Some(over)) = (&mut template.spec, &partial.spec) {
        replace_unions(pod, over);
        // The crate replaces this map as a whole, where `kubectl patch` merges it.
        if let Some(nodes) = &mut pod.node_selector {
            nodes.extend(over.node_selector.clone().unwrap_or_default());
            partial.spec.iter_mut().for_each(|over| over.node_selector = None);
        }
    }
    template.merge_from(partial);
    template.metadata.get_or_insert_default().labels.get_or_insert_default().extend(common_labels(service));
    let pod = template.spec.get_or_insert_default();
    pod.service_account_name = Some(service.name.clone());
    pod.service_account = None;
    template
}

fn replace_unions(pod: &mut PodSpec, over: &PodSpec) {
    replace(&mut pod.volumes, over.volumes.as_ref(), |a, b| a.name == b.name);
    let pairs = [(Some(&mut pod.containers), Some(&over.containers)), (pod.init_containers.as_mut(), over.init_containers.as_ref())];
    for (containers, others) in pairs {
        for container in containers.into_iter().flatten() {
            if let Some(other) = others.into_iter().flatten().find(|other| other.name == container.name) {
                replace_in(container, other);
            }
        }
    }
}

fn replace_in(container: &mut Container, over: &Container) {
    replace(&mut container.env, over.env.as_ref(), |a, b| a.name == b.name);
    replace(&mut container.volume_mounts, over.volume_mounts.as_ref(), |a, b| a.mount_path == b.mount_path);
    drop_handler(&mut container.liveness_probe, over.liveness_probe.as_ref());
    drop_handler(&mut container.readiness_probe, over.readiness_probe.as_ref());
    drop_handler(&mut container.startup_probe, over.startup_probe.as_ref());
    if let (Some(hooks), Some(over)) = (&mut container.lifecycle, &over.lifecycle) {
        drop_hook(&mut hooks.pre_stop, over.pre_stop.as_ref());
        drop_hook(&mut hooks.post_start, over.post_start.as_ref());
    }
}

/// Items that the user names become the user's, where they stand. Merging an item with itself changes nothing after that.
fn replace<T: Clone>(items: &mut Option<Vec<T>>, over: Option<&Vec<T>>, same: impl Fn(&T, &T) -> bool) {
    for item in items.iter_mut().flatten() {
        if let Some(other) = over.into_iter().flatten().find(|other| same(item, other)) {
            item.clone_from(other);
        }
    }
}

/// Forgets how a probe checks, if the user says how; its timing stays.
fn drop_handler(probe: &mut Option<Probe>, over: Option<&Probe>) {
    let (Some(probe), Some(over)) = (probe, over) else {
        return;
    };
    if over.http_get.is_some() || over.grpc.is_some() || over.tcp_socket.is_some() || over.exec.is_some() {
        (probe.http_get, probe.grpc, probe.tcp_socket, probe.exec) = (None, None, None, None);
    }
}

/// Forgets a hook that the user gives.
fn drop_hook(hook: &mut Option<LifecycleHandler>, over: Option<&LifecycleHandler>) {
    hook.take_if(|_| over.is_some());
}
