//! The HTTP server: connections, what happens around every request, and the addresses.

mod addresses;
mod connections;
mod layers;
mod routes;
mod server;

pub use server::Server;
