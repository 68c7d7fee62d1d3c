//! The known schemas by id, and the fetching of unknown schemas.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, mpsc},
    time::{Duration, Instant},
};

use apache_avro::{Schema, schema_compatibility::SchemaCompatibility, util::max_allocation_bytes};
use schema_registry_converter::schema_registry_common::{RegisteredSchema, SchemaType};
use tokio::runtime::{Builder, Runtime};

use super::{
    Avro, AvroEvent, RegistryProblem, RegistrySettings, Subject,
    client::{Client, Refusal},
    subject,
};

/// Pause between two attempts at the start.
const PAUSE: Duration = Duration::from_millis(250);
/// Pauses between two attempts to fetch a schema that records wait for: the first and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often the registry must deny a schema: a follower may be a moment behind its leader.
const DENIALS: u32 = 3;
/// How long a schema counts as denied before the registry is asked again.
const DENIED: Duration = Duration::from_secs(60);
/// The most bytes that Avro may allocate for one string or list of a record.
const MOST_BYTES: usize = 64 << 20;

/// A schema registry and its known schemas.
///
/// Requests run on a thread of the registry, never on a caller's thread.
pub struct Registry {
    shared: Arc<Shared>,
    /// Always `Some` until the registry is dropped.
    edge: Option<Runtime>,
}

struct Shared {
    client: Client,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    schemas: HashMap<u32, Entry>,
    /// Ids of the registered schemas, by subject.
    ids: HashMap<String, u32>,
}

#[derive(Clone)]
enum Entry {
    Known(&'static Schema),
    /// Requested; with the registry's last error, if any.
    Asked(Option<String>),
    /// The registry has no such schema, or the schema cannot be used.
    Denied(String),
}

/// The result of a look-up of a schema id.
pub(super) enum LookUp {
    Known(&'static Schema),
    /// The schema is being fetched; with the current state.
    NotYet(String),
    /// The registry has no usable schema with this id; with the reason.
    Denied(String),
}

impl Registry {
    /// Makes a client. Sends no request yet.
    ///
    /// # Errors
    /// If the client or its thread cannot be made.
    pub fn new(settings: RegistrySettings) -> Result<Arc<Self>, RegistryProblem> {
        // The limit is set once per process. A damaged length must not allocate all memory of a machine.
        max_allocation_bytes(MOST_BYTES);
        let edge = Builder::new_multi_thread().worker_threads(1).thread_name("schemas").enable_all().build();
        let edge = edge.map_err(|error| RegistryProblem::Client(error.to_string()))?;
        let shared = Arc::new(Shared { client: Client::new(settings)?, known: RwLock::default() });
        Ok(Arc::new(Self { shared, edge: Some(edge) }))
    }

    /// Fetches every version of the subjects, checks that this program can read their records, and registers its own
    /// schemas. Blocks. Waits for a registry that does not answer as long as [`RegistrySettings::patience`] says.
    ///
    /// # Errors
    /// With the problems of all subjects together. A subject with an unreadable version is not registered. If the
    /// registry stays unreachable, the remaining subjects are not tried.
    pub fn prepare(&self, subjects: Vec<Subject>) -> Result<(), Vec<RegistryProblem>> {
        let (done, wait) = mpsc::channel();
        let shared = self.shared.clone();
        if let Some(edge) = &self.edge {
            edge.spawn(async move {
                // The receiver waits below.
                let _ = done.send(shared.prepare(subjects).await);
            });
        }
        wait.recv().unwrap_or_else(|error| Err(vec![RegistryProblem::Client(error.to_string())]))
    }

    /// The codec of a topic's values. The codec can read every schema in the registry. It can write after the topic's
    /// subject is prepared.
    pub fn codec<T: AvroEvent>(self: &Arc<Self>, topic: &str) -> Avro<T> {
        let id = self.shared.read().ids.get(&subject::name(topic)).copied();
        Avro::new(self.clone(), topic, id)
    }

