//! Why there is no clip, as a response.

use axum::http::StatusCode;

use crate::{clips::ClipError, server::problem::Problem};

/// Seconds until a client may try again.
const RETRY_S: u64 = 30;

impl From<ClipError> for Problem {
    fn from(error: ClipError) -> Self {
        match error {
            ClipError::NotValid(field) => Self::not_valid("clip", vec![field]),
            ClipError::Missing { what, fix } => Self::not_found(&what, &fix),
            ClipError::Conflict { error, fix } => Self::new(StatusCode::CONFLICT, error, fix),
            ClipError::Busy { error, .. } => Self::busy(error, RETRY_S),
            ClipError::Unavailable { error, fix } => Self::unavailable(error, &fix, RETRY_S),
        }
    }
}
