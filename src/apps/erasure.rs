//! Erasure of an owner: one record through the topology empties every store of the key, in one transaction.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tidemill::{
    Record,
    processor::{Processor, ProcessorContext},
    state::{BoxError, RawBytes, Utf8, json_coded},
};

/// The request to erase the stream or user that is the record's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// When the erasure was requested, in epoch milliseconds.
    pub requested_ms: i64,
}

/// The report of an erasure: what was deleted from the stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erased {
    /// When the erasure was requested, in epoch milliseconds.
    pub requested_ms: i64,
    /// Rows deleted from stores.
    pub rows: u64,
    /// Withdrawn requests to the analyst: their responses will have no effect.
    pub requests: u64,
}

json_coded!(Erasure, Erased);

/// Withdraws the pending requests of a key and returns how many there were.
pub type Withdraw = Arc<dyn Fn(&ProcessorContext<'_, String, Erased>, &str) -> Result<usize, BoxError> + Send + Sync>;

/// The operator that erases a key. It must be connected to every store that it names.
#[derive(Clone, Default)]
pub struct Erase {
    /// Key-value stores.
    pub key_value: Vec<&'static str>,
    /// Window stores.
    pub windowed: Vec<&'static str>,
    /// The store of the keys' own times, if keys have their own times. It holds no personal content, and its rows are
    /// not counted.
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
