//! The controllers of Deployments and ReplicaSets, and the kubelets, as far as a rollout sees them.

use std::collections::BTreeMap;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::observe::Watched;
use crate::plan::digest;

use super::pods::{Fates, Nature, Pod};
use super::random::Random;
use super::store::{By, Id, Store, uid};

const CONTROLLER: By<'static> = By::other("deployment-controller");
const KUBELET: By<'static> = By::other("kubelet");
/// How long a pod that the quota refused waits for another try.
const RETRY: i64 = 5_000;

/// What a Deployment asks for.
#[derive(Clone, Debug)]
struct Wanted {
    uid: String,
    generation: i64,
    replicas: usize,
    recreate: bool,
    surge: usize,
    unavailable: usize,
    min_ready: i64,
    deadline: i64,
    hash: String,
    template: Value,
}

/// A pod template's set.
#[derive(Clone, Debug)]
struct ReplicaSet {
    hash: String,
    size: usize,
    template: Value,
}

/// What the controller remembers of a Deployment.
#[derive(Clone, Debug, Default)]
struct Rollout {
    name: String,
    /// The newest is last.
    sets: Vec<ReplicaSet>,
    progressed: i64,
    /// All pods of the newest set were available once.
    complete: bool,
    /// The quota has no room for a pod of the last look.
    refused: bool,
    seen: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    total: usize,
    updated: usize,
    ready: usize,
    available: usize,
}

/// When to look at what again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    Deployment(String, i64),
    Pod(String, i64),
}

/// All Deployments and pods.
#[derive(Debug)]
pub struct Deployments {
    rollouts: BTreeMap<String, Rollout>,
    pods: BTreeMap<String, Pod>,
    random: Random,
    born: u64,
    pub fates: Fates,
    /// Most pods that there may be, those that end included.
    pub quota: Option<usize>,
}

