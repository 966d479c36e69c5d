//! Field managers: one for each concern, so that giving up one never touches another. Renaming one would leave its
//! fields without an owner in every cluster.

use crate::api::labels;

/// Children.
pub const CHILDREN: &str = labels::OPERATOR;
/// `status` of Microservices.
pub const STATUS: &str = "microservice-operator/status";
