//! The names and ids of an application's parts.

mod instance;
mod node;
mod task_id;
mod thread;
mod topics;

pub(crate) use instance::{made_up_id, unique};
pub use node::{NodeId, NodeName, StoreName};
pub use task_id::{ParseTaskIdError, TaskId};
pub(crate) use thread::ThreadName;
pub(crate) use topics::{
    call_topic, changelog_topic, dead_letter_topic, global_letters, members_topic, repartition_topic, replayed_topic,
    request_topic, response_topic, stores_topic,
};
