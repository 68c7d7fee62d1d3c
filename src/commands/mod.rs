//! One subcommand per file.

mod demo;
mod describe;
mod dlq;
mod place;
mod play;
mod playlist;
mod post;
mod prompts;
mod recording;
mod replay;
mod reset;
mod serve;
mod signals;

pub(crate) use demo::demo;
pub(crate) use describe::describe;
pub(crate) use dlq::dlq;
pub(crate) use prompts::prompts;
pub(crate) use replay::replay;
pub(crate) use reset::reset;
pub(crate) use serve::serve;
