//! The description of an application. Server, commands and configuration know an application only by this.

mod calls;
mod door;
mod evaluate;
mod files;
mod input;
mod results;
mod views;
mod windows;
mod withdrawals;

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

pub use calls::{Calls, Host, TenantOf};
pub(crate) use calls::{shown_content, shown_key};
pub use door::Door;
pub use evaluate::{Asked, Question, Questions, RecordedCall, RecordedFailure, Setup, TrialFuture, windowed_key};
pub use files::File;
pub use input::{Incoming, Input, Property, ReadEvent, ReadProperty};
pub use results::{Results, ToJson};
pub use views::{Parameters, Show, Shown, Span, Stored, Unshown, View, Wanted, Wrong};
pub use windows::{WindowEnds, WindowPlace, WindowSetting, Windows};
pub use withdrawals::{Part, Withdrawals};

/// A reference to an application of this program.
pub type App = &'static Application;

/// An application: its names, its topics, its input, its results, and its topology.
pub struct Application {
    /// The application id. Also the name of its consumer group and command, and the prefix of its internal topics.
    pub id: &'static str,
    /// A short name for its settings (`live.window`), its page (`/live/ada`) and the page's files.
    pub section: &'static str,
    /// The help of its command, in one line.
    pub about: &'static str,
    /// More help of its command; may be empty.
    pub help: &'static str,
    /// The kind of owner that the keys name.
    pub owner: Owner,
    /// The kinds of input events.
    pub inputs: &'static [Input],
    /// Properties of owners. Each is set on its own, and the last value counts.
    pub properties: &'static [Property],
    /// The kinds of results. The first kind has one result for each window with events.
    pub results: &'static [Results],
    /// Answers that are made of the first kind of results when somebody asks.
    pub views: &'static [View],
    /// Parts of an owner's data that can be withdrawn, if there are any.
    pub withdrawals: Option<Withdrawals>,
    /// Whether its owners are live streams whose chat connectors can read; see [`sources`](crate::sources).
    pub reads_streams: bool,
    /// Topic of requests to erase an owner.
    pub erasures: &'static str,
    /// Topic of reports about erased owners.
    pub erased: &'static str,
    /// Topic of records that could not be read.
    pub dead_letters: &'static str,
    /// The default windows.
    pub windows: Windows,
    /// The settings of the windows.
    pub window_settings: &'static [WindowSetting],
    /// Builds the topology for windows and a format of the topics.
    pub topology: fn(&Windows, &Format) -> Result<Topology, TopologyError>,
    /// The calls to its analyst, if it has one.
    pub calls: Option<Calls>,
    /// The key-value store whose keys are the known owners.
    pub owners: &'static str,
    /// Converts a stored value to JSON for people; [`show_json`] if all stores hold JSON.
    pub show: fn(Bytes) -> Result<Value, CodecError>,
    /// How the first page presents it.
    pub door: Door,
    /// Files of the page (`page/…`, with `page/index.html`) and recordings for demos (`recordings/….ndjson`).
    pub files: &'static [File],
}

/// The application's words for the owners of its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The word for one owner, such as `stream`.
    pub word: &'static str,
    /// The word for all owners, such as `streams`: used in addresses below `/v1`, and for a tenant's ids in the
    /// configuration.
    pub plural: &'static str,
    /// The field of events and results that holds the owner's id, such as `stream_id`.
    pub field: &'static str,
}

impl Application {
    /// The topics of requests to erase, and of reports about erased owners.
    pub(crate) fn erasure_topics(&self) -> [&'static str; 2] {
        [self.erasures, self.erased]
    }

    /// The topics of raw input, withdrawals and dead letters, which are personal and short-lived.
    pub(crate) fn raw_topics(&self) -> Vec<&'static str> {
        let inputs = self.inputs.iter().map(|input| input.topic);
        inputs.chain(self.withdrawals.map(|withdrawals| withdrawals.topic)).chain([self.dead_letters]).collect()
    }

    /// The topics of requests to the analyst, and of the responses.
    pub(crate) fn call_topics(&self) -> Option<[String; 2]> {
        let name = self.calls.as_ref()?.name;
        Some([format!("{}-{name}-requests", self.id), format!("{}-{name}-responses", self.id)])
    }

    /// The topic of calls without an answer, which can be asked again.
    pub(crate) fn call_dead_letters(&self) -> Option<String> {
        self.calls.as_ref().map(|calls| format!("{}-{}-dead-letters", self.id, calls.name))
    }

    /// The topic that notes which calls without an answer were asked again.
    pub(crate) fn asked_again(&self) -> Option<String> {
        self.calls.as_ref().map(|calls| format!("{}-{}-asked-again", self.id, calls.name))
    }

    /// The consumer group of the call executors.
    pub(crate) fn executor_group(&self) -> Option<String> {
        self.calls.as_ref().map(|calls| format!("{}-{}-executor", self.id, calls.name))
    }

    /// The topics of its calls that no topology creates: dead letters and what executors share.
    pub fn own_call_topics(&self) -> Vec<String> {
        let of_call = |call: &Calls| {
            let kinds = ["dead-letters", "asked-again", "ledger", "cache", "steps"];
            kinds.map(|kind| format!("{}-{}-{kind}", self.id, call.name))
        };
        self.calls.iter().flat_map(of_call).collect()
    }

    /// The consumer groups of the application and of its call executors.
    pub fn groups(&self) -> Vec<String> {
        [self.id.to_owned()].into_iter().chain(self.executor_group()).collect()
    }

    /// Windows with each way to end that a setting can choose.
    pub fn windows_with_each_end(&self, windows: Windows) -> Vec<Windows> {
        let ends = self.window_settings.iter().find_map(|setting| match setting.place {
            WindowPlace::Ends(choices) => Some(choices),
            WindowPlace::Length(_) => None,
        });
        ends.map_or(vec![windows], |ends| ends.iter().map(|(_, ends)| Windows { ends: *ends, ..windows }).collect())
    }

    /// The schema subjects of its topics.
    pub(crate) fn subjects(&self) -> Vec<Subject> {
        let inputs = self.inputs.iter().map(|input| (input.topic, input.subject));
        let properties = self.properties.iter().map(|property| (property.topic, property.subject));
        let results = self.results.iter().map(|results| (results.topic, results.subject));
        let all = inputs.chain(properties).chain(results);
        all.filter_map(|(topic, subject)| Some(subject?(topic))).collect()
    }

    /// The id, topics and addresses, which no other application may use.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let results = self.results.iter().map(|results| results.topic);
        let properties = self.properties.iter().map(|property| property.topic);
        let topics = self.raw_topics().into_iter().chain(results).chain(properties).chain(self.erasure_topics());
        let paths = self.inputs.iter().map(|input| input.path);
        let addresses = [format!("/{}", self.section), format!("/v1/{}", self.owner.plural)];
        topics.chain(paths).chain([self.id]).map(ToOwned::to_owned).chain(addresses).collect()
    }

    /// The recordings for demos, each with its name and its JSON lines.
    pub fn recordings(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        let all = self.files.iter().filter(|file| file.path.starts_with("recordings/"));
        all.filter_map(|file| Some((file.path, std::str::from_utf8(file.bytes).ok()?)))
    }
}

/// Decodes a stored JSON value.
///
/// # Errors
/// If the bytes are not valid JSON.
pub fn show_json(bytes: Bytes) -> Result<Value, CodecError> {
    Json::default().decode(bytes)
}

/// Two applications are equal if their ids are equal.
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
