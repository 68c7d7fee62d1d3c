//! The registry's HTTP client, and the meaning of the registry's answers.

use std::{error::Error, fmt, time::Duration};

use reqwest::Client as Http;
use schema_registry_converter::{
    async_impl::schema_registry::{
        SrSettings, get_all_versions, get_schema_by_id, get_schema_by_subject_and_version, post_schema,
    },
    error::SRCError,
    schema_registry_common::{RawError, RegisteredSchema, SchemaType, SuppliedSchema},
};

use super::RegistryProblem;

/// The registry's address, and how the client connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySettings {
    /// The registry's base address: the part before `/subjects`.
    pub url: String,
    /// User and password, if the registry requires them.
    pub credentials: Option<Credentials>,
    /// The time limit for one answer. Default 5 s.
    pub timeout: Duration,
    /// How long the start waits for a registry that does not answer. Default 10 s.
    pub patience: Duration,
}

impl RegistrySettings {
    /// The default settings for an address.
    pub fn new(url: impl Into<String>) -> Self {
        let seconds = Duration::from_secs;
        Self { url: url.into(), credentials: None, timeout: seconds(5), patience: seconds(10) }
    }
}

/// A user and the user's password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user: String,
    /// The secret.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials {{ user: {:?}, password: … }}", self.user)
    }
}

/// Why a request failed.
#[derive(Debug, Clone)]
pub(super) enum Refusal {
    /// The registry does not know the subject, version or schema.
    Missing(String),
    /// The schema breaks the subject's compatibility rule, or is not valid.
    Conflict(String),
    /// User, password or rights are wrong.
    Denied(String),
    /// The registry may answer later.
    Unavailable(String),
}

/// A client of one registry.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) settings: RegistrySettings,
    calls: SrSettings,
}

impl Client {
    pub(super) fn new(settings: RegistrySettings) -> Result<Self, RegistryProblem> {
        // One provider is installed per process. A provider that was installed before is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = SrSettings::new_builder(settings.url.trim_end_matches('/').to_owned());
        builder.set_timeout(settings.timeout);
        if let Some(Credentials { user, password }) = &settings.credentials {
            builder.set_basic_authorization(user, Some(password));
        }
        let calls = builder.build_with(Http::builder()).map_err(|error| RegistryProblem::Client(reason(&error)))?;
        Ok(Self { settings, calls })
    }

    pub(super) async fn schema(&self, id: u32) -> Result<RegisteredSchema, Refusal> {
        get_schema_by_id(id, &self.calls).await.map_err(|error| refusal(&error))
    }

    pub(super) async fn versions(&self, subject: &str) -> Result<Vec<u32>, Refusal> {
        match get_all_versions(&self.calls, subject.to_owned()).await.map_err(|error| refusal(&error)) {
            Err(Refusal::Missing(_)) => Ok(Vec::new()),
            answer => answer,
        }
    }

    pub(super) async fn version(&self, subject: &str, version: u32) -> Result<RegisteredSchema, Refusal> {
        let answer = get_schema_by_subject_and_version(&self.calls, subject, Some(version)).await;
        answer.map_err(|error| refusal(&error))
    }

    /// Registers a schema, or finds that it is registered. Returns the schema's id.
    pub(super) async fn register(&self, subject: &str, text: &str) -> Result<u32, Refusal> {
        let schema = SuppliedSchema::new(None, SchemaType::Avro, text.to_owned());
        let answer = post_schema(&self.calls, subject.to_owned(), schema).await;
        answer.map(|schema| schema.id).map_err(|error| refusal(&error))
    }
}

fn refusal(error: &SRCError) -> Refusal {
    let said = error.source().and_then(|source| source.downcast_ref::<RawError>());
    // Only the protocol's own codes count: another server at a wrong address may answer with the same HTTP status.
    match said.map_or(0, |said| said.error_code) {
        40401..=40403 => Refusal::Missing(reason(error)),
        409 | 422 | 42201..=42299 => Refusal::Conflict(reason(error)),
        401 | 403 | 40101..=40399 => Refusal::Denied(reason(error)),
        _ if [" 401", " 403"].iter().any(|status| error.error.contains(status)) => Refusal::Denied(reason(error)),
        _ => Refusal::Unavailable(reason(error)),
    }
}

/// The innermost cause, because it says best what to fix.
fn reason(error: &SRCError) -> String {
    if let Some(said) = error.source().and_then(|source| source.downcast_ref::<RawError>())
        && said.error_code != 0
    {
        return said.message.clone();
    }
    let mut last: Option<&dyn Error> = None;
    let mut cause = error.source();
    while let Some(error) = cause {
        // The HTTP client's error in between is skipped, because it repeats the address.
        (last, cause) = (Some(error), error.source());
    }
    match last {
        Some(last) if last.is::<RawError>() => error.error.clone(),
        Some(last) => last.to_string(),
        None => error.error.clone(),
    }
}
