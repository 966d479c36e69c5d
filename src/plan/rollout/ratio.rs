//! Arithmetic of shares: which whole numbers of pods are nearest to a weight.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::v1alpha1::Strategy;
use crate::model::Rollout;

/// Pods of both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    pub stable: i32,
    pub candidate: i32,
}

/// How far the number of pods may stray from the wanted one while pods are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slack {
    pub surge: i32,
    pub unavailable: i32,
}

impl Slack {
    /// Percentages of `total` are rounded as Deployments round them: the surge up, the unavailable down. Where both come
    /// to nothing no pod could ever be replaced, and one may be unavailable, as with Deployments.
    pub fn of(rollout: &Rollout, strategy: Strategy, total: i32) -> Self {
        if strategy == Strategy::Recreate {
            return Self { surge: 0, unavailable: total };
        }
        let surge = resolve(&rollout.max_surge, total, true);
        let unavailable = resolve(&rollout.max_unavailable, total, false).min(total);
        Self { surge, unavailable: if surge == 0 { unavailable.max(1) } else { unavailable } }
    }
}

fn resolve(value: &IntOrString, total: i32, up: bool) -> i32 {
    match value {
        IntOrString::Int(number) => *number,
        IntOrString::String(text) => {
            let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
            let parts = i64::from(total) * percent;
            let whole = if up { (parts + 99) / 100 } else { parts / 100 };
            i32::try_from(whole).unwrap_or(i32::MAX)
        }
    }
}

/// The split of `total` pods that is nearest to `weight` per cent for the candidate. From 1 to 99 both sides have at least
/// one pod, for which one more than `total` is used where `surge` allows it; also where that comes nearer to the weight. Of
/// two that are equally near, the one with fewer pods, then the one with more of the candidate.
pub fn split(total: i32, weight: i32, surge: i32) -> Split {
    let (total, weight) = (total.max(0), weight.clamp(0, 100));
    match (total, weight) {
        (0, _) => Split { stable: 0, candidate: 0 },
        (_, 0) => Split { stable: total, candidate: 0 },
        (_, 100) => Split { stable: 0, candidate: total },
        // One pod, and no room for a second: whole or not at all.
        (1, _) if surge == 0 => Split { stable: i32::from(weight < 50), candidate: i32::from(weight >= 50) },
        _ => {
            let best = (total..=total + i32::from(surge > 0)).filter_map(|sum| nearest(sum, weight));
            let candidates = best.min_by(|a, b| distance(*a, weight).cmp(&distance(*b, weight)));
            candidates.unwrap_or(Split { stable: total, candidate: 0 })
        }
    }
}

/// The nearest split of exactly `sum` pods with both sides at work.
fn nearest(sum: i32, weight: i32) -> Option<Split> {
    if sum < 2 {
        return None;
    }
    // Half a pod rounds up, so that the candidate gets it.
    let candidate = (i64::from(sum) * i64::from(weight) + 50) / 100;
    let candidate = i32::try_from(candidate).ok()?.clamp(1, sum - 1);
    Some(Split { stable: sum - candidate, candidate })
}

/// How far from the weight, as a fraction that compares exactly: |candidate × 100 − weight × sum| / sum.
fn distance(split: Split, weight: i32) -> Fraction {
    let sum = i64::from(split.stable) + i64::from(split.candidate);
    Fraction { numerator: (i64::from(split.candidate) * 100 - i64::from(weight) * sum).abs(), denominator: sum }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Fraction {
    numerator: i64,
    denominator: i64,
}

impl Fraction {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.numerator * other.denominator).cmp(&(other.numerator * self.denominator))
    }
}

/// Pods of the side that follows, where the other side has `leader` pods and `share` per cent of the whole. Nearest, at
/// least one while the share leaves any.
pub fn follower(leader: i32, share: i32) -> i32 {
    if share >= 100 || leader <= 0 {
        return 0;
    }
    let share = i64::from(share.max(1));
    let pods = (i64::from(leader) * (100 - share) + share / 2) / share;
    i32::try_from(pods).unwrap_or(i32::MAX).max(1)
}

