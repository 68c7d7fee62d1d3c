//! The ledger by itself (`rules`, `records`), and several members on one log with faults (`model`).

mod log;
mod model;
mod records;
mod rules;
