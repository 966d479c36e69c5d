//! The client's connections. Requests rotate over a fixed number of them; when all are busy, a further one is opened
//! and closed after its answer, so that a slow server meets more connections and not fewer requests.

use crate::exchange::{self, Connection};
use crate::failure::Failure;
use crate::target::Target;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

pub struct Pool {
    kept: usize,
    /// Requests after which a connection is given up; `None` keeps it for good.
    uses: Option<u64>,
    max_idle: Duration,
    opened: AtomicU64,
    /// Oldest first.
    idle: Mutex<VecDeque<Idle>>,
    /// Cloned into every lease: its strong count tells how many connections there are.
    alive: Arc<()>,
}

struct Idle {
    lease: Lease,
    since: Instant,
}

/// A connection and how often it was used.
pub struct Lease {
    pub connection: Connection,
    used: u64,
    alive: Arc<()>,
}

impl Pool {
    pub fn new(kept: usize, uses: Option<u64>, max_idle: Duration) -> Self {
        Self { kept, uses, max_idle, opened: AtomicU64::new(0), idle: Mutex::default(), alive: Arc::default() }
    }

    /// A new connection while there are fewer than are kept, then the idle one that rested longest.
    pub async fn take(&self, target: &Target, deadline: Instant) -> Result<Lease, Failure> {
        if let Some(lease) = self.take_idle() {
            return Ok(lease);
        }
        let alive = Arc::clone(&self.alive);
        let connection = exchange::connect(target, deadline).await?;
        self.opened.fetch_add(1, Ordering::Relaxed);
        Ok(Lease { connection, used: 0, alive })
    }

    fn take_idle(&self) -> Option<Lease> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| !idle.lease.connection.is_closed() && idle.since.elapsed() <= self.max_idle);
        // One count is the pool's own.
        if Arc::strong_count(&self.alive) <= self.kept {
            return None;
        }
        idle.pop_front().map(|idle| idle.lease)
    }

    /// Takes back a connection whose answer was read to the end.
    pub async fn put_back(&self, mut lease: Lease) {
        lease.used += 1;
        let spent = self.uses.is_some_and(|uses| lease.used >= uses);
        // Waiting for readiness is also how a `Connection: close` of the server is noticed.
        if spent || lease.connection.ready().await.is_err() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&lease.alive) <= self.kept + 1 {
            idle.push_back(Idle { lease, since: Instant::now() });
        }
    }

    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}
