//! Recorded calls, from JSON lines.

use std::sync::Arc;

use thiserror::Error;

use crate::apps::{Question, Questions, RecordedCall};

/// The most problems of a file that are told.
pub const MOST_PROBLEMS: usize = 10;

/// Recorded calls that a model can be asked again.
pub struct Calls {
    /// The calls, in their order.
    pub calls: Vec<RecordedCall>,
    /// How many calls were left out because no model is needed for them, such as those of empty windows.
    pub without_model: usize,
}

/// What is wrong with the recorded calls, with the numbers of the lines.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place} has lines that are no calls of {application}:\n- {}", .problems.join("\n- "))]
pub struct BadCalls {
    /// The file or the address.
    pub place: String,
    /// The application's id.
    pub application: String,
    /// The problems, the first ones.
    pub problems: Vec<String>,
}

impl Calls {
    /// Reads JSON lines: the first `limit` calls for which a model is needed.
    ///
    /// # Errors
    /// If lines are not calls of the application: the first [`MOST_PROBLEMS`] of them.
    pub fn read(
        text: &str,
        place: &str,
        application: &str,
        limit: usize,
        questions: &dyn Questions,
    ) -> Result<Self, BadCalls> {
        let (mut calls, mut problems, mut without_model) = (Vec::new(), Vec::new(), 0);
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            if calls.len() == limit || problems.len() == MOST_PROBLEMS {
                break;
            }
            let call = serde_json::from_str::<RecordedCall>(text).map_err(|error| {
                // A line has no other lines, so the place is the column.
                format!("it is no recorded call: {}", error.to_string().replace("line 1 ", ""))
            });
            match call.and_then(|call| Ok((questions.question(&call)?, call))) {
                Ok((question, call)) if question.needs_model() => calls.push(call),
                Ok(_) => without_model += 1,
                Err(problem) => problems.push(format!("line {line}: {problem}")),
            }
        }
        if problems.is_empty() {
            return Ok(Self { calls, without_model });
        }
        Err(BadCalls { place: place.to_owned(), application: application.to_owned(), problems })
    }

    /// The questions of another prompt for the same calls.
    ///
    /// # Panics
    /// If `questions` is of another application.
    pub fn questions(&self, questions: &dyn Questions) -> Vec<Arc<dyn Question>> {
        let question = |call| questions.question(call).expect("the calls were read for this application");
        self.calls.iter().map(question).collect()
    }
}
