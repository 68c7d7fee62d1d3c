//! Turns a panic of an analysis into an error, so that one record does not end the application for all owners.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use tidemill::state::BoxError;

/// Runs an analysis. If it panics, the result is an error, and the record goes where the processing handler says: on the
/// server, to the application's dead letters. What the analysis has changed by then must not be used any more.
///
/// ```
/// use tidemill_apps::apps::refuse_panics;
///
/// let first = |text: &str| refuse_panics(|| text.as_bytes()[0]);
/// assert_eq!(first("a").unwrap(), b'a');
/// assert!(first("").unwrap_err().to_string().starts_with("the analysis panicked: index out of bounds"));
/// ```
///
/// # Errors
/// If the analysis panics.
pub fn refuse_panics<T>(analysis: impl FnOnce() -> T) -> Result<T, BoxError> {
    catch_unwind(AssertUnwindSafe(analysis)).map_err(|panic| format!("the analysis panicked: {}", text(&*panic)).into())
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}
