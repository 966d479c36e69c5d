//! A canary behind a gateway: its weight is a number in a route, and its pods are as many as that share of the load needs.
//!
//! The old revision keeps all its pods, so a way back needs none. In each step pods come first, then the weight, and the
//! step is done when the gateway has accepted it:
//!
//! ```text
//! 90 : 10 … 0 : 100 ──accepted──► the Services of the stable revision select the new one ──a moment──► stable ──► 100 : 0
//! ```
//!
//! In the last moment both sides of the route lead to the new revision, so it does not matter which weights a gateway
//! still has: Services and routes reach it on different ways, in any order.

use crate::model::{Candidate, Header, Placed, Progress, Scale, Scaling, Step};

use super::dynamic;
use super::layout::Layout;
use super::ratio::part;
use super::scene::Scene;

/// Seconds that a gateway has to act on what it has accepted: the Gateway API has no word for "in force"
/// (<https://github.com/kubernetes-sigs/gateway-api/issues/1870>). Traefik, which collects changes for 2 s, is the slowest seen.
pub const PROPAGATION_SECONDS: i64 = 3;

/// What the routes do for the candidate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    pub revision: String,
    /// The Service of the candidate's side selects it. Otherwise that Service leads to the stable revision: a side to which
    /// a gateway may still send requests must not be empty.
    pub selects: bool,
    /// Something is asked for that it cannot get yet, because no pod of its own is behind its side.
    pub awaited: bool,
    /// Per cent of the requests.
    pub weight: i32,
    /// Requests with all these headers are its own.
    pub headers: Vec<Header>,
    /// Per cent of the requests that it gets copies of.
    pub mirror: i32,
}

/// What a candidate behind a gateway gets, if there is one beside a stable revision.
pub fn share(scene: &Scene, progress: &Progress) -> Option<Share> {
    let (Some(stable), Some(candidate)) = (&progress.stable, &progress.candidate) else { return None };
    if !candidate.routed || scene.in_place(progress) {
        return None;
    }
    let (available, selected, ready) = behind(scene, candidate);
    let headers = last(scene, candidate, |step| match step {
        Step::Match(headers) => Some(headers.clone()),
        _ => None,
    });
    let mirror = last(scene, candidate, |step| match step {
        Step::Mirror(percent) => Some(*percent),
        _ => None,
    });
    let full = full(scene, progress, stable);
    let wanted = wanted(scene, progress, stable, candidate);
    let asked =
        candidate.weight > 0 || headers.as_ref().is_some_and(|headers| !headers.is_empty()) || mirror.is_some_and(|percent| percent > 0);
    Some(Share {
        revision: candidate.at.revision.clone(),
        // What another candidate was given must be taken back before this one stands in its place.
        selects: available > 0 && (selected || !scene.gateway.gives),
        awaited: asked && full > 0 && ready == 0,
        weight: dynamic::balanced(candidate, full, wanted, (dynamic::ready(scene, stable), ready)),
        headers: headers.filter(|_| ready > 0).unwrap_or_default(),
        mirror: mirror.filter(|_| ready > 0).unwrap_or_default(),
    })
}

/// Available pods of the candidate, whether the Service of its side selects them, and how many are ready behind it.
pub fn behind(scene: &Scene, candidate: &Candidate) -> (i32, bool, i32) {
    let pods = scene.workloads.named(&candidate.at.deployment);
    let available = if pods.revision.as_ref() == Some(&candidate.at.revision) { pods.available } else { 0 };
    let selected = scene.gateway.selected.as_ref() == Some(&candidate.at.revision);
    (available, selected, if selected { available.min(scene.gateway.endpoints) } else { 0 })
}

/// Per cent that so many ready pods are to have: never more than they carry, and more than so far only once all of them are
/// there. Pods that are lost take their part along.
pub fn weight(candidate: &Candidate, full: i32, wanted: i32, ready: i32) -> i32 {
    if full == 0 {
        // Scaled to zero: nobody answers, whatever the weight.
        return candidate.weight;
    }
    let carried = |share: i32| carried(share, full, wanted, ready);
    let arrived = candidate.weight == candidate.observed_weight;
    if ready > 0 && ready >= wanted && !arrived { candidate.weight } else { carried(candidate.observed_weight.min(candidate.weight)) }
}

