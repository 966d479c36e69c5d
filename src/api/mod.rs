//! The language that users write and read: types, their CRD, and the rules that admission enforces.

pub mod crd;
pub mod labels;
pub mod patterns;
pub mod problem;
pub mod rules;
pub mod schema;
pub mod v1alpha1;
