//! Names of threads.

use std::fmt;

/// A stream thread's name: the name of its instance, and its number there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ThreadName {
    text: String,
    number: usize,
}

impl ThreadName {
    /// Names a thread of an instance. Threads are numbered from 0.
    pub(crate) fn new(instance: &str, number: usize) -> Self {
        Self { text: format!("{instance}-{number}"), number }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The thread's number within its instance.
    pub(crate) fn number(&self) -> usize {
        self.number
    }
}

impl fmt::Display for ThreadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
