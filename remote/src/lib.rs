//! What every client of a service outside shares: pauses between attempts, and secrets that never show themselves.

mod backoff;
mod random;
mod secret;

pub use backoff::Backoff;
pub use random::Random;
pub use secret::{Secret, SecretError};
