//! What goes wrong in a simulation, how often, and the record of what did.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use super::{
    SimulationRandom,
    markers::Markers,
    outlet::{self, Outlet},
};
use crate::{
    clock::{Clock, ManualClock},
    transport::{Consumer, Producer},
};

/// How often each fault strikes, as probabilities.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRates {
    /// A call to the log fails for the moment, without effect.
    pub unavailable: f64,
    /// A call to the log takes some milliseconds.
    pub delay: f64,
    /// A read of a changelog returns less than there is, often nothing.
    pub short_read: f64,
    /// A consumer's polls bring a few records each, as long as it lives.
    pub short_poll: f64,
    /// A commit takes a few turns of its thread, which goes on meanwhile.
    pub slow_commit: f64,
    /// At least once, a flush brings out one partition after the other, and takes a few turns.
    pub slow_flush: f64,
    /// A commit is refused, and the transaction with it.
    pub abort: f64,
    /// A commit takes effect or not, and nobody learns which.
    pub lost_reply: f64,
    /// The request that ends a transaction is sent again, and comes once or twice more: it ends what its producer has
    /// open then.
    pub late_end: f64,
    /// Such a producer does not notice what it did. By default it always does: that is what keeps the next transaction.
    pub unnoticed_end: f64,
    /// A commit is acknowledged before its end is on all of its partitions: a committed read ends before it for a while.
    pub late_markers: f64,
    /// The log takes a member for replaced.
    pub fenced: f64,
    /// The process dies inside a commit, before or after it took effect.
    pub crash_in_commit: f64,
    /// A write to a store reports damage.
    pub corruption: f64,
    /// A store that its process left behind cannot be read: the last write to it was torn.
    pub torn_write: f64,
    /// A write to a store takes some milliseconds.
    pub slow_disk: f64,
    /// A write to a store finds the disk full, which ends its process.
    pub full_disk: f64,
    /// A store makes itself durable after a write. It falls back to the last such point when its process dies.
    pub store_flush: f64,
    /// A turn is an instance's crash.
    pub crash: f64,
    /// A turn stops a thread for a while, often past its session's end.
    pub pause: f64,
    /// A turn stops a process, and another one of the same name, with a disk of its own, takes its place. The first
    /// goes on later, for a while. Exactly once alone.
    pub twin: f64,
    /// A turn cuts an instance off from what the others tell, for a while.
    pub cut_off: f64,
    /// A turn sets the wall clock of all machines, forward or back by up to an hour.
    pub clock_set: f64,
    /// A turn is an instance's orderly end.
    pub close: f64,
    /// An assignment comes in two parts, a poll or more between them.
    pub piecemeal: f64,
    /// A turn passes without an answer to a call.
    pub slow_call: f64,
    /// A turn applies retention and compaction.
    pub maintenance: f64,
    /// A turn is a day in which nothing happens but retention and compaction. By default it never is: changelogs of
    /// windows lose what is older, whether or not event time has moved.
    pub idle_day: f64,
}

impl FaultRates {
    /// Nothing goes wrong.
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
    /// Something goes wrong every few commits.
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

/// Chance and its record, shared by everything in a simulation.
#[derive(Clone)]
pub(crate) struct Fate {
    pub(crate) clock: ManualClock,
    pub(crate) markers: Markers,
    state: Arc<Mutex<State>>,
}

struct State {
    random: SimulationRandom,
    rates: FaultRates,
    events: Vec<String>,
    hash: u64,
    /// Clients of dead processes: a process that dies says goodbye to nobody, so they are dropped with the simulation.
    consumers: Vec<Box<dyn Consumer>>,
    producers: Vec<Box<dyn Producer>>,
}

impl Fate {
    pub(crate) fn new(seed: u64, rates: FaultRates, clock: ManualClock) -> Self {
        let state = State {
            random: SimulationRandom::new(seed),
            rates,
            events: Vec::new(),
            hash: 0xCBF2_9CE4_8422_2325,
            consumers: Vec::new(),
            producers: Vec::new(),
        };
        Self { clock, markers: Markers::default(), state: Arc::new(Mutex::new(state)) }
    }

    /// Whether a fault strikes.
    pub(crate) fn strikes(&self, rate: impl FnOnce(&FaultRates) -> f64) -> bool {
        let mut state = self.lock();
        let probability = rate(&state.rates);
        probability > 0.0 && state.random.happens(probability)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.lock().random.below(bound)
    }

    /// Changes the rates and returns the former ones.
    pub(crate) fn set_rates(&self, rates: FaultRates) -> FaultRates {
        std::mem::replace(&mut self.lock().rates, rates)
    }

    /// Notes an event, with its time.
    pub(crate) fn note(&self, event: &str) {
        let line = format!("{:>8} {event}", self.clock.monotonic_ms());
        let mut state = self.lock();
        // FNV-1a, which is the same everywhere.
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

    /// Lets a call take its time.
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One life of an instance's process, known to everything in it.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) name: Arc<str>,
    pub(crate) fate: Fate,
    dead: Arc<AtomicBool>,
    /// What its producers without transactions have sent.
    outlets: Arc<Mutex<Vec<Weak<Mutex<Outlet>>>>>,
    /// Until when the log cannot be reached from here, for those who may be cut off.
    cut_off_until_ms: Option<Arc<AtomicI64>>,
}

impl Process {
    pub(crate) fn new(name: impl Into<Arc<str>>, fate: Fate) -> Self {
        Self { name: name.into(), fate, dead: Arc::default(), outlets: Arc::default(), cut_off_until_ms: None }
    }

    /// The same process, for a thread of it that may be cut off from the log.
    pub(crate) fn detachable(&self) -> Self {
        Self { cut_off_until_ms: Some(Arc::default()), ..self.clone() }
    }

    /// The log cannot be reached for a while.
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

    pub(crate) fn open_outlet(&self, outlet: &Arc<Mutex<Outlet>>) {
        let mut outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner);
        outlets.retain(|outlet| outlet.strong_count() > 0);
        outlets.push(Arc::downgrade(outlet));
    }

    /// Lets some of what was sent leave, whatever the threads do.
    pub(crate) fn trickle(&self) {
        self.each_outlet(Outlet::trickle);
    }

    /// Faults end: the process does not die of what was begun before.
    pub(crate) fn spare(&self) {
        self.each_outlet(Outlet::spare);
    }

    fn each_outlet(&self, act: impl Fn(&mut Outlet)) {
        let outlets = self.outlets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        outlets.iter().filter_map(Weak::upgrade).for_each(|open| act(&mut outlet::lock(&open)));
    }

    /// From now on its calls have no effect.
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
