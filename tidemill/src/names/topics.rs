//! Names of an application's own topics.

use crate::transport::Topic;

pub(crate) fn changelog_topic(application_id: &str, store: &str) -> Topic {
    format!("{application_id}-{store}-changelog").into()
}

pub(crate) fn repartition_topic(application_id: &str, name: &str) -> Topic {
    format!("{application_id}-{name}-repartition").into()
}

/// The topic for the requests of an asynchronous step.
pub(crate) fn request_topic(application_id: &str, name: &str) -> Topic {
    format!("{application_id}-{name}-requests").into()
}

/// The topic for the responses of an asynchronous step.
pub(crate) fn response_topic(application_id: &str, name: &str) -> Topic {
    format!("{application_id}-{name}-responses").into()
}

/// The topic for the failed requests of an asynchronous step.
pub(crate) fn dead_letter_topic(application_id: &str, name: &str) -> Topic {
    call_topic(application_id, name, "dead-letters")
}

/// The topic on which instances tell each other what they run.
pub(crate) fn members_topic(application_id: &str) -> Topic {
    format!("{application_id}-members").into()
}

/// The topic with the notes on which operator wrote each store.
pub(crate) fn stores_topic(application_id: &str) -> Topic {
    format!("{application_id}-stores").into()
}

/// Another topic of an asynchronous step, such as those of its executors.
pub(crate) fn call_topic(application_id: &str, name: &str, what: &str) -> Topic {
    format!("{application_id}-{name}-{what}").into()
}

/// The group and the transactional id of a global store's dead letters.
pub(crate) fn global_letters(application_id: &str, store: &str) -> String {
    format!("{application_id}-{store}-global")
}

/// The topic with the notes on which dead letters were replayed.
pub(crate) fn replayed_topic(application_id: &str) -> Topic {
    format!("{application_id}-dead-letters-replayed").into()
}
