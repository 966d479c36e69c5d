//! Names of things: a service, and the kinds that are watched for it.

use std::fmt;
use std::sync::Arc;

use kube::Resource;
use kube::core::{ApiResource, ObjectMeta};

use crate::api::v1alpha1::{Microservice, MicroserviceProfile};
use crate::model::Kind;

/// Namespace and name of a Microservice. Cheap to clone: it is handed from streams to queue to passes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub namespace: Arc<str>,
    pub name: Arc<str>,
}

impl Key {
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key that metadata speaks of. The server gives every namespaced object both.
    pub fn of(metadata: &ObjectMeta) -> Self {
        Self::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A kind that is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Watched {
    Microservice,
    Child(Kind),
    Pod,
    /// Who is behind the Services that routes lead to.
    EndpointSlice,
    /// Not a service's own: its name is all that its key has.
    Profile,
    /// A route that is not the operator's, `HTTPRoute` or `GRPCRoute`. Any number of services may name it, or none.
    UserRoute(Kind),
}

impl Watched {
    pub const ALL: [Self; 16] = [
        Self::Microservice,
        Self::Child(Kind::ServiceAccount),
        Self::Child(Kind::NetworkPolicy),
        Self::Child(Kind::PodDisruptionBudget),
        Self::Child(Kind::ConfigMap),
        Self::Child(Kind::ControllerRevision),
        Self::Child(Kind::Service),
        Self::Child(Kind::Deployment),
        Self::Child(Kind::HorizontalPodAutoscaler),
        Self::Child(Kind::HTTPRoute),
        Self::Child(Kind::GRPCRoute),
        Self::Pod,
        Self::EndpointSlice,
        Self::Profile,
        Self::UserRoute(Kind::HTTPRoute),
        Self::UserRoute(Kind::GRPCRoute),
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Microservice => "Microservice",
            Self::Child(kind) => kind.name(),
            Self::Pod => "Pod",
            Self::EndpointSlice => "EndpointSlice",
            Self::Profile => "MicroserviceProfile",
            Self::UserRoute(Kind::GRPCRoute) => "UserGRPCRoute",
            Self::UserRoute(_) => "UserHTTPRoute",
        }
    }

    /// Place in [`ALL`](Self::ALL): an index for counters.
    pub const fn ordinal(self) -> usize {
        match self {
            Self::Microservice => 0,
            Self::Child(kind) => kind as usize + 1,
            Self::Pod => Self::ALL.len() - 5,
            Self::EndpointSlice => Self::ALL.len() - 4,
            Self::Profile => Self::ALL.len() - 3,
            Self::UserRoute(Kind::GRPCRoute) => Self::ALL.len() - 1,
            Self::UserRoute(_) => Self::ALL.len() - 2,
        }
    }

    pub fn resource(self) -> ApiResource {
        match self {
            Self::Microservice => ApiResource::erase::<Microservice>(&()),
            Self::Child(kind) | Self::UserRoute(kind) => resource(kind.group(), kind.version(), kind.name(), kind.plural()),
            Self::Pod => resource("", "v1", "Pod", "pods"),
            Self::EndpointSlice => resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
            Self::Profile => ApiResource::erase::<MicroserviceProfile>(&()),
        }
    }

    /// Not every cluster serves it: without it the operator does the rest.
    pub const fn is_optional(self) -> bool {
        match self {
            Self::Child(kind) => kind.is_optional(),
            Self::Profile | Self::UserRoute(_) => true,
            Self::Microservice | Self::Pod | Self::EndpointSlice => false,
        }
    }

    /// `<plural>.<group>`, as roles and messages of the server spell it.
    pub fn resource_name(self) -> String {
        let resource = self.resource();
        match resource.group.as_str() {
            "" => resource.plural,
            group => format!("{}.{group}", resource.plural),
        }
    }
}

fn resource(group: &str, version: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    ApiResource { group: group.to_owned(), version: version.to_owned(), api_version, kind: kind.to_owned(), plural: plural.to_owned() }
}

/// Whether an owner reference names a Microservice, of whatever version of the API.
pub fn is_microservice(api_version: &str, kind: &str) -> bool {
    kind == Microservice::kind(&()) && api_version.split_once('/').is_some_and(|(group, _)| group == Microservice::group(&()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_places_in_the_list() {
        for (place, watched) in Watched::ALL.into_iter().enumerate() {
            assert_eq!(watched.ordinal(), place, "{}", watched.name());
        }
    }

    #[test]
    fn resources_are_spelled_as_roles_spell_them() {
        let names = Watched::ALL.map(Watched::resource_name);
        assert_eq!(names[0], "microservices.microservices.dev");
        assert_eq!(names[1], "serviceaccounts");
        assert_eq!(names[7], "deployments.apps");
        assert_eq!(names[13], "microserviceprofiles.microservices.dev");
        assert_eq!(Watched::Child(Kind::HorizontalPodAutoscaler).resource().api_version, "autoscaling/v2");
    }

    #[test]
    fn owners_are_microservices_of_any_version_and_of_our_group_only() {
        assert!(is_microservice("microservices.dev/v1alpha1", "Microservice"));
        assert!(is_microservice("microservices.dev/v1", "Microservice"));
        assert!(!is_microservice("example.com/v1", "Microservice"));
        assert!(!is_microservice("microservices.dev/v1", "MicroserviceProfile"));
        assert!(!is_microservice("v1", "Microservice"));
    }
}
