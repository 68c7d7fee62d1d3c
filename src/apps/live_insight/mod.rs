//! Live insight: what a live stream's audience feels, talks about and reacts to, minute by minute.

pub mod analysis;
