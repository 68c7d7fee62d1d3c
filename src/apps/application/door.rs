//! How the first page presents an application.

use serde::Serialize;

/// The words of the first page about an application.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Door {
    /// The application's name, for people.
    pub title: &'static str,
    /// What its page shows, in a sentence.
    pub promise: &'static str,
    /// The label of the field for an owner's id, such as `Stream id`.
    pub label: &'static str,
    /// A title and a sentence for the time when no owner is known.
    pub nobody: [&'static str; 2],
}
