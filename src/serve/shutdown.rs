//! One way out: the first signal stops work in good order, the second stops it at once.

use std::process;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// A token that is cancelled by SIGTERM or SIGINT. What to stop, and in which order, its holder decides. (A stream
/// that listens for signals itself, as `kube`'s controllers can, would leave servers and the lease behind.)
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let mut signals = Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? };
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        let name = signals.next().await.0;
        info!("{name}: finishing what is under way; a second signal ends the process at once");
        stop.cancel();
        let (name, number) = signals.next().await;
        warn!("{name} again: ending at once");
        // As a shell reports a process that a signal ended.
        process::exit(128 + number);
    });
    Ok(token)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> (&'static str, i32) {
        tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
        }
    }
}
