//! Who writes the number of pods.

use crate::model::Scaling;

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
pub fn replicas(scaling: &Scaling, live: Option<LiveReplicas>) -> Option<i32> {
    match (scaling, live) {
        (Scaling::Fixed(count), _) => Some(*count),
        // An autoscaler takes zero for "switched off" and would never leave it.
        (Scaling::Auto(bounds), None | Some(LiveReplicas { count: 0, .. })) => Some(bounds.min),
        (Scaling::Auto(_), Some(LiveReplicas { count, claimed: true })) => Some(count),
        (Scaling::Auto(_), Some(LiveReplicas { claimed: false, .. })) => None,
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscalerBehavior;

    use super::*;
    use crate::model::Autoscaling;

    #[test]
    fn who_writes_the_number() {
        let auto =
            Scaling::Auto(Autoscaling { min: 2, max: 6, cpu: None, memory: None, behavior: HorizontalPodAutoscalerBehavior::default() });
        let live = |count, claimed| Some(LiveReplicas { count, claimed });
        let table = [
            ("fixed, at creation", Scaling::Fixed(3), None, Some(3)),
            ("fixed, after an autoscaler", Scaling::Fixed(3), live(5, false), Some(3)),
            ("fixed at nothing", Scaling::Fixed(0), live(5, true), Some(0)),
            ("autoscaled, at creation", auto.clone(), None, Some(2)),
            ("autoscaled, nobody has scaled yet", auto.clone(), live(4, true), Some(4)),
            ("autoscaled, from zero by us", auto.clone(), live(0, true), Some(2)),
            ("autoscaled, from zero by somebody", auto.clone(), live(0, false), Some(2)),
            ("autoscaled", auto.clone(), live(5, false), None),
            ("autoscaled, above the maximum", auto, live(9, false), None),
        ];
        for (case, scaling, live, expected) in table {
            assert_eq!(replicas(&scaling, live), expected, "{case}");
        }
    }
}
