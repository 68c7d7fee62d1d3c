#![doc = include_str!("../README.md")]

#[cfg(feature = "apps")]
pub mod apps;
#[cfg(feature = "apps")]
pub mod server;
#[cfg(feature = "apps")]
pub mod setting;

pub use tidemill_topology::*;
