//! Pages about subjects that concern several parts.

#[doc = include_str!("another_platform.md")]
pub mod another_platform {}
