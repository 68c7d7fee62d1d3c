//! Spans as OTLP's JSON: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>.

use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry::{
    Array, KeyValue, Value as Attribute,
    trace::{SpanId, SpanKind, Status},
};
use opentelemetry_sdk::{Resource, trace::SpanData};
use serde_json::{Value, json};

/// A request to export spans.
pub(super) fn request(resource: &Resource, spans: &[SpanData]) -> Value {
    let attributes: Vec<_> =
        resource.iter().map(|(key, value)| json!({ "key": key.as_str(), "value": any(value) })).collect();
    let scope = spans.first().map_or("", |span| span.instrumentation_scope.name());
    json!({ "resourceSpans": [{
        "resource": { "attributes": attributes },
        "scopeSpans": [{ "scope": { "name": scope }, "spans": spans.iter().map(span).collect::<Vec<_>>() }],
    }] })
}

fn span(span: &SpanData) -> Value {
    let attributes =
        span.attributes.iter().map(|KeyValue { key, value, .. }| json!({ "key": key.as_str(), "value": any(value) }));
    let mut json = json!({
        "traceId": span.span_context.trace_id().to_string(),
        "spanId": span.span_context.span_id().to_string(),
        "flags": span.span_context.trace_flags().to_u8(),
        "name": span.name,
        "kind": kind(&span.span_kind),
        "startTimeUnixNano": nanos(span.start_time),
        "endTimeUnixNano": nanos(span.end_time),
        "attributes": attributes.collect::<Vec<_>>(),
        "droppedAttributesCount": span.dropped_attributes_count,
        "status": status(&span.status),
    });
    if span.parent_span_id != SpanId::INVALID {
        json["parentSpanId"] = Value::from(span.parent_span_id.to_string());
    }
    json
}

/// A value. Numbers of 64 bits are texts.
fn any(value: &Attribute) -> Value {
    let list = |values: Vec<Value>| json!({ "arrayValue": { "values": values } });
    match value {
        Attribute::Bool(value) => json!({ "boolValue": value }),
        Attribute::I64(value) => json!({ "intValue": value.to_string() }),
        Attribute::F64(value) => json!({ "doubleValue": value }),
        Attribute::String(value) => json!({ "stringValue": value.as_str() }),
        Attribute::Array(Array::Bool(values)) => list(values.iter().map(|value| any(&(*value).into())).collect()),
        Attribute::Array(Array::I64(values)) => list(values.iter().map(|value| any(&(*value).into())).collect()),
        Attribute::Array(Array::F64(values)) => list(values.iter().map(|value| any(&(*value).into())).collect()),
        Attribute::Array(Array::String(values)) => {
            list(values.iter().map(|value| any(&Attribute::String(value.clone()))).collect())
        }
        // The crate may get kinds of values that this program does not use.
        other => json!({ "stringValue": other.to_string() }),
    }
}

fn kind(kind: &SpanKind) -> u8 {
    match kind {
        SpanKind::Internal => 1,
        SpanKind::Server => 2,
        SpanKind::Client => 3,
        SpanKind::Producer => 4,
        SpanKind::Consumer => 5,
    }
}

fn status(status: &Status) -> Value {
    match status {
        Status::Unset => json!({}),
        Status::Ok => json!({ "code": 1 }),
        Status::Error { description } => json!({ "code": 2, "message": description }),
    }
}

fn nanos(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
