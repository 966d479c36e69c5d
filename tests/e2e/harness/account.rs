//! An operator's `ServiceAccount`, with the chart's own list of rights and nothing else.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::cluster::{Cluster, MADE_BY_US, RUN, checkout, folder};

/// A right: verb and resource, e.g. `("patch", "services")`.
pub type Grant = (&'static str, &'static str);

/// An account, and the namespace in which it and its lease live.
#[derive(Clone, Debug)]
pub struct Account {
    pub namespace: String,
    name: String,
    token: String,
}

/// The lease, and the first account.
const NAME: &str = "microservice-operator";

impl Account {
    pub fn create(cluster: &Cluster, operator: &str, namespaces: &[String], without: &[Grant]) -> Self {
        let namespace = format!("operator-{operator}-{}", *RUN);
        apply(cluster, &[json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": {MADE_BY_US: *RUN}}})]);
        Self::create_in(cluster, namespace, NAME.to_owned(), namespaces, without)
    }

    /// An account for a second replica, which shares the first one's lease. In a Deployment the two would share the
    /// account as well; here the audit log is to tell them apart.
    pub fn replica(&self, cluster: &Cluster, namespaces: &[String]) -> Self {
        Self::create_in(cluster, self.namespace.clone(), format!("{}-b", self.name), namespaces, &[])
    }

    fn create_in(cluster: &Cluster, namespace: String, name: String, namespaces: &[String], without: &[Grant]) -> Self {
        let account = Self { namespace, name, token: String::new() };
        let home = &account.namespace;
        let mut objects =
            vec![json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account.name, "namespace": home}})];
        objects.extend(account.role(Some(home), "election", &election()));
        if namespaces.is_empty() {
            let all = [rules(without), read_rules("cluster-rules.yaml")].concat();
            objects.extend(account.role(None, "work", &all));
        }
        for watched in namespaces {
            objects.extend(account.role(Some(watched), "work", &rules(without)));
        }
        apply(cluster, &objects);
        let token = cluster.kubectl(&["create", "token", &account.name, "--namespace", home, "--duration=24h"], "");
        Self { token: token.trim().to_owned(), ..account }
    }

    /// Gives back, in one watched namespace, rights that were left out at first.
    pub fn grant_all(&self, cluster: &Cluster, watched: &str) {
        apply(cluster, &self.role(Some(watched), "work", &rules(&[])));
    }

    /// The name by which the API server knows the account.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// A kubeconfig that holds the account's token.
    pub fn kubeconfig(&self, cluster: &Cluster, operator: &str, server: Option<&str>) -> PathBuf {
        let text = cluster.kubectl(&["config", "view", "--raw", "--minify", "--flatten", "--output=json"], "");
        let admin: Value = serde_json::from_str(&text).unwrap();
        let mut target = admin["clusters"][0]["cluster"].clone();
        if let Some(server) = server {
            target = json!({"server": server});
        }
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "operator",
            "clusters": [{"name": "cluster", "cluster": target}],
            "users": [{"name": "operator", "user": {"token": self.token}}],
            "contexts": [{"name": "operator", "context": {"cluster": "cluster", "user": "operator", "namespace": self.namespace}}],
        });
        let path = folder().join(format!("operator-{operator}.kubeconfig"));
        std::fs::write(&path, config.to_string()).unwrap();
        path
    }

    /// A role and its binding to this account; in a namespace, or for the whole cluster.
    fn role(&self, namespace: Option<&str>, purpose: &str, rules: &[Value]) -> [Value; 2] {
        let name = format!("{}-{}-{purpose}", self.namespace, self.name);
        let mut metadata = json!({"name": name, "labels": {MADE_BY_US: *RUN}});
        let kind = match namespace {
            Some(namespace) => {
                metadata["namespace"] = json!(namespace);
                "Role"
            }
            None => "ClusterRole",
        };
        let api = "rbac.authorization.k8s.io/v1";
        [
            json!({"apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules}),
            json!({
                "apiVersion": api, "kind": format!("{kind}Binding"), "metadata": metadata,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
                "subjects": [{"kind": "ServiceAccount", "name": self.name, "namespace": self.namespace}],
            }),
        ]
    }
}

fn apply(cluster: &Cluster, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &list.to_string());
}

/// The list of rights that the chart installs, without the given ones.
fn rules(without: &[Grant]) -> Vec<Value> {
    let mut rules = read_rules("rules.yaml");
    for (verb, resource) in without {
        let mut found = false;
        let mut split = Vec::new();
        for rule in &mut rules {
            let resources = rule["resources"].as_array().unwrap();
            let has_verb = rule["verbs"].as_array().unwrap().iter().any(|v| v == verb);
            if !has_verb || !resources.iter().any(|r| r == resource) {
                continue;
            }
            found = true;
            // The other resources of the rule keep the verb.
            let mut narrowed = rule.clone();
            narrowed["resources"] = json!([resource]);
            narrowed["verbs"].as_array_mut().unwrap().retain(|v| v != verb);
            rule["resources"].as_array_mut().unwrap().retain(|r| r != resource);
            split.push(narrowed);
        }
        assert!(found, "the chart does not grant {verb} on {resource}: nothing to leave out");
        rules.retain(|rule| !rule["resources"].as_array().unwrap().is_empty());
        rules.extend(split);
    }
    rules
}

fn read_rules(name: &str) -> Vec<Value> {
    let file = checkout().join("charts/microservice-operator/files").join(name);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_saphyr::from_str(&text).unwrap()
}

/// What the chart's `rbac/leader-election.yaml` grants in the operator's own namespace.
fn election() -> Vec<Value> {
    vec![
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]}),
        json!({"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": [NAME], "verbs": ["get", "update"]}),
    ]
}