impl Deployments {
    pub fn new(random: Random) -> Self {
        Self { rollouts: BTreeMap::new(), pods: BTreeMap::new(), random, born: 0, fates: Fates::ByTag, quota: None }
    }

    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.values()
    }

    /// The controller's look at a Deployment.
    pub fn sync(&mut self, store: &mut Store, name: &str) -> Vec<Look> {
        let mut looks = Vec::new();
        let wanted = store.get(&Id::deployment(name)).and_then(|object| Wanted::of(object));
        let stale = |uid: &String| wanted.as_ref().is_none_or(|wanted| wanted.uid != *uid);
        let gone: Vec<String> =
            self.rollouts.iter().filter(|(uid, rollout)| rollout.name == name && stale(uid)).map(|(uid, _)| uid.clone()).collect();
        for uid in gone {
            self.rollouts.remove(&uid);
            let left: Vec<String> =
                self.pods.values().filter(|pod| pod.owner == uid && !pod.is_leaving()).map(|pod| pod.name.clone()).collect();
            left.iter().for_each(|pod| self.leave(store, CONTROLLER, pod, &mut looks));
        }
        let Some(wanted) = wanted else { return looks };
        self.size(store.now, name, &wanted);
        self.replicate(store, name, &wanted, &mut looks);
        self.report(store, name, &wanted, &mut looks);
        looks
    }

    /// Something happens to a pod by itself.
    pub fn live(&mut self, store: &mut Store, name: &str) -> Vec<Look> {
        let mut looks = Vec::new();
        let now = store.now;
        let Some(pod) = self.pods.get_mut(name) else { return looks };
        if pod.next.is_none_or(|next| next > now) {
            // It was to happen earlier, before something else did.
            looks.extend(pod.next.map(|at| Look::Pod(name.to_owned(), at)));
            return looks;
        }
        let owner = pod.owner.clone();
        let id = Id::new(Watched::Pod, name);
        if pod.step(now, &mut self.random) {
            publish(store, KUBELET, pod, &mut looks);
        } else {
            self.pods.remove(name);
            // It exists: it was published when it was made.
            drop(store.delete(KUBELET, &id, &DeleteParams::default()));
        }
        self.tell_owner(&owner, now, &mut looks);
        looks
    }

    /// Somebody deletes a pod.
    pub fn kill(&mut self, store: &mut Store, by: By<'_>, name: &str) -> Vec<Look> {
        let mut looks = Vec::new();
        let owner = self.pods.get(name).filter(|pod| !pod.is_leaving()).map(|pod| pod.owner.clone());
        if let Some(owner) = owner {
            self.leave(store, by, name, &mut looks);
            self.tell_owner(&owner, store.now, &mut looks);
        }
        looks
    }

    /// A pod changes its nature.
    pub fn befall(&mut self, store: &mut Store, name: &str, nature: Nature) -> Vec<Look> {
        let mut looks = Vec::new();
        let Some(pod) = self.pods.get_mut(name).filter(|pod| !pod.is_leaving()) else { return looks };
        pod.befall(nature, store.now);
        let owner = pod.owner.clone();
        publish(store, KUBELET, pod, &mut looks);
        self.tell_owner(&owner, store.now, &mut looks);
        looks
    }

    fn tell_owner(&mut self, owner: &str, now: i64, looks: &mut Vec<Look>) {
        if let Some(rollout) = self.rollouts.get(owner) {
            let lag = i64::try_from(self.random.between(5, 300)).unwrap_or_default();
            looks.push(Look::Deployment(rollout.name.clone(), now + lag));
        }
    }

    fn leave(&mut self, store: &mut Store, by: By<'_>, name: &str, looks: &mut Vec<Look>) {
        if let Some(pod) = self.pods.get_mut(name) {
            pod.leave(store.now, &mut self.random);
            publish(store, by, pod, looks);
        }
    }

    /// Sizes of the sets: one step of a rolling update, or of a recreation.
    fn size(&mut self, now: i64, name: &str, wanted: &Wanted) {
        let available = |pods: &BTreeMap<String, Pod>, hash: &str| {
            let of = pods.values().filter(|pod| pod.owner == wanted.uid && pod.template == hash);
            of.filter(|pod| pod.available_at(wanted.min_ready).is_some_and(|at| at <= now)).count()
        };
        let rollout = self.rollouts.entry(wanted.uid.clone()).or_default();
        name.clone_into(&mut rollout.name);
        if rollout.sets.last().is_none_or(|set| set.hash != wanted.hash) {
            let known = rollout.sets.iter().position(|set| set.hash == wanted.hash);
            let set = known.map_or(ReplicaSet { hash: wanted.hash.clone(), size: 0, template: wanted.template.clone() }, |index| {
                rollout.sets.remove(index)
            });
            rollout.sets.push(set);
            rollout.progressed = now;
            rollout.complete = false;
        }
        let Some((new, old)) = rollout.sets.split_last_mut() else { return };
        if old.iter().all(|set| set.size == 0)
            && (!wanted.recreate || self.pods.values().all(|pod| pod.owner != wanted.uid || pod.template == new.hash))
        {
            new.size = wanted.replicas;
            return;
        }
        if wanted.recreate {
            old.iter_mut().for_each(|set| set.size = 0);
            return;
        }
        let asked = new.size + old.iter().map(|set| set.size).sum::<usize>();
        new.size = (new.size + (wanted.replicas + wanted.surge).saturating_sub(asked)).min(wanted.replicas);
        let least = wanted.replicas.saturating_sub(wanted.unavailable);
        let asked = new.size + old.iter().map(|set| set.size).sum::<usize>();
        let new_available = available(&self.pods, &new.hash);
        let mut excess = asked.saturating_sub(least + new.size.saturating_sub(new_available));
        for set in old.iter_mut() {
            let broken = set.size.saturating_sub(available(&self.pods, &set.hash)).min(excess);
            set.size -= broken;
            excess -= broken;
        }
        let serving = new_available + old.iter().map(|set| available(&self.pods, &set.hash)).sum::<usize>();
        let mut excess = excess.min(serving.saturating_sub(least));
        for set in old.iter_mut() {
            let less = set.size.min(excess);
            set.size -= less;
            excess -= less;
        }
    }

    /// Makes and ends pods, those that are not ready and the youngest first.
    fn replicate(&mut self, store: &mut Store, name: &str, wanted: &Wanted, looks: &mut Vec<Look>) {
        let sets = self.rollouts.get(&wanted.uid).map(|rollout| rollout.sets.clone()).unwrap_or_default();
        let mut refused = false;
        for set in sets {
            let mut pods: Vec<&Pod> =
                self.pods.values().filter(|pod| pod.owner == wanted.uid && pod.template == set.hash && !pod.is_leaving()).collect();
            pods.sort_by_key(|pod| (pod.is_ready(), std::cmp::Reverse(pod.born)));
            let surplus: Vec<String> = pods.iter().take(pods.len().saturating_sub(set.size)).map(|pod| pod.name.clone()).collect();
            let lacking = set.size.saturating_sub(pods.len());
            surplus.iter().for_each(|pod| self.leave(store, CONTROLLER, pod, looks));
            let room = self.quota.map_or(lacking, |quota| quota.saturating_sub(self.pods.len()));
            refused |= lacking > room;
            for _ in 0..lacking.min(room) {
                self.born += 1;
                let pod = format!("{name}-{}-{}", set.hash, self.born);
                let (place, birth) = ((wanted.uid.as_str(), set.hash.as_str()), (store.now, self.born));
                let pod = Pod::new(pod, place, &set.template, &self.fates, birth, &mut self.random);
                store.create(CONTROLLER, &Id::new(Watched::Pod, &pod.name), &pod.object());
                looks.extend(pod.next.map(|at| Look::Pod(pod.name.clone(), at)));
                self.pods.insert(pod.name.clone(), pod);
            }
        }
        if let Some(rollout) = self.rollouts.get_mut(&wanted.uid) {
            rollout.refused = refused;
        }
        if refused {
            looks.push(Look::Deployment(name.to_owned(), store.now + RETRY));
        }
    }

    fn report(&mut self, store: &mut Store, name: &str, wanted: &Wanted, looks: &mut Vec<Look>) {
        let now = store.now;
        let Some(rollout) = self.rollouts.get_mut(&wanted.uid) else { return };
        let pods = || self.pods.values().filter(|pod| pod.owner == wanted.uid && !pod.is_leaving());
        let counts = Counts {
            total: pods().count(),
            updated: pods().filter(|pod| pod.template == wanted.hash).count(),
            ready: pods().filter(|pod| pod.is_ready()).count(),
            available: pods().filter(|pod| pod.available_at(wanted.min_ready).is_some_and(|at| at <= now)).count(),
        };
        let later = |at: i64| Look::Deployment(name.to_owned(), at);
        looks.extend(pods().filter_map(|pod| pod.available_at(wanted.min_ready)).filter(|at| *at > now).min().map(later));
        let seen = rollout.seen;
        let (old, before) = (counts.total - counts.updated, seen.total.saturating_sub(seen.updated));
        if counts.updated > seen.updated || old < before || counts.ready > seen.ready || counts.available > seen.available {
            rollout.progressed = now;
        }
        rollout.seen = counts;
        let n = wanted.replicas;
        rollout.complete |= counts == Counts { total: n, updated: n, ready: counts.ready, available: n };
        let deadline = rollout.progressed + wanted.deadline;
        let (progressing, reason) = match rollout.complete {
            true => ("True", "NewReplicaSetAvailable"),
            false if now > deadline => ("False", "ProgressDeadlineExceeded"),
            false => ("True", "ReplicaSetUpdated"),
        };
        if !rollout.complete && now <= deadline {
            looks.push(later(deadline + 1));
        }
        let enough = if counts.available >= n.saturating_sub(wanted.unavailable) { "True" } else { "False" };
        let mut conditions = vec![
            json!({"type": "Available", "status": enough, "reason": "MinimumReplicas"}),
            json!({"type": "Progressing", "status": progressing, "reason": reason}),
        ];
        if let Some(quota) = self.quota.filter(|_| rollout.refused) {
            let message = format!("pods \"{name}\" is forbidden: exceeded quota: pods={quota}");
            conditions.push(json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}));
        }
        let status = json!({
            "observedGeneration": wanted.generation,
            "replicas": counts.total, "updatedReplicas": counts.updated,
            "readyReplicas": counts.ready, "availableReplicas": counts.available,
            "conditions": conditions,
        });
        // It was read a moment ago, in this very look.
        drop(store.edit(CONTROLLER, &Id::deployment(name), |object| object["status"] = status));
    }
}

