//! A processor that refuses some records.

use tidemill::{
    processor::{Processor, ProcessorContext, Record},
    state::BoxError,
};

/// Refuses what begins with "bad".
pub(crate) struct NotBad;

impl Processor<String, String, String, String> for NotBad {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, String, String>,
        record: Record<String, String>,
    ) -> Result<(), BoxError> {
        if record.value.starts_with("bad") {
            return Err("it is bad".into());
        }
        ctx.forward(record);
        Ok(())
    }
}
