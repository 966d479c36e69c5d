//! From the sizes that sets have to those that they should have, without ever having too few or too many pods on the way.

use super::ratio::Slack;

/// A set on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moving {
    /// Pods that its Deployment asks for.
    pub size: i32,
    /// Pods that exist.
    pub pods: i32,
    /// Pods that serve.
    pub available: i32,
    /// Pods that it should have.
    pub target: i32,
}

/// The next size of each set. `total` pods are wanted of all of them together.
///
/// All may grow, as far as there are never more than `total + surge` pods. One may shrink: the first that can, from the
/// last in the list to the first, and never so far that fewer than `total − unavailable` pods serve. A ReplicaSet takes
/// away pods that are not ready before those that are, so a set may always shrink to the pods of it that serve.
pub fn next(sets: &[Moving], total: i32, slack: Slack) -> Vec<i32> {
    let mut sizes: Vec<i32> = sets.iter().map(|set| set.size).collect();
    let mut room = total.saturating_add(slack.surge) - sets.iter().map(|set| set.size.max(set.pods)).sum::<i32>();
    for (set, size) in sets.iter().zip(&mut sizes) {
        // What it has asked for and not yet got takes no more room.
        let more = (set.target - set.size).min(room).max(0);
        *size += more;
        room -= more;
    }
    // Of a set that has been told to shrink, the surplus serves no longer than a moment.
    let stays = |set: &Moving| set.available.min(set.size);
    let available: i32 = sets.iter().map(stays).sum();
    for (set, size) in sets.iter().zip(&mut sizes).rev() {
        let needed = total - slack.unavailable - (available - stays(set));
        let floor = set.target.max(stays(set).min(needed));
        if floor < set.size {
            *size = floor;
            break;
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(size: i32, available: i32, target: i32) -> Moving {
        Moving { size, pods: size, available, target }
    }

    const ONE: Slack = Slack { surge: 1, unavailable: 0 };

    #[test]
    fn one_example_of_each_kind() {
        type Row = (&'static str, Vec<Moving>, i32, Slack, Vec<i32>);
        let table: [Row; 9] = [
            ("as they should be", vec![set(3, 3, 3), set(1, 1, 1)], 4, ONE, vec![3, 1]),
            ("growth first", vec![set(4, 4, 2), set(0, 0, 2)], 4, ONE, vec![4, 1]),
            ("one has come, one goes", vec![set(4, 4, 2), set(1, 1, 2)], 4, ONE, vec![3, 1]),
            ("it has not come yet", vec![set(4, 4, 2), set(1, 0, 2)], 4, ONE, vec![4, 1]),
            ("broken ones go first", vec![set(2, 2, 4), set(2, 0, 0)], 4, ONE, vec![3, 0]),
            ("broken old ones make room", vec![set(4, 0, 2), set(0, 0, 2)], 4, ONE, vec![2, 1]),
            ("only one shrinks", vec![set(4, 4, 2), set(2, 2, 2), set(1, 1, 0)], 4, ONE, vec![4, 2, 0]),
            ("less is wanted", vec![set(4, 4, 1), set(2, 2, 1)], 2, ONE, vec![4, 1]),
            ("without surge", vec![set(4, 4, 2), set(0, 0, 2)], 4, Slack { surge: 0, unavailable: 1 }, vec![3, 0]),
        ];
        for (case, sets, total, slack, expected) in table {
            assert_eq!(next(&sets, total, slack), expected, "{case}");
        }
    }

    fn any_set() -> impl Strategy<Value = Moving> {
        (0..8i32, 0..8i32, 0..8i32, 0..8i32).prop_map(|(size, pods, available, target)| Moving {
            size,
            pods,
            available: available.min(pods),
            target,
        })
    }

    proptest! {
        #[test]
        fn never_too_many_and_never_too_few_by_our_doing(
            sets in proptest::collection::vec(any_set(), 1..4),
            total in 0..8i32,
            surge in 0..3i32,
            unavailable in 0..3i32,
        ) {
            let slack = Slack { surge, unavailable };
            let sizes = next(&sets, total, slack);
            let before: i32 = sets.iter().map(|set| set.size.max(set.pods)).sum();
            let after: i32 = sets.iter().zip(&sizes).map(|(set, size)| set.pods.max(set.size).max(*size)).sum();
            prop_assert!(after <= before.max(total + surge), "{} pods of at most {}", after, total + surge);
            // A set whose Deployment asks for fewer pods than serve has been told so before.
            let had: i32 = sets.iter().map(|set| set.available.min(set.size)).sum();
            let has: i32 = sets.iter().zip(&sizes).map(|(set, size)| set.available.min(*size)).sum();
            prop_assert!(has >= had.min(total - unavailable), "{} of {} serve", has, had);
            prop_assert!(sets.iter().zip(&sizes).filter(|(set, size)| **size < set.size).count() <= 1);
        }

        /// Whatever the start, with pods that come when they are asked for, it gets there.
        #[test]
        fn it_always_arrives(sizes in proptest::collection::vec(0..6i32, 2..4), weight in 0..101i32, total in 1..8i32, surge in 0..3i32) {
            let slack = Slack { surge, unavailable: i32::from(surge == 0) };
            let split = super::super::ratio::split(total, weight, surge);
            let mut targets = vec![split.stable, split.candidate];
            targets.resize(sizes.len(), 0);
            let mut sets: Vec<Moving> = sizes.iter().zip(&targets).map(|(size, target)| set(*size, *size, *target)).collect();
            for _ in 0..100 {
                let sizes = next(&sets, total, slack);
                sets = sizes.iter().zip(&targets).map(|(size, target)| set(*size, *size, *target)).collect();
            }
            prop_assert_eq!(sets.iter().map(|set| set.size).collect::<Vec<_>>(), targets);
        }
    }
}
