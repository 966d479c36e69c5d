//! What is said of an object without a cluster: by admission's schema and rules, then by the operator's own parser.

use std::collections::BTreeMap;

use crate::api::problem::Reason;
use crate::api::schema::{self, Address};
use crate::api::v1alpha1::{Microservice, MicroserviceProfile, Problem, Severity};
use crate::model::Service;
use crate::model::parse::parse_under;
use crate::model::profile::{self, Given};

use super::input::{Document, Manifests};

/// What came of an object.
pub enum Verdict {
    /// A Microservice, and what its author should know.
    Valid(Box<Service>, Vec<Problem>),
    /// A profile, and what its author should know.
    Profile(Vec<Problem>),
    /// Problems, errors first.
    Invalid(Vec<Problem>),
    /// Another kind.
    Other,
}

/// The profiles that hold, by name.
pub struct Profiles(BTreeMap<String, MicroserviceProfile>);

impl Profiles {
    pub fn of(manifests: &Manifests) -> Self {
        let all = manifests.documents.iter().chain(&manifests.profiles);
        let ours = all.filter(|document| schema::address(&document.value) == Address::Profile);
        let read = ours.filter_map(|document| Some((document.name().to_owned(), schema::read_profile(document.value.clone()).ok()?.0)));
        Self(read.collect())
    }

    fn given(&self, object: &Microservice) -> (Given, Option<Problem>) {
        let named = object.spec.profile_ref.as_ref().map(|reference| reference.name.as_str());
        match self.0.get(named.unwrap_or(profile::DEFAULT)) {
            Some(profile) => (Given::Found(Box::new(profile.clone())), None),
            None => (Given::Unknown, named.map(unknown)),
        }
    }
}

fn unknown(name: &str) -> Problem {
    let message =
        format!("profile `{name}` is not among the manifests: its defaults and locks are not looked at; name it with `--profile FILE`");
    Problem::warning("spec.profileRef.name", Reason::ProfileNotFound, message)
}

pub fn judge(document: &Document, profiles: &Profiles) -> Verdict {
    match schema::address(&document.value) {
        Address::Other => return Verdict::Other,
        Address::Wrong(problem) => return Verdict::Invalid(vec![problem]),
        Address::Profile => return judge_profile(document),
        Address::Ours => {}
    }
    let admitted = match schema::read(document.value.clone()) {
        Ok(admitted) => admitted,
        Err(problems) => return Verdict::Invalid(problems),
    };
    let (given, unknown) = profiles.given(&admitted.object);
    let mut warnings = admitted.warnings;
    warnings.extend(unknown);
    match parse_under(&admitted.object, &given) {
        Ok(parsed) => {
            warnings.extend(parsed.warnings);
            Verdict::Valid(Box::new(parsed.service), warnings)
        }
        Err(problems) => Verdict::Invalid(problems.into_iter().chain(warnings).collect()),
    }
}

fn judge_profile(document: &Document) -> Verdict {
    let (profile, warnings) = match schema::read_profile(document.value.clone()) {
        Ok(read) => read,
        Err(problems) => return Verdict::Invalid(problems),
    };
    let mut wrong: Vec<String> = profile::webhooks(&profile).filter_map(|(_, webhook)| webhook.err()).collect();
    let windows = profile.spec.rollouts.and_then(|rollouts| rollouts.freeze_windows).unwrap_or_default();
    wrong.extend(profile::freezes(&windows).err());
    if wrong.is_empty() {
        return Verdict::Profile(warnings);
    }
    let told = wrong.iter().map(|wrong| {
        let (field, message) = wrong.split_once(": ").unwrap_or(("spec", wrong));
        Problem::error(field, Reason::Invalid, message)
    });
    Verdict::Invalid(told.chain(warnings).collect())
}

/// `FILE:LINE: Microservice/orders: spec.port: must be …`
pub fn line(document: &Document, problem: &Problem) -> String {
    let place = document.line(&problem.field).map_or_else(String::new, |line| format!(":{line}"));
    let weight = if problem.severity == Severity::Warning { "warning: " } else { "" };
    format!("{}{place}: {}/{}: {weight}{problem}", document.file(), document.kind(), document.name())
}
