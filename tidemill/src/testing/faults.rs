//! The faults of a simulation: their rates, and a record of all events.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use super::{SimulationRandom, markers::Markers};
use crate::{
    clock::{Clock, ManualClock},
    transport::{Consumer, Producer},
};

/// The probability of each fault, from 0 to 1.
///
/// ```
/// use tidemill::testing::{FaultRates, SimulatorOptions};
///
/// // Crashes only, but many.
/// let faults = FaultRates { crash: 0.05, crash_in_commit: 0.2, ..FaultRates::NONE };
/// let options = SimulatorOptions { faults, ..SimulatorOptions::new(42) };
/// assert_eq!(options.instances, 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRates {
    /// A call to the log fails temporarily and has no effect.
    pub unavailable: f64,
    /// A call to the log takes some milliseconds.
    pub delay: f64,
    /// A read of a changelog returns fewer records than exist, often none.
    pub short_read: f64,
    /// A consumer's polls return only a few records each. This lasts as long as the consumer.
    pub short_poll: f64,
    /// A commit takes a few turns of its thread. The thread continues meanwhile.
    pub slow_commit: f64,
    /// With at-least-once: a flush takes a few turns and writes one partition after the other.
    pub slow_flush: f64,
    /// A commit is refused, so its transaction is aborted.
    pub abort: f64,
    /// The reply to a commit is lost. It is unknown whether the commit took effect.
    pub lost_reply: f64,
    /// The request that ends a transaction is sent again and arrives once or twice more. A late request ends the
    /// producer's open transaction, whichever that is.
    pub late_end: f64,
    /// A producer does not notice such a repeated request. Default 0: the next transaction is safe only if the producer
    /// notices.
    pub unnoticed_end: f64,
    /// A commit is acknowledged before its markers are on all partitions. A committed read ends before the transaction
    /// for a while.
    pub late_markers: f64,
    /// The log treats a member as fenced.
    pub fenced: f64,
    /// The process dies during a commit, before or after the commit takes effect.
    pub crash_in_commit: f64,
    /// A write to a store reports that the store is corrupted.
    pub corruption: f64,
    /// A store of a dead process cannot be read, because its last write was torn.
    pub torn_write: f64,
    /// A write to a store takes some milliseconds.
    pub slow_disk: f64,
    /// A write to a store finds the disk full, and its process ends.
    pub full_disk: f64,
    /// A store becomes durable after a write. If its process dies, the store returns to its last durable state.
    pub store_flush: f64,
    /// In a turn, an instance crashes.
    pub crash: f64,
    /// In a turn, a thread hangs for a while, often past its session timeout.
    pub pause: f64,
    /// In a turn, a process stops, and another process with the same name and its own disk replaces it. Later the first
    /// process continues for a while. Only with exactly-once.
    pub twin: f64,
    /// In a turn, an instance's member thread cannot reach the log for a while.
    pub cut_off: f64,
    /// In a turn, the wall clock of all machines is set forward or back, by up to an hour.
    pub clock_set: f64,
    /// In a turn, an instance closes in an orderly way.
    pub close: f64,
    /// An assignment arrives in two parts, with at least one poll between them.
    pub piecemeal: f64,
    /// In a turn, no call gets an answer.
    pub slow_call: f64,
    /// In a turn, the log applies retention and compaction.
    pub maintenance: f64,
    /// In a turn, a day passes, and then the log applies retention and compaction. Default 0, because the changelogs of
    /// windows lose older records even if stream time has not moved.
    pub idle_day: f64,
}

impl FaultRates {
    /// No faults.
    pub const NONE: Self = Self {
        unavailable: 0.0,
        delay: 0.0,
        short_read: 0.0,
        short_poll: 0.0,
        slow_commit: 0.0,
        slow_flush: 0.0,
        abort: 0.0,
        lost_reply: 0.0,
        late_end: 0.0,
        unnoticed_end: 0.0,
        late_markers: 0.0,
        fenced: 0.0,
        crash_in_commit: 0.0,
        corruption: 0.0,
        torn_write: 0.0,
        slow_disk: 0.0,
        full_disk: 0.0,
        store_flush: 0.0,
        crash: 0.0,
        pause: 0.0,
        twin: 0.0,
        cut_off: 0.0,
        clock_set: 0.0,
        close: 0.0,
        piecemeal: 0.0,
        slow_call: 0.0,
        maintenance: 0.0,
        idle_day: 0.0,
    };
}

impl Default for FaultRates {
    /// The default rates: a fault occurs every few commits.
    fn default() -> Self {
        Self {
            unavailable: 0.005,
            delay: 0.02,
            short_read: 0.3,
            short_poll: 0.1,
            slow_commit: 0.3,
            slow_flush: 0.5,
            abort: 0.05,
            lost_reply: 0.03,
            late_end: 0.05,
            unnoticed_end: 0.0,
            late_markers: 0.2,
            fenced: 0.01,
            crash_in_commit: 0.02,
            corruption: 0.003,
            torn_write: 0.02,
            slow_disk: 0.02,
            full_disk: 0.001,
            store_flush: 0.1,
            crash: 0.005,
            pause: 0.01,
            twin: 0.002,
            cut_off: 0.003,
            clock_set: 0.003,
            close: 0.003,
            piecemeal: 0.2,
            slow_call: 0.7,
            maintenance: 0.005,
            idle_day: 0.0,
        }
    }
}

/// The random choices and the recorded events, shared by all parts of a simulation.
#[derive(Clone)]
pub(crate) struct Fate {
    pub(crate) clock: ManualClock,
    pub(crate) markers: Markers,
    state: Arc<Mutex<FateState>>,
}

