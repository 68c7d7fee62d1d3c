//! Behaviours of single calls, event by event.
