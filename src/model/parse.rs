//! From what users write to what the planner needs: the one step at which a spec can still be wrong. It finds all
//! problems at once, those that the schema and its rules cannot see, and fills in every default.

mod access;
mod defaults;
mod files;
mod gates;
mod labels;
mod overrides;
mod pod;
mod ports;
mod profile;
mod resources;
mod rollout;
mod routes;
mod scaling;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::ResourceExt;
use serde_json::Map;

use super::profile::Given;
use super::{Commands, Profile, Service};
pub use profile::fill;

use crate::api::labels as names;
use crate::api::problem::Reason;
use crate::api::v1alpha1::{DisruptionPolicy, GatewayRef, Microservice, MicroserviceSpec, Problem, Severity};

/// Problems that are listed at most; the rest is counted. Status must stay readable, and within its schema.
const LISTED: usize = 64;

/// A spec that holds, and what its author should know.
#[derive(Clone, Debug)]
pub struct Parsed {
    pub service: Service,
    /// What is doubtful, yet no reason to stop.
    pub warnings: Vec<Problem>,
}

/// Checks and completes a Microservice whose profile, if it has one, is not at hand.
pub fn parse(object: &Microservice) -> Result<Parsed, Vec<Problem>> {
    parse_under(object, &Given::Unknown)
}

/// Checks and completes a Microservice. Either all problems, warnings included, or a service that cannot be wrong.
pub fn parse_under(object: &Microservice, given: &Given) -> Result<Parsed, Vec<Problem>> {
    if let Given::Missing(why) = given {
        return Err(vec![Problem::error("spec.profileRef.name", Reason::ProfileNotFound, why)]);
    }
    let profile = given.found();
    let mut found = Findings::default();
    let whole = profile::below(object, profile, &mut found);
    let gateway = profile.and_then(|profile| profile.spec.gateway_ref.as_ref());
    let service = complete(&whole, gateway, &mut found);
    gates::check(&whole.spec, given, &mut found);
    if let Some(profile) = profile {
        profile::attribute(&mut found.0, &object.spec, profile);
        profile::locks(object, profile, &mut found);
    }
    match service.filter(|_| !found.any_error()) {
        Some(mut service) => {
            service.profile = profile.map(Profile::of);
            service.defaults = defaults::defaults(&service, &object.spec);
            Ok(Parsed { service, warnings: found.listed() })
        }
        None => Err(found.listed()),
    }
}

/// Everything but the profile, of a spec that its defaults are already in.
fn complete(object: &Microservice, gateway: Option<&GatewayRef>, found: &mut Findings) -> Option<Service> {
    let spec = &object.spec;
    let ports = ports::ports(spec);
    ports::references(spec, &ports, found);
    let access = access::access(spec, &ports, found);
    let scaling = scaling::scaling(spec, found);
    let routes = routes::routes(spec, &ports, gateway, found);
    let rollout = rollout::rollout(spec, found);
    let overrides = overrides::overrides(object, found);
    files::check(spec, found);
    resources::check(spec, found);
    pod::check(spec, found);
    labels::check(spec, found);
    if found.any_error() {
        return None;
    }
    let annotation = |key: &str| object.annotations().get(key).cloned();
    Some(Service {
        name: object.name_any(),
        namespace: object.namespace().unwrap_or_default(),
        uid: object.uid().unwrap_or_default(),
        generation: object.metadata.generation.unwrap_or_default(),
        labels: ownership(spec),
        ports,
        scaling,
        disruption: disruption(spec),
        access,
        routes,
        rollout,
        overrides,
        deletion: spec.deletion_policy.unwrap_or_default(),
        suspend: spec.suspend.unwrap_or_default(),
        commands: Commands {
            promote: annotation(names::PROMOTE),
            abort: annotation(names::ABORT),
            retry: annotation(names::RETRY),
            pause: annotation(names::PAUSE),
            resume: annotation(names::RESUME),
            undo: annotation(names::UNDO),
            restart: annotation(names::RESTART),
        },
        profile: None,
        defaults: Map::new(),
        spec: spec.clone(),
    })
}

/// What is wrong, as it is found.
#[derive(Default)]
struct Findings(Vec<Problem>);

impl Findings {
    fn error(&mut self, field: impl Into<String>, reason: Reason, message: impl Into<String>) {
        self.0.push(Problem::error(field, reason, message));
    }

    fn warning(&mut self, field: impl Into<String>, reason: Reason, message: impl Into<String>) {
        self.0.push(Problem::warning(field, reason, message));
    }

    fn any_error(&self) -> bool {
        self.0.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Errors first, no more than anybody reads.
    fn listed(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.severity);
        if self.0.len() > LISTED {
            let more = self.0.len() - (LISTED - 1);
            self.0.truncate(LISTED - 1);
            self.0.push(Problem::warning("spec", Reason::TooMany, format!("{more} more problems are not listed: fix these first")));
        }
        self.0
    }
}

/// `system`, `domain` and `owner` as labels.
fn ownership(spec: &MicroserviceSpec) -> BTreeMap<String, String> {
    let given = [(names::PART_OF, &spec.system), (names::DOMAIN, &spec.domain), (names::OWNER, &spec.owner)];
    given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect()
}

fn disruption(spec: &MicroserviceSpec) -> Option<IntOrString> {
    let given = spec.disruption.clone().unwrap_or_default();
    match given.policy.unwrap_or_default() {
        DisruptionPolicy::Auto => Some(given.max_unavailable.unwrap_or(IntOrString::Int(1))),
        DisruptionPolicy::None => None,
    }
}

/// Companions with the path of each: init containers and sidecars are checked alike.
fn companions(spec: &MicroserviceSpec) -> impl Iterator<Item = (String, &crate::api::v1alpha1::Container)> {
    let lists = [("initContainers", &spec.init_containers), ("sidecars", &spec.sidecars)];
    lists.into_iter().flat_map(|(name, list)| {
        list.iter().flatten().enumerate().map(move |(index, container)| (format!("spec.{name}[{index}]"), container))
    })
}

#[cfg(test)]
mod tests;
