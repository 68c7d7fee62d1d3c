//! Settings of the binary. One [`Row`] holds all that is known about one setting.

mod row;
mod value;

pub use row::{CommandLine, PREFIX, Row, variable};
pub use value::{bytes, duration, list, number, path, switch, text};
