//! The profile of a service, who uses a profile, and who may begin a rollout under it.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use crate::api::v1alpha1::Microservice;
use crate::model::profile::{self, Given};

use super::gather::unpack;
use super::key::{Key, Watched};
use super::queue::Lane;
use super::stores::Stores;

impl Stores {
    /// The profile of a service. Whom it names is noted before it is looked up, so that a change of it after that makes the
    /// service due.
    pub(super) fn profile(&self, key: &Key, object: &Microservice) -> Given {
        let named = object.spec.profile_ref.as_ref().map(|reference| reference.name.as_str());
        match named {
            Some(name) => drop(self.named().insert(key.clone(), name.into())),
            None => drop(self.named().remove(key)),
        }
        let name = named.unwrap_or(profile::DEFAULT);
        let held = {
            let tables = self.tables();
            tables.rows(&Key::new("", name)).iter().find(|row| row.watched == Watched::Profile).cloned()
        };
        let missing = || {
            let why = self.without_profiles().unwrap_or("create it, or name another one");
            format!("there is no MicroserviceProfile `{name}`: {why}")
        };
        match (held, named) {
            (Some(row), _) => match unpack(&row) {
                Ok(profile) => Given::Found(Box::new(profile)),
                Err(error) => Given::Missing(format!("profile `{name}` cannot be read: {error}; correct it, or upgrade the operator")),
            },
            (None, Some(_)) => Given::Missing(missing()),
            (None, None) => Given::None,
        }
    }

    /// Makes due whoever a change is about: a service, or all that use a profile or a route.
    pub(super) fn touch(&self, watched: Watched, family: &Key, lane: Lane, wait: Duration) {
        match watched {
            Watched::Profile => self.users(&family.name).iter().for_each(|key| self.queue().touch(key, Lane::Slow, wait)),
            Watched::UserRoute(_) => self.user_routes.users(watched, family).iter().for_each(|key| self.queue().touch(key, lane, wait)),
            _ => self.queue().touch(family, lane, wait),
        }
    }

    /// Services that use a profile, as far as they were looked at; all others have yet to be.
    fn users(&self, profile: &str) -> Vec<Key> {
        let named = self.named();
        if profile == profile::DEFAULT {
            let uses = |key: &&Key| named.get(*key).is_none_or(|name| **name == *profile);
            return self.tables().services().filter(uses).cloned().collect();
        }
        named.iter().filter(|(_, name)| ***name == *profile).map(|(key, _)| key.clone()).collect()
    }

    pub(super) fn named(&self) -> MutexGuard<'_, HashMap<Key, Box<str>>> {
        // Every change to it is a single step.
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why there are no profiles at all, if that is so.
    fn without_profiles(&self) -> Option<&'static str> {
        if self.watches.iter().any(|watch| watch.namespace.is_some()) {
            return Some(
                "this operator works in single namespaces and sees no profiles, which are the cluster's: remove `spec.profileRef`",
            );
        }
        let absent = self.watches.iter().any(|watch| watch.watched == Watched::Profile && watch.is_unserved());
        absent.then_some("this cluster has no kind MicroserviceProfile: apply the files under crds/")
    }

    /// A rollout wants to begin, among so many: see [`Rollouts::ask`].
    pub fn ask(&self, key: &Key, most: usize) -> Result<(), usize> {
        self.rollouts.ask(key, most)
    }

    /// A rollout begins, whatever the number of others.
    pub fn take(&self, key: &Key) {
        // Nobody says no where there is no limit.
        let _ = self.rollouts.ask(key, usize::MAX);
    }

    /// No rollout of the service wants to begin.
    pub fn leave(&self, key: &Key) {
        self.call(self.rollouts.leave(key));
    }

    pub(super) fn call(&self, waiting: Vec<Key>) {
        for key in waiting {
            self.queue().touch(&key, Lane::Fast, Duration::ZERO);
        }
    }
}
