//! The clusters that stories run on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::operator::{Operator, Setup};
use super::process::{run, say, try_run};
use super::story::Wish;

/// Which cluster a story runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Where {
    /// One operator for all namespaces serves most stories; a cluster that the user has may stand in for it.
    Shared,
    /// Stories bring their own operator, confined to their own namespace, and may kill it, starve it and replace it.
    Apart,
    /// One story at a time; the CRD is not installed.
    Bare,
    /// Real pods and packets; root only.
    Real,
}

/// A running cluster.
pub struct Cluster {
    pub place: Where,
    pub kubeconfig: PathBuf,
    pub kubectl: PathBuf,
    /// Absent for a cluster that the user gave.
    pub audit_log: Option<PathBuf>,
    operator: OnceLock<Operator>,
}

/// Tells the objects of this run from those of another.
pub static RUN: LazyLock<String> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("{:x}", since.as_millis() % (1 << 28))
});

pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The operator that is tested: `OPERATOR_BIN`, or the one that cargo has built for this test.
pub fn operator_binary() -> PathBuf {
    std::env::var_os("OPERATOR_BIN").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_microservice-operator")), PathBuf::from)
}

/// Logs and credentials of this run.
pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e").join(&*RUN);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The cluster, started when the first story asks for it. `None`, said loudly, where it cannot be had.
pub fn cluster(place: Where) -> Option<&'static Cluster> {
    static SHARED: LazyLock<Result<Cluster, String>> = LazyLock::new(|| simulated(Where::Shared, ""));
    static APART: LazyLock<Result<Cluster, String>> = LazyLock::new(|| simulated(Where::Apart, "-apart"));
    static BARE: LazyLock<Result<Cluster, String>> = LazyLock::new(|| simulated(Where::Bare, "-bare"));
    static REAL: LazyLock<Result<Cluster, String>> = LazyLock::new(real);
    let cluster = match place {
        Where::Shared => SHARED.as_ref(),
        Where::Apart => APART.as_ref(),
        Where::Bare => BARE.as_ref(),
        Where::Real => REAL.as_ref(),
    };
    match cluster {
        Ok(cluster) => Some(cluster),
        Err(reason) if place == Where::Real && std::env::var_os("CI").is_none() => {
            skip(reason);
            None
        }
        Err(reason) => panic!("no cluster: {reason}"),
    }
}

/// Whether this run tells stories of that cluster and of that kind; if not, it is said loudly.
pub fn selected(place: Where, wish: Wish) -> bool {
    let wanted = std::env::var("E2E_CLUSTER").unwrap_or_else(|_| "sim".to_owned());
    let here = match wanted.as_str() {
        "all" => true,
        "sim" => place != Where::Real,
        "real" => place == Where::Real,
        other => panic!("E2E_CLUSTER={other}: it is `sim`, `real` or `all`"),
    };
    let turn = std::env::var("E2E_TURN").unwrap_or_else(|_| "any".to_owned());
    let now = match turn.as_str() {
        "any" => true,
        "alone" => wish == Wish::Alone,
        "beside" => wish != Wish::Alone,
        other => panic!("E2E_TURN={other}: it is `alone`, `beside` or `any`"),
    };
    if !here {
        skip(&format!("E2E_CLUSTER={wanted} leaves the stories of the other cluster out"));
    } else if !now {
        skip(&format!("E2E_TURN={turn} leaves it to the run in which it has its turn"));
    }
    here && now
}

/// Says that a story was left out, past the test framework, which shows nothing of tests that pass.
pub fn skip(reason: &str) {
    let story = std::thread::current().name().unwrap_or_default().to_owned();
    say(&format!("  SKIPPED {story}: {reason}"));
}

fn simulated(place: Where, suffix: &str) -> Result<Cluster, String> {
    let from = Instant::now();
    // Two runs at the same time need clusters of different names: each clears what it finds of another.
    let name = &format!("{}{suffix}", std::env::var("E2E_NAME").unwrap_or_else(|_| "e2e".to_owned()));
    let script = checkout().join("clusters/sim");
    let sim = |arguments: &[&str]| {
        let mut command = Command::new(&script);
        command.args(["--name", name]).args(arguments);
        if place != Where::Shared {
            // Operators for all namespaces must not meet in the one cluster that the user has.
            command.env_remove("MICROSERVICE_OPERATOR_USE_CLUSTER").env_remove("CLUSTER_CONTEXT");
        }
        let (succeeded, output) = try_run(&mut command, "");
        if succeeded {
            Ok(output.trim().to_owned())
        } else {
            Err(format!("{} --name {name} {}: {output}", script.display(), arguments.join(" ")))
        }
    };
    say(&format!("  simulated cluster {name}: starting it, or using the one that runs"));
    sim(&["up"])?;
    let cluster = Cluster {
        place,
        kubeconfig: PathBuf::from(sim(&["kubeconfig"])?),
        kubectl: kubectl()?,
        audit_log: sim(&["audit-log"]).ok().map(PathBuf::from),
        operator: OnceLock::new(),
    };
    cluster.clear();
    if place != Where::Bare {
        cluster.install_crd();
        cluster.install_gateway_api();
    }
    say(&format!(
        "  simulated cluster {name}: ready in {:.1} s; stop it with clusters/sim --name {name} down",
        from.elapsed().as_secs_f64()
    ));
    Ok(cluster)
}

