//! From flags to a client of the API server.

use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;
use http::header::USER_AGENT;
use kube::client::ClientBuilder;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::traffic::Traffic;

/// Time to reach the API server. In one network a connection takes milliseconds; a server that went away is noticed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// As the API server's audit log shows us.
const AGENT: &str = concat!("microservice-operator/", env!("CARGO_PKG_VERSION"));

/// Where the cluster is described.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub kubeconfig: Option<PathBuf>,
    pub context: Option<String>,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot use the kubeconfig: {0}. Check --kubeconfig, --context and KUBECONFIG with: kubectl config get-contexts")]
    Kubeconfig(#[source] KubeconfigError),
    #[error(
        "no cluster is configured: {0}. Outside a cluster pass --kubeconfig or set KUBECONFIG; inside one, the pod needs \
         a ServiceAccount with its token mounted"
    )]
    Nowhere(#[source] KubeconfigError),
    #[error("cannot use the pod's ServiceAccount: {0}. Is automountServiceAccountToken off?")]
    InCluster(#[source] InClusterError),
    #[error("cannot set up a client for {url}: {source}")]
    Client { url: String, source: kube::Error },
}

/// The cluster's address and our credentials: by flag, by `KUBECONFIG`, as a pod, or from `~/.kube/config`, in this
/// order, which is controller-runtime's. (`kube` itself would look into the home directory before it looks for the pod.)
pub async fn configure(access: &Access) -> Result<Config, Error> {
    let options = KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
    let kubeconfig = if let Some(path) = &access.kubeconfig {
        Kubeconfig::read_from(path).map_err(Error::Kubeconfig)?
    } else if let Some(kubeconfig) = Kubeconfig::from_env().map_err(Error::Kubeconfig)? {
        kubeconfig
    } else if access.context.is_none() && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return Config::incluster().map_err(Error::InCluster);
    } else {
        Kubeconfig::read().map_err(Error::Nowhere)?
    };
    Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(Error::Kubeconfig)
}

/// A client with bounded, metered traffic and no hidden retries.
pub fn connect(mut config: Config, traffic: &Traffic) -> Result<Client, Error> {
    let url = config.cluster_url.to_string();
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    let builder = ClientBuilder::try_from(config).map_err(|source| Error::Client { url, source })?;
    Ok(builder.with_layer(traffic).build())
}

/// Host and port of the API server, as a label.
pub fn host(config: &Config) -> String {
    config.cluster_url.authority().map(ToString::to_string).unwrap_or_default()
}

/// An error with its causes, since the outermost of a network error says little.
pub fn explain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    // How `kube` marks that no answer came, which the causes tell.
    text.strip_prefix("ServiceError: ").map_or(text.clone(), str::to_owned)
}
