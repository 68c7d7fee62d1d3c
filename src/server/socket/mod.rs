//! A page's WebSocket: what the page asks is answered, and every result and change is pushed, over one connection.
//!
//! ```text
//!  page ──{"id":1,"ask":"frame","last":"15m"}──▶ ASKS ──▶ Views, Sources ──{"id":1,"answer":…}──▶ page
//!                                                 │ chooses what is pushed
//!  Follower (results) ─┐                          ▼
//!  Sources::follow ────┴──────────────────────▶ Page ──{"push":"insight","id":…,"data":…}──▶ page
//! ```

mod sockets;

mod connection;
mod messages;
mod origin;

mod asks;
mod ended;

mod page;

mod open;

pub(super) use connection::Connection;
pub(super) use open::{Handshake, open};
pub(super) use sockets::Sockets;
