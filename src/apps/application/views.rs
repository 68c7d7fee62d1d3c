//! An application's views: answers about an owner, made of its stored results when somebody asks.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::apps::Retention;

/// The values behind the question mark of a view's address.
pub type Parameters = BTreeMap<String, String>;

/// Makes an answer of stored results.
pub type Show = Box<dyn FnOnce(Stored) -> Result<Shown, Unshown> + Send>;

/// A view: nothing of it is stored, so it knows what was withdrawn and erased meanwhile.
pub struct View {
    /// The last part of its address, such as `frame`.
    pub name: &'static str,
    /// Reads what is asked of an owner, before any result is read.
    pub ask: fn(&str, &Parameters) -> Result<Wanted, Wrong>,
}

/// What a view needs, and how it is made.
pub struct Wanted {
    /// The windows whose results are needed.
    pub span: Span,
    /// Makes the answer.
    pub show: Show,
}

/// A part of an owner's windows. A window belongs to it if the two overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// All windows.
    Whole,
    /// The last milliseconds before the end of the newest window.
    Last(i64),
    /// From a time until before another, in epoch milliseconds.
    Between(i64, i64),
}

/// Results of windows: of each window the last one, without those that were deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The results of the application's first kind as JSON, in the order of their windows.
    pub results: Vec<Bytes>,
    /// The number of windows that are left out because there are too many. They are older than all others.
    pub left_out: usize,
    /// How long results stay. Those whose time is over are not among these, even if the log still has them.
    pub kept: Retention,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The media type.
    pub media_type: &'static str,
    /// The name of the file, in ASCII without quotation marks; `None` if the answer is not meant to be kept as a file.
    pub file_name: Option<String>,
    /// The content.
    pub body: Vec<u8>,
}

/// The values behind the question mark ask for nothing that there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub fix: String,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unshown {
    /// The results are missing that it is made of.
    Missing {
        /// What is missing, behind the words "there is no".
        what: String,
        /// What to do.
        fix: String,
    },
    /// There are too many results for one answer.
    TooMuch {
        /// What is too much.
        error: String,
        /// What to do.
        fix: String,
    },
    /// The program failed. Operators get the reason, clients do not.
    Failed(String),
}
