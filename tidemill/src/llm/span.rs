//! Spans of requests to models and of uses of tools, in the words of OpenTelemetry.
//!
//! The names are those of the semantic conventions for generative AI, version 1.37.0 (`gen_ai.*`). The status of these
//! conventions is "development". Content never becomes a part of a span. Numbers are signed: the bridge to OpenTelemetry
//! turns unsigned ones into texts.

use tracing::{Span, field::Empty, info_span};

use super::{
    error::ModelError,
    provider::Provider,
    reply::{ModelReply, TokenUsage},
    request::ModelRequest,
};

/// The span of one request to a model.
pub(super) fn request(provider: &dyn Provider, request: &ModelRequest, attempt: u32) -> Span {
    let operation = provider.operation();
    let span = info_span!(
        "model request",
        otel.name = format!("{operation} {}", request.model),
        otel.kind = "client",
        otel.status_code = Empty,
        gen_ai.operation.name = operation,
        gen_ai.provider.name = provider.name(),
        gen_ai.request.model = request.model,
        gen_ai.request.max_tokens = request.max_output_tokens.map(i64::from),
        gen_ai.request.temperature = request.temperature,
        gen_ai.output.type = if request.schema.is_some() { "json" } else { "text" },
        gen_ai.response.model = Empty,
        gen_ai.response.id = Empty,
        gen_ai.response.finish_reasons = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        error.type = Empty,
        server.address = provider.address(),
        tidemill.call.attempt = i64::from(attempt),
    );
    span
}

/// Notes how a request ended.
pub(super) fn end(span: &Span, outcome: &Result<ModelReply, ModelError>) {
    match outcome {
        Ok(reply) => {
            span.record("gen_ai.response.model", reply.model_version.as_str());
            span.record("gen_ai.response.id", reply.response_id.as_str());
            span.record("gen_ai.response.finish_reasons", format!("{:?}", [reply.finish.label()]));
            usage(span, &reply.usage);
        }
        Err(error) => {
            span.record("error.type", error.kind.label());
            span.record("otel.status_code", "ERROR");
            usage(span, &error.usage);
        }
    }
}

fn usage(span: &Span, usage: &TokenUsage) {
    let signed = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
    span.record("gen_ai.usage.input_tokens", signed(usage.input_tokens));
    span.record("gen_ai.usage.output_tokens", signed(usage.output_tokens));
}

/// The span of one use of a tool. `name` is the tool's own name, not what a model called it.
pub(super) fn tool(name: &str, id: &str) -> Span {
    info_span!(
        "tool",
        otel.name = format!("execute_tool {name}"),
        otel.kind = "internal",
        otel.status_code = Empty,
        gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = name,
        gen_ai.tool.call.id = id,
        error.type = Empty,
    )
}

/// Notes that a tool gave no result.
pub(super) fn tool_failed(span: &Span) {
    span.record("error.type", "tool_error");
    span.record("otel.status_code", "ERROR");
}
