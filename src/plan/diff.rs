//! Whether what is wanted already holds in the cluster, so that nothing need be sent.
//!
//! The API server fills in defaults, rewrites quantities, and lets others own fields beside ours. So the live object is
//! asked one question only: does it hold every field of the intent, with an equal value? The merge rules of server-side
//! apply decide what "hold" means: where it merges (objects, lists with keys), others may have added to what is ours;
//! where it replaces (atomic lists and maps: selectors, peers of a network policy, commands), anything added by others
//! is a difference, because an apply would remove it.
//!
//! Comparing hashes alone was rejected: it does not see edits by others. Comparing with a stored copy of the last
//! answer was rejected: a restart would then have to write every child once.

use serde_json::{Map, Value};

use crate::model::quantity;

/// Lists that server-side apply merges, and their keys (`x-kubernetes-list-map-keys` of the built-in kinds).
const KEYED: [(&str, &[&str]); 13] = [
    ("containers", &["name"]),
    ("initContainers", &["name"]),
    ("ephemeralContainers", &["name"]),
    ("volumes", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("claims", &["name"]),
    ("schedulingGates", &["name"]),
    ("volumeMounts", &["mountPath"]),
    ("volumeDevices", &["devicePath"]),
    ("hostAliases", &["ip"]),
    ("topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("ownerReferences", &["uid"]),
];
const CONTAINER_PORT: &[&str] = &["containerPort", "protocol"];
const SERVICE_PORT: &[&str] = &["port", "protocol"];

/// Objects that server-side apply replaces as a whole (`x-kubernetes-map-type: atomic`).
const ATOMIC_MAPS: [&str; 10] = [
    "selector",
    "podSelector",
    "namespaceSelector",
    "labelSelector",
    "nodeSelector",
    "fieldRef",
    "resourceFieldRef",
    "secretKeyRef",
    "configMapKeyRef",
    "scaleTargetRef",
];

/// What the server fills in inside atomic lists and maps.
const DEFAULTS: [(&str, &str); 4] = [("protocol", "TCP"), ("apiVersion", "v1"), ("divisor", "0"), ("expirationSeconds", "3600")];

/// Objects whose keys users choose: no name in them means anything to us.
const FREE_FORM: [&str; 6] = ["labels", "annotations", "matchLabels", "data", "binaryData", "nodeSelector"];

/// Path of the first field that differs, e.g. `spec.template.spec.containers[name=orders].image`; `None` if `live` holds
/// all of `intent`.
pub fn difference(intent: &Value, live: &Value) -> Option<String> {
    compare(&Trail::Root, intent, live, Extra::Allowed).err()
}

/// What others may have added.
#[derive(Clone, Copy, PartialEq)]
enum Extra {
    /// Anything: server-side apply would leave it.
    Allowed,
    /// Defaults of the server only: server-side apply would remove it.
    Refused,
}

/// Where the comparison stands: names are needed for the rules, the text only when something differs.
enum Trail<'a> {
    Root,
    Field(&'a Trail<'a>, &'a str),
    Item(&'a Trail<'a>, &'a str),
}

impl Trail<'_> {
    /// Name of the innermost field; items of a list go by the list's name.
    fn name(&self) -> &str {
        match self {
            Self::Root => "",
            Self::Field(_, name) => name,
            Self::Item(parent, _) => parent.name(),
        }
    }

    /// Name of the field around the innermost one.
    fn parent(&self) -> &str {
        match self {
            Self::Root => "",
            Self::Field(parent, _) => parent.name(),
            Self::Item(parent, _) => parent.parent(),
        }
    }
}

impl std::fmt::Display for Trail<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, which) => write!(f, "{parent}[{which}]"),
        }
    }
}

/// `Err` holds the path of the first difference.
type Verdict = Result<(), String>;

fn compare(at: &Trail, intent: &Value, live: &Value, extra: Extra) -> Verdict {
    match (intent, live) {
        (Value::Object(intent), Value::Object(live)) => {
            let extra = if ATOMIC_MAPS.contains(&at.name()) { Extra::Refused } else { extra };
            objects(at, intent, live, extra)
        }
        (Value::Array(intent), Value::Array(live)) => lists(at, intent, live),
        _ if intent == live || same_quantity(at, intent, live) => Ok(()),
        _ => Err(at.to_string()),
    }
}

