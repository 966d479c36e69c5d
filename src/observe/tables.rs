//! Everything that is watched, by the service that it belongs to.
//!
//! One table by service instead of one store for each kind: a pass asks for all that belongs to one service, and memory
//! at ten thousand services is mostly the keys of the stores. Unlike kube-rs's reflector this also says which objects
//! disappeared while a watch was down: the reflector swaps its store on a new list and tells nobody, so that the owner
//! of a child that was deleted in the gap would never hear of it.

use std::collections::HashMap;

use crate::model::Kind;

use super::key::{Key, Watched};
use super::trim::Fact;
use super::version::Version;

/// An object, without what is the same for all objects of its service.
#[derive(Clone, Debug)]
pub struct Row {
    pub watched: Watched,
    /// `None`: named like its service.
    name: Option<Box<str>>,
    pub version: Version,
    /// The list that last held it.
    epoch: u32,
    pub fact: Fact,
}

impl Row {
    pub fn new(family: &Key, watched: Watched, name: &str, version: Version, fact: Fact) -> Self {
        let name = (*name != *family.name).then(|| name.into());
        Self { watched, name, version, epoch: 0, fact }
    }

    /// Name of the object, given the service's.
    pub fn name<'a>(&'a self, family: &'a Key) -> &'a str {
        self.name.as_deref().unwrap_or(&family.name)
    }

    pub fn is(&self, family: &Key, watched: Watched, name: &str) -> bool {
        self.watched == watched && self.name(family) == name
    }
}

/// What an event changed.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that is kept.
    Nothing,
    /// The object.
    Content,
    /// The object, and the service that it belongs to.
    Moved { from: Key },
}

#[derive(Debug, Default)]
pub struct Tables {
    families: HashMap<Key, Vec<Row>>,
    /// Objects whose name does not say which service they belong to. Without this, an object that changes hands would
    /// leave a ghost behind; holding the service of every object would cost more than the objects.
    strays: HashMap<(Watched, Key), Key>,
    epoch: u32,
    sizes: [usize; Watched::ALL.len()],
}

impl Tables {
    /// All rows of a service.
    pub fn rows(&self, family: &Key) -> &[Row] {
        self.families.get(family).map_or(&[], Vec::as_slice)
    }

    /// Every Microservice.
    pub fn services(&self) -> impl Iterator<Item = &Key> {
        self.families.iter().filter(|(_, rows)| rows.iter().any(|row| row.watched == Watched::Microservice)).map(|(key, _)| key)
    }

    /// Objects of a kind.
    pub fn size(&self, watched: Watched) -> usize {
        self.sizes[watched.ordinal()]
    }

    /// A list begins; its objects are put with the epoch that this returns.
    pub fn begin(&mut self) -> u32 {
        self.epoch = self.epoch.wrapping_add(1);
        self.epoch
    }

    /// An object was seen.
    pub fn put(&mut self, family: &Key, key: &Key, epoch: u32, mut row: Row) -> Change {
        row.epoch = epoch;
        let watched = row.watched;
        let home = self.home(watched, key);
        let moved = home != *family && self.take(&home, watched, key).is_some();
        self.settle(watched, key, family);
        let change = self.insert(family, key, row);
        if moved { Change::Moved { from: home } } else { change }
    }

    fn insert(&mut self, family: &Key, key: &Key, row: Row) -> Change {
        let watched = row.watched;
        if let Some(old) = self.families.get_mut(family).and_then(|rows| rows.iter_mut().find(|old| old.is(family, watched, &key.name))) {
            let change = if old.fact == row.fact { Change::Nothing } else { Change::Content };
            *old = row;
            return change;
        }
        let rows = self.families.entry(family.clone()).or_default();
        // Rows come once and stay; doubling would leave a third of the memory empty.
        rows.reserve_exact(1);
        rows.push(row);
        self.sizes[watched.ordinal()] += 1;
        Change::Content
    }

    /// An object was deleted. Returns the service that it belonged to.
    pub fn remove(&mut self, watched: Watched, key: &Key) -> Option<Key> {
        let home = self.home(watched, key);
        self.strays.remove(&(watched, key.clone()));
        self.take(&home, watched, key).map(|_| home)
    }

    /// A list ended: what it did not hold is gone. Returns the objects that are, with their services.
    pub fn finish(&mut self, watched: Watched, namespace: Option<&str>, epoch: u32) -> Vec<(Key, Key)> {
        let mut gone = Vec::new();
        for (family, rows) in &self.families {
            if namespace.is_none_or(|only| *only == *family.namespace) {
                let missing = rows.iter().filter(|row| row.watched == watched && row.epoch != epoch);
                gone.extend(missing.map(|row| (Key::new(family.namespace.clone(), row.name(family)), family.clone())));
            }
        }
        for (key, _) in &gone {
            self.remove(watched, key);
        }
        gone
    }

