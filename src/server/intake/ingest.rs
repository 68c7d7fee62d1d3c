//! Ingests records: one object, an array, or one object per line. All records of a request are valid and written, or
//! none.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::de::IgnoredAny;
use tidemill::{Clock as _, SystemClock};
use tidemill_schemas::{Arrival, validate_id};

use super::{
    body::{Format, check_json, format, json, split, unmarked},
    readers::Readers,
    write::Intake,
};
use crate::{
    apps::{App, Incoming, Input, Property},
    clock::millis,
    server::{
        access::Visitor,
        late::Notice,
        problem::{Problem, RecordProblem},
    },
};

/// The most problems, and the most owners with late events, that one response lists.
const TOLD: usize = 20;

/// A request to ingest.
pub(in crate::server) struct Request {
    pub(in crate::server) visitor: Visitor,
    pub(in crate::server) headers: HeaderMap,
    pub(in crate::server) body: Body,
}

/// `POST` to the address of a kind of input.
pub(in crate::server) async fn events(
    intake: Arc<Intake>,
    app: App,
    input: &Input,
    Request { visitor, headers, body }: Request,
) -> Result<Response, Problem> {
    intake.engine.app(app)?;
    let format = format(&headers)?;
    let body = intake.read_body(&visitor, &headers, body).await?;
    let text = unmarked(&body.0);
    let parsed = parse_all(&split(format, text)?, input, &intake.readers, intake.arrival());
    if parsed.is_err() && format == Format::Json {
        json::<IgnoredAny>(text)?;
    }
    let records = parsed?;
    for record in &records {
        visitor.may(app, &record.key)?;
    }
    let count = records.len();
    let late = intake.late_of(app, input, &records);
    // The rate comes last: records that are refused for another reason do not use it up.
    let admitted = intake.pressure.admit(app, count)?;
    visitor.take(count)?;
    intake.write(input.topic, records).await?;
    admitted.written();
    intake.accepted.with_label_values(&[input.topic]).inc_by(count as u64);
    let mut answer = serde_json::json!({ "accepted": count });
    if !late.is_empty() {
        answer["late"] = serde_json::json!(late);
    }
    Ok((StatusCode::ACCEPTED, axum::Json(answer)).into_response())
}

/// `PUT` to the address of an owner's property.
pub(in crate::server) async fn property(
    intake: Arc<Intake>,
    app: App,
    property: &Property,
    owner: String,
    Request { visitor, headers, body }: Request,
) -> Result<Response, Problem> {
    intake.engine.app(app)?;
    visitor.may(app, &owner)?;
    check_json(&headers)?;
    validate_id(app.owner.field, &owner).map_err(|errors| Problem::not_valid("id", errors))?;
    let body = intake.read_body(&visitor, &headers, body).await?;
    let read = intake.readers.property(property, &owner, unmarked(&body.0), SystemClock.now_ms());
    let record = read.map_err(|errors| Problem::not_valid(property.name, errors))?;
    let admitted = intake.pressure.admit(app, 1)?;
    intake.write(property.topic, vec![record]).await?;
    admitted.written();
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl Intake {
    /// What the sender is told about late events of the last minute, of the owners of these records.
    fn late_of(&self, app: App, input: &Input, records: &[Incoming]) -> Vec<Notice> {
        // Almost always nobody is late.
        if self.late.is_empty() {
            return Vec::new();
        }
        let (owners, now) = (records.iter().map(|record| &*record.key).collect::<BTreeSet<_>>(), Instant::now());
        let notices = owners.iter().flat_map(|owner| self.late.of(app, owner, Some(input.name), now));
        notices.take(TOLD).collect()
    }

    /// The clock that events of a request are checked against.
    pub(in crate::server) fn arrival(&self) -> Arrival {
        let settings = self.engine.settings();
        let (ahead_max_ms, kept_ms) = (millis(settings.limits.clock_ahead), millis(settings.raw_retention));
        Arrival { now_ms: SystemClock.now_ms(), ahead_max_ms, kept_ms }
    }
}

fn parse_all(records: &[&[u8]], input: &Input, readers: &Readers, arrival: Arrival) -> Result<Vec<Incoming>, Problem> {
    let (mut good, mut bad) = (Vec::with_capacity(records.len()), Vec::new());
    for (index, record) in records.iter().enumerate() {
        match readers.event(input, record, arrival) {
            Ok(record) => good.push(record),
            Err(errors) => bad.extend(errors.into_iter().map(|error| RecordProblem { index, error })),
        }
        if bad.len() >= TOLD {
            bad.truncate(TOLD);
            break;
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(Problem::records(bad)) }
}
