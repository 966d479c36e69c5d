//! Reading one's own writes.
//!
//! A watch tells of a write some milliseconds after the server has answered it. In between, a pass that believed the
//! tables would plan from the past: write again what it has just written, or miss the progress that it has just stored.
//! So the answer of every write is laid over the tables until they have caught up. Waiting for the watch instead was
//! rejected: it would hold a pass for as long as the watch is slow. (Kubernetes' own controllers got the same in 1.36,
//! kubernetes/enhancements#5647.)

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::key::{Key, Watched};
use super::tables::Row;
use super::trim::Fact;
use super::version::Version;

/// How long an answer is believed against the watch. A watch that is this late is broken; and after a restore of etcd,
/// which turns versions back, the tables must be believed again.
const LIFETIME: Duration = Duration::from_secs(30);
/// Answers that are remembered: those of 900 services that are created in the same moment. One that finds no room is
/// not remembered, which makes a pass read the past, and the guard of the status write catches that.
const CAPACITY: usize = 8192;

/// The answer to a write.
#[derive(Debug)]
struct Expected {
    watched: Watched,
    name: Box<str>,
    /// The version that the write made; for a deletion, the one that it ended.
    version: Version,
    since: Instant,
    /// `None`: it is gone.
    fact: Option<Fact>,
}

#[derive(Debug, Default)]
pub struct Expectations {
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    by_family: HashMap<Key, Vec<Expected>>,
    count: usize,
    /// The latest version that a watch told of, by kind and namespace. The answer to a write can come after the watch has
    /// told of the object and even of its deletion; remembered then, it would bring the object back to life.
    passed: HashMap<(Watched, Arc<str>), Version>,
}

/// Namespaces times kinds of which the latest version is kept. Beyond that all are forgotten, and learnt again.
const NAMESPACES: usize = 65_536;

impl Expectations {
    /// The server answered a write, or a read past the tables, with this.
    pub fn wrote(&self, family: &Key, watched: Watched, name: &str, version: Version, fact: Fact) {
        self.remember(family, Expected { watched, name: name.into(), version, since: Instant::now(), fact: Some(fact) });
    }

    /// The server confirmed that the object, which was at `version`, is gone.
    pub fn removed(&self, family: &Key, watched: Watched, name: &str, version: Version) {
        self.remember(family, Expected { watched, name: name.into(), version, since: Instant::now(), fact: None });
    }

    fn remember(&self, family: &Key, expected: Expected) {
        let mut answers = self.lock();
        answers.forget(family, |old| old.watched == expected.watched && old.name == expected.name);
        let passed = answers.passed.get(&(expected.watched, Arc::clone(&family.namespace)));
        if expected.fact.is_some() && passed.is_some_and(|passed| !passed.is_before(&expected.version)) {
            return;
        }
        if answers.count >= CAPACITY {
            answers.forget_everywhere(|old| old.since.elapsed() >= LIFETIME);
        }
        if answers.count < CAPACITY {
            answers.count += 1;
            answers.by_family.entry(family.clone()).or_default().push(expected);
        }
    }

    /// A watch told of an object at `version`: what was expected at or before it has come.
    pub fn arrived(&self, family: &Key, watched: Watched, name: &str, version: &Version) {
        let mut answers = self.lock();
        answers.pass(family, watched, version);
        if answers.count > 0 {
            let due = |old: &Expected| old.watched == watched && *old.name == *name && !version.is_before(&old.version);
            answers.forget(family, due);
        }
    }

    /// A list that began at `since` has ended. It holds every write before it, so what it does not hold is no more.
    /// Returns the services of which something was forgotten.
    pub fn listed(&self, watched: Watched, namespace: Option<&str>, since: Instant) -> Vec<Key> {
        let mut answers = self.lock();
        let families: Vec<Key> =
            answers.by_family.keys().filter(|key| namespace.is_none_or(|only| *only == *key.namespace)).cloned().collect();
        families.into_iter().filter(|family| answers.forget(family, |old| old.watched == watched && old.since < since)).collect()
    }

