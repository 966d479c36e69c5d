//! Which Deployments there are, how many pods each has, and which of them get requests: the same in every pass until
//! persisted progress or the pods themselves change.

use crate::api::v1alpha1::Strategy;
use crate::model::{Autoscaling, Candidate, Placed, Progress, Scaling};
use crate::plan::workload::Workload;

use super::bake;
use super::blue_green;
use super::dynamic;
use super::moves::{self, Moving};
use super::ratio::{follower, part, split};
use super::refill;
use super::routed::{self, Share};
use super::scene::{Pin, Scene, is_rolling, recover};

/// What a rollout makes of a service's workload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The Deployments, the stable one first.
    pub sets: Vec<Set>,
    /// Whom the autoscaler follows, and within which bounds.
    pub follow: Option<Follow>,
    /// The only pods that get requests; `None`: all do.
    pub pinned: Option<Pin>,
    /// The revision that the preview Service shows.
    pub preview: Option<String>,
    /// What the routes do for the candidate.
    pub share: Option<Share>,
}

impl Layout {
    /// The Deployments whose pods get requests.
    pub fn serving(&self) -> impl Iterator<Item = &Set> {
        let named = |set: &&Set| match &self.pinned {
            None => true,
            Some(Pin::Revision(revision)) => *revision == set.at.revision,
            // Only the stable revision's pods are ever mixed with others.
            Some(Pin::Rolling) => set.role == Role::Stable,
        };
        self.sets.iter().filter(|set| set.role != Role::Parked).filter(named)
    }
}

/// A Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    pub at: Placed,
    pub role: Role,
    /// Pods that it should have in the end.
    pub target: Size,
    /// Pods that it may have now.
    pub size: Size,
}

/// What a Deployment is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Stable,
    Candidate,
    /// Its pods stay for a while without requests.
    Parked,
    /// Its pods go as soon as others carry their load.
    Leaving,
}

impl Role {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Candidate => "candidate",
            Self::Parked => "parked",
            Self::Leaving => "leaving",
        }
    }
}

/// Who says how many pods there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// We do.
    Fixed(i32),
    /// The autoscaler does, from `start` at its creation, and never below `at_least`.
    Autoscaled { start: i32, at_least: i32 },
}

/// The autoscaler's target and bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follow {
    pub deployment: String,
    pub min: i32,
    pub max: i32,
}

/// Lays a service out.
pub fn layout(scene: &Scene, progress: &Progress) -> Layout {
    let progress = &recover(progress, scene);
    let mut sets = main(scene, progress);
    sets.extend(progress.parked.iter().filter_map(|parked| {
        let at = Placed { revision: parked.revision.clone(), deployment: parked.deployment.clone() };
        let pods = scene.workloads.find(&at.deployment)?.desired;
        let stays = || bake::wanted(scene, progress, &parked.revision).unwrap_or(pods);
        let size = Size::Fixed(if parked.until.is_some() { stays() } else { 0 });
        Some(Set { at, role: Role::Parked, target: size, size })
    }));
    sets.extend(scene.others(progress).map(|workload| {
        let at = Placed { revision: workload.revision.clone().unwrap_or_default(), deployment: workload.name.clone() };
        // Before anything is known of the service, nothing is taken away.
        let kept = if progress.stable.is_none() && progress.candidate.is_none() { workload.desired } else { 0 };
        Set { at, role: Role::Leaving, target: Size::Fixed(kept), size: Size::Fixed(kept) }
    }));
    let pinned = scene.pinned(progress);
    // Pods without requests carry no load: they come and go at once.
    if pinned.is_none() {
        slow_down(scene, progress, &mut sets);
    }
    let blue_green = scene.service.rollout.strategy == Strategy::BlueGreen
        || progress.candidate.as_ref().is_some_and(|c| c.strategy == Strategy::BlueGreen);
    let shown = progress.candidate.as_ref().map(|candidate| &candidate.at).or(progress.stable.as_ref());
    let preview = shown.filter(|_| blue_green).map(|at| at.revision.clone());
    Layout { follow: follow(scene, progress, &sets), sets, pinned, preview, share: routed::share(scene, progress) }
}

