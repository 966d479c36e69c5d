//! From the state of pods to one sentence that names the pod, the container, the cause and the next step.

use crate::observe::world::{ContainerState, Pod};

/// The most telling trouble among the pods of a revision, or of any revision.
pub fn worst(pods: &[Pod], revision: Option<&str>) -> Option<String> {
    pods.iter()
        .filter(|pod| !pod.ready && (revision.is_none() || pod.revision.as_deref() == revision))
        .filter_map(trouble)
        .max_by(|a, b| a.0.cmp(&b.0).then_with(|| b.1.cmp(&a.1)))
        .map(|(_, text)| text)
}

/// How telling a trouble is, and its text.
fn trouble(pod: &Pod) -> Option<(u8, String)> {
    let container = pod.containers.iter().filter_map(|c| describe(c, &pod.name)).max_by_key(|(weight, _)| *weight);
    if let Some((weight, text)) = container {
        return Some((weight, format!("pod {}, {text}", pod.name)));
    }
    if let Some(message) = &pod.unscheduled {
        return Some((5, format!("pod {} is not scheduled: {message}", pod.name)));
    }
    match pod.phase.as_str() {
        "Running" => Some((1, format!("pod {} runs but its readiness check fails; see `kubectl describe pod {}`", pod.name, pod.name))),
        _ => None,
    }
}

fn describe(container: &ContainerState, pod: &str) -> Option<(u8, String)> {
    let name = &container.name;
    let said = if container.message.is_empty() { String::new() } else { format!(": {}", container.message) };
    Some(match container.reason.as_str() {
        "ImagePullBackOff" | "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" | "RegistryUnavailable" => {
            (9, format!("container {name}: {}{said}; check `spec.image` and `spec.imagePullSecrets`", container.reason))
        }
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
            (8, format!("container {name}: {}{said}{}", container.reason, hint(&container.message)))
        }
        "CrashLoopBackOff" | "Error" | "OOMKilled" | "StartError" | "ContainerCannotRun" | "DeadlineExceeded" => {
            (7, crashed(container, pod))
        }
        "ContainerCreating" | "PodInitializing" | "" if container.restarts == 0 => return None,
        "Completed" => (6, format!("container {name} ended with exit code 0; a service must keep running")),
        _ if container.restarts > 0 => (4, crashed(container, pod)),
        reason => (3, format!("container {name}: {reason}{said}")),
    })
}

fn crashed(container: &ContainerState, pod: &str) -> String {
    let ContainerState { name, restarts, reason, exit_code, .. } = container;
    let code = exit_code.map(|code| format!(" with exit code {code}{}", meaning(code))).unwrap_or_default();
    let reason = if reason.is_empty() { "restarting" } else { reason };
    format!(
        "container {name}: {reason}, ended{code} after {restarts} restarts; see `kubectl logs {pod} -c {name} --previous`; \
         a program that cannot write its files needs `spec.files` with an emptyDir, or `spec.securityContext.readOnlyRootFilesystem: false`"
    )
}

/// Exit codes above 128 are signals (POSIX shells' convention, which container runtimes follow).
fn meaning(code: i32) -> &'static str {
    match code {
        126 => " (the command is not executable)",
        127 => " (the command was not found)",
        137 => " (killed: out of memory, or not stopped in time)",
        139 => " (segmentation fault)",
        143 => " (stopped by SIGTERM)",
        _ => "",
    }
}

/// What to set, for the surprises of safe defaults.
fn hint(message: &str) -> &'static str {
    let message = message.to_ascii_lowercase();
    if message.contains("run as root") || message.contains("runasnonroot") || message.contains("non-numeric user") {
        "; give the image a numeric user that is not root, or set `spec.podSecurityContext.runAsUser`, or, where root is meant, `spec.podSecurityContext.runAsNonRoot: false`"
    } else if message.contains("secret") && message.contains("not found") {
        "; create the Secret in this namespace, or mark the reference `optional: true`"
    } else if message.contains("configmap") && message.contains("not found") {
        "; create the ConfigMap in this namespace, or mark the reference `optional: true`"
    } else if message.contains("couldn't find key") {
        "; add the key, or correct its name in the spec"
    } else {
        ""
    }
}