    /// Lays what is expected over what the tables hold.
    pub fn overlay(&self, family: &Key, rows: &mut Vec<Row>) {
        let mut answers = self.lock();
        if answers.count == 0 {
            return;
        }
        answers.forget(family, |expected| {
            let seen = rows.iter().find(|row| row.is(family, expected.watched, &expected.name));
            expected.since.elapsed() >= LIFETIME || expected.has_come(seen)
        });
        for expected in answers.by_family.get(family).into_iter().flatten() {
            rows.retain(|row| !row.is(family, expected.watched, &expected.name));
            if let Some(fact) = &expected.fact {
                rows.push(Row::new(family, expected.watched, &expected.name, expected.version.clone(), fact.clone()));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        // Nothing in here can panic half-way, so a poisoned map is still a sound one.
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Expected {
    /// Whether the tables have caught up. Versions that cannot be compared mean yes: the tables are believed.
    fn has_come(&self, seen: Option<&Row>) -> bool {
        match (&self.fact, seen) {
            (Some(_), Some(row)) => !row.version.is_before(&self.version),
            // Created, and not yet seen. Had it been seen and deleted since, the watch would have told.
            (Some(_), None) => false,
            (None, Some(row)) => row.version != self.version && !row.version.is_before(&self.version),
            (None, None) => true,
        }
    }
}

impl Answers {
    fn pass(&mut self, family: &Key, watched: Watched, version: &Version) {
        if self.passed.len() >= NAMESPACES {
            self.passed.clear();
        }
        let latest = self.passed.entry((watched, Arc::clone(&family.namespace))).or_insert_with(|| version.clone());
        if latest.is_before(version) {
            *latest = version.clone();
        }
    }

    fn forget(&mut self, family: &Key, due: impl Fn(&Expected) -> bool) -> bool {
        let Some(all) = self.by_family.get_mut(family) else { return false };
        let before = all.len();
        all.retain(|expected| !due(expected));
        let forgotten = before - all.len();
        if all.is_empty() {
            self.by_family.remove(family);
        }
        self.count -= forgotten;
        forgotten > 0
    }

    fn forget_everywhere(&mut self, due: impl Fn(&Expected) -> bool + Copy) {
        let families: Vec<Key> = self.by_family.keys().cloned().collect();
        for family in families {
            self.forget(&family, due);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Kind;
    use crate::observe::packed::Packed;

    const SERVICE: Watched = Watched::Child(Kind::Service);

    fn family() -> Key {
        Key::new("shop", "orders")
    }

    fn fact(content: u64) -> Fact {
        Fact::Object { body: Packed::of(Watched::Pod, &json!(content)), claims_replicas: false }
    }

    fn row(version: &str, content: u64) -> Row {
        Row::new(&family(), SERVICE, "orders", Version::parse(version), fact(content))
    }

    fn wrote(all: &Expectations, version: &str, content: u64) {
        all.wrote(&family(), SERVICE, "orders", Version::parse(version), fact(content));
    }

    /// What a pass reads, as (version, content), if the tables hold `rows`.
    fn read(all: &Expectations, rows: Vec<Row>) -> Vec<(String, Fact)> {
        let mut rows = rows;
        all.overlay(&family(), &mut rows);
        rows.into_iter().map(|row| (row.version.to_string(), row.fact)).collect()
    }

    fn count(all: &Expectations) -> usize {
        let answers = all.lock();
        assert_eq!(answers.count, answers.by_family.values().map(Vec::len).sum::<usize>());
        answers.count
    }

    #[test]
    fn a_write_is_read_at_once_and_until_the_watch_has_told_of_it() {
        let all = Expectations::default();
        wrote(&all, "7", 2);
        assert_eq!(read(&all, vec![]), [("7".to_owned(), fact(2))]);
        assert_eq!(read(&all, vec![row("5", 1)]), [("7".to_owned(), fact(2))]);
        assert_eq!(read(&all, vec![row("8", 3)]), [("8".to_owned(), fact(3))]);
        assert_eq!(count(&all), 0);
    }

    #[test]
    fn the_latest_write_counts() {
        let all = Expectations::default();
        wrote(&all, "7", 2);
        wrote(&all, "9", 3);
        assert_eq!(count(&all), 1);
        assert_eq!(read(&all, vec![row("8", 1)]), [("9".to_owned(), fact(3))]);
    }

    #[test]
    fn a_deleted_object_is_not_read_and_its_successor_is() {
        let all = Expectations::default();
        let removed = || all.removed(&family(), SERVICE, "orders", Version::parse("7"));
        removed();
        assert_eq!(read(&all, vec![row("7", 1)]), []);
        assert_eq!(read(&all, vec![row("6", 1)]), []);
        assert_eq!(read(&all, vec![row("9", 2)]), [("9".to_owned(), fact(2))]);
        assert_eq!(count(&all), 0);
        removed();
        assert_eq!(read(&all, vec![]), []);
        assert_eq!(count(&all), 0);
    }

    #[test]
    fn a_created_object_that_was_deleted_by_others_is_forgotten_when_the_watch_says_so() {
        let all = Expectations::default();
        wrote(&all, "7", 1);
        all.arrived(&family(), SERVICE, "orders", &Version::parse("6"));
        assert_eq!(count(&all), 1);
        all.arrived(&family(), SERVICE, "orders", &Version::parse("9"));
        assert_eq!(read(&all, vec![]), []);
    }

    #[test]
    fn an_answer_that_comes_after_the_object_has_gone_brings_nothing_back() {
        let all = Expectations::default();
        // Made at 7 and deleted at 8, both told by the watch before the answer to the creation is read.
        all.arrived(&family(), SERVICE, "orders", &Version::parse("7"));
        all.arrived(&family(), SERVICE, "orders", &Version::parse("8"));
        wrote(&all, "7", 1);
        assert_eq!(read(&all, vec![]), []);
        wrote(&all, "9", 2);
        assert_eq!(read(&all, vec![]), [("9".to_owned(), fact(2))], "what is newer than the watch is believed");
        all.wrote(&Key::new("bank", "orders"), SERVICE, "orders", Version::parse("7"), fact(1));
        assert_eq!(count(&all), 2, "another namespace may have a watch of its own, which is behind");
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_that_began_after_the_write_settles_it() {
        let all = Expectations::default();
        let before = Instant::now();
        tokio::time::advance(Duration::from_secs(1)).await;
        wrote(&all, "7", 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(all.listed(SERVICE, None, before), []);
        assert_eq!(all.listed(Watched::Pod, None, Instant::now()), []);
        assert_eq!(all.listed(SERVICE, Some("bank"), Instant::now()), []);
        assert_eq!(all.listed(SERVICE, Some("shop"), Instant::now()), [family()]);
        assert_eq!(count(&all), 0);
    }

    #[test]
    fn versions_that_cannot_be_compared_leave_the_tables_right() {
        let all = Expectations::default();
        wrote(&all, "abc", 2);
        assert_eq!(read(&all, vec![row("5", 1)]), [("5".to_owned(), fact(1))]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_half_a_minute_the_tables_are_right_even_if_versions_went_back() {
        let all = Expectations::default();
        wrote(&all, "1000", 2);
        let instant = Duration::from_millis(1);
        tokio::time::advance(LIFETIME.saturating_sub(instant)).await;
        assert_eq!(read(&all, vec![row("5", 1)]), [("1000".to_owned(), fact(2))]);
        tokio::time::advance(instant).await;
        assert_eq!(read(&all, vec![row("5", 1)]), [("5".to_owned(), fact(1))]);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_old_answers_make_room() {
        let all = Expectations::default();
        let fact = fact(1);
        let wrote = |number: usize| all.wrote(&Key::new("shop", number.to_string()), SERVICE, "s", Version::Number(1), fact.clone());
        (0..CAPACITY + 10).for_each(wrote);
        assert_eq!(count(&all), CAPACITY);
        tokio::time::advance(LIFETIME).await;
        wrote(CAPACITY + 11);
        assert_eq!(count(&all), 1);
    }
}
