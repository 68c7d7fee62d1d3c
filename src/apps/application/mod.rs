//! What an application says about itself. Server, commands and configuration know it by this alone.

mod calls;
mod files;
mod input;
mod results;
mod windows;

use std::{
    collections::BTreeSet,
    fmt,
    hash::{Hash, Hasher},
};

use bytes::Bytes;
use serde_json::Value;
use tidemill::{
    Topology, TopologyError,
    state::{Codec as _, CodecError, Json},
};
use tidemill_schemas::avro::Subject;

use super::Format;

pub(crate) use files::files;

pub use calls::{Calls, Host};
pub use files::File;
pub use input::{Incoming, Input, Property, ReadEvent, ReadProperty};
pub use results::{Results, ToJson};
pub use windows::{WindowSetting, Windows};

/// An application in its program's hands.
pub type App = &'static Application;

/// An application: its names, its topics, what comes in, what comes out, and how it is built.
pub struct Application {
    /// The application id: of its group, of its internal topics, and of the command that runs it.
    pub id: &'static str,
    /// A short name: of its section of the settings (`live.window`), its page (`/live/ada`) and the page's files.
    pub section: &'static str,
    /// What its command does, in one line.
    pub about: &'static str,
    /// What else the command's help says; may be empty.
    pub help: &'static str,
    /// Whose data the keys are.
    pub owner: Owner,
    /// Events that come in.
    pub inputs: &'static [Input],
    /// What owners are, set one by one; the last value counts.
    pub properties: &'static [Property],
    /// Results. The first kind has one for each window that had events.
    pub results: &'static [Results],
    /// Topic of requests to forget an owner.
    pub erasures: &'static str,
    /// Topic of what was forgotten.
    pub erased: &'static str,
    /// Topic of records that could not be read.
    pub dead_letters: &'static str,
    /// How windows are cut if nobody says.
    pub windows: Windows,
    /// The settings of its windows.
    pub window_settings: &'static [WindowSetting],
    /// The topology, its topics in a format.
    pub topology: fn(&Windows, &Format) -> Result<Topology, TopologyError>,
    /// The calls to its analyst, if it has one.
    pub calls: Option<Calls>,
    /// The key-value store whose keys are the owners that the application knows.
    pub owners: &'static str,
    /// Shows a value of one of its stores; [`show_json`] where all of them are JSON.
    pub show: fn(Bytes) -> Result<Value, CodecError>,
    /// Files of its page (`page/…`, with `page/index.html`) and its recordings for demos (`recordings/….ndjson`).
    pub files: &'static [File],
}

/// What an application calls those whose data it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// One of them, such as `stream`.
    pub word: &'static str,
    /// All of them, such as `streams`: the address below `/v1`, and a tenant's ids in the configuration.
    pub plural: &'static str,
    /// The field of events and results that names one, such as `stream_id`.
    pub field: &'static str,
}

impl Application {
    /// Requests to forget, and what was forgotten.
    pub(crate) fn erasure_topics(&self) -> [&'static str; 2] {
        [self.erasures, self.erased]
    }

    /// Raw input, which is personal and short-lived.
    pub(crate) fn raw_topics(&self) -> Vec<&'static str> {
        self.inputs.iter().map(|input| input.topic).chain([self.dead_letters]).collect()
    }

    /// Requests to the analyst, and its responses.
    pub(crate) fn call_topics(&self) -> Option<[String; 2]> {
        let name = self.calls.as_ref()?.name;
        Some([format!("{}-{name}-requests", self.id), format!("{}-{name}-responses", self.id)])
    }

    /// The group of its analyst's executors.
    pub(crate) fn executor_group(&self) -> Option<String> {
        self.calls.as_ref().map(|calls| format!("{}-{}-executor", self.id, calls.name))
    }

    /// Groups: the application's own, and its executors'.
    pub fn groups(&self) -> Vec<String> {
        [self.id.to_owned()].into_iter().chain(self.executor_group()).collect()
    }

    /// The schemas of its topics.
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        let inputs = self.inputs.iter().map(|input| (input.topic, input.subject));
        let properties = self.properties.iter().map(|property| (property.topic, property.subject));
        let results = self.results.iter().map(|results| (results.topic, results.subject));
        let all = inputs.chain(properties).chain(results);
        all.filter_map(|(topic, subject)| Some(subject?(topic))).collect()
    }

    /// What no other application may use: its id, topics and addresses.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let results = self.results.iter().map(|results| results.topic);
        let properties = self.properties.iter().map(|property| property.topic);
        let topics = self.raw_topics().into_iter().chain(results).chain(properties).chain(self.erasure_topics());
        let paths = self.inputs.iter().map(|input| input.path);
        let addresses = [format!("/{}", self.section), format!("/v1/{}", self.owner.plural)];
        topics.chain(paths).chain([self.id]).map(ToOwned::to_owned).chain(addresses).collect()
    }

    /// A file of its page.
    pub(crate) fn page_file(&self, name: &str) -> Option<&'static File> {
        self.files.iter().find(|file| file.path.strip_prefix("page/") == Some(name))
    }

    /// Its recordings for demos: names and JSON lines.
    pub fn recordings(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let all = self.files.iter().filter(|file| file.path.starts_with("recordings/"));
        all.filter_map(|file| Some((file.path, std::str::from_utf8(file.bytes).ok()?)))
    }
}

/// Shows a stored value that is JSON.
///
/// # Errors
/// If it is not.
pub fn show_json(bytes: Bytes) -> Result<Value, CodecError> {
    Json::default().decode(bytes)
}

/// Two are the same if their ids are.
impl PartialEq for Application {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Application {}

impl Hash for Application {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}
