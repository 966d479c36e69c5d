//! The operator as a process, under its own account and exactly the rights that its chart grants.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::account::{Account, Grant};
use super::cluster::{Cluster, folder, operator_binary};
use super::process::{bound_to_us, run, start};

/// How an operator differs from the usual one.
#[derive(Clone, Default)]
pub struct Setup {
    /// Namespaces to watch; empty: all. With names it gets a `Role` in each of them and no `ClusterRole`.
    pub namespaces: Vec<String>,
    /// Another address of the API server: a fault proxy's.
    pub server: Option<String>,
    /// Share the lease of the operator that has this account: a second replica.
    pub replica_of: Option<Account>,
    /// Rights that are left out.
    pub without: Vec<Grant>,
    /// Length of the lease; absent: the operator's own default.
    pub lease_seconds: Option<u64>,
    /// Level or filter of the log, unless `E2E_OPERATOR_LOG` sets it.
    pub log: Option<&'static str>,
    /// Further arguments.
    pub arguments: Vec<String>,
}

/// An operator process.
pub struct Operator {
    pub name: String,
    pub account: Account,
    pub log: PathBuf,
    health: u16,
    metrics: u16,
    kubeconfig: PathBuf,
    setup: Setup,
    child: Mutex<Option<Child>>,
}

impl Operator {
    pub fn start(cluster: &Cluster, name: &str, setup: Setup) -> Self {
        let account = match &setup.replica_of {
            Some(first) => first.replica(cluster, &setup.namespaces),
            None => Account::create(cluster, name, &setup.namespaces, &setup.without),
        };
        let kubeconfig = account.kubeconfig(cluster, name, setup.server.as_deref());
        let operator = Self {
            name: name.to_owned(),
            account,
            log: folder().join(format!("operator-{name}.log")),
            health: free_port(),
            metrics: free_port(),
            kubeconfig,
            setup,
            child: Mutex::new(None),
        };
        operator.begin();
        operator
    }

    /// Starts the process (again).
    pub fn begin(&self) {
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = bound_to_us(&operator_binary());
        command
            .arg("run")
            .arg("--lease-name=microservice-operator")
            .arg(format!("--health-address=127.0.0.1:{}", self.health))
            .arg(format!("--metrics-address=127.0.0.1:{}", self.metrics))
            .arg(format!(
                "--log-level={}",
                std::env::var("E2E_OPERATOR_LOG").unwrap_or_else(|_| self.setup.log.unwrap_or("info").to_owned())
            ))
            .arg("--log-format=human")
            .args(&self.setup.arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("POD_NAME", &self.name)
            .env("POD_NAMESPACE", &self.account.namespace)
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if let Some(seconds) = self.setup.lease_seconds {
            command.arg(format!("--lease-duration={seconds}s"));
        }
        if !self.setup.namespaces.is_empty() {
            command.arg(format!("--namespaces={}", self.setup.namespaces.join(",")));
        }
        let old = self.child.lock().unwrap().replace(start(command));
        assert!(old.is_none(), "operator {} runs already", self.name);
    }

    pub fn pid(&self) -> u32 {
        self.child.lock().unwrap().as_ref().unwrap_or_else(|| panic!("operator {} does not run", self.name)).id()
    }

    /// `kill -9`: no clean-up, the lease stays held.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGTERM, as the kubelet sends it; how long the process took to end, and how it ended.
    pub fn stop(&self) -> (Duration, ExitStatus) {
        let from = Instant::now();
        run(Command::new("kill").args(["-TERM", &self.pid().to_string()]), "");
        let mut child = self.child.lock().unwrap().take().unwrap();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return (from.elapsed(), status);
            }
            if from.elapsed() > Duration::from_secs(30) {
                let _ = child.kill();
                panic!("operator {} still runs 30 s after SIGTERM; log: {}", self.name, self.log_tail());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the process runs; says how it ended otherwise.
    pub fn alive(&self) -> Result<(), String> {
        let mut child = self.child.lock().unwrap();
        match child.as_mut().map(|child| child.try_wait().unwrap()) {
            Some(None) => Ok(()),
            Some(Some(status)) => Err(format!("ended with {:?}, signal {:?}", status.code(), status.signal())),
            None => Err("was stopped".to_owned()),
        }
    }

    /// Status and body of a GET of the admin server.
    pub fn health(&self, path: &str) -> Option<(u16, String)> {
        http_get(self.health, path)
    }

    pub fn is_ready(&self) -> bool {
        self.health("/readyz").is_some_and(|(status, _)| status == 200)
    }

    pub fn wait_ready(&self, within: Duration) {
        let from = Instant::now();
        while !self.is_ready() {
            self.alive().unwrap_or_else(|how| panic!("operator {} {how}; log:\n{}", self.name, self.log_tail()));
            assert!(from.elapsed() < within, "operator {} is not ready after {within:?}; log:\n{}", self.name, self.log_tail());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The most memory that the process has had in use so far (`VmHWM`), in MiB.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    pub fn log_text(&self) -> String {
        let mut text = String::new();
        let _ = File::open(&self.log).and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    pub fn log_tail(&self) -> String {
        let text = self.log_text();
        let lines: Vec<_> = text.lines().collect();
        format!("({})\n{}", self.log.display(), lines[lines.len().saturating_sub(40)..].join("\n"))
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Ports below those that the kernel gives to outgoing connections: between this look and the operator's start, or its
/// restart, nobody else comes by one.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    // Another start for each process, so that two runs at once do not look at the same ports in step.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap();
    (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

fn http_get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}
