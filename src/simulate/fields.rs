//! Who owns which fields: server-side apply, as far as our children need it. Lists are taken as a whole, because nobody
//! else adds to ours here.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::api::labels;

/// Objects that are replaced as a whole.
const ATOMIC: [&str; 2] = ["selector", "scaleTargetRef"];
/// What identifies an object, and is nobody's field.
const IDENTITY: [&str; 6] = ["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp"];

type Path = Vec<String>;

/// Fields by manager.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Owners(BTreeMap<&'static str, BTreeSet<Path>>);

impl Owners {
    /// Applies `body` to `object` as `manager`: takes every field in it, and removes what it held before and does not
    /// name any more, unless somebody else holds that too.
    pub fn apply(&mut self, manager: &'static str, object: &mut Value, body: &Value) {
        let mut named = BTreeSet::new();
        collect(&mut Vec::new(), body, &mut named);
        named.retain(|path| !is_identity(path));
        let held = self.0.remove(manager).unwrap_or_default();
        for path in held.difference(&named).filter(|path| self.0.values().all(|others| !others.contains(*path))) {
            remove(object, path);
        }
        for path in &named {
            let value = find(body, path).cloned().unwrap_or_default();
            if find(object, path) != Some(&value) {
                self.0.values_mut().for_each(|others| others.retain(|held| held != path));
                put(object, path, value);
            }
        }
        self.0.insert(manager, named);
    }

    /// Somebody wrote `after` without apply: fields that have another value now are theirs.
    pub fn lose_changed(&mut self, before: &Value, after: &Value) {
        for held in self.0.values_mut() {
            held.retain(|path| find(before, path) == find(after, path));
        }
    }

    pub fn claims_replicas(&self) -> bool {
        let path = vec!["spec".to_owned(), "replicas".to_owned()];
        self.0.get(labels::OPERATOR).is_some_and(|held| held.contains(&path))
    }
}

/// A JSON merge patch.
pub fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(fields) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

fn is_identity(path: &Path) -> bool {
    match path.as_slice() {
        [field] => field == "apiVersion" || field == "kind",
        [metadata, field] => metadata == "metadata" && IDENTITY.contains(&field.as_str()),
        _ => false,
    }
}

fn collect(at: &mut Path, value: &Value, found: &mut BTreeSet<Path>) {
    match value {
        Value::Object(fields) if !fields.is_empty() && !at.last().is_some_and(|name| ATOMIC.contains(&name.as_str())) => {
            for (name, inner) in fields {
                at.push(name.clone());
                collect(at, inner, found);
                at.pop();
            }
        }
        _ => drop(found.insert(at.clone())),
    }
}

fn find<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

fn put(value: &mut Value, path: &[String], new: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = new;
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Some(fields) = value.as_object_mut() {
        put(fields.entry(first.clone()).or_insert(Value::Null), rest, new);
    }
}

/// Removes a field, and the objects around it that are empty then.
fn remove(value: &mut Value, path: &[String]) {
    let (Some((first, rest)), Some(fields)) = (path.split_first(), value.as_object_mut()) else { return };
    let Some(inner) = fields.get_mut(first) else { return };
    remove(inner, rest);
    if rest.is_empty() || inner.as_object().is_some_and(Map::is_empty) {
        fields.remove(first);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_longer_sent_goes_unless_somebody_else_holds_it() {
        let (mut owners, mut object) = (Owners::default(), json!({"metadata": {"name": "a"}}));
        owners.apply(labels::OPERATOR, &mut object, &json!({"metadata": {"name": "b"}, "spec": {"replicas": 2, "paused": true}}));
        assert_eq!(object, json!({"metadata": {"name": "a"}, "spec": {"replicas": 2, "paused": true}}));
        assert!(owners.claims_replicas());
        owners.apply("other", &mut object, &json!({"spec": {"paused": true}}));
        owners.apply(labels::OPERATOR, &mut object, &json!({"spec": {"x": 1}}));
        assert_eq!(object["spec"], json!({"paused": true, "x": 1}));
        owners.apply(labels::OPERATOR, &mut object, &json!({"spec": {"x": {"y": 1}}}));
        owners.apply(labels::OPERATOR, &mut object, &json!({"kind": "A"}));
        assert_eq!(object["spec"], json!({"paused": true}), "nothing empty is left behind");
    }

    #[test]
    fn whoever_writes_another_value_takes_the_field_over() {
        let (mut owners, mut object) = (Owners::default(), json!({}));
        owners.apply(labels::OPERATOR, &mut object, &json!({"spec": {"replicas": 2}}));
        let scaled = json!({"spec": {"replicas": 3}});
        owners.lose_changed(&object, &scaled);
        assert!(!owners.claims_replicas());
        object = scaled;
        owners.apply(labels::OPERATOR, &mut object, &json!({"spec": {"x": 1}}));
        assert_eq!(object, json!({"spec": {"replicas": 3, "x": 1}}));
    }

    #[test]
    fn a_selector_is_replaced_as_a_whole() {
        let (mut owners, mut object) = (Owners::default(), json!({}));
        owners.apply(labels::OPERATOR, &mut object, &json!({"spec": {"selector": {"a": "1", "b": "2"}}}));
        owners.apply(labels::OPERATOR, &mut object, &json!({"spec": {"selector": {"a": "1"}}}));
        assert_eq!(object, json!({"spec": {"selector": {"a": "1"}}}));
    }
}
