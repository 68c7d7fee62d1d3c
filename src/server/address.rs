//! Parts of a request's address. An address that cannot be read gets a problem like every other mistake.

use axum::{
    extract::{self, FromRequestParts},
    http::{StatusCode, request::Parts},
};
use serde::{
    Deserialize as _, Deserializer,
    de::{DeserializeOwned, Error as _},
};

use super::problem::Problem;

/// The values in an address, such as the id in `/v1/streams/{id}`.
pub(super) struct Path<T>(pub(super) T);

/// The values behind the question mark.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let found = extract::Path::<T>::from_request_parts(parts, state).await;
        found.map(|extract::Path(found)| Self(found)).map_err(|_| {
            let fix = "write ids in UTF-8, with every other byte as % and two hexadecimal digits";
            Problem::new(StatusCode::BAD_REQUEST, "the address cannot be read", fix)
        })
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let found = extract::Query::<T>::try_from_uri(&parts.uri);
        found.map(|extract::Query(found)| Self(found)).map_err(|error| {
            let text = error.body_text();
            let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let problem = format!("a value behind the question mark cannot be read: {text}");
            Problem::new(StatusCode::BAD_REQUEST, problem, "correct the value, or leave it out")
        })
    }
}

/// Reads a whole number behind the question mark.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let number = text.trim().parse().map(Some);
    number.map_err(|_| D::Error::custom(format!("must be a whole number such as 100, not '{text}'")))
}
