//! SIGTERM and SIGINT. Both are caught explicitly: the kernel drops signals without a handler for process 1, which is
//! what this program is in a container.

use std::future::Future;
use tokio::signal::unix::{SignalKind, signal};

/// A future that ends with the name of the first signal that asks to stop. Handlers are in place when this returns.
pub fn requested(ignore_sigterm: bool) -> Result<impl Future<Output = &'static str>, String> {
    let explain = |error| format!("cannot catch signals: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(explain)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(explain)?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {
                    if !ignore_sigterm {
                        return "SIGTERM";
                    }
                    eprintln!("testserver: SIGTERM ignored, as --ignore-sigterm asks; only SIGKILL or SIGINT ends this server");
                }
                _ = interrupt.recv() => return "SIGINT",
            }
        }
    })
}
