//! What a process notes of its attempts. Each line is written at once, so a killed process leaves all that it noted.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Serialize};
use tidemill::Usage;

use crate::Tested;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Note {
    /// An executor was opened.
    Opened { at_ms: i64 },
    /// The executor has handed this attempt to the caller.
    Attempt { name: String, id: Vec<u8>, most: Usage, at_ms: i64 },
    /// The caller asks the server under this id.
    Ask { number: u64, name: String, id: String, at_ms: i64 },
    /// The caller knows what came of it.
    Told { number: u64, used: Usage, estimated: bool, at_ms: i64 },
}

#[derive(Debug)]
pub(crate) struct Journal {
    file: Mutex<File>,
    asks: AtomicU64,
}

pub(crate) fn path(place: &Path, life: u32) -> PathBuf {
    place.join(format!("journal-{life}"))
}

impl Journal {
    pub(crate) fn open(place: &Path, life: u32) -> Tested<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path(place, life))?;
        Ok(Self { file: Mutex::new(file), asks: AtomicU64::new(0) })
    }

    pub(crate) fn note(&self, note: &Note) {
        let mut line = serde_json::to_vec(note).expect("texts and numbers are JSON");
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line).expect("the journal can be written");
    }

    pub(crate) fn next_ask(&self) -> u64 {
        self.asks.fetch_add(1, Ordering::Relaxed)
    }
}

/// A life's number, and the number of its executor: a life opens another one after an error of the log.
pub(crate) type Executor = (u32, u32);

/// An attempt, as its process noted it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) executor: Executor,
    pub(crate) name: String,
    /// The request's id.
    pub(crate) id: Vec<u8>,
    pub(crate) most: Usage,
    pub(crate) at_ms: i64,
    pub(crate) asks: Vec<Ask>,
}

/// One request to the server.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    /// The id that the server knows.
    pub(crate) id: String,
    pub(crate) at_ms: i64,
    /// `None`: the process died before.
    pub(crate) told: Option<Told>,
    /// What the server billed, if it got the request and billed it.
    pub(crate) billed: Option<Usage>,
}

#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) used: Usage,
    pub(crate) estimated: bool,
    pub(crate) at_ms: i64,
}

impl Attempt {
    /// What the attempt told its executor, if it told.
    pub(crate) fn told(&self) -> Option<Usage> {
        self.asks.iter().map(|ask| ask.told.as_ref().map(|told| told.used)).sum()
    }

    pub(crate) fn billed(&self) -> Usage {
        self.asks.iter().filter_map(|ask| ask.billed).sum()
    }

    pub(crate) fn is_billed(&self) -> bool {
        self.asks.iter().any(|ask| ask.billed.is_some())
    }
}

/// What a life noted.
#[derive(Debug, Default)]
pub(crate) struct Noted {
    /// In order.
    pub(crate) attempts: Vec<Attempt>,
    /// When its executors were opened.
    pub(crate) opened_ms: Vec<i64>,
}

/// What a life noted. The last line may be cut.
pub(crate) fn read(place: &Path, life: u32) -> Tested<Noted> {
    let text = match std::fs::read(path(place, life)) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(Noted::default()),
        text => text?,
    };
    let Noted { mut attempts, mut opened_ms } = Noted::default();
    // The attempts by the asks that they made.
    let mut asked: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for line in text.split(|byte| *byte == b'\n') {
        let Ok(note) = serde_json::from_slice::<Note>(line) else { continue };
        match note {
            Note::Opened { at_ms } => opened_ms.push(at_ms),
            Note::Attempt { name, id, most, at_ms } => {
                let executor = (life, opened_ms.len() as u32);
                attempts.push(Attempt { executor, name, id, most, at_ms, asks: Vec::new() });
            }
            Note::Ask { number, name, id, at_ms } => {
                let at = attempts.iter().rposition(|attempt| attempt.name == name).ok_or("an ask without attempt")?;
                asked.insert(number, (at, attempts[at].asks.len()));
                attempts[at].asks.push(Ask { id, at_ms, told: None, billed: None });
            }
            Note::Told { number, used, estimated, at_ms } => {
                let (attempt, ask) = asked[&number];
                attempts[attempt].asks[ask].told = Some(Told { used, estimated, at_ms });
            }
        }
    }
    Ok(Noted { attempts, opened_ms })
}