/// `share` per cent of `total`, rounded up.
pub fn part(total: i32, share: i32) -> i32 {
    let pods = (i64::from(total.max(0)) * i64::from(share) + 99) / 100;
    i32::try_from(pods).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_whole_pods() {
        let table = [
            // total, weight, surge → stable, candidate
            (10, 0, 3, 10, 0),
            (10, 10, 3, 9, 1),
            (10, 25, 3, 8, 3),
            (10, 25, 0, 7, 3),
            (10, 50, 3, 5, 5),
            (10, 100, 3, 0, 10),
            (10, 1, 3, 10, 1),
            (10, 99, 3, 1, 10),
            (3, 50, 1, 2, 2),
            (3, 50, 0, 1, 2),
            (2, 20, 1, 2, 1),
            (2, 20, 0, 1, 1),
            (1, 10, 1, 1, 1),
            (1, 10, 0, 1, 0),
            (1, 50, 0, 0, 1),
            (0, 50, 1, 0, 0),
        ];
        for (total, weight, surge, stable, candidate) in table {
            assert_eq!(split(total, weight, surge), Split { stable, candidate }, "{weight} % of {total} with a surge of {surge}");
        }
    }

    #[test]
    fn the_side_that_follows() {
        for (leader, share, expected) in [(8, 80, 2), (1, 80, 1), (5, 50, 5), (6, 60, 4), (10, 100, 0), (0, 80, 0), (10, 99, 1), (7, 75, 2)]
        {
            assert_eq!(follower(leader, share), expected, "{leader} at {share} %");
        }
    }

    #[test]
    fn percentages_round_as_deployments_round_them() {
        use crate::api::v1alpha1::Strategy::{Canary, Recreate};
        let settings = crate::plan::children::tests::service("image: a").rollout;
        let rollout =
            |surge: IntOrString, unavailable: IntOrString| Rollout { max_surge: surge, max_unavailable: unavailable, ..settings.clone() };
        let percent = |text: &str| IntOrString::String(text.to_owned());
        let slack = |rollout: &Rollout, total| Slack::of(rollout, Canary, total);
        assert_eq!(slack(&rollout(percent("25%"), IntOrString::Int(0)), 10), Slack { surge: 3, unavailable: 0 });
        assert_eq!(slack(&rollout(percent("25%"), percent("25%")), 10), Slack { surge: 3, unavailable: 2 });
        assert_eq!(slack(&rollout(IntOrString::Int(0), percent("10%")), 5), Slack { surge: 0, unavailable: 1 });
        assert_eq!(slack(&rollout(IntOrString::Int(2), IntOrString::Int(9)), 5), Slack { surge: 2, unavailable: 5 });
        let recreate = Slack::of(&rollout(percent("25%"), IntOrString::Int(0)), Recreate, 4);
        assert_eq!(recreate, Slack { surge: 0, unavailable: 4 });
    }

    proptest! {
        #[test]
        fn no_split_is_nearer(total in 1..200i32, weight in 1..100i32, surge in 0..2i32) {
            let found = split(total, weight, surge);
            prop_assume!(total > 1 || surge > 0);
            prop_assert!(found.stable >= 1 && found.candidate >= 1);
            prop_assert!((total..=total + surge).contains(&(found.stable + found.candidate)));
            for sum in total..=total + surge {
                for candidate in 1..sum {
                    let other = Split { stable: sum - candidate, candidate };
                    prop_assert!(distance(other, weight).cmp(&distance(found, weight)).is_ge(), "{:?} is nearer than {:?}", other, found);
                }
            }
        }

        #[test]
        fn more_weight_never_means_fewer_pods(total in 0..200i32, weight in 0..100i32) {
            prop_assert!(split(total, weight + 1, 0).candidate >= split(total, weight, 0).candidate);
        }
    }
}
