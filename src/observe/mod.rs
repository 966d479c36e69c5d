//! From watch streams to a [`World`] for one service.

pub mod world;

pub use world::World;