fn publish(store: &mut Store, by: By<'_>, pod: &Pod, looks: &mut Vec<Look>) {
    let object = pod.object();
    // It exists: it was published when it was made.
    drop(store.edit(by, &Id::new(Watched::Pod, &pod.name), |stored| {
        super::fields::merge(&mut stored["metadata"], &object["metadata"]);
        stored["status"] = object["status"].clone();
    }));
    looks.extend(pod.next.map(|at| Look::Pod(pod.name.clone(), at)));
}

impl Wanted {
    fn of(object: &Value) -> Option<Self> {
        let spec = object.get("spec")?;
        let number = |path: &str| spec.pointer(path).and_then(Value::as_i64);
        let replicas = usize::try_from(number("/replicas").unwrap_or(1)).unwrap_or_default();
        let template = spec.get("template")?.clone();
        let surge = share(spec.pointer("/strategy/rollingUpdate/maxSurge"), replicas, true);
        let unavailable = share(spec.pointer("/strategy/rollingUpdate/maxUnavailable"), replicas, false);
        let recreate = spec.pointer("/strategy/type").and_then(Value::as_str) == Some("Recreate");
        Some(Self {
            uid: uid(object)?.to_owned(),
            generation: object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default(),
            replicas,
            recreate,
            surge,
            unavailable: if recreate {
                replicas
            } else if surge == 0 {
                unavailable.max(1)
            } else {
                unavailable
            },
            min_ready: number("/minReadySeconds").unwrap_or_default() * 1000,
            deadline: number("/progressDeadlineSeconds").unwrap_or(600) * 1000,
            hash: digest::short(&template),
            template,
        })
    }
}

/// A number of pods, or a percentage of them.
pub fn share(value: Option<&Value>, of: usize, up: bool) -> usize {
    match value {
        Some(Value::String(text)) => {
            let percent: usize = text.trim_end_matches('%').parse().unwrap_or_default();
            if up { (of * percent).div_ceil(100) } else { of * percent / 100 }
        }
        Some(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or_default(),
        None => 0,
    }
}
