//! What a request asks for, in few words: a label for metrics and messages, from a fixed list.

use http::{Method, Request};

/// A request in the words of RBAC. Names, namespaces and unknown resources are left out, so that the number of
/// different values is small whatever the cluster holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// `apply` is a server-side apply, which RBAC calls `patch`.
    pub verb: &'static str,
    pub resource: &'static str,
    pub watch: bool,
}

/// Resources that the operator deals with.
const RESOURCES: [&str; 13] = [
    "configmaps",
    "controllerrevisions",
    "deployments",
    "events",
    "horizontalpodautoscalers",
    "leases",
    "microservices",
    "namespaces",
    "networkpolicies",
    "poddisruptionbudgets",
    "pods",
    "serviceaccounts",
    "services",
];

impl Call {
    pub fn of<B>(request: &Request<B>) -> Self {
        let target = Target::of(request.uri().path());
        let watch = target.resource != DISCOVERY && is_watch(request.uri().query().unwrap_or_default());
        let apply =
            request.headers().get(http::header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
        let (method, verb) = match *request.method() {
            Method::GET if watch => ("GET", "watch"),
            Method::GET if target.named => ("GET", "get"),
            Method::GET => ("GET", "list"),
            Method::POST => ("POST", "create"),
            Method::PUT => ("PUT", "update"),
            Method::PATCH if apply => ("PATCH", "apply"),
            Method::PATCH => ("PATCH", "patch"),
            Method::DELETE if target.named => ("DELETE", "delete"),
            Method::DELETE => ("DELETE", "deletecollection"),
            _ => ("other", "other"),
        };
        Self { method, verb, resource: target.resource, watch }
    }

    /// Whether the request may change something.
    pub fn writes(self) -> bool {
        self.method != "GET"
    }
}

/// Anything but objects: `/version`, `/apis/<group>/<version>`, health checks.
const DISCOVERY: &str = "discovery";

fn is_watch(query: &str) -> bool {
    query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"))
}

struct Target {
    resource: &'static str,
    named: bool,
}

impl Target {
    /// `/api/v1/…` or `/apis/<group>/<version>/…`, then `[namespaces/<ns>/]<resource>[/<name>[/<subresource>]]`.
    fn of(path: &str) -> Self {
        let discovery = Self { resource: DISCOVERY, named: true };
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        let skipped = match parts.next() {
            Some("api") => parts.next(),
            Some("apis") => parts.next().and_then(|_| parts.next()),
            _ => None,
        };
        if skipped.is_none() {
            return discovery;
        }
        let rest: Vec<&str> = parts.collect();
        match rest[..] {
            [] => discovery,
            ["namespaces", _, "microservices", _, "status"] => Self { resource: "microservices/status", named: true },
            ["namespaces", _, resource, ref name @ ..] | [resource, ref name @ ..] => {
                Self { resource: known(resource), named: !name.is_empty() }
            }
        }
    }
}

fn known(resource: &str) -> &'static str {
    RESOURCES.into_iter().find(|known| *known == resource).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, uri: &str) -> Call {
        Call::of(&Request::builder().method(method).uri(uri).body(()).unwrap())
    }

    #[test]
    fn verbs_and_resources_are_those_of_rbac() {
        for (method, uri, verb, resource) in [
            (Method::GET, "/apis/apps/v1/deployments?limit=500", "list", "deployments"),
            (Method::GET, "/apis/apps/v1/namespaces/shop/deployments?watch=true&timeoutSeconds=290", "watch", "deployments"),
            (Method::GET, "/api/v1/namespaces/shop/services/orders", "get", "services"),
            (Method::GET, "/api/v1/namespaces/shop", "get", "namespaces"),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/shop/events", "create", "events"),
            (Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/ops/leases/operator?", "update", "leases"),
            (Method::DELETE, "/api/v1/namespaces/shop/configmaps/a", "delete", "configmaps"),
            (Method::DELETE, "/api/v1/namespaces/shop/configmaps", "deletecollection", "configmaps"),
            (Method::PATCH, "/apis/microservices.dev/v1alpha1/namespaces/shop/microservices/a/status", "patch", "microservices/status"),
            (Method::GET, "/apis/microservices.dev/v1alpha1", "get", "discovery"),
            (Method::GET, "/version", "get", "discovery"),
            (Method::GET, "/apis/x.example/v1/namespaces/shop/widgets", "list", "other"),
        ] {
            let found = call(method, uri);
            assert_eq!((found.verb, found.resource), (verb, resource), "{uri}");
            assert_eq!(found.watch, verb == "watch", "{uri}");
        }
    }

    #[test]
    fn server_side_apply_is_told_from_other_patches() {
        let request = Request::patch("/api/v1/namespaces/shop/services/orders?fieldManager=x")
            .header("content-type", "application/apply-patch+yaml")
            .body(())
            .unwrap();
        assert_eq!(Call::of(&request), Call { method: "PATCH", verb: "apply", resource: "services", watch: false });
    }

    #[test]
    fn nothing_that_a_user_can_name_becomes_a_label() {
        for uri in ["/apis/apps/v1/namespaces/deployments/secrets/watch=true", "/api/v1/namespaces/a/b/c/d/e"] {
            assert_eq!(call(Method::GET, uri).resource, "other", "{uri}");
        }
        assert_eq!(call(Method::from_bytes(b"BREW").unwrap(), "/api/v1/pods").verb, "other");
    }
}