    /// Looks up a schema by id. The first look-up of an unknown id starts the fetch. Never blocks on the registry.
    pub(super) fn look_up(&self, id: u32) -> LookUp {
        let entry = self.shared.read().schemas.get(&id).cloned();
        match entry {
            Some(Entry::Known(schema)) => LookUp::Known(schema),
            Some(Entry::Denied(reason)) => LookUp::Denied(reason),
            Some(Entry::Asked(said)) => LookUp::NotYet(waiting(id, said.as_deref())),
            None => {
                if self.shared.ask(id)
                    && let Some(edge) = &self.edge
                {
                    edge.spawn(fetch(self.shared.clone(), id));
                }
                LookUp::NotYet(waiting(id, None))
            }
        }
    }
}

fn waiting(id: u32, said: Option<&str>) -> String {
    match said {
        Some(said) => format!("schema {id} is not known yet, and the registry is not available: {said}"),
        None => format!("schema {id} is being fetched from the registry"),
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // Running requests are not needed any more, so no thread waits for them.
        if let Some(edge) = self.edge.take() {
            edge.shutdown_background();
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("url", &self.shared.client.settings.url).finish_non_exhaustive()
    }
}

impl Shared {
    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Marks an id as requested. Returns false if the id was already known or requested.
    fn ask(&self, id: u32) -> bool {
        let mut known = self.write();
        let first = !known.schemas.contains_key(&id);
        if first {
            known.schemas.insert(id, Entry::Asked(None));
        }
        first
    }

    /// Keeps a schema for the life of the process, because decoders borrow it. The registry has only a limited number
    /// of schemas for the topics read here.
    fn keep(&self, id: u32, schema: Schema) -> &'static Schema {
        let schema: &'static Schema = Box::leak(Box::new(schema));
        self.write().schemas.insert(id, Entry::Known(schema));
        schema
    }

    async fn prepare(&self, subjects: Vec<Subject>) -> Result<(), Vec<RegistryProblem>> {
        let deadline = Instant::now() + self.client.settings.patience;
        let mut problems = Vec::new();
        for subject in &subjects {
            let mut found = self.prepare_one(subject).await;
            while matches!(&found[..], [RegistryProblem::Unreachable { .. }]) && Instant::now() < deadline {
                tokio::time::sleep(PAUSE).await;
                found = self.prepare_one(subject).await;
            }
            let unreachable = matches!(&found[..], [RegistryProblem::Unreachable { .. }]);
            problems.extend(found);
            if unreachable {
                // The remaining subjects would fail in the same way, each after the same wait.
                break;
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    async fn prepare_one(&self, subject: &Subject) -> Vec<RegistryProblem> {
        let versions = match self.client.versions(&subject.name).await {
            Ok(versions) => versions,
            Err(refusal) => return vec![self.problem(subject, refusal)],
        };
        let mut problems = Vec::new();
        for version in versions {
            match self.client.version(&subject.name, version).await {
                Ok(registered) => problems.extend(self.check(subject, version, &registered).err()),
                // The version was deleted after it was listed.
                Err(Refusal::Missing(_)) => {}
                Err(refusal) => return vec![self.problem(subject, refusal)],
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        let mut registered = self.client.register(&subject.name, &subject.text).await;
        if matches!(registered, Err(Refusal::Conflict(_))) {
            // Another instance may have registered the schema at the same moment. A real conflict occurs again.
            tokio::time::sleep(PAUSE).await;
            registered = self.client.register(&subject.name, &subject.text).await;
        }
        match registered {
            Ok(id) => {
                let mut known = self.write();
                known.schemas.insert(id, Entry::Known(subject.schema));
                known.ids.insert(subject.name.clone(), id);
                Vec::new()
            }
            Err(refusal) => vec![self.problem(subject, refusal)],
        }
    }

    /// Checks that the records of a version can be read. If so, keeps the version's schema.
    fn check(&self, subject: &Subject, version: u32, registered: &RegisteredSchema) -> Result<(), RegistryProblem> {
        let unreadable = |reason: String| RegistryProblem::Unreadable {
            subject: subject.name.clone(),
            version,
            id: registered.id,
            schema: subject.schema_name(),
            reason,
        };
        let writer = parse(registered).map_err(unreadable)?;
        SchemaCompatibility::can_read(&writer, subject.schema).map_err(|error| unreadable(error.to_string()))?;
        self.keep(registered.id, writer);
        Ok(())
    }

    fn problem(&self, subject: &Subject, refusal: Refusal) -> RegistryProblem {
        let (url, name) = (self.client.settings.url.clone(), subject.name.clone());
        match refusal {
            Refusal::Unavailable(reason) => RegistryProblem::Unreachable { url, reason },
            Refusal::Denied(reason) => RegistryProblem::Denied { url, subject: name, reason },
            Refusal::Conflict(reason) | Refusal::Missing(reason) => {
                RegistryProblem::Refused { subject: name, schema: subject.schema_name(), reason }
            }
        }
    }
}

/// Parses a registered schema, which must be Avro without references.
fn parse(registered: &RegisteredSchema) -> Result<Schema, String> {
    if registered.schema_type != SchemaType::Avro {
        return Err(format!("the schema is {:?}, not Avro", registered.schema_type));
    }
    if !registered.references.is_empty() {
        return Err("it refers to schemas of other subjects: register it with them included".to_owned());
    }
    Schema::parse_str(&registered.schema).map_err(|error| error.to_string())
}

/// Requests a schema until the registry gives an answer, however long it is unreachable.
async fn fetch(shared: Arc<Shared>, id: u32) {
    let (mut pause, longest) = PAUSES;
    let mut denials = 0;
    let reason = loop {
        match shared.client.schema(id).await {
            Ok(registered) => match parse(&registered) {
                Ok(schema) => {
                    shared.keep(id, schema);
                    return;
                }
                Err(reason) => break format!("schema {id} cannot be used: {reason}"),
            },
            Err(Refusal::Missing(reason) | Refusal::Conflict(reason)) => {
                denials += 1;
                if denials == DENIALS {
                    break format!("the registry has no schema {id}: {reason}");
                }
            }
            Err(Refusal::Unavailable(said) | Refusal::Denied(said)) => {
                tracing::warn!(schema = id, reason = %said, "records wait for a schema: the registry is unavailable");
                shared.write().schemas.insert(id, Entry::Asked(Some(said)));
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    };
    tracing::warn!(schema = id, %reason, "records with this schema cannot be read");
    shared.write().schemas.insert(id, Entry::Denied(reason));
    tokio::time::sleep(DENIED).await;
    // The next reader that needs the schema requests it again.
    shared.write().schemas.remove(&id);
}
