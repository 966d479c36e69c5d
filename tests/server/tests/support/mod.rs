//! A running test server, and plain HTTP by hand, so that the client under test does not check itself.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test helper that fails fails its test")]

pub mod sockets;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Far above every wait in these tests, also on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(10);

pub fn testserver(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testserver"));
    command.args(args);
    command
}

/// Runs to the end and gives exit code, standard output and standard error.
pub fn run(args: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = testserver(args).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Runs the client and gives its exit code and summary.
pub fn client(args: &[&str]) -> (i32, Value) {
    let (code, stdout, stderr) = run(&[&["client"], args].concat());
    let summary = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"));
    (code, summary)
}

/// A child process with its log, killed with its test.
pub struct Process {
    child: Child,
    log: Receiver<String>,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let (sender, log) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                // Nobody listens any more when the test is over.
                let _ = sender.send(line);
            }
        });
        Self { child, log }
    }

    /// Waits for a line of the log that contains `text`.
    pub fn logged(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no log line with {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn exit_code(&mut self) -> i32 {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("still running after {PATIENCE:?}");
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn stdout(&mut self) -> String {
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail when the process has already ended, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `testserver serve` on a free port.
pub struct Server {
    pub process: Process,
    pub address: SocketAddr,
}

impl Server {
    pub fn start(args: &[&str]) -> Self {
        let process = Process::spawn(testserver(&["serve", "--bind", "127.0.0.1", "--port", "0"]).args(args));
        let address = listening_address(&process.logged("listening on"), "HTTP");
        Self { process, address }
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        Reply::to(self.address, "GET", path, "").into()
    }

    pub fn control(&self, change: &str) -> (u16, String) {
        Reply::to(self.address, "POST", "/control", change).into()
    }
}

/// The address in `listening on 127.0.0.1:1234 (HTTP)`.
pub fn listening_address(line: &str, what: &str) -> SocketAddr {
    let address = line.split("listening on ").nth(1).and_then(|rest| rest.strip_suffix(&format!(" ({what})")));
    address.unwrap_or_else(|| panic!("no {what} address in {line:?}")).parse().unwrap()
}

/// An HTTP answer, read until its announced length.
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn to(address: SocketAddr, method: &str, path: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        Self::over(&mut stream, method, path, body)
    }

    /// Over a connection that stays open.
    pub fn over(stream: &mut TcpStream, method: &str, path: &str, body: &str) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let length = body.len();
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\nX-Color: blue\r\nX-Api-Key: k\r\nCookie: c=1\r\n\r\n{body}").unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "closed after {head:?}");
        }
        let head = head.to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head, body: String::from_utf8(body).unwrap() }
    }
}

impl From<Reply> for (u16, String) {
    fn from(reply: Reply) -> Self {
        (reply.status, reply.body)
    }
}
