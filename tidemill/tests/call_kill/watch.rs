//! The library's own model caller, with a journal around it: what it is handed, what it asks, what it is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tidemill::{
    CallRequest, Caller, Reply, Usage, Windowed,
    llm::{Gemini, ModelCaller, ModelFuture, ModelRequest, ModelRoute, Provider, Turn},
};
use tokio::runtime::Handle;

use crate::{
    Tested,
    child::Life,
    journal::{Journal, Note},
    time::real_ms,
    work::{self, Mood, TIMEOUT},
};

/// Its tenant is the executor, so that the ledger tells what each has spent.
pub(crate) struct Watched {
    caller: ModelCaller<Windowed<String>, Vec<String>, String>,
    journal: Arc<Journal>,
    life: u32,
    openings: Openings,
}

/// Counts the executors that use a caller, one after the other.
#[derive(Clone)]
pub(crate) struct Openings {
    journal: Arc<Journal>,
    count: Arc<AtomicU32>,
}

impl Openings {
    /// Another executor uses it from now on.
    pub(crate) fn note(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.journal.note(&Note::Opened { at_ms: real_ms() });
    }
}

impl Watched {
    pub(crate) fn new(life: &Life, runtime: Handle) -> Tested<Self> {
        let journal = Arc::new(Journal::open(&life.place, life.number)?);
        // The server's log shows the last four letters of a key.
        let gemini = Gemini::with_keys([format!("key-of-life-{:04}", life.number)])?.endpoint(&life.models);
        let asked = TIMEOUT * life.plan.speed;
        let wire = Arc::new(Wire { gemini, journal: journal.clone(), less: asked.saturating_sub(TIMEOUT) });
        let mut caller = ModelCaller::new(Mood::new(), runtime);
        for name in work::ROUTES {
            caller = caller.route(name, ModelRoute::new(wire.clone(), name).price(work::price()));
        }
        let openings = Openings { journal: journal.clone(), count: Arc::default() };
        Ok(Self { caller, journal, life: life.number, openings })
    }

    pub(crate) fn openings(&self) -> Openings {
        self.openings.clone()
    }
}

impl Caller<Windowed<String>, Vec<String>, String> for Watched {
    fn call(&mut self, request: CallRequest<Windowed<String>, Vec<String>>, reply: Reply<String>) {
        self.journal.note(&Note::Attempt {
            name: work::name_of(&request.value),
            id: request.id.to_vec(),
            most: self.caller.most(&request),
            at_ms: real_ms(),
        });
        self.caller.call(request, reply);
    }

    fn most(&self, request: &CallRequest<Windowed<String>, Vec<String>>) -> Usage {
        self.caller.most(request)
    }

    fn content(&self, request: &CallRequest<Windowed<String>, Vec<String>>) -> Option<Bytes> {
        self.caller.content(request)
    }

    fn tenant(&self, _key: &Windowed<String>) -> Arc<str> {
        format!("{}.{}", self.life, self.openings.count.load(Ordering::SeqCst)).into()
    }
}

/// Gemini's wire. An attempt's time is told on the executor's fast clock, and passes here on the machine's.
#[derive(Debug)]
struct Wire {
    gemini: Gemini,
    journal: Arc<Journal>,
    less: Duration,
}

impl Provider for Wire {
    fn name(&self) -> &str {
        self.gemini.name()
    }

    fn ask<'a>(&'a self, request: &'a ModelRequest) -> ModelFuture<'a> {
        Box::pin(async move {
            let number = self.journal.next_ask();
            let user = request.turns.iter().find_map(|turn| match turn {
                Turn::User { text } => work::name_within(text),
                _ => None,
            });
            let name = user.expect("the prompt contains the window's name");
            self.journal.note(&Note::Ask { number, name, id: request.id.clone(), at_ms: real_ms() });
            let timeout = request.timeout.saturating_sub(self.less).max(Duration::from_millis(1));
            let outcome = self.gemini.ask(&ModelRequest { timeout, ..request.clone() }).await;
            let usage = outcome.as_ref().map_or_else(|error| error.usage, |reply| reply.usage);
            self.journal.note(&Note::Told {
                number,
                used: work::price().usage(&usage),
                estimated: usage.estimated,
                at_ms: real_ms(),
            });
            outcome
        })
    }
}
