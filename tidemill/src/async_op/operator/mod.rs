//! Both ends of an asynchronous step inside a task: the request side and the response side.

mod asking;
mod dead_letter;
mod memory;
mod request_node;
mod response_node;
mod row;
mod withdrawal;

pub(crate) use asking::Asking;
pub(crate) use dead_letter::DeadLetterNode;
pub(crate) use memory::Memory;
pub(crate) use request_node::RequestNode;
pub(crate) use response_node::ResponseNode;
pub(crate) use row::pending_rows;
