//! From watch streams to a [`World`] for one service.
//!
//! ```text
//! watch (one task for each kind) ──► seen ──► trim ──► tables ─────┐
//!                                                        │ touch   ├──► gather ──► World
//!                        apply ──► answers ──► expectations ───────┘
//!                                                        ▼
//!                                                      queue ──► a turn for each service that is due
//! ```

mod expectations;
mod feed;
mod gather;
mod key;
mod packed;
mod profiles;
mod queue;
mod rollouts;
mod seen;
mod stores;
mod tables;
pub mod text;
mod trim;
mod user_routes;
mod version;
mod watch;
pub mod world;

pub use expectations::Expectations;
pub use feed::Feed;
pub use gather::{Unreadable, controller, live};
pub use key::{Key, Watched};
pub use queue::{Lane, Queue, Turn};
pub use seen::{Fields, Seen};
pub use stores::{Scope, Stores, Watches};
pub use trim::summary as pod_summary;
pub use version::Version;
pub use watch::Errors;
pub use world::World;
