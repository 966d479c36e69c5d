//! Child processes that never outlive the test process, whatever ends it.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

struct Order {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

/// The kernel sends a child its parent-death signal when the *thread* that started it ends, and every story runs in a
/// thread of its own. One thread that lives as long as the process therefore starts all of them.
static STARTER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
    let (sender, orders) = channel::<Order>();
    thread::spawn(move || {
        for mut order in orders {
            let _ = order.reply.send(order.command.spawn());
        }
    });
    Mutex::new(sender)
});

/// A command that is killed when the test process ends. `setpriv` becomes the program itself, so the process id is the
/// program's. Its own way to ask for the signal (`pre_exec`) would need unsafe code.
pub fn bound_to_us(program: &std::path::Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// Starts a command made by [`bound_to_us`].
pub fn start(command: Command) -> Child {
    let (reply, answer) = channel();
    STARTER.lock().unwrap().send(Order { command, reply }).unwrap();
    answer.recv().unwrap().unwrap_or_else(|error| panic!("cannot start a process by setpriv (package util-linux): {error}"))
}

/// Runs a command to its end with a text on its standard input; panics with what it said unless it succeeds.
pub fn run(command: &mut Command, input: &str) -> String {
    let (succeeded, output) = try_run(command, input);
    assert!(succeeded, "{command:?} failed:\n{output}");
    output
}

/// Runs a command to its end: whether it succeeded, and what it wrote (to standard error where it failed).
pub fn try_run(command: &mut Command, input: &str) -> (bool, String) {
    use io::Write;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    // A program that does not read its input closes the pipe: that is its business.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() { (true, out.into_owned()) } else { (false, format!("{out}{err}")) }
}

/// Prints a line even while the test framework captures output: a reader of a run of minutes wants to see it move.
pub fn say(line: &str) {
    use io::Write;
    let _ = writeln!(io::stderr(), "{line}");
}
