//! Compares prompts and models by recorded calls, so that a prompt is changed knowingly.
//!
//! Each module uses only the modules above it.

mod calls;

mod agreement;
mod field;

mod purse;
mod run;

mod side;
mod summary;
mod text;

pub use agreement::FieldAgreement;
pub use calls::{BadCalls, Calls, MOST_PROBLEMS};
pub use run::{Asking, Ended, Patience, Tried, ask, most};
pub use side::{Answer, Fit, Side};
pub use summary::{Compared, Difference, Failed, Summary};
pub use text::money;