struct FateState {
    random: SimulationRandom,
    rates: FaultRates,
    events: Vec<String>,
    hash: u64,
    /// The clients of dead processes. A dead process does not close its clients, so they are kept until the simulation
    /// ends.
    consumers: Vec<Box<dyn Consumer>>,
    producers: Vec<Box<dyn Producer>>,
}

impl Fate {
    pub(crate) fn new(seed: u64, rates: FaultRates, clock: ManualClock) -> Self {
        let state = FateState {
            random: SimulationRandom::new(seed),
            rates,
            events: Vec::new(),
            hash: 0xCBF2_9CE4_8422_2325,
            consumers: Vec::new(),
            producers: Vec::new(),
        };
        Self { clock, markers: Markers::default(), state: Arc::new(Mutex::new(state)) }
    }

    /// Decides whether a fault occurs.
    pub(crate) fn strikes(&self, rate: impl FnOnce(&FaultRates) -> f64) -> bool {
        let mut state = self.lock();
        let probability = rate(&state.rates);
        probability > 0.0 && state.random.happens(probability)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.lock().random.below(bound)
    }

    /// Sets new rates and returns the old ones.
    pub(crate) fn set_rates(&self, rates: FaultRates) -> FaultRates {
        std::mem::replace(&mut self.lock().rates, rates)
    }

    /// Records an event with its time.
    pub(crate) fn note(&self, event: &str) {
        let line = format!("{:>8} {event}", self.clock.monotonic_ms());
        let mut state = self.lock();
        // The hash is FNV-1a, which is the same on every platform.
        for byte in line.bytes().chain([b'\n']) {
            state.hash = (state.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        state.events.push(line);
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.lock().events.clone()
    }

    pub(crate) fn hash(&self) -> u64 {
        self.lock().hash
    }

    /// Delays a call, if that fault occurs.
    pub(crate) fn delay(&self) {
        if self.strikes(|rates| rates.delay) {
            let millis = 1 + self.below(20);
            self.clock.advance(Duration::from_millis(millis));
        }
    }

    pub(crate) fn bury_consumer(&self, consumer: Box<dyn Consumer>) {
        self.lock().consumers.push(consumer);
    }

    pub(crate) fn bury_producer(&self, producer: Box<dyn Producer>) {
        self.lock().producers.push(producer);
    }

    /// Drops the clients of dead processes.
    pub(crate) fn clear_graves(&self) {
        let mut state = self.lock();
        let (consumers, producers) = (std::mem::take(&mut state.consumers), std::mem::take(&mut state.producers));
        drop(state);
        drop((consumers, producers));
    }

    fn lock(&self) -> MutexGuard<'_, FateState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work that goes on in a process while its threads do something else.
pub(crate) trait Background: Send {
    /// Sends some waiting records, as a client's background thread does.
    fn trickle(&mut self);

    /// Ends the faults that were already planned.
    fn spare(&mut self);
}

/// The unsent records of a producer; gone with the producer.
type BackgroundWork = Weak<Mutex<dyn Background>>;

/// One life of an instance's process, shared by all its parts.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) name: Arc<str>,
    pub(crate) fate: Fate,
    dead: Arc<AtomicBool>,
    /// The unsent records of the process's producers without transactions.
    outlets: Arc<Mutex<Vec<BackgroundWork>>>,
    /// Until when this part of the process cannot reach the log. `None` if this part is never cut off.
    cut_off_until_ms: Option<Arc<AtomicI64>>,
}

impl Process {
    pub(crate) fn new(name: impl Into<Arc<str>>, fate: Fate) -> Self {
        Self { name: name.into(), fate, dead: Arc::default(), outlets: Arc::default(), cut_off_until_ms: None }
    }

    /// The same process, for a thread that may be cut off from the log.
    pub(crate) fn detachable(&self) -> Self {
        Self { cut_off_until_ms: Some(Arc::default()), ..self.clone() }
    }

    /// Cuts this part of the process off from the log for a while.
    pub(crate) fn cut_off(&self, by: Duration) {
        if let Some(until_ms) = &self.cut_off_until_ms {
            self.note(&format!("is cut off from the others for {} ms", by.as_millis()));
            until_ms.store(self.fate.clock.monotonic_ms() + by.as_millis() as i64, Ordering::SeqCst);
        }
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        let until_ms = self.cut_off_until_ms.as_ref().map(|until_ms| until_ms.load(Ordering::SeqCst));
        until_ms.is_some_and(|until_ms| self.fate.clock.monotonic_ms() < until_ms)
    }

    pub(crate) fn open_outlet(&self, outlet: &Arc<Mutex<impl Background + 'static>>) {
        let mut outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        outlets.retain(|outlet| outlet.strong_count() > 0);
        let outlet = Arc::downgrade(outlet);
        outlets.push(outlet);
    }

    /// Sends some waiting records, as a client's background thread does.
    pub(crate) fn trickle(&self) {
        self.each_outlet(|outlet| outlet.trickle());
    }

    /// Ends the faults that were already planned for this process.
    pub(crate) fn spare(&self) {
        self.each_outlet(|outlet| outlet.spare());
    }

    fn each_outlet(&self, act: impl Fn(&mut dyn Background)) {
        let outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for open in outlets.iter().filter_map(Weak::upgrade) {
            act(&mut *open.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Kills the process. Its later calls have no effect.
    pub(crate) fn kill(&self) {
        self.dead.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    pub(crate) fn note(&self, event: &str) {
        self.fate.note(&format!("{} {event}", self.name));
    }
}
