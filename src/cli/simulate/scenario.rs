//! From manifests to the two specs of a play: the one that runs, and the one that is applied.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::schema::{self, Address};
use crate::cli::input::{Document, Manifests};
use crate::cli::verdict::{self, Profiles, Verdict};
use crate::model::{Scaling, Service, Step};

use super::options::Args;

/// A spec, and what the operator makes of it.
pub struct Side {
    pub manifest: Value,
    pub service: Service,
}

/// What is played.
pub struct Scenario {
    pub old: Side,
    pub new: Side,
    /// Where the old spec is from.
    pub origin: String,
    /// Pods that the load needs.
    pub load: i32,
    /// The webhooks that gates ask, as a profile has them. Nothing is sent to them.
    pub webhooks: Vec<Value>,
    /// What the author of the manifests should know.
    pub warnings: Vec<String>,
}

impl Scenario {
    /// Reads what the flags name; or says, a line for each problem, why there is nothing to play.
    pub fn read(args: &Args) -> Result<Self, Vec<String>> {
        let named = args.service.as_deref();
        let input = args.input.read();
        let document = only(&input, named, "")?;
        let mut warnings = Vec::new();
        let profiles = Profiles::of(&input);
        let given = side(document, &profiles, &mut warnings)?;
        let (old, new, origin) = match (&args.from, &args.image) {
            (Some(path), _) => {
                let before = args.input.read_beside(path);
                let old = side(only(&before, Some(&given.service.name), "--from: ")?, &profiles, &mut warnings)?;
                (old, given, format!("from {}", path.display()))
            }
            (None, Some(image)) => {
                let named = |lines: Vec<String>| lines.iter().map(|line| format!("with --image {image}: {line}")).collect::<Vec<String>>();
                let next = side(&imaged(document, image), &profiles, &mut Vec::new()).map_err(named)?;
                (given, next, format!("from {}", document.file()))
            }
            (None, None) => {
                let old = side(&imaged(document, &before(&given.service.spec.image)), &profiles, &mut Vec::new())?;
                (old, given, "the same spec with another image, because neither --from nor --image is given".to_owned())
            }
        };
        for (field, side) in [("the running spec", &old), ("the new spec", &new)] {
            if side.service.suspend {
                return Err(vec![format!("spec.suspend: must be false in {field}: the operator does not touch a suspended service")]);
            }
        }
        let steps = [&old, &new].into_iter().flat_map(|side| &side.service.rollout.steps);
        let names: BTreeSet<&String> = steps.filter_map(|step| if let Step::Gate(name) = step { Some(name) } else { None }).collect();
        if let Some((unknown, _)) = args.gates.iter().find(|(name, _)| !names.contains(name)) {
            return Err(vec![format!("--gate: no step waits for the webhook {unknown:?}")]);
        }
        let webhooks = names.into_iter().map(|name| json!({"name": name, "url": "https://gate.example.com"})).collect();
        let load = load(args.replicas, &new.service).map_err(|problem| vec![problem])?;
        Ok(Self { old, new, origin, load, webhooks, warnings })
    }

    pub fn name(&self) -> &str {
        &self.new.service.name
    }
}

impl Side {
    /// Pods that there are to be.
    pub fn wanted(&self, load: i32) -> i32 {
        match &self.service.scaling {
            Scaling::Fixed(count) => *count,
            Scaling::Auto(bounds) => load.clamp(bounds.min, bounds.max),
        }
    }
}

/// The Microservice of this name, or the only one.
fn only<'a>(input: &'a Manifests, named: Option<&str>, lead: &str) -> Result<&'a Document, Vec<String>> {
    if !input.unreadable.is_empty() {
        return Err(input.unreadable.clone());
    }
    let ours = input.documents.iter().filter(|document| ![Address::Other, Address::Profile].contains(&schema::address(&document.value)));
    let found: Vec<&Document> = ours.filter(|document| named.is_none_or(|name| document.name() == name)).collect();
    match (found.as_slice(), named) {
        ([document], _) => Ok(document),
        ([], Some(name)) => Err(vec![format!("{lead}there is no Microservice {name} in the input")]),
        ([], None) => Err(vec![format!("{lead}there is no Microservice in the input")]),
        (several, _) => {
            let names: Vec<&str> = several.iter().map(|document| document.name()).collect();
            Err(vec![format!("{lead}there are several Microservices in the input: {}; choose one with --service", names.join(", "))])
        }
    }
}

fn side(document: &Document, profiles: &Profiles, warnings: &mut Vec<String>) -> Result<Side, Vec<String>> {
    let lines = |problems: Vec<_>| problems.iter().map(|problem| verdict::line(document, problem)).collect::<Vec<String>>();
    match verdict::judge(document, profiles) {
        Verdict::Valid(service, problems) => {
            warnings.extend(lines(problems));
            let field = |name: &str| document.value["metadata"].get(name).filter(|value| value.is_object()).cloned().unwrap_or(json!({}));
            // The play knows no profiles: their values are put in, and their calendars are left out.
            let whole = service.profile.as_ref().and_then(|_| serde_json::to_value(&service.spec).ok());
            let mut spec = whole.unwrap_or_else(|| document.value["spec"].clone());
            spec.as_object_mut().map(|fields| fields.remove("profileRef"));
            let manifest = json!({
                "metadata": {"labels": field("labels"), "annotations": field("annotations")},
                "spec": spec,
            });
            Ok(Side { manifest, service: *service })
        }
        Verdict::Invalid(problems) => Err(lines(problems)),
        Verdict::Other | Verdict::Profile(_) => Err(vec![format!("{}: {} is not a Microservice", document.file(), document.name())]),
    }
}

fn imaged(document: &Document, image: &str) -> Document {
    let mut value = document.value.clone();
    value["spec"]["image"] = json!(image);
    document.with(value)
}

/// An image that might have been there before.
fn before(image: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let tagged = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
    format!("{}:previous", tagged.map_or(name, |(name, _)| name))
}

fn load(given: Option<i32>, service: &Service) -> Result<i32, String> {
    match (&service.scaling, given) {
        (Scaling::Fixed(count), None) => Ok(*count),
        (Scaling::Fixed(count), Some(_)) => {
            Err(format!("--replicas is for autoscaled services; this one has {count} pods, by `spec.replicas`"))
        }
        (Scaling::Auto(bounds), None) => Ok(bounds.min),
        (Scaling::Auto(bounds), Some(pods)) if (bounds.min..=bounds.max).contains(&pods) => Ok(pods),
        (Scaling::Auto(bounds), Some(pods)) => {
            Err(format!("--replicas: must be from {} to {}, the bounds of the autoscaler; {pods} is not", bounds.min, bounds.max))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::before;

    #[test]
    fn another_image_keeps_the_name() {
        for (image, other) in [
            ("orders", "orders:previous"),
            ("reg:5000/a/orders:1.2", "reg:5000/a/orders:previous"),
            ("reg:5000/orders", "reg:5000/orders:previous"),
            ("orders@sha256:00", "orders:previous"),
            ("orders:1@sha256:00", "orders:previous"),
        ] {
            assert_eq!(before(image), other);
        }
    }
}