    /// The service in whose table an object stands, if it stands anywhere.
    fn home(&self, watched: Watched, key: &Key) -> Key {
        self.strays.get(&(watched, key.clone())).cloned().unwrap_or_else(|| usual_family(watched, key))
    }

    fn settle(&mut self, watched: Watched, key: &Key, family: &Key) {
        let entry = (watched, key.clone());
        if usual_family(watched, key) == *family {
            self.strays.remove(&entry);
        } else {
            self.strays.insert(entry, family.clone());
        }
    }

    fn take(&mut self, family: &Key, watched: Watched, key: &Key) -> Option<Row> {
        let rows = self.families.get_mut(family)?;
        let place = rows.iter().position(|row| row.is(family, watched, &key.name))?;
        let row = rows.swap_remove(place);
        if rows.is_empty() {
            self.families.remove(family);
        }
        self.sizes[watched.ordinal()] -= 1;
        Some(row)
    }
}

/// The service that a name usually speaks of: `orders` for `orders`, revision `orders-6f9c1a2b` and pod
/// `orders-5d4c6b7f9-x2x5k`.
fn usual_family(watched: Watched, key: &Key) -> Key {
    let suffixes = match watched {
        // A slice is called like `orders-canary-x7k2p`.
        Watched::Pod | Watched::EndpointSlice => 2,
        Watched::Child(Kind::ConfigMap | Kind::ControllerRevision) => 1,
        Watched::Microservice | Watched::Profile | Watched::Child(_) | Watched::UserRoute(_) => 0,
    };
    let name = (0..suffixes).fold(&*key.name, |name, _| name.rsplit_once('-').map_or(name, |(head, _)| head));
    if *name == *key.name { key.clone() } else { Key { namespace: key.namespace.clone(), name: name.into() } }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::observe::packed::Packed;

    const DEPLOYMENT: Watched = Watched::Child(Kind::Deployment);
    const REVISION: Watched = Watched::Child(Kind::ControllerRevision);

    fn key(name: &str) -> Key {
        Key::new("shop", name)
    }

    fn row(family: &Key, watched: Watched, name: &str, version: u64, content: u64) -> Row {
        let fact = Fact::Object { body: Packed::of(Watched::Pod, &json!(content)), claims_replicas: false };
        Row::new(family, watched, name, Version::Number(version), fact)
    }

    fn put(tables: &mut Tables, epoch: u32, watched: Watched, name: &str, family: &str, content: u64) -> Change {
        let family = key(family);
        let row = row(&family, watched, name, 1, content);
        tables.put(&family, &key(name), epoch, row)
    }

    fn names(tables: &Tables, family: &str) -> Vec<String> {
        let family = key(family);
        let mut names: Vec<_> = tables.rows(&family).iter().map(|row| format!("{} {}", row.watched.name(), row.name(&family))).collect();
        names.sort();
        names
    }

    #[test]
    fn a_service_finds_all_that_belongs_to_it() {
        let mut tables = Tables::default();
        let epoch = tables.begin();
        for (watched, name) in [
            (Watched::Microservice, "orders"),
            (DEPLOYMENT, "orders"),
            (REVISION, "orders-6f9c1a2b"),
            (Watched::Pod, "orders-5d4c6b7f9-x2x5k"),
            (Watched::Pod, "odd"),
        ] {
            assert_eq!(put(&mut tables, epoch, watched, name, "orders", 1), Change::Content);
        }
        assert_eq!(
            names(&tables, "orders"),
            ["ControllerRevision orders-6f9c1a2b", "Deployment orders", "Microservice orders", "Pod odd", "Pod orders-5d4c6b7f9-x2x5k"]
        );
        assert_eq!(tables.size(Watched::Pod), 2);
        assert_eq!(tables.services().collect::<Vec<_>>(), [&key("orders")]);
        assert_eq!(tables.strays.len(), 1, "only the pod with a name of its own needs to be looked up");
    }

    #[test]
    fn an_event_without_news_is_no_change_but_its_version_counts() {
        let mut tables = Tables::default();
        let family = key("orders");
        for (version, content, change) in [(1, 1, Change::Content), (2, 1, Change::Nothing), (3, 2, Change::Content)] {
            let row = row(&family, DEPLOYMENT, "orders", version, content);
            assert_eq!(tables.put(&family, &family, 0, row), change);
            assert_eq!(tables.rows(&family)[0].version, Version::Number(version));
        }
        assert_eq!(tables.size(DEPLOYMENT), 1);
    }

    #[test]
    fn an_object_that_changes_hands_leaves_no_ghost() {
        let mut tables = Tables::default();
        put(&mut tables, 0, DEPLOYMENT, "web", "web", 1);
        for (family, from) in [("orders", "web"), ("billing", "orders"), ("web", "billing")] {
            assert_eq!(put(&mut tables, 0, DEPLOYMENT, "web", family, 1), Change::Moved { from: key(from) });
            assert_eq!(tables.families.keys().collect::<Vec<_>>(), [&key(family)]);
        }
        assert_eq!(tables.strays.len(), 0);
        assert_eq!(tables.remove(DEPLOYMENT, &key("web")), Some(key("web")));
        assert_eq!(tables.remove(DEPLOYMENT, &key("web")), None);
        assert_eq!((tables.families.len(), tables.size(DEPLOYMENT)), (0, 0));
    }

    #[test]
    fn a_new_list_tells_what_disappeared_unseen_in_its_namespace() {
        let mut tables = Tables::default();
        let first = tables.begin();
        for name in ["a", "b", "c"] {
            put(&mut tables, first, DEPLOYMENT, name, name, 1);
        }
        put(&mut tables, first, Watched::Pod, "a-1-1", "a", 1);
        let elsewhere = Key::new("bank", "a");
        let row = row(&elsewhere, DEPLOYMENT, "a", 1, 1);
        tables.put(&elsewhere, &elsewhere, first, row);

        let second = tables.begin();
        put(&mut tables, second, DEPLOYMENT, "b", "b", 1);
        let mut gone = tables.finish(DEPLOYMENT, Some("shop"), second);
        gone.sort();
        assert_eq!(gone, [(key("a"), key("a")), (key("c"), key("c"))]);
        assert_eq!(names(&tables, "a"), ["Pod a-1-1"]);
        assert_eq!(tables.rows(&elsewhere).len(), 1);
        assert_eq!(tables.finish(DEPLOYMENT, None, second), [(elsewhere.clone(), elsewhere)]);
    }

    #[test]
    fn names_speak_of_services() {
        for (watched, name, family) in [
            (DEPLOYMENT, "a-b-c", "a-b-c"),
            (REVISION, "a-b-6f9c1a2b", "a-b"),
            (Watched::Child(Kind::ConfigMap), "a", "a"),
            (Watched::Pod, "a-b-5d4c6b7f9-x2x5k", "a-b"),
            (Watched::Pod, "a-b", "a"),
        ] {
            assert_eq!(usual_family(watched, &key(name)), key(family), "{name}");
        }
    }

    proptest! {
        /// Whatever happens in whatever order, every object stands in one place: the one where it was last seen.
        #[test]
        fn agrees_with_a_plain_map(steps in proptest::collection::vec((0..3_usize, 0..4_usize, 0..4_usize, 0..10_u8), 0..60)) {
            const NAMES: [&str; 4] = ["a", "a-1", "a-1-2", "b"];
            const KINDS: [Watched; 3] = [Watched::Pod, REVISION, DEPLOYMENT];
            let mut tables = Tables::default();
            let mut model: HashMap<(Watched, &str), &str> = HashMap::new();
            let mut epoch = tables.begin();
            for (kind, name, family, step) in steps {
                let (watched, name, family) = (KINDS[kind], NAMES[name], NAMES[family]);
                match step {
                    0 => {
                        let expected = model.remove(&(watched, name)).map(key);
                        prop_assert_eq!(tables.remove(watched, &key(name)), expected);
                    }
                    1 => {
                        epoch = tables.begin();
                        put(&mut tables, epoch, watched, name, family, 1);
                        tables.finish(watched, None, epoch);
                        model.retain(|(kind, _), _| *kind != watched);
                        model.insert((watched, name), family);
                    }
                    _ => {
                        put(&mut tables, epoch, watched, name, family, u64::from(step));
                        model.insert((watched, name), family);
                    }
                }
                let mut seen: Vec<_> = tables.families.iter().flat_map(|(family, rows)| {
                    rows.iter().map(move |row| (row.watched, row.name(family).to_owned(), family.name.to_string()))
                }).collect();
                let owned = |((kind, name), family): (&(Watched, &str), &&str)| (*kind, (*name).to_owned(), (*family).to_owned());
                let mut wanted: Vec<_> = model.iter().map(owned).collect();
                seen.sort();
                wanted.sort();
                prop_assert_eq!(seen, wanted);
                prop_assert_eq!(tables.sizes.iter().sum::<usize>(), model.len());
            }
        }
    }
}
