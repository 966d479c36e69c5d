//! Files and folders: the pod's volumes, and where each container sees them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMapVolumeSource, EmptyDirVolumeSource, PersistentVolumeClaimVolumeSource, Volume, VolumeMount};

use super::names::{self, LONGEST};
use super::{config_map, word};
use crate::api::v1alpha1::{File, SecurityContext};
use crate::model::Service;

/// Folder that programs expect to be writable even where nothing else is.
const SCRATCH: &str = "/tmp";
/// Key of the volume of inline files. Paths hold no colon, so no path is taken for it, nor for [`scratch_key`].
const INLINE: &str = ":files";

/// The pod's volumes, and who mounts what.
pub struct Layout {
    pub volumes: Vec<Volume>,
    /// Mounts of the spec's files, in its order.
    files: Vec<VolumeMount>,
    /// Volume of each container's own [`SCRATCH`].
    scratch: BTreeMap<String, String>,
}

impl Layout {
    pub fn of(service: &Service) -> Self {
        let files = service.spec.files.as_deref().unwrap_or_default();
        let inline = config_map::inline(service);
        let scratched = scratched(service, files);

        // One pass over all volumes, so that their names cannot meet.
        let sourced = files.iter().filter(|file| file.content.is_none());
        let mut keys: Vec<String> = sourced.map(|file| file.mount_path.clone()).collect();
        keys.extend(config_map::name(service).map(|_| INLINE.to_owned()));
        keys.extend(scratched.iter().map(|container| scratch_key(service, container)));
        let by_key: BTreeMap<String, String> = keys.iter().cloned().zip(names::distinct(&keys, LONGEST, names::label)).collect();
        let named = |key: &str| by_key.get(key).cloned().unwrap_or_default();

        let scratch: BTreeMap<String, String> =
            scratched.iter().map(|container| (container.clone(), named(&scratch_key(service, container)))).collect();
        let mount = |file: &File| VolumeMount {
            name: named(if file.content.is_some() { INLINE } else { &file.mount_path }),
            mount_path: file.mount_path.clone(),
            read_only: read_only(file).then_some(true),
            // Exactly this path becomes a file and its neighbours stay. Such a mount never follows a change of the
            // ConfigMap, which is right here: other content is another revision.
            sub_path: inline.iter().find(|inline| inline.path == file.mount_path).map(|inline| inline.key.clone()),
            ..VolumeMount::default()
        };
        let sourced = files.iter().filter_map(|file| volume(named(&file.mount_path), file));
        let content = config_map::name(service).map(|map| Volume {
            name: named(INLINE),
            config_map: Some(ConfigMapVolumeSource { name: map, ..ConfigMapVolumeSource::default() }),
            ..Volume::default()
        });
        let folders = scratched.iter().map(|container| Volume {
            name: named(&scratch_key(service, container)),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        });
        Self { volumes: sourced.chain(content).chain(folders).collect(), files: files.iter().map(mount).collect(), scratch }
    }

    /// What `container` mounts: of the files those in `paths`, or all of them, and its own scratch folder.
    pub fn mounts(&self, container: &str, paths: Option<&[String]>) -> Vec<VolumeMount> {
        let seen = |mount: &&VolumeMount| paths.is_none_or(|paths| paths.contains(&mount.mount_path));
        let scratch = self.scratch.get(container).map(|volume| VolumeMount {
            name: volume.clone(),
            mount_path: SCRATCH.to_owned(),
            ..VolumeMount::default()
        });
        self.files.iter().filter(seen).cloned().chain(scratch).collect()
    }
}

/// Containers that need a scratch folder: their root file system is read-only, and the user mounts nothing there.
/// Each has its own, so that a sidecar never reads the service's temporary files.
fn scratched(service: &Service, files: &[File]) -> Vec<String> {
    let spec = &service.spec;
    let paths: Vec<&str> = files.iter().map(|file| file.mount_path.as_str()).collect();
    let main = (&service.name, spec.security_context.as_ref(), paths);
    let companions = spec.sidecars.iter().chain(&spec.init_containers).flatten().map(|container| {
        let paths = container.mounts.iter().flatten().map(String::as_str).collect();
        (&container.name, container.security_context.as_ref(), paths)
    });
    let needy = std::iter::once(main)
        .chain(companions)
        .filter(|(_, security, paths)| root_is_read_only(*security) && !paths.iter().any(|path| path.trim_end_matches('/') == SCRATCH));
    needy.map(|(name, ..)| name.clone()).collect()
}

fn root_is_read_only(security: Option<&SecurityContext>) -> bool {
    security.and_then(|security| security.read_only_root_filesystem).unwrap_or(true)
}

fn scratch_key(service: &Service, container: &str) -> String {
    if container == service.name { format!(":{SCRATCH}") } else { format!("{SCRATCH}:{container}") }
}

fn read_only(file: &File) -> bool {
    file.read_only.unwrap_or(file.empty_dir.is_none() && file.persistent_volume_claim.is_none())
}

/// `None` for inline content, which shares one volume.
fn volume(name: String, file: &File) -> Option<Volume> {
    file.content.is_none().then(|| Volume {
        name,
        config_map: file.config_map.clone(),
        secret: file.secret.clone(),
        projected: file.projected.clone(),
        empty_dir: file
            .empty_dir
            .as_ref()
            .map(|dir| EmptyDirVolumeSource { medium: dir.medium.and_then(word), size_limit: dir.size_limit.clone() }),
        persistent_volume_claim: file
            .persistent_volume_claim
            .as_ref()
            .map(|claim| PersistentVolumeClaimVolumeSource { claim_name: claim.claim_name.clone(), read_only: None }),
        ..Volume::default()
    })
}
