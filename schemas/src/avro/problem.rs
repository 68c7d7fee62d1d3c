//! Why a start with a schema registry is refused, each with what to do.

use thiserror::Error;

/// What stands between this program and its schemas.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// Nobody answers, or not as a registry does.
    #[error(
        "the schema registry at {url} does not answer ({reason}): start it, or correct its address; \
         a registry that speaks several protocols has Confluent's below a path of its own"
    )]
    Unreachable {
        /// Where it should be.
        url: String,
        /// What happened instead.
        reason: String,
    },
    /// It does not let this program do what it asks for.
    #[error("the schema registry at {url} refuses subject '{subject}' ({reason}): check user, password and rights")]
    Denied {
        /// Where it is.
        url: String,
        /// What was asked for.
        subject: String,
        /// What it said.
        reason: String,
    },
    /// The registry's compatibility rule does not allow the schema.
    #[error(
        "subject '{subject}': the registry refuses this program's schema '{schema}' ({reason}): give new fields a \
         default and keep the types of old ones, or let this version write to a topic of its own"
    )]
    Refused {
        /// The subject.
        subject: String,
        /// The schema's name.
        schema: String,
        /// What it said.
        reason: String,
    },
    /// Records that may be on the topic could not be read.
    #[error(
        "subject '{subject}', version {version} (schema id {id}): its records cannot be read with this program's \
         schema '{schema}' ({reason}): give new fields a default and keep the types of old ones; once no record of \
         version {version} is left on the topic, delete that version in the registry"
    )]
    Unreadable {
        /// The subject.
        subject: String,
        /// The version that cannot be read.
        version: u32,
        /// Its id on records.
        id: u32,
        /// The reader's schema.
        schema: String,
        /// What does not fit.
        reason: String,
    },
    /// This machine cannot make a client.
    #[error("the schema registry's client cannot be made: {0}")]
    Client(String),
}