/// The sets that serve, or will.
fn main(scene: &Scene, progress: &Progress) -> Vec<Set> {
    let set = |at: &Placed, role, size| Set { at: at.clone(), role, target: size, size };
    let alone = |at_least| match &scene.service.scaling {
        Scaling::Fixed(count) => Size::Fixed(*count),
        Scaling::Auto(bounds) => Size::Autoscaled { start: bounds.min, at_least },
    };
    if scene.in_place(progress) {
        // Another strategy starts another revision elsewhere, once that is on record.
        let going = progress.candidate_revision().filter(|_| !is_rolling(scene.service.rollout.strategy));
        let revision = going.map_or_else(|| scene.goal(progress).to_owned(), Clone::clone);
        let at = Placed { revision, deployment: scene.service.name.clone() };
        return vec![set(&at, Role::Stable, alone(progress.capacity.unwrap_or(0)))];
    }
    match (&progress.stable, &progress.candidate) {
        (Some(stable), None) => vec![set(stable, Role::Stable, alone(progress.capacity.unwrap_or(0)))],
        (None, Some(candidate)) => vec![set(&candidate.at, Role::Candidate, alone(0))],
        (None, None) => Vec::new(),
        (Some(stable), Some(candidate)) => {
            let (first, second) = if comes_first(scene, progress, stable) {
                (alone(0), Size::Fixed(0))
            } else if candidate.routed {
                let first = match alone(progress.capacity.unwrap_or(0)) {
                    Size::Fixed(count) => Size::Fixed(dynamic::kept(scene, progress, stable, candidate, count)),
                    led @ Size::Autoscaled { .. } => led,
                };
                (first, Size::Fixed(routed::wanted(scene, progress, stable, candidate)))
            } else if candidate.strategy == Strategy::BlueGreen {
                (alone(0), Size::Fixed(blue_green::wanted(scene, stable, candidate)))
            } else {
                shares(scene, progress, stable, candidate)
            };
            vec![set(stable, Role::Stable, first), set(&candidate.at, Role::Candidate, second)]
        }
    }
}

/// What was rolling in the stable revision's Deployment when the strategy changed is being taken back, and all is well enough
/// to wait for that. A broken version must not stand in the way of the one that mends it.
pub fn is_restoring(scene: &Scene, stable: &Placed) -> bool {
    let Some(workload) = scene.workloads.find(&stable.deployment) else { return false };
    // Numbers of a moment ago tell it too, and a change of the size alone must not look like one of the pods.
    let settled = workload.revision.as_ref() == Some(&stable.revision) && workload.total == workload.updated;
    let least = match &scene.service.scaling {
        // The new pods must get no requests, so as long as any of the mixed ones serves they wait.
        _ if scene.begins_apart() => 1,
        Scaling::Fixed(total) => total - scene.slack(scene.service.rollout.strategy, *total).unavailable,
        Scaling::Auto(bounds) => bounds.min,
    };
    !settled && workload.available >= least
}

/// The pods of the stable revision's Deployment are of two revisions, all of them serve, and others that are to get no requests
/// may start beside them: the Deployment is named instead of a revision. To wait for the old version alone was rejected: where
/// its pods do not come back, whatever mends that would wait for ever.
pub fn is_mixed(scene: &Scene, progress: &Progress) -> bool {
    let Some(stable) = progress.stable.as_ref().filter(|at| at.deployment == scene.service.name) else { return false };
    let others = scene.others(progress).any(|workload| workload.available > 0);
    let apart = scene.apart(progress) && !scene.in_place(progress);
    apart && !others && is_restoring(scene, stable)
}

/// Nothing else goes on until the stable revision has its own pods again.
pub fn comes_first(scene: &Scene, progress: &Progress, stable: &Placed) -> bool {
    is_gathering(scene, progress) || is_restoring(scene, stable) && !is_mixed(scene, progress)
}

