//! Requests that are withdrawn: nobody wants their answers any more.

use bytes::Bytes;
use tidemill_state::{BoxError, RawBytes, Row};

use super::row::{LOOSE_ROW, PendingRequest, REQUEST_ROWS};
use crate::{async_op::AsyncCall, operators::processor::ProcessorContext, record::Data};

impl<K: Data, V: Data, R> AsyncCall<K, V, R> {
    /// Withdraws the pending requests whose keys match: their answers will have no effect. Returns the number of
    /// withdrawn requests. A call that an executor has read is made all the same; its answer is counted as `duplicate`.
    /// Answers that had to wait for a withdrawn request follow.
    ///
    /// Only processors that are connected to [`AsyncCall::pending_store`] may call this. It reads all pending requests.
    /// [`KStream::erase`](crate::KStream::erase) also withdraws the requests of a key, together with the key's other
    /// state.
    ///
    /// # Errors
    ///
    /// If the store is not connected or cannot be read, or if a key cannot be decoded.
    ///
    /// ```
    /// # use tidemill::{AsyncCall, processor::{Processor, ProcessorContext, Record}, state::BoxError};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// /// Cancels what a user asked for and nobody has answered yet.
    /// struct Cancel(AsyncCall<u64, String, i64>);
    /// impl Processor<u64, (), u64, i64> for Cancel {
    ///     fn process(
    ///         &mut self,
    ///         ctx: &mut ProcessorContext<'_, u64, i64>,
    ///         record: Record<u64, ()>,
    ///     ) -> Result<(), BoxError> {
    ///         let withdrawn = self.0.withdraw(ctx, |user| *user == record.key)?;
    ///         ctx.forward(record.with_value(withdrawn as i64));
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let call = AsyncCall::<u64, String, i64>::named("ask");
    /// builder.stream::<u64, String>("questions").map_async(&call).map_values(|it| it.request).to("answered");
    /// let cancels = builder.stream::<u64, ()>("cancels");
    /// cancels.process("cancel", &[&call.pending_store()], move || Cancel(call.clone())).to("cancelled");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// driver.input::<u64, String>("questions").pipe_all([(1, "why?".into(), 0), (2, "how?".into(), 1)])?;
    /// driver.input::<u64, ()>("cancels").pipe(1, (), 2)?;
    /// assert_eq!(driver.output::<u64, i64>("cancelled").read_values()?, [1]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn withdraw<KOut: Data, VOut: Data>(
        &self,
        ctx: &mut ProcessorContext<'_, KOut, VOut>,
        matches: impl Fn(&K) -> bool,
    ) -> Result<usize, BoxError> {
        let store = ctx.key_value_store_with::<Bytes, Bytes>(&self.pending_store(), RawBytes, RawBytes)?;
        let (mut withdrawn, mut answered) = (0, false);
        for row in REQUEST_ROWS.iter().flat_map(|prefix| store.prefix_scan(prefix)) {
            let (row, value) = row?;
            let pending = PendingRequest::decode(&row, Row { timestamp: 0, value })?;
            if matches(&self.key.decode(pending.key)?) {
                store.delete(&row)?;
                withdrawn += 1;
            } else {
                answered |= pending.answer.is_some();
            }
        }
        if withdrawn > 0 && answered {
            // Perhaps these answers waited for what is withdrawn. The step looks before the next record.
            store.put(&Bytes::from_static(&LOOSE_ROW), &Bytes::new(), ctx.task.stream_time_ms.max(0))?;
            ctx.task.unfinished = true;
        }
        Ok(withdrawn)
    }
}
