//! From the global flags to a connection, a namespace, and a way to print.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use http::HeaderValue;
use http::header::USER_AGENT;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::labels;
use crate::api::v1alpha1::Microservice;
use crate::serve::client::{self, Access};

use super::failure::{Failure, Result, explain};
use super::screen::Screen;

/// Who changed a field, as managed fields show it.
pub const MANAGER: &str = "kubectl-microservice";
/// As the API server's audit log shows us.
const AGENT: &str = concat!("kubectl-microservice/", env!("CARGO_PKG_VERSION"));

/// Flags of every verb, as kubectl has them.
#[derive(Debug, Clone, clap::Args)]
pub struct Globals {
    /// Kubeconfig file; otherwise `KUBECONFIG`, then `~/.kube/config`
    #[arg(long, value_name = "FILE", global = true)]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; otherwise its current one
    #[arg(long, value_name = "NAME", global = true)]
    context: Option<String>,
    /// Namespace; otherwise the context's
    #[arg(short, long, value_name = "NAME", global = true)]
    namespace: Option<String>,
    /// When to use colours. `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Colour::Auto, global = true)]
    color: Colour,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

impl Colour {
    /// Whether what goes to standard output is coloured.
    pub fn is_on(self) -> bool {
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => io::stdout().is_terminal() && named("NO_COLOR").is_none() && named("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// A connection with the caller's rights.
pub struct Session {
    pub client: Client,
    pub namespace: String,
    /// The namespace as commands to type must name it: not at all when it is the context's.
    pub flag: String,
    pub paper: Paper,
}

impl Session {
    pub async fn open(globals: &Globals) -> Result<Self> {
        let access = Access { kubeconfig: globals.kubeconfig.clone(), context: globals.context.clone() };
        let mut config = client::configure(&access).await.map_err(|error| Failure::Refused(error.to_string()))?;
        config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
        // Somebody waits at a terminal: an error now is worth more than an answer in minutes.
        config.default_retry = false;
        let default = config.default_namespace.clone();
        let client = Client::try_from(config).map_err(|error| explain("connect", &error))?;
        let namespace = globals.namespace.clone().unwrap_or_else(|| default.clone());
        let flag = if namespace == default { String::new() } else { format!(" -n {namespace}") };
        Ok(Self { client, namespace, flag, paper: Paper::new(globals) })
    }

    pub fn services(&self) -> Api<Microservice> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn service(&self, name: &str) -> Result<Microservice> {
        self.services().get(name).await.map_err(|error| explain(&format!("read Microservice {}/{name}", self.namespace), &error))
    }

    /// Changes a Microservice by a merge patch that `edit` makes from its present state. When somebody else was faster,
    /// it is read and decided again.
    pub async fn change<T>(&self, name: &str, edit: impl Fn(&Microservice) -> Result<(Value, T)>) -> Result<(Microservice, T)> {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let doing = format!("change Microservice {}/{name}", self.namespace);
        let mut tries = 0;
        loop {
            tries += 1;
            let before = self.service(name).await?;
            let (mut patch, told) = edit(&before)?;
            patch["metadata"]["resourceVersion"] = Value::from(before.metadata.resource_version);
            match self.services().patch(name, &params, &Patch::Merge(&patch)).await {
                Ok(after) => return Ok((after, told)),
                Err(kube::Error::Api(status)) if status.is_conflict() && tries < TRIES => {}
                Err(error) => return Err(explain(&doing, &error)),
            }
        }
    }

    /// Records of a service's revisions.
    pub async fn records(&self, name: &str) -> Result<Vec<ControllerRevision>> {
        let api: Api<ControllerRevision> = Api::namespaced(self.client.clone(), &self.namespace);
        let listed = list(api, &format!("{}={name}", labels::INSTANCE)).await;
        listed.map_err(|error| explain("list ControllerRevisions", &error))
    }
}

/// All objects with these labels.
pub async fn list<K>(api: Api<K>, selector: &str) -> kube::Result<Vec<K>>
where
    K: Clone + std::fmt::Debug + DeserializeOwned,
{
    api.list(&ListParams::default().labels(selector)).await.map(|list| list.items)
}

/// How often a change is tried while others are faster.
const TRIES: u32 = 5;

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub struct Paper {
    pub colour: bool,
    /// It can be written over.
    pub terminal: bool,
}

impl Paper {
    fn new(globals: &Globals) -> Self {
        Self { colour: globals.color.is_on(), terminal: io::stdout().is_terminal() }
    }

    pub fn show(self, screen: &Screen) -> Result<()> {
        put(&screen.text(self.colour))
    }

    /// Shows a screen in the place of one of `rows` lines.
    pub fn replace(self, rows: usize, screen: &Screen) -> Result<()> {
        put(&screen.over(rows, self.colour))
    }
}

/// Writes to standard output. A reader that has seen enough ends the program, however long it was to look on.
pub fn put(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::Closed),
        Err(error) => Err(Failure::Refused(format!("cannot write to standard output: {error}"))),
    }
}
