//! A thread's reaction to a producer that may end a transaction more than once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::{
    ProcessingGuarantee, StreamsBuilder, StreamsConfig,
    clock::ManualClock,
    names::ThreadName,
    runtime::{Prepared, StreamThread},
    transport::{
        Admin, Answered, Consumed, Consumer, ConsumerConfig, PendingCommit, Producer, ProducerConfig, ProducerRecord,
        Progress, Reader, Transport, TransportError,
        embedded::{EmbeddedLog, Entry},
    },
};

/// A log whose producers only record their calls.
#[derive(Clone)]
struct Noted {
    log: EmbeddedLog,
    ends: Ends,
    notes: Arc<Mutex<Vec<String>>>,
}

/// How the log answers the end of a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The producer had to send the request twice.
    Twice,
    /// The producer had to send the request twice, and has no answer yet.
    TwiceSoFar,
    /// The log refuses the commit, and does not answer the abort.
    Unanswered,
}

impl Noted {
    fn add(&self, note: &str) {
        self.notes.lock().expect("nobody panicked").push(note.to_owned());
    }

    fn notes(&self) -> Vec<String> {
        self.notes.lock().expect("nobody panicked").clone()
    }
}

impl Transport for Noted {
    fn consumer(&self, config: &ConsumerConfig) -> Result<Box<dyn Consumer>, TransportError> {
        self.log.consumer(config)
    }

    fn reader(&self) -> Result<Box<dyn Reader>, TransportError> {
        self.log.reader()
    }

    fn producer(&self, config: &ProducerConfig) -> Result<Box<dyn Producer>, TransportError> {
        match config.transactional_id {
            Some(_) => Ok(Box::new(self.clone())),
            None => self.log.producer(config),
        }
    }

    fn admin(&self) -> Result<Box<dyn Admin>, TransportError> {
        self.log.admin()
    }
}

impl Producer for Noted {
    fn init_transactions(&mut self) -> Result<(), TransportError> {
        self.add("init");
        Ok(())
    }

    fn begin_transaction(&mut self) -> Result<(), TransportError> {
        self.add("begin");
        Ok(())
    }

    fn send(&mut self, record: ProducerRecord) -> Result<(), TransportError> {
        self.add(&record.topic);
        Ok(())
    }

    fn send_offsets(&mut self, _consumed: Consumed<'_>) -> Result<(), TransportError> {
        Ok(())
    }

    fn begin_commit(&mut self, _consumed: Option<Consumed<'_>>) -> Result<Box<dyn PendingCommit>, TransportError> {
        self.add("commit");
        match self.ends {
            Ends::Unanswered => Err(TransportError::Abort("a record was not delivered".into())),
            Ends::Twice => Ok(Box::new(Answered::default())),
            Ends::TwiceSoFar => Ok(Box::new(Unending)),
        }
    }

    fn abort_transaction(&mut self) -> Result<(), TransportError> {
        self.add("abort");
        Err(TransportError::Retriable("no answer".into()))
    }

    fn may_end_again(&mut self) -> bool {
        matches!(self.ends, Ends::Twice | Ends::TwiceSoFar)
    }

    fn begin_flush(&mut self) -> Result<Box<dyn PendingCommit>, TransportError> {
        Ok(Box::new(Answered::default()))
    }

    fn discard(&mut self) {}
}

/// A commit without an answer.
struct Unending;

impl PendingCommit for Unending {
    fn poll(self: Box<Self>, _timeout: Duration) -> Result<Progress, TransportError> {
        Ok(Progress::Pending(self))
    }

    fn may_send_ahead(&mut self) -> bool {
        true
    }
}

/// A thread that has counted one record in an open transaction.
fn counting(ends: Ends) -> (StreamThread, Noted) {
    let noted = Noted { log: EmbeddedLog::in_memory(), ends, notes: Arc::default() };
    for topic in ["in", "out"] {
        noted.log.create(topic, 1).expect("the log is empty");
    }
    let builder = StreamsBuilder::new();
    builder.stream::<String, String>("in").group_by_key().count("counts").to_stream().to("out");
    let topology = builder.build().expect("is valid");
    let processing_guarantee = ProcessingGuarantee::ExactlyOnce;
    let config = StreamsConfig { processing_guarantee, ..StreamsConfig::new("app") };
    let (transport, clock) = (Arc::new(noted.clone()), Arc::new(ManualClock::new(0)));
    let app = Prepared::new(&topology, config, transport, clock, "a".to_owned()).expect("can start");
    let mut thread = StreamThread::start(app, ThreadName::new("a", 0)).expect("starts");
    take_another(&mut thread, &noted);
    (thread, noted)
}

fn take_another(thread: &mut StreamThread, noted: &Noted) {
    noted.log.append("in", 0, [Entry::new("k", "v", 0)]).expect("appends");
    while thread.step(Duration::ZERO).expect("processes") > 0 {}
}

#[test]
fn a_producer_that_asked_twice_for_an_end_begins_no_other_transaction() {
    let (mut thread, noted) = counting(Ends::Twice);
    thread.commit_now().expect("commits");
    take_another(&mut thread, &noted);
    thread.commit_now().expect("commits");
    let transaction = ["begin", "out", "app-counts-changelog", "commit", "init"];
    assert_eq!(noted.notes(), [&["init"][..], &transaction, &transaction].concat());
}

#[test]
fn a_producer_that_asked_twice_for_an_end_is_sent_nothing_ahead() {
    let (mut thread, noted) = counting(Ends::TwiceSoFar);
    thread.begin_commit().expect("begins");
    let begun = noted.notes();
    take_another(&mut thread, &noted);
    assert!(thread.transaction.is_pending(), "the second record was processed");
    assert_eq!(noted.notes(), begun);
}

#[test]
fn a_producer_whose_abort_has_no_answer_is_asked_nothing_else() {
    let (mut thread, noted) = counting(Ends::Unanswered);
    thread.commit_now().expect("is no end");
    for _ in 0..3 {
        thread.step(Duration::ZERO).expect("is no end");
    }
    let notes = noted.notes();
    let end = notes.iter().position(|note| note == "abort").expect("it aborts");
    assert_eq!(notes[end + 1], "init", "{notes:?}");
}
