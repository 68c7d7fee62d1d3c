//! Ports that nobody listens on.

use std::{
    collections::{HashSet, hash_map::RandomState},
    hash::BuildHasher,
    net::TcpListener,
    sync::{LazyLock, Mutex, PoisonError},
};

/// Below the range that systems give to outgoing connections: a client that tries to reach a stopped broker would
/// else be given the very port, connect to itself and keep the broker from coming back.
const RANGE: std::ops::Range<u16> = 10_000..32_000;

/// A port that is free now and was not given to anybody else in this process.
pub(crate) fn free() -> u16 {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let first = RandomState::new().hash_one(0) as u16 % (RANGE.end - RANGE.start);
    let candidates = (RANGE.start + first..RANGE.end).chain(RANGE);
    for port in candidates {
        if !given.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            given.insert(port);
            return port;
        }
    }
    panic!("no port of {RANGE:?} is free");
}