/// Per cent that so many ready pods of the candidate carry, of a share.
pub fn carried(share: i32, full: i32, wanted: i32, ready: i32) -> i32 {
    let needed = part(full, share).min(wanted).max(1);
    if ready >= needed { share } else { share * ready.max(0) / needed }
}

/// Pods that the candidate should have.
pub fn wanted(scene: &Scene, progress: &Progress, stable: &Placed, candidate: &Candidate) -> i32 {
    let full = full(scene, progress, stable);
    if full == 0 {
        return 0;
    }
    if candidate.step >= scene.service.rollout.steps.len() {
        return full;
    }
    let scale = last(scene, candidate, |step| match step {
        Step::Scale(scale) => Some(*scale),
        _ => None,
    });
    match scale {
        Some(Scale::Replicas(count)) => count,
        Some(Scale::Percent(percent)) => part(full, percent),
        Some(Scale::Weight) | None => {
            // A weight that falls takes its pods along only when the gateway has taken it.
            let share = candidate.weight.max(candidate.observed_weight);
            let looked_at = last(scene, candidate, |step| match step {
                Step::Match(headers) => Some(!headers.is_empty()),
                Step::Mirror(percent) => Some(*percent > 0),
                _ => None,
            });
            part(full, share).max(i32::from(share > 0 || looked_at == Some(true)))
        }
    }
}

/// Pods that carry the whole load.
pub fn full(scene: &Scene, progress: &Progress, stable: &Placed) -> i32 {
    match &scene.service.scaling {
        Scaling::Fixed(count) => *count,
        Scaling::Auto(bounds) => {
            scene.workloads.named(&stable.deployment).desired.max(bounds.min).max(progress.capacity.unwrap_or_default())
        }
    }
}

/// The last of the steps so far that says something of a matter.
fn last<T>(scene: &Scene, candidate: &Candidate, says: impl Fn(&Step) -> Option<T>) -> Option<T> {
    scene.service.rollout.steps.iter().take(candidate.step + 1).rev().find_map(says)
}

/// Why the gateway has not yet got the step in progress, if it has not.
pub fn lack(scene: &Scene, layout: &Layout, candidate: &Candidate) -> Option<String> {
    let share = layout.share.as_ref()?;
    match &scene.gateway.accepted {
        Err(why) => Some(why.clone()),
        _ if share.awaited => Some(format!("pods of revision {} are not yet behind their side of the routes", share.revision)),
        _ if share.weight > candidate.weight => {
            Some(format!("the stable revision has pods for {} of {} % of the requests", 100 - share.weight, 100 - candidate.weight))
        }
        _ if share.weight != candidate.weight => {
            let (ready, weight) = (scene.gateway.endpoints, candidate.weight);
            Some(format!("{ready} ready endpoints carry {} of {weight} % of the requests", share.weight))
        }
        Ok(weight) => (*weight != share.weight).then(|| format!("the routes have {weight} of {} %", share.weight)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_more_weight_than_ready_pods_carry() {
        // asked, seen, wanted pods of 10, ready → weight
        for (asked, seen, wanted, ready, expected) in [
            (30, 0, 3, 0, 0),
            (30, 0, 3, 2, 0),
            (30, 0, 3, 3, 30),
            (30, 30, 3, 3, 30),
            (30, 30, 3, 2, 20),
            (30, 30, 3, 0, 0),
            (60, 30, 6, 5, 30),
            (60, 30, 6, 2, 20),
            (60, 30, 6, 6, 60),
            (10, 60, 6, 6, 10),
            (10, 60, 6, 1, 10),
            // One pod for all of it, because somebody said so.
            (50, 0, 1, 1, 50),
            (50, 50, 1, 0, 0),
            (50, 0, 0, 0, 0),
        ] {
            let candidate = Candidate { weight: asked, observed_weight: seen, ..Candidate::default() };
            assert_eq!(weight(&candidate, 10, wanted, ready), expected, "{asked} {seen} {wanted} {ready}");
        }
    }
}
