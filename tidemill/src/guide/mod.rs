//! Pages about subjects that concern several parts.

#[doc = include_str!("paid_twice.md")]
pub mod paid_twice {}