fn objects(at: &Trail, intent: &Map<String, Value>, live: &Map<String, Value>, extra: Extra) -> Verdict {
    for (name, wanted) in intent {
        compare(&Trail::Field(at, name), wanted, live.get(name).unwrap_or(&Value::Null), extra)?;
    }
    let added = |(name, value): &(&String, &Value)| !intent.contains_key(*name) && !value.is_null();
    match live.iter().filter(added).find(|(name, value)| !is_default(name, value)) {
        Some((name, _)) if extra == Extra::Refused => Err(Trail::Field(at, name).to_string()),
        _ => Ok(()),
    }
}

fn is_default(name: &str, value: &Value) -> bool {
    DEFAULTS.iter().any(|(field, default)| *field == name && text(value).as_deref() == Some(*default))
}

fn lists(at: &Trail, intent: &[Value], live: &[Value]) -> Verdict {
    if let Some(keys) = keys(at, intent) {
        if keys == SERVICE_PORT && foreign_ports(intent, live).next().is_some() {
            return Err(at.to_string());
        }
        return intent.iter().try_for_each(|item| {
            let found = live.iter().find(|candidate| keys.iter().all(|key| key_of(item, key) == key_of(candidate, key)));
            let which = keys.iter().map(|key| format!("{key}={}", key_of(item, key).unwrap_or_default()));
            let which = which.collect::<Vec<_>>().join(",");
            compare(&Trail::Item(at, &which), item, found.unwrap_or(&Value::Null), Extra::Allowed)
        });
    }
    if at.name() == "finalizers" {
        return if intent.iter().all(|item| live.contains(item)) { Ok(()) } else { Err(at.to_string()) };
    }
    if intent.len() != live.len() {
        return Err(at.to_string());
    }
    intent
        .iter()
        .zip(live)
        .enumerate()
        .try_for_each(|(index, (wanted, found))| compare(&Trail::Item(at, &index.to_string()), wanted, found, Extra::Refused))
}

/// Ports of a live Service that the intent does not have. Nobody else may add any: they would be ways into the pods that
/// nobody declared, and one that bears the name of a declared port keeps the server from taking ours.
pub fn foreign_ports<'a>(intent: &'a [Value], live: &'a [Value]) -> impl Iterator<Item = &'a Value> {
    let same = |a: &Value, b: &Value| SERVICE_PORT.iter().all(|key| key_of(a, key) == key_of(b, key));
    live.iter().filter(move |found| !intent.iter().any(|wanted| same(wanted, found)))
}

/// The keys of a list that is merged. `ports` is keyed in containers and Services and atomic in network policies.
fn keys(at: &Trail, items: &[Value]) -> Option<&'static [&'static str]> {
    let Trail::Field(_, name) = at else { return None };
    if *name == "ports" {
        let containers = items.iter().any(|item| item.get("containerPort").is_some());
        return match at.parent() {
            _ if containers => Some(CONTAINER_PORT),
            "spec" => Some(SERVICE_PORT),
            _ => None,
        };
    }
    KEYED.iter().find(|(list, _)| list == name).map(|(_, keys)| *keys)
}

/// A key's value as text, with the server's default for the one key that has one.
fn key_of(item: &Value, key: &str) -> Option<String> {
    item.get(key).and_then(text).or_else(|| (key == "protocol").then(|| "TCP".to_owned()))
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Quantities are equal by value, where the API has quantities. Elsewhere `1` and `1000m` are two texts: an environment
/// variable with either is another variable.
fn same_quantity(at: &Trail, intent: &Value, live: &Value) -> bool {
    let quantity = match (at.parent(), at.name()) {
        (parent, _) if FREE_FORM.contains(&parent) => false,
        ("requests" | "limits", _) | (_, "sizeLimit" | "averageValue" | "divisor") | ("target", "value") => true,
        _ => false,
    };
    quantity && matches!((text(intent), text(live)), (Some(a), Some(b)) if quantity::same(&a, &b))
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
