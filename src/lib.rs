#![doc = include_str!("../README.md")]

#[cfg(feature = "apps")]
pub mod apps;

pub use tidemill_topology::*;
