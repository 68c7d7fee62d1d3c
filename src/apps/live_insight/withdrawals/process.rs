//! The steps of the topology that publish insights and apply withdrawals to them.

use tidemill::{
    Answered, Record, Window, Windowed,
    processor::{Processor, ProcessorContext},
    state::{BoxError, Json, Utf8},
};
use tidemill_schemas::{Alert, Insight};

use super::{
    KEPT_MS, PUBLISHED, Part, Published, WITHDRAWN,
    known::{known, slot_of},
};
use crate::apps::{Withdrawal, live_insight::InsightRequest, provenance};

/// The most windows whose results a withdrawal looks at. With windows of a second, they are an hour.
const WINDOWS: i64 = 3_600;

/// Publishes the analyst's answer, or the draft if the call failed. So every window has an insight. What was withdrawn
/// since the window closed is not shown.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::apps::live_insight) struct Publish;

impl Processor<Windowed<String>, Answered<InsightRequest, Insight>, Windowed<String>, Insight> for Publish {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, Insight>,
        record: Record<Windowed<String>, Answered<InsightRequest, Insight>>,
    ) -> Result<(), BoxError> {
        let Record { key, value: Answered { request, outcome, report }, timestamp, headers } = record;
        let told = provenance(report, outcome.as_ref().map(|insight| insight.analyst.as_str()));
        let insight = outcome.unwrap_or_else(|_| request.draft.clone());
        let insight = Insight { provenance: Some(told), ..insight };
        let mut published = Published::new(request, insight);
        for withdrawal in &known(ctx, &key.key)?.0 {
            published.withdraw(withdrawal);
        }
        let store = ctx.window_store_with::<String, Published>(PUBLISHED, Utf8, Json::default())?;
        store.put(&key.key, key.window.start, &published, timestamp)?;
        ctx.forward(Record { key, value: published.insight, timestamp, headers });
        Ok(())
    }
}

/// Notes withdrawals, and publishes the insights again that showed something of what was withdrawn.
#[derive(Debug, Clone, Copy)]
pub(in crate::apps::live_insight) struct Withdraw {
    /// Length of a window in milliseconds.
    pub(in crate::apps::live_insight) window_ms: i64,
}

/// An insight after a withdrawal, and those of its alerts that changed and were published alone.
pub(in crate::apps::live_insight) type Changed = (Insight, Vec<Alert>);

impl Processor<String, Withdrawal<Part>, Windowed<String>, Changed> for Withdraw {
    fn process(
        &mut self,
        ctx: &mut ProcessorContext<'_, Windowed<String>, Changed>,
        record: Record<String, Withdrawal<Part>>,
    ) -> Result<(), BoxError> {
        let Record { key: stream_id, value: withdrawal, timestamp, headers } = record;
        let withdrawn = ctx.window_store_with::<String, Withdrawal<Part>>(WITHDRAWN, Utf8, Json::default())?;
        withdrawn.append(&stream_id, slot_of(timestamp), &withdrawal, timestamp)?;
        let store = ctx.window_store_with::<String, Published>(PUBLISHED, Utf8, Json::default())?;
        for start in self.starts(ctx.current_stream_time_ms()) {
            let Some(before) = store.get(&stream_id, start)? else { continue };
            let mut published = before.clone();
            published.withdraw(&withdrawal);
            if published == before {
                continue;
            }
            store.put(&stream_id, start, &published, timestamp)?;
            if published.insight != before.insight {
                let both = published.insight.alerts.iter().zip(&before.insight.alerts);
                // An alert that was sent ahead names no topic.
                let changed = both.filter(|(now, before)| now != before && !now.ahead).map(|(now, _)| now.clone());
                let (insight, alerts) = (published.insight.clone(), changed.collect());
                let window = Window { start, end: insight.window_end_ms };
                let key = Windowed { key: stream_id.clone(), window };
                ctx.forward(Record { key, value: (insight, alerts), timestamp, headers: headers.clone() });
            }
        }
        Ok(())
    }
}

impl Withdraw {
    /// The starts of the windows whose insights are kept, the oldest first.
    fn starts(self, now_ms: i64) -> impl Iterator<Item = i64> {
        let last = now_ms.max(0) / self.window_ms;
        let first = (now_ms - KEPT_MS).max(0) / self.window_ms;
        (first.max(last - WINDOWS)..=last).map(move |number| number * self.window_ms)
    }
}
