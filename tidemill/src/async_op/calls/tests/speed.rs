//! How much time the decisions take. Run it by hand, with `--ignored --nocapture`.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::super::{
    super::{CallOrder, CallPolicy, Usage},
    Arrival, Ask, Call, CallId, Calls, Effect, Known, NoRequest,
};
use crate::{
    clock::Moment,
    transport::{ConsumedRecord, Headers, TopicPartition},
};

const REQUESTS: i64 = 100_000;

struct Nothing;

impl Ask for Nothing {
    fn known(&mut self, _id: CallId, _call: &Call) -> Result<Known, NoRequest> {
        Ok(Known::default())
    }

    fn most(&mut self, _id: CallId, _call: &Call, _route: &Arc<str>) -> Usage {
        Usage::default()
    }
}

#[test]
#[ignore = "it measures"]
fn nanoseconds_for_each_request() {
    for held in [16, 1_000, 10_000] {
        let mut calls = Calls::new(CallPolicy::default(), CallOrder::Unordered, None);
        let (mut asked, mut answered, mut now) = (0, 0, Moment::default());
        let began = Instant::now();
        while answered < REQUESTS {
            while asked < REQUESTS && calls.len() < held {
                let key = Some(Bytes::from(asked.to_string()));
                let record =
                    ConsumedRecord { offset: asked, timestamp: 0, key, value: None, headers: Headers::default() };
                let arrival = Arrival {
                    partition: TopicPartition::new("requests", 0),
                    record,
                    fingerprint: asked as u64,
                    lane: Bytes::from((asked % 1_000).to_string()),
                    tenant: Arc::from(["a", "b", "c"][asked as usize % 3]),
                    asked_ms: Some(0),
                    due_ms: Some(i64::MAX / 4),
                    steps: Vec::new(),
                    again: false,
                };
                calls.take(arrival, now);
                asked += 1;
            }
            // A turn, as the executor makes it: it also shows its counters.
            for effect in calls.advance(now, &mut Nothing) {
                if let Effect::Begin { call, attempt, .. } = effect {
                    let usage = Some(Usage::default());
                    calls.ended(call, attempt, Ok(None), usage, String::new(), now);
                    answered += 1;
                }
            }
            assert_eq!(calls.stats().in_flight, 0);
            now.monotonic_ms += 1;
        }
        let each = began.elapsed().as_nanos() / REQUESTS as u128;
        eprintln!("{held} requests held: {each} ns for each request");
    }
}
