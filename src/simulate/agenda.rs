//! What is to happen, and when.

use std::collections::{BTreeMap, BTreeSet};

/// Events by time. An event is in here once, at the earliest time that was asked for.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    by_time: BTreeSet<(i64, E)>,
    by_event: BTreeMap<E, i64>,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), by_event: BTreeMap::new() }
    }
}

impl<E: Ord + Clone> Agenda<E> {
    pub fn add(&mut self, at: i64, event: E) {
        if let Some(before) = self.by_event.get(&event).copied() {
            if before <= at {
                return;
            }
            self.by_time.remove(&(before, event.clone()));
        }
        self.by_event.insert(event.clone(), at);
        self.by_time.insert((at, event));
    }

    /// What is to happen, at any time.
    pub fn pending(&self) -> impl Iterator<Item = &E> {
        self.by_event.keys()
    }

    /// The next event, if it is due by then.
    pub fn next(&mut self, until: i64) -> Option<(i64, E)> {
        let first = self.by_time.first().filter(|(at, _)| *at <= until)?.clone();
        self.by_time.remove(&first);
        self.by_event.remove(&first.1);
        Some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::Agenda;

    #[test]
    fn an_event_is_kept_once_at_its_earliest_time() {
        let mut agenda = Agenda::default();
        for (at, event) in [(5, "a"), (7, "b"), (3, "a"), (9, "b")] {
            agenda.add(at, event);
        }
        assert_eq!(agenda.next(2), None);
        assert_eq!(agenda.pending().collect::<Vec<_>>(), [&"a", &"b"]);
        assert_eq!([agenda.next(9), agenda.next(9), agenda.next(9)], [Some((3, "a")), Some((7, "b")), None]);
    }
}
