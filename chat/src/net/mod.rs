//! Connections to servers, and what their refusals mean.

mod http;
mod reach;
mod relay;
mod socket;

pub(crate) use http::{Http, body, failed, install_cryptography, retry_after, unauthorised, unreadable};
pub use reach::Reach;
pub(crate) use relay::{Heard, Joined, Joining, Relay};
pub(crate) use socket::{Frames, Token, connect, text};
