//! `run`: the operator itself. Wires what surrounds the work, and takes it apart again in good order.

mod args;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kube::Config;
use prometheus_client::registry::Registry;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::controller::metrics::{LeaderStatus, Metrics};
use crate::controller::{self, Options};
use crate::serve::lease::{Election, Leadership, Lost, Place, Terms};
use crate::serve::readiness::Readiness;
use crate::serve::traffic::{Limits, Meter, Traffic};
use crate::serve::{admin, client, lease, preflight, shutdown, telemetry};

pub use args::Args;

/// Time for passes under way to end after a signal. Kubernetes kills a pod 30 s after the signal; the lease must be
/// given back before.
const DRAIN: Duration = Duration::from_secs(10);
/// Requests under way for each pass: the children of one rank are sent together, and there are three at most.
const REQUESTS_PER_PASS: usize = 3;
/// From sending a request to the last byte of its answer. The API server itself gives up after 60 s.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// Most threads. The work is waiting, not computing, and each thread has an arena of memory; without a bound there
/// would be one for each of the node's cores.
const THREADS: usize = 4;

/// Why the operator ended.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Client(#[from] client::Error),
    #[error(transparent)]
    Bind(#[from] admin::BindError),
    #[error("cannot prepare for signals: {0}")]
    Signals(std::io::Error),
    #[error("{0}. Ending, so that nothing is written beside another leader; the restarted process follows it")]
    Lost(#[from] Lost),
    #[error("the operator cannot go on: {0}")]
    Controller(#[from] controller::Error),
    #[error("the election has ended by itself, which is a defect: {0}")]
    Election(#[from] tokio::task::JoinError),
    #[error("work has ended by itself, which is a defect")]
    Idle,
}

pub fn run(args: &Args) -> ExitCode {
    let started = args.terms().and_then(|terms| {
        telemetry::start(args.log_format, &args.log_level).map_err(|error| error.to_string())?;
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(THREADS));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
        Ok((terms, runtime.map_err(|error| format!("cannot start threads: {error}"))?))
    });
    let (terms, runtime) = match started {
        Ok(started) => started,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(super::USAGE);
        }
    };
    let outcome = runtime.block_on(operate(args, terms));
    // Whatever still runs is not waited for: work has ended or was given up.
    runtime.shutdown_background();
    match outcome {
        Ok(()) => {
            info!("ended");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            if args.log_format.is_json() {
                tracing::error!("{failure}");
            } else {
                eprintln!("error: {failure}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Signal → no new work → passes under way end → lease given back → servers stop.
async fn operate(args: &Args, terms: Terms) -> Result<(), Failure> {
    let shutdown = shutdown::on_signals().map_err(Failure::Signals)?;
    let health = admin::bind(args.health_address, "health", "--health-address").await?;
    let metrics_port = admin::bind(args.metrics_address, "metrics", "--metrics-address").await?;
    let config = client::configure(&args.access()).await?;
    let namespaces: BTreeSet<String> = args.namespaces.iter().cloned().collect();
    announce(&config, &namespaces);

    let (metrics, mut registry) = Metrics::new(client::host(&config), args.concurrency);
    let meter: Arc<dyn Meter> = Arc::new(metrics.clone());
    let resign = CancellationToken::new();
    let (mut election, leadership) = stand(args, terms, &config, &meter, &mut registry, resign.clone())?;
    let limits = Limits { under_way: usize::from(args.concurrency) * REQUESTS_PER_PASS, deadline: REQUEST_DEADLINE };
    let client = client::connect(config, &Traffic::new(limits, meter, leadership.clone()))?;

    let readiness = Readiness::default();
    let stop_servers = CancellationToken::new();
    if let Some(listener) = health {
        tokio::spawn(admin::serve(listener, admin::health(readiness.clone()), stop_servers.clone()));
    }
    if let Some(listener) = metrics_port {
        tokio::spawn(admin::serve(listener, admin::metrics(registry), stop_servers.clone()));
    }

    let work = async {
        tokio::select! {
            () = preflight::wait(&client, &readiness) => {}
            () = shutdown.cancelled() => return Ok(()),
        }
        let options = Options {
            client: client.clone(),
            namespaces,
            concurrency: args.concurrency,
            credentials: args.credentials_dir.clone(),
            leadership,
            shutdown: shutdown.clone(),
            metrics,
            readiness: readiness.clone(),
        };
        controller::run(options).await?;
        if shutdown.is_cancelled() { Ok(()) } else { Err(Failure::Idle) }
    };
    let outcome = finish(work, &mut election, &shutdown).await;
    if !election.is_finished() {
        resign.cancel();
        election.await??;
    }
    stop_servers.cancel();
    outcome
}

/// Until work ends, the lease is lost, or a signal's time has run out.
async fn finish(
    work: impl Future<Output = Result<(), Failure>>,
    election: &mut JoinHandle<Result<(), Lost>>,
    shutdown: &CancellationToken,
) -> Result<(), Failure> {
    let out_of_time = async {
        shutdown.cancelled().await;
        sleep(DRAIN).await;
    };
    tokio::select! {
        outcome = work => outcome,
        // The candidate ends by itself only when it has lost.
        outcome = election => { outcome??; Ok(()) }
        () = out_of_time => {
            warn!("some passes did not end within {DRAIN:?}; leaving them to the successor");
            Ok(())
        }
    }
}

/// The candidacy, which ends with the token; or none, and leadership from the start.
fn stand(
    args: &Args,
    terms: Terms,
    config: &Config,
    meter: &Arc<dyn Meter>,
    registry: &mut Registry,
    resign: CancellationToken,
) -> Result<(JoinHandle<Result<(), Lost>>, Leadership), Failure> {
    let place = Place {
        namespace: args.lease_namespace.clone().unwrap_or_else(|| config.default_namespace.clone()),
        name: args.lease_name.clone(),
    };
    let (election, leadership) = if args.leader_elect {
        // A client of its own: a renewal must neither queue behind other requests nor ask whether we lead.
        let limits = Limits { under_way: 1, deadline: terms.renew_deadline };
        let traffic = Traffic::new(limits, Arc::clone(meter), Leadership::unconditional());
        let client = client::connect(config.clone(), &traffic)?;
        let (election, leadership) = Election::new(client, place.clone(), lease::identity(), terms);
        (tokio::spawn(election.run(resign)), leadership)
    } else {
        info!("no leader election: this must be the only operator of these namespaces");
        let until = async move {
            resign.cancelled().await;
            Ok(())
        };
        (tokio::spawn(until), Leadership::unconditional())
    };
    registry.register_collector(Box::new(LeaderStatus { name: place.name, leadership: leadership.clone() }));
    Ok((election, leadership))
}

fn announce(config: &Config, namespaces: &BTreeSet<String>) {
    let scope = if namespaces.is_empty() {
        "all namespaces".to_owned()
    } else {
        let names: Vec<&str> = namespaces.iter().map(String::as_str).collect();
        format!("namespaces {}", names.join(", "))
    };
    info!(version = env!("CARGO_PKG_VERSION"), api_server = %config.cluster_url, "microservice-operator for {scope}");
}
