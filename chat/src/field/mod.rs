//! Chat as it is in the field: every unit of time, clocks that are wrong, emotes, bots, texts that are too long.

mod bot;
mod moment;
mod money;
mod skew;
mod text;
mod tidy;

pub use moment::parse_moment;
pub use money::{amount_of, bits, parse_money};
pub use skew::Skew;
pub use text::plain;
pub use tidy::Tidy;
