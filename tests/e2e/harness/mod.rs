//! What stories stand on: clusters, operators, a namespace for each story, and the eyes of the audit log.

mod account;
pub mod audit;
mod cluster;
mod gateway;
mod objects;
mod operator;
mod process;
mod proxy;
mod real;
mod recording;
mod story;
mod user;
mod witness;

pub use cluster::{MADE_BY_US, RUN, checkout, folder, operator_binary};
pub use gateway::Gateway;
pub use objects::*;
pub use operator::{Operator, Setup};
pub use process::{run, say};
pub use proxy::{Fault, FaultProxy};
pub use real::{Internet, OPERATOR, POD_TIME, TEST_SERVER, image_of, server};
pub use recording::Recording;
pub use story::{SOON, Story};
pub use witness::Witness;
