//! Conversions between windows and calls: the bounded data of a request, and the meaning of an analyst's errors.

use std::time::Duration;

use tidemill::CallError;

use super::AnalystError;

/// At most `most` of the elements, spread evenly, so that a request stays bounded even for a busy window.
pub(crate) fn evenly<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|at| all[at * all.len() / most].clone()).collect()
}

/// Converts an analyst's error into a call error, which says whether to call again.
pub(crate) fn to_call_error(error: &AnalystError) -> CallError {
    let text = error.to_string();
    match error {
        AnalystError::Unavailable { retry_after_ms: Some(pause), .. } => {
            CallError::retry_after(text, Duration::from_millis(*pause))
        }
        AnalystError::Unavailable { .. } | AnalystError::Unreadable { .. } => CallError::transient(text),
        AnalystError::Refused { .. } => CallError::permanent(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_order_and_span_the_whole() {
        let all: Vec<_> = (0..10).collect();
        assert_eq!(evenly(&all, 4), [0, 2, 5, 7]);
        assert_eq!(evenly(&all, 20), all);
        assert!(evenly(&all, 0).is_empty());
    }
}
