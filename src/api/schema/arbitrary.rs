//! Objects of the CRD's shape, made from the CRD itself: what the schema admits, rules aside. For property tests.
//!
//! Made from a seed rather than composed of strategies: a strategy for the whole schema takes seconds to make one object.

use std::collections::HashMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::string::{RegexGeneratorStrategy, string_regex};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::api::crd;

static SPEC: LazyLock<Value> = LazyLock::new(|| crd::schema(&crd::microservice().unwrap())["properties"]["spec"].clone());

/// A Microservice whose spec is as the schema wants it. A field that need not be there is there with a probability of
/// `fill` per cent.
pub fn microservice(fill: u32) -> impl Strategy<Value = Value> {
    any::<[u8; 32]>().prop_map(move |seed| {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut maker = Maker { runner: TestRunner::new_with_rng(Config::default(), rng), fill, patterns: HashMap::new() };
        json!({
            "apiVersion": super::API_VERSION,
            "kind": super::KIND,
            "metadata": {"name": maker.draw("[a-z][a-z0-9-]{0,20}[a-z0-9]"), "namespace": "shop"},
            "spec": maker.value(&SPEC),
        })
    })
}

struct Maker {
    runner: TestRunner,
    fill: u32,
    patterns: HashMap<String, RegexGeneratorStrategy<String>>,
}

impl Maker {
    fn draw<S: Strategy>(&mut self, strategy: S) -> S::Value {
        strategy.new_tree(&mut self.runner).unwrap().current()
    }

    fn value(&mut self, schema: &Value) -> Value {
        if let Some(options) = schema["enum"].as_array() {
            let index = self.draw(0..options.len());
            return options[index].clone();
        }
        if schema["x-kubernetes-preserve-unknown-fields"] == true {
            return Value::Object((0..3).map(|_| (self.key(), self.free(3))).collect());
        }
        if schema["x-kubernetes-int-or-string"] == true {
            return if self.draw(any::<bool>()) { self.number(schema) } else { self.text(schema) };
        }
        match schema["type"].as_str() {
            Some("boolean") => self.draw(any::<bool>()).into(),
            Some("integer") => self.number(schema),
            Some("string") => self.text(schema),
            Some("array") => {
                let least = schema["minItems"].as_u64().unwrap_or(0);
                let count = self.draw(least..least + 2);
                (0..count).map(|_| self.value(&schema["items"])).collect()
            }
            _ => self.object(schema),
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        if schema["additionalProperties"].is_object() {
            let count = self.draw(0..3);
            return Value::Object((0..count).map(|_| (self.key(), self.value(&schema["additionalProperties"]))).collect());
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let mut object = json!({});
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            if required.contains(&json!(name)) || self.draw(0..100_u32) < self.fill {
                object[name] = self.value(property);
            }
        }
        object
    }

    fn number(&mut self, schema: &Value) -> Value {
        let (low, high) = if schema["format"] == "int64" { (i64::MIN, i64::MAX) } else { (i32::MIN.into(), i32::MAX.into()) };
        self.draw(schema["minimum"].as_i64().unwrap_or(low)..=schema["maximum"].as_i64().unwrap_or(high)).into()
    }

    fn text(&mut self, schema: &Value) -> Value {
        let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(64)).unwrap();
        let Some(pattern) = schema["pattern"].as_str() else {
            let words = [
                "",
                "a",
                "b",
                "http",
                "/tmp",
                "/etc/a",
                "/srv/b",
                "x/y",
                "ghcr.io/acme/orders:1",
                "10.0.0.0/8",
                "A b",
                "UPPER",
                "-x",
                "x.y_z",
                "$(A)",
                "é \u{1f980}",
            ];
            return words[self.draw(0..words.len())].into();
        };
        let made = self.patterns.entry(pattern.to_owned()).or_insert_with(|| string_regex(&short(pattern)).unwrap());
        loop {
            let text = made.new_tree(&mut self.runner).unwrap().current();
            if text.len() <= most {
                return text.into();
            }
        }
    }

    fn key(&mut self) -> String {
        let known = ["cpu", "memory", "containers", "name", "volumes", "securityContext", "hostNetwork", "ports", "image", "hostAliases"];
        match self.draw(0..known.len() + 3) {
            index if index < known.len() => known[index].to_owned(),
            _ => self.draw("[a-zA-Z./-]{0,12}"),
        }
    }

    /// Any JSON.
    fn free(&mut self, depth: u32) -> Value {
        match self.draw(0..if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => self.draw(any::<bool>()).into(),
            2 => self.draw(any::<i64>()).into(),
            3 => json!(self.draw(any::<f64>())),
            4 => self.draw("\\PC{0,8}").into(),
            5 => (0..2).map(|_| self.free(depth - 1)).collect(),
            _ => Value::Object((0..3).map(|_| (self.key(), self.free(depth - 1))).collect()),
        }
    }
}

/// The pattern without anchors, and with at most two repetitions where it wants any number: `(a+-)*` would else mean texts
/// of a thousand characters, of which hardly one fits a name.
fn short(pattern: &str) -> String {
    let mut class = false;
    let inner = pattern.trim_start_matches('^').trim_end_matches('$').chars();
    inner.fold(String::new(), |text, char| {
        class = char == '[' || class && char != ']';
        match char {
            '*' if !class => text + "{0,2}",
            '+' if !class => text + "{1,2}",
            other => text + &other.to_string(),
        }
    })
}
