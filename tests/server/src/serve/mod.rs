//! `testserver serve`: an HTTP service with switchable faults. The life of the process is here; what it answers is in
//! `answer`, its connections in `listen`, its faults in `behaviour`.

mod answer;
mod behaviour;
mod burn;
mod flags;
mod listen;
mod metrics;
mod percent;

use crate::stop;
use behaviour::Behaviour;
use burn::Burner;
pub use flags::Args;
use metrics::Metrics;
use serde_json::json;
use std::future::{Future, pending};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

pub struct Identity {
    name: String,
    revision: String,
    pod: String,
}

/// Where the process stands in its life; it only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Serving,
    /// Still accepting, because load balancers learn late, but asking every client to go elsewhere.
    Draining,
    /// No new connections; requests under way are finished.
    Closing,
}

struct Server {
    identity: Identity,
    behaviour: watch::Sender<Behaviour>,
    phase: watch::Sender<Phase>,
    /// Requests to the service since the start or the last change of behaviour.
    requests: AtomicU64,
    started: Instant,
    ready_after: Duration,
    metrics: Metrics,
}

pub async fn run(args: Args) -> Result<ExitCode, String> {
    args.check_ports()?;
    let stop = stop::requested(args.ignore_sigterm)?;
    tokio::pin!(stop);
    let server = Arc::new(Server::new(&args));
    tokio::spawn(enforce(server.behaviour.subscribe()));

    if args.listen_after_seconds > 0 {
        eprintln!("testserver: opening no port for {} s, as --listen-after-seconds asks", args.listen_after_seconds);
        tokio::select! {
            () = sleep(Duration::from_secs(args.listen_after_seconds)) => {}
            signal = &mut stop => {
                eprintln!("testserver: {signal} before any port was open, exiting with 0");
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    let mut listeners = open_ports(&args, &server).await?;

    let signal = stop.await;
    eprintln!("testserver: {signal}, draining for {} s", args.drain_seconds);
    server.phase.send_replace(Phase::Draining);
    sleep(Duration::from_secs(args.drain_seconds)).await;
    server.phase.send_replace(Phase::Closing);
    let all_closed = async { while listeners.join_next().await.is_some() {} };
    if timeout(Duration::from_secs(args.shutdown_timeout_seconds), all_closed).await.is_err() {
        eprintln!("testserver: requests still under way after {} s are cut off, exiting with 1", args.shutdown_timeout_seconds);
        return Ok(ExitCode::FAILURE);
    }
    eprintln!("testserver: every request is answered, exiting with 0");
    Ok(ExitCode::SUCCESS)
}

async fn open_ports(args: &Args, server: &Arc<Server>) -> Result<JoinSet<()>, String> {
    let mut listeners = JoinSet::new();
    for port in [Some(args.port), args.metrics_port].into_iter().flatten() {
        let listener = listen::open(args.bind, port, "HTTP").await?;
        listeners.spawn(listen::accept(listener, Arc::clone(server), listen::http));
    }
    if let Some(port) = args.tcp_port {
        let listener = listen::open(args.bind, port, "TCP echo").await?;
        listeners.spawn(listen::accept(listener, Arc::clone(server), listen::tcp_echo));
    }
    Ok(listeners)
}

impl Server {
    fn new(args: &Args) -> Self {
        let identity =
            Identity { name: args.name.clone(), revision: args.revision.clone(), pod: args.pod.clone().unwrap_or_else(host_name) };
        let behaviour = Behaviour { ready: !args.never_ready, live: true, ..args.behaviour.clone() };
        Self {
            metrics: Metrics::new(&identity),
            identity,
            behaviour: watch::Sender::new(behaviour),
            phase: watch::Sender::new(Phase::Serving),
            requests: AtomicU64::new(0),
            started: Instant::now(),
            ready_after: Duration::from_secs(args.ready_after_seconds),
        }
    }

    /// Takes over a change from `/control`. Counting starts again, so that the failure pattern after a change does not
    /// depend on what came before.
    fn switch(&self, change: &[u8]) -> Result<(), String> {
        let mut result = Ok(());
        self.behaviour.send_if_modified(|behaviour| match behaviour.changed(change) {
            Ok(changed) => {
                *behaviour = changed;
                self.requests.store(0, Ordering::Relaxed);
                true
            }
            Err(error) => {
                result = Err(error);
                false
            }
        });
        if result.is_ok() {
            eprintln!("testserver: behaviour is now {}", json!(*self.behaviour.borrow()));
        }
        result
    }

    fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    fn closing(&self) -> impl Future<Output = ()> + use<> {
        let mut phase = self.phase.subscribe();
        async move {
            // An error means that the server itself is gone, which is the end as well.
            let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
        }
    }
}

/// The pod's name: every container runtime sets it as the host name.
fn host_name() -> String {
    let kernels = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()).or_else(kernels);
    name.map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Keeps CPU use and the announced crash as the behaviour has them now.
async fn enforce(mut behaviour: watch::Receiver<Behaviour>) {
    let mut burner = Burner::idle();
    let mut announced = None;
    let mut crash_at = None;
    loop {
        let now = behaviour.borrow_and_update().clone();
        burner.set(now.burn_millicores);
        if announced != now.crash_after_seconds {
            announced = now.crash_after_seconds;
            crash_at = announced.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        }
        let crash = async {
            match crash_at {
                Some(instant) => sleep_until(instant).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = crash => {
                eprintln!("testserver: crashing with exit code {}, as asked", now.exit_code);
                std::process::exit(now.exit_code.into());
            }
            changed = behaviour.changed() => if changed.is_err() { return },
        }
    }
}
