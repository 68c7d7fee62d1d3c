//! Settings of the binary. One [`Row`] describes one setting completely.

mod row;
mod value;

pub use row::{CommandLine, PREFIX, Row, variable};
pub use value::{amount, bytes, duration, list, number, path, switch, text};
