//! The flags of `testserver serve`; those that can be switched later are in `behaviour`. No variable may be called
//! `…_PORT`: Kubernetes sets `METRICS_PORT=tcp://…` in every pod that stands beside a Service called `metrics`.

use super::behaviour::Behaviour;
use std::net::IpAddr;

#[derive(clap::Args)]
pub struct Args {
    /// Port of the service; 0 takes any free one
    #[arg(long, env = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// Further port with the same paths, so that policies can keep metrics apart
    #[arg(long, value_name = "PORT", env = "METRICS_LISTEN_PORT")]
    pub metrics_port: Option<u16>,
    /// Further port that sends every byte back
    #[arg(long, value_name = "PORT", env = "TCP_LISTEN_PORT")]
    pub tcp_port: Option<u16>,
    /// Address to listen on; :: for IPv6
    #[arg(long, env = "BIND", default_value = "0.0.0.0")]
    pub bind: IpAddr,
    /// Name in every answer
    #[arg(long, env = "NAME", default_value = "testserver")]
    pub name: String,
    /// Revision in every answer; the client reports its results by it
    #[arg(long, env = "REVISION", default_value = "unknown")]
    pub revision: String,
    /// Pod name in every answer [default: $HOSTNAME, else the kernel's host name]
    #[arg(long, env = "POD_NAME")]
    pub pod: Option<String>,
    #[command(flatten)]
    pub behaviour: Behaviour,
    /// `/ready` says no for this long
    #[arg(long, value_name = "SECONDS", env = "READY_AFTER_SECONDS", default_value_t = 0)]
    pub ready_after_seconds: u64,
    /// `/ready` says no until `/control` is told otherwise
    #[arg(long, env = "NEVER_READY", conflicts_with = "ready_after_seconds")]
    pub never_ready: bool,
    /// Open no port for this long: a slow start, or with a high number a server that no TCP probe finds ready
    #[arg(long, value_name = "SECONDS", env = "LISTEN_AFTER_SECONDS", default_value_t = 0)]
    pub listen_after_seconds: u64,
    /// After SIGTERM, go on accepting for this long and ask clients to close their connections
    #[arg(long, value_name = "SECONDS", env = "DRAIN_SECONDS", default_value_t = 2)]
    pub drain_seconds: u64,
    /// After draining, wait at most this long for requests under way. With the operator's 5 s preStop sleep and the
    /// default draining this ends before the usual 30 s of grace
    #[arg(long, value_name = "SECONDS", env = "SHUTDOWN_TIMEOUT_SECONDS", default_value_t = 20)]
    pub shutdown_timeout_seconds: u64,
    /// Ignore SIGTERM, as a bad service does
    #[arg(long, env = "IGNORE_SIGTERM")]
    pub ignore_sigterm: bool,
}

impl Args {
    /// What the single flags' parsers cannot see.
    pub fn check_ports(&self) -> Result<(), String> {
        let ports = [("--port", Some(self.port)), ("--metrics-port", self.metrics_port), ("--tcp-port", self.tcp_port)];
        for (index, (first, port)) in ports.iter().enumerate() {
            for (second, other) in &ports[index + 1..] {
                if port == other && port.is_some_and(|port| port != 0) {
                    return Err(format!("{first} and {second} must differ, both are {}", port.unwrap_or_default()));
                }
            }
        }
        Ok(())
    }
}
