//! Who writes the number of pods.

use crate::model::Autoscaled;

/// The number that a live Deployment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveReplicas {
    pub count: i32,
    /// Whether our field manager owns the field, which means that no autoscaler has written it yet.
    pub claimed: bool,
}

/// The number to apply; `None` leaves the field out, because the autoscaler owns it.
///
/// A field that its only owner drops is reset to its default, one pod. So the claim is held until the autoscaler has
/// written, with the number that is there: the first write by the autoscaler takes the field over, and from then on it
/// is left out. An apply with a number read from the cluster must carry the resourceVersion that was read, or it could
/// undo the autoscaler's write in between. The alternative, a second field manager that holds the number during the
/// hand-over, costs a write per service and a manager that is never removed.
pub fn replicas(bounds: Autoscaled, live: Option<LiveReplicas>) -> Option<i32> {
    match live {
        // An autoscaler takes zero for "switched off" and would never leave it.
        None | Some(LiveReplicas { count: 0, .. }) => Some(bounds.start.max(bounds.at_least)),
        Some(LiveReplicas { count, .. }) if count < bounds.at_least => Some(bounds.at_least),
        Some(LiveReplicas { count, claimed: true }) => Some(count),
        Some(LiveReplicas { claimed: false, .. }) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_the_number() {
        let live = |count, claimed| Some(LiveReplicas { count, claimed });
        let table = [
            ("at creation", 0, None, Some(2)),
            ("at creation, with more to carry", 5, None, Some(5)),
            ("nobody has scaled yet", 0, live(4, true), Some(4)),
            ("from zero by us", 0, live(0, true), Some(2)),
            ("from zero by somebody", 0, live(0, false), Some(2)),
            ("the autoscaler's", 0, live(5, false), None),
            ("the autoscaler's, above any bound", 0, live(9, false), None),
            ("too few at once", 6, live(4, false), Some(6)),
            ("enough", 6, live(6, false), None),
        ];
        for (case, at_least, live, expected) in table {
            assert_eq!(replicas(Autoscaled { start: 2, at_least }, live), expected, "{case}");
        }
    }
}
