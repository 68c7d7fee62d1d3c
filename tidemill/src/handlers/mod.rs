//! Handlers of errors: the choices, and the functions of users.

mod context;
mod handler;

pub use context::{ErrorHandlerContext, ErrorOrigin, ErrorRecord};
pub use handler::{ErrorHandler, ErrorHandlerResponse, RecordHandler};