/// Pods of a canary of before serve until the stable revision has all of its own again; only then do those that are to get
/// no requests begin.
pub fn is_gathering(scene: &Scene, progress: &Progress) -> bool {
    let unserved = progress.candidate.as_ref().map_or(0, |candidate| scene.workloads.named(&candidate.at.deployment).pods());
    let others = scene.others(progress).any(|workload| workload.available > 0);
    let Some(stable) = progress.stable.as_ref().filter(|_| others && unserved == 0 && progress.parked.is_empty()) else { return false };
    let least = match &scene.service.scaling {
        Scaling::Fixed(total) => *total,
        Scaling::Auto(bounds) => progress.capacity.unwrap_or(bounds.min),
    };
    scene.apart(progress) && scene.workloads.named(&stable.deployment).available < least
}

/// Sizes of both sides of a canary by pod ratio.
fn shares(scene: &Scene, progress: &Progress, stable: &Placed, candidate: &Candidate) -> (Size, Size) {
    let (old, new) = (scene.workloads.named(&stable.deployment), scene.workloads.named(&candidate.at.deployment));
    match &scene.service.scaling {
        Scaling::Fixed(total) if bake::is_last(scene, candidate) => (Size::Fixed(old.desired), Size::Fixed(*total)),
        Scaling::Fixed(total) => {
            let split = split(*total, candidate.weight, scene.slack(candidate.strategy, *total).surge);
            // Once it has had its pods and lost some, more of them would not help: what is wanted beyond goes to the old.
            let broken = candidate.observed_weight == candidate.weight
                && new.current
                && new.available < new.desired
                && new.desired < split.candidate;
            let (kept, rest) = if broken { (new.desired, total - new.desired) } else { (split.candidate, split.stable) };
            (Size::Fixed(rest.max(split.stable)), Size::Fixed(kept))
        }
        Scaling::Auto(bounds) => match autoscaled(scene, bounds, (&old, &new), progress.capacity, candidate) {
            (Size::Fixed(_), led) if bake::takes_over(scene, candidate) => (Size::Fixed(old.desired), led),
            sizes => sizes,
        },
    }
}

/// All pods carry the same load, so one autoscaler is enough: it leads the side with the larger share, and the other side
/// follows by the ratio. The side that gains grows first, to its share of what there was when the step began; then the
/// roles are those of the new weight, and the autoscaler takes away what is too much.
fn autoscaled(
    scene: &Scene,
    bounds: &Autoscaling,
    (old, new): (&Workload, &Workload),
    capacity: Option<i32>,
    candidate: &Candidate,
) -> (Size, Size) {
    let (weight, seen) = (candidate.weight, candidate.observed_weight);
    let capacity = capacity.unwrap_or(old.desired + new.desired);
    let leads = |at_least| Size::Autoscaled { start: bounds.min, at_least };
    if weight == seen {
        // What the leader has for a moment beyond its bounds is not mirrored.
        let follows = |leader: i32, share| follower(leader, share).min(part(bounds.max, 100 - share));
        // Pods of the candidate that are lost are made up for, and it gets no more of them.
        let due = refill::is_due(scene, candidate);
        let (missing, most) = if due { (capacity.min(bounds.max) - new.available, new.desired) } else { (0, i32::MAX) };
        return if weight > 50 {
            (Size::Fixed(follows(new.desired, weight).max(missing)), leads(0))
        } else {
            (leads(missing.max(0)), Size::Fixed(if weight == 0 { 0 } else { follows(old.desired, 100 - weight).min(most) }))
        };
    }
    let grown = |share| part(capacity, share);
    if candidate.strategy == Strategy::Recreate {
        // Nobody leads while there are no pods to speak of.
        return (Size::Fixed(0), Size::Fixed(grown(weight)));
    }
    match (weight > seen, seen > 50) {
        (true, true) => (Size::Fixed(old.desired), leads(grown(weight))),
        (true, false) => (leads(0), Size::Fixed(grown(weight).max(1).max(new.desired))),
        (false, true) => (Size::Fixed(grown(100 - weight).max(old.desired)), leads(0)),
        (false, false) => (leads(grown(100 - weight)), Size::Fixed(new.desired)),
    }
}

