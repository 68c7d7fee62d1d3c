//! The schemas that are known, by id, and how more become known.

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

/// Between two attempts of a start.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two attempts to fetch a schema that records wait for: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often the registry must say that it does not know a schema: a follower may be a moment behind its leader.
const DENIALS: u32 = 3;
/// How long its word is taken for it.
const DENIED: Duration = Duration::from_secs(60);
/// The most memory that one string or list of a record may ask for before it has been read.
const MOST_BYTES: usize = 64 << 20;

/// A schema registry, and all that is known of its schemas.
///
/// It talks to the registry on a thread of its own, never on that of a caller.
pub struct Registry {
    shared: Arc<Shared>,
    /// Always there until it is dropped.
    edge: Option<Runtime>,
}

struct Shared {
    client: Client,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    schemas: HashMap<u32, Entry>,
    /// What is registered, by subject.
    ids: HashMap<String, u32>,
}

#[derive(Clone)]
enum Entry {
    Known(&'static Schema),
    /// Asked for; with what the registry said last.
    Asked(Option<String>),
    /// There is no such schema, or none that can be used.
    Denied(String),
}

/// What is known about an id.
pub(super) enum LookUp {
    Known(&'static Schema),
    /// It is being asked for.
    NotYet(String),
    /// The registry does not have it.
    Denied(String),
}

impl Registry {
    /// Makes a client. Nothing is asked yet.
    ///
    /// # Errors
    /// If this machine cannot make one.
    pub fn new(settings: RegistrySettings) -> Result<Arc<Self>, RegistryProblem> {
        // Once a process. A damaged length must not take the memory of a whole machine.
        max_allocation_bytes(MOST_BYTES);
        let edge = Builder::new_multi_thread().worker_threads(1).thread_name("schemas").enable_all().build();
        let edge = edge.map_err(|error| RegistryProblem::Client(error.to_string()))?;
        let shared = Arc::new(Shared { client: Client::new(settings)?, known: RwLock::default() });
        Ok(Arc::new(Self { shared, edge: Some(edge) }))
    }

    /// Fetches every version of the subjects, checks that this program can read their records, and registers its own
    /// schemas. Blocks, at most for as long as the settings' patience.
    ///
    /// # Errors
    /// With all problems together. Nothing is registered for a subject that has one.
    pub fn prepare(&self, subjects: Vec<Subject>) -> Result<(), Vec<RegistryProblem>> {
        let (done, wait) = mpsc::channel();
        let shared = self.shared.clone();
        if let Some(edge) = &self.edge {
            edge.spawn(async move {
                // Whoever waits is there.
                let _ = done.send(shared.prepare(subjects).await);
            });
        }
        wait.recv().unwrap_or_else(|error| Err(vec![RegistryProblem::Client(error.to_string())]))
    }

    /// The codec of a topic's values. It reads whatever the registry knows; it writes once the topic's subject is
    /// prepared.
    pub fn codec<T: AvroEvent>(self: &Arc<Self>, topic: &str) -> Avro<T> {
        let id = self.shared.read().ids.get(&subject::name(topic)).copied();
        Avro::new(self.clone(), topic, id)
    }

    /// What is known about an id. The first to ask for an unknown one sets the fetching off; nobody waits here.
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
        // Wherever this happens, nothing waits for calls that nobody needs any more.
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

    /// Notes that an id is asked for. Whether nobody asked before.
    fn ask(&self, id: u32) -> bool {
        let mut known = self.write();
        let first = !known.schemas.contains_key(&id);
        if first {
            known.schemas.insert(id, Entry::Asked(None));
        }
        first
    }

    /// Keeps a schema for as long as the process lives: whoever decodes borrows from it, and there are as many as
    /// the registry has for the topics read here.
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
                // The others would say the same, each after as long a wait.
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
                // Deleted since it was listed.
                Err(Refusal::Missing(_)) => {}
                Err(refusal) => return vec![self.problem(subject, refusal)],
            }
        }
        if !problems.is_empty() {
            return problems;
        }
        let mut registered = self.client.register(&subject.name, &subject.text).await;
        if matches!(registered, Err(Refusal::Conflict(_))) {
            // Another instance may have registered the same at the same moment; what breaks a rule breaks it again.
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

    /// Whether the records of a version can be read; if so, the version is known from now on.
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

/// The schema, if it stands for itself.
fn parse(registered: &RegisteredSchema) -> Result<Schema, String> {
    if registered.schema_type != SchemaType::Avro {
        return Err(format!("it is {:?}, not Avro", registered.schema_type));
    }
    if !registered.references.is_empty() {
        return Err("it refers to schemas of other subjects: register it with them inside".to_owned());
    }
    Schema::parse_str(&registered.schema).map_err(|error| error.to_string())
}

/// Asks for a schema until there is an answer, however long the registry is away.
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
                tracing::warn!(schema = id, reason = %said, "records wait for a schema, the registry is not available");
                shared.write().schemas.insert(id, Entry::Asked(Some(said)));
            }
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    };
    tracing::warn!(schema = id, %reason, "records with this schema cannot be read");
    shared.write().schemas.insert(id, Entry::Denied(reason));
    tokio::time::sleep(DENIED).await;
    // Whoever needs it then, asks again.
    shared.write().schemas.remove(&id);
}
