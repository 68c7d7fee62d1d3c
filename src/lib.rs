//! Live insight and form coach: two applications on [`tidemill`], with the server and the settings that they share.

pub mod apps;
pub mod clips;
mod clock;
pub mod evaluation;
pub mod server;
pub mod setting;
pub mod sources;