/// Sizes that all sets may have now, on the way to those that they should have.
fn slow_down(scene: &Scene, progress: &Progress, sets: &mut [Set]) {
    if sets.len() < 2 {
        return;
    }
    let total = match &scene.service.scaling {
        Scaling::Fixed(total) => *total,
        Scaling::Auto(_) => needed(scene, progress, sets),
    };
    let strategy = scene.strategy(progress);
    // `Recreate` promises that no two versions run at the same time, and a pod runs until it is gone.
    let lingering = |workload: &Workload| if strategy == Strategy::Recreate { workload.leaving } else { 0 };
    let state = |set: &Set| {
        let workload = scene.workloads.named(&set.at.deployment);
        let moving = moving(&workload, set.target);
        // Half-way in an update, a Deployment keeps pods that do not serve beyond its number, for ever if none of them becomes
        // ready; they must not take the place of those that would. `Truth::asked`, which judges it, says the same.
        let stuck = set.role == Role::Leaving && workload.current && workload.total > workload.updated && workload.total > workload.desired;
        let pods = if stuck { workload.available.min(moving.pods) } else { moving.pods };
        Moving { pods: pods + lingering(&workload), ..moving }
    };
    let mut moving: Vec<Moving> = sets.iter().map(state).collect();
    // The autoscaler's own growth, and that of the side that gains, comes on top, and so do pods that are about to be parked.
    let mut slack = scene.slack(strategy, total);
    if scene.is_autoscaled() || progress.candidate.as_ref().is_some_and(|candidate| bake::is_last(scene, candidate)) {
        slack.surge += (moving.iter().map(|set| set.target).sum::<i32>() - total).max(0);
    }
    refill::raise(scene, progress, sets, &mut moving, total, slack);
    let sizes = moves::next(&moving, total, slack);
    let busy = moving.iter().filter(|set| set.size.max(set.pods) > 0).count();
    for ((set, size), moving) in sets.iter_mut().zip(sizes).zip(&moving) {
        let alone = busy == usize::from(moving.size.max(moving.pods) > 0);
        let waits = strategy == Strategy::Recreate && !alone;
        match &mut set.size {
            Size::Fixed(fixed) => *fixed = if waits { size.min(moving.size) } else { size },
            // On the way back too, and an autoscaler leaves alone what has no pods.
            led @ Size::Autoscaled { .. } if waits && moving.size == 0 => *led = Size::Fixed(0),
            Size::Autoscaled { .. } => {}
        }
    }
}

/// Pods that must serve beside an autoscaler: what there was when the shares began to move, and once they are the new ones,
/// what it says of the set that it leads, and the other side's part.
fn needed(scene: &Scene, progress: &Progress, sets: &[Set]) -> i32 {
    let moved = progress.candidate.as_ref().is_some_and(|candidate| candidate.weight == candidate.observed_weight);
    match progress.capacity {
        Some(capacity) if !moved => capacity,
        _ => sets.iter().map(|set| in_the_end(&scene.workloads.named(&set.at.deployment), set.target)).sum(),
    }
}

fn in_the_end(workload: &Workload, target: Size) -> i32 {
    match target {
        Size::Fixed(count) => count,
        Size::Autoscaled { at_least, .. } => workload.desired.max(at_least),
    }
}

fn moving(workload: &Workload, target: Size) -> Moving {
    let target = in_the_end(workload, target);
    Moving { size: workload.desired, pods: workload.total, available: workload.available, target }
}

/// The autoscaler follows the set that it leads; its bounds are those of the service times that set's share.
fn follow(scene: &Scene, progress: &Progress, sets: &[Set]) -> Option<Follow> {
    let Scaling::Auto(bounds) = &scene.service.scaling else { return None };
    let (set, least) = sets.iter().find_map(|set| match set.target {
        Size::Autoscaled { at_least, .. } => Some((set, at_least)),
        Size::Fixed(_) => None,
    })?;
    let share =
        match &progress.candidate {
            Some(candidate) if !candidate.is_apart() && progress.stable.is_some() && !scene.in_place(progress) => {
                if set.at == candidate.at { candidate.observed_weight } else { 100 - candidate.observed_weight }
            }
            _ => 100,
        };
    let min = part(bounds.min, share).max(1).max(least);
    Some(Follow { deployment: set.at.deployment.clone(), min, max: part(bounds.max, share).max(min) })
}
