//! Files and folders: what can be mounted where.

use super::Findings;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{File, MicroserviceSpec};

/// Most that a ConfigMap holds, keys included (`MaxSecretSize` and its like in core/v1: 1 MiB). All inline files share one.
const CONTENT_MAX: usize = 1_048_576;
/// Where programs expect a writable folder; the operator mounts one unless `files` does.
const SCRATCH: &str = "/tmp";

pub fn check(spec: &MicroserviceSpec, found: &mut Findings) {
    let files = spec.files.as_deref().unwrap_or_default();
    let mut size = 0;
    for (index, file) in files.iter().enumerate() {
        let path = format!("spec.files[{index}].mountPath");
        size += file.content.as_ref().map_or(0, |content| content.len() + file.mount_path.len());
        if file.mount_path == SCRATCH && file.content.is_some() {
            found.error(&path, Reason::Invalid, "`/tmp` must stay a folder: mount the file below it, or elsewhere");
        }
        for outer in files {
            nested(&path, file, outer, found);
        }
    }
    if size > CONTENT_MAX {
        let message = format!(
            "the files' `content` is {size} bytes together, and a ConfigMap holds {CONTENT_MAX}: put some into the image or into ConfigMaps of their own"
        );
        found.error("spec.files", Reason::TooLong, message);
    }
}

/// Something can be mounted below a folder only if the runtime can make the place for it there.
fn nested(path: &str, inner: &File, outer: &File, found: &mut Findings) {
    let below = inner.mount_path.strip_prefix(&outer.mount_path).is_some_and(|rest| rest.starts_with('/'));
    if !below {
        return;
    }
    let place = &outer.mount_path;
    let message = match () {
        () if outer.content.is_some() => format!("`{place}` is a file, so nothing can be mounted below it"),
        () if outer.empty_dir.is_some() || outer.persistent_volume_claim.is_some() => return,
        () => format!(
            "`{place}` is filled from a ConfigMap, Secret or projection and read-only, so nothing can be mounted below it: choose another path"
        ),
    };
    found.error(path, Reason::Invalid, message);
}
