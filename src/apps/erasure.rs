//! Forgetting somebody: one record through the topology empties every store of the key, in one transaction.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill::{
    Record,
    processor::{Processor, ProcessorContext},
    state::{BoxError, RawBytes, Utf8, json_coded},
};

/// The request to forget the stream or user that is the record's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// When it was asked for, epoch milliseconds.
    pub requested_ms: i64,
}

/// What the stores held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// When it was asked for, epoch milliseconds.
    pub requested_ms: i64,
    /// Rows deleted from stores.
    pub rows: u64,
    /// Requests whose answers will have no effect any more.
    pub requests: u64,
}

json_coded!(Erasure, Erased);

/// Withdraws the pending requests of a key and says how many there were.
pub type Withdraw = Arc<dyn Fn(&ProcessorContext<'_, String, Erased>, &str) -> Result<usize, BoxError> + Send + Sync>;

/// The operator that forgets. It is connected to every store that it names.
#[derive(Clone, Default)]
pub struct Erase {
    /// Key-value stores.
    pub key_value: Vec<&'static str>,
    /// Window stores.
    pub windowed: Vec<&'static str>,
    /// Where the times of keys are, if keys have times of their own. They hold nothing that anybody said, and are not
    /// counted.
    pub times: Option<&'static str>,
    /// Withdraws requests to an analyst, if there is one.
    pub withdraw: Option<Withdraw>,
}

impl Processor<String, Erasure, String, Erased> for Erase {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, Erased>,
        record: Record<String, Erasure>,
    ) -> Result<(), BoxError> {
        let key = &record.key;
        let mut rows = 0;
        for name in &self.windowed {
            rows += ctx.window_store_with::<String, Bytes>(name, Utf8, RawBytes)?.delete_key(key)? as u64;
        }
        for name in &self.key_value {
            let store = ctx.key_value_store_with::<String, Bytes>(name, Utf8, RawBytes)?;
            rows += u64::from(store.get(key)?.is_some());
            store.delete(key)?;
        }
        if let Some(times) = self.times {
            ctx.key_value_store_with::<String, Bytes>(times, Utf8, RawBytes)?.delete(key)?;
        }
        let requests = self.withdraw.as_ref().map_or(Ok(0), |withdraw| withdraw(ctx, key))? as u64;
        let erased = Erased { requested_ms: record.value.requested_ms, rows, requests };
        ctx.forward(record.with_value(erased));
        Ok(())
    }
}
