//! Runs a user's processor.

use std::marker::PhantomData;

use super::processor::{Environment, ProcessingContext, Processor, ProcessorContext, Punctuation};
use super::{
    Failure, Lifecycle, Next, Outcome, Receive, StoreHandle, TaskContext,
    stream_time::{saved_time, write_time},
};
use crate::record::{Data, Record};
use tidemill_state::{BoxError, ByteWindowStore, StoreError};

/// How many times the time is noted in a window store during one retention.
const NOTES: i64 = 8;

/// A processor with the stores and children that it may use.
pub(crate) struct ProcessorNode<P, KIn, VIn, K, V> {
    processor: P,
    environment: Environment,
    next: Next<K, V>,
    /// Stores whose rows expire by the task's stream time.
    unclocked: Vec<StoreHandle>,
    /// Whether `init` was called, so that `close` must be called.
    is_open: bool,
    input: PhantomData<fn(KIn, VIn)>,
}

impl<P, KIn, VIn, K: Data, V: Data> ProcessorNode<P, KIn, VIn, K, V>
where
    P: Processor<KIn, VIn, K, V>,
{
    pub(crate) fn new(processor: P, environment: Environment, next: Next<K, V>, unclocked: Vec<StoreHandle>) -> Self {
        Self { processor, environment, next, unclocked, is_open: false, input: PhantomData }
    }

    /// Drops the rows that are past their retention.
    fn expire(&self, task: &TaskContext) -> Result<(), StoreError> {
        let kept_from = |retention_ms: i64| task.stream_time_ms.saturating_sub(retention_ms).saturating_add(1);
        for store in &self.unclocked {
            match store {
                // A versioned store counts from its own times.
                StoreHandle::KeyValue(_) | StoreHandle::Versioned(_) => {}
                StoreHandle::Window(windows) => {
                    let mut windows = windows.borrow_mut();
                    let kept_from = kept_from(windows.retention_ms());
                    windows.expire(kept_from)?;
                }
                StoreHandle::Session(sessions) => {
                    let mut sessions = sessions.borrow_mut();
                    let kept_from = kept_from(sessions.retention_ms());
                    sessions.expire_before(kept_from)?;
                }
            }
        }
        Ok(())
    }

    /// Calls the processor. An error of a later operator takes precedence over the processor's own result.
    fn call(
        &mut self,
        task: &mut TaskContext,
        call: impl FnOnce(&mut P, &mut ProcessorContext<'_, K, V>) -> Result<(), BoxError>,
    ) -> Outcome {
        // The call sees no row that is past its retention, whenever the last commit was.
        self.expire(task)?;
        let mut failure = None;
        let common = ProcessingContext { task, environment: &self.environment, failure: &mut failure };
        let mut ctx = ProcessorContext { common, next: &self.next };
        let returned = call(&mut self.processor, &mut ctx);
        match failure {
            Some(failure) => Err(failure),
            None => returned.map_err(|error| Box::new(Failure::User(error))),
        }
    }
}

impl<P, KIn, VIn, K: Data, V: Data> Receive<KIn, VIn> for ProcessorNode<P, KIn, VIn, K, V>
where
    P: Processor<KIn, VIn, K, V>,
{
    fn receive(&mut self, task: &mut TaskContext, record: Record<KIn, VIn>) -> Outcome {
        self.call(task, |processor, ctx| processor.process(ctx, record))
    }
}

impl<P, KIn, VIn, K: Data, V: Data> Lifecycle for ProcessorNode<P, KIn, VIn, K, V>
where
    P: Processor<KIn, VIn, K, V>,
{
    fn init(&mut self, task: &mut TaskContext) -> Outcome {
        task.node = self.environment.node;
        self.is_open = true;
        self.call(task, Processor::init)
    }

    fn flush(&mut self, task: &mut TaskContext) -> Outcome {
        self.expire(task)?;
        for store in &self.unclocked {
            if let StoreHandle::Window(windows) = store {
                note_time(task, &mut windows.borrow_mut())?;
            }
        }
        Ok(())
    }

    fn punctuate(&mut self, task: &mut TaskContext, id: Punctuation, time_ms: i64) -> Outcome {
        self.call(task, |processor, ctx| processor.punctuate(ctx, id, time_ms))
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.processor.close();
        }
    }
}

/// Notes the time from time to time: readers of the store alone need it, and the changelog can then be trimmed.
fn note_time(task: &TaskContext, windows: &mut ByteWindowStore) -> Result<(), StoreError> {
    let noted = saved_time(windows.store())?.map_or(-1, |saved| saved.now_ms);
    if task.stream_time_ms > noted && task.stream_time_ms - noted >= windows.retention_ms() / NOTES {
        write_time(windows.store_mut(), task.stream_time_ms, i64::MAX, None);
    }
    Ok(())
}