fn real() -> Result<Cluster, String> {
    let from = Instant::now();
    let script = checkout().join("clusters/real");
    let real = |arguments: &[&str]| {
        let (succeeded, output) = try_run(Command::new(&script).args(arguments), "");
        if succeeded { Ok(output.trim().to_owned()) } else { Err(format!("{} {}: {output}", script.display(), arguments.join(" "))) }
    };
    if !run(Command::new("id").arg("-u"), "").trim().eq("0") {
        return Err("the real cluster needs root (network namespaces, mounts): run `sudo -E make test-e2e-real`".to_owned());
    }
    say("  real cluster: starting it, or using the one that runs");
    real(&["up"])?;
    let cluster = Cluster {
        place: Where::Real,
        kubeconfig: PathBuf::from(real(&["kubeconfig"])?),
        kubectl: kubectl()?,
        audit_log: real(&["audit-log"]).ok().map(PathBuf::from),
        operator: OnceLock::new(),
    };
    cluster.clear();
    cluster.install_crd();
    say(&format!("  real cluster: ready in {:.1} s", from.elapsed().as_secs_f64()));
    Ok(cluster)
}

fn kubectl() -> Result<PathBuf, String> {
    let (succeeded, output) = try_run(Command::new(checkout().join("clusters/build")).args(["--path", "kubectl"]), "");
    if succeeded { Ok(PathBuf::from(output.trim())) } else { Err(output) }
}

/// Label of every namespace and cluster-wide object that a story makes.
pub const MADE_BY_US: &str = "e2e.microservices.dev/run";

impl Cluster {
    /// Removes what an earlier run left, so that its services do not disturb this one's counts.
    fn clear(&self) {
        let ours = format!("{MADE_BY_US},{MADE_BY_US}!={}", *RUN);
        let kinds = "namespaces,clusterroles,clusterrolebindings";
        self.kubectl(&["delete", kinds, "--selector", &ours, "--ignore-not-found", "--wait=false"], "");
        // Fails where the kind is not there yet, and then there is nothing to remove.
        self.try_kubectl(&["delete", "microserviceprofiles", "--selector", &ours, "--ignore-not-found", "--wait=false"], "");
    }

    pub fn install_crd(&self) {
        let crds = checkout().join("crds");
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", crds.to_str().unwrap()], "");
        let deadline = Instant::now() + Duration::from_secs(30);
        // `kubectl wait` gives up on an object that has no conditions yet.
        while !self
            .try_kubectl(
                &[
                    "wait",
                    "--for=condition=Established",
                    "--timeout=10s",
                    "crd/microservices.microservices.dev",
                    "crd/microserviceprofiles.microservices.dev",
                ],
                "",
            )
            .0
        {
            assert!(Instant::now() < deadline, "the CRD is not established after 30 s");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// kubectl as the cluster's administrator; panics unless it succeeds.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        run(self.command().args(arguments), input)
    }

    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> (bool, String) {
        try_run(self.command().args(arguments), input)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        command
    }

    /// The plugin, which is the operator's own binary: its exit status, and what it said on both streams.
    pub fn plugin(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(operator_binary());
        command.arg("kubectl").args(arguments).arg("--kubeconfig").arg(&self.kubeconfig);
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
        (output.status.code(), said)
    }

    pub async fn config(&self) -> Config {
        let file = Kubeconfig::read_from(&self.kubeconfig).unwrap();
        Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()
    }

    /// A client of the calling story's own: a connection belongs to the runtime that made it.
    pub async fn client(&self) -> Client {
        Client::try_from(self.config().await).unwrap()
    }

    /// The operator for all namespaces, if a story has asked for it.
    pub fn started_operator(&self) -> Option<&Operator> {
        self.operator.get()
    }

    /// The operator for all namespaces, started when the first story asks for it.
    pub fn operator(&self) -> &Operator {
        self.operator.get_or_init(|| {
            let operator = Operator::start(self, "all", Setup::default());
            operator.wait_ready(Duration::from_secs(30));
            operator
        })
    }
}
