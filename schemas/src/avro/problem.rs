//! Why a start with a schema registry is refused. Each error says what to do.

use thiserror::Error;

/// A problem with the schema registry or its schemas.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// The registry does not answer, or the address belongs to another kind of server.
    #[error(
        "the schema registry at {url} does not answer ({reason}): start it, or correct its address; \
         a registry with several protocols has Confluent's below a path of its own"
    )]
    Unreachable {
        /// The registry's address.
        url: String,
        /// Why the request failed.
        reason: String,
    },
    /// The registry denies this program access to a subject.
    #[error("the schema registry at {url} refuses subject '{subject}' ({reason}): check user, password and rights")]
    Denied {
        /// The registry's address.
        url: String,
        /// The subject of the request.
        subject: String,
        /// The reason that the registry gave.
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
        /// The reason that the registry gave.
        reason: String,
    },
    /// Records of an older version may be on the topic, and this program cannot read them.
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
        /// The schema id in records of the version.
        id: u32,
        /// The reader's schema.
        schema: String,
        /// Why the schemas do not fit.
        reason: String,
    },
    /// The HTTP client cannot be made.
    #[error("the schema registry's client cannot be made: {0}")]
    Client(String),
}
