//! The functions of joins in one form: with or without a partner, with or without an error.

use std::convert::Infallible;

use tidemill_state::BoxError;

use crate::operators::Failure;

/// A function that never fails.
pub(super) fn sure<K, L, R, V>(join: impl Fn(&K, L, R) -> V) -> impl Fn(&K, L, R) -> Result<V, Infallible> {
    move |key, left, right| Ok(join(key, left, right))
}

/// A user's function that may fail.
pub(super) fn fallible<K, L, R, V, E: Into<BoxError>>(
    join: impl Fn(&K, L, R) -> Result<V, E>,
) -> impl Fn(&K, L, R) -> Result<V, Box<Failure>> {
    move |key, left, right| join(key, left, right).map_err(Failure::of_user)
}

/// Without a partner on the right, there is no result.
pub(super) fn inner<K, L, R, V, E>(
    join: impl Fn(&K, L, R) -> Result<V, E>,
) -> impl Fn(&K, L, Option<R>) -> Result<Option<V>, E> {
    move |key, left, right| right.map(|right| join(key, left, right)).transpose()
}

/// There is a result without a partner on the right, too.
pub(super) fn left<K, L, R, V, E>(
    join: impl Fn(&K, L, Option<R>) -> Result<V, E>,
) -> impl Fn(&K, L, Option<R>) -> Result<Option<V>, E> {
    move |key, left, right| join(key, left, right).map(Some)
}
