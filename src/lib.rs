#![doc = include_str!("../README.md")]

pub use tidemill_topology::*;
