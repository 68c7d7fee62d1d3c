//! Simulates connectors: each sends two chat messages of each of its streams in each window.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::task::JoinHandle;

use super::results::Results;
use crate::{events::Lines, tally::until, wire::Wire};

/// A connector of some streams of one tenant.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) token: Option<String>,
    /// Numbers and ids.
    pub(super) streams: Vec<(usize, String)>,
    /// How long after the earliest moment the event comes that closes a window.
    pub(super) phase_ms: i64,
}

/// When windows begin and end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    pub(super) first_ms: i64,
    pub(super) window_ms: i64,
    pub(super) grace_ms: i64,
    pub(super) windows: i64,
}

/// Starts all connectors.
pub(super) fn all(
    connectors: &[Connector],
    address: SocketAddr,
    times: Times,
    results: &Arc<Results>,
) -> Result<Vec<JoinHandle<Result<()>>>> {
    let lines = Arc::new(Lines::load("/chat.ndjson")?);
    let start = |connector: &Connector| {
        let (connector, lines, results) = (connector.clone(), lines.clone(), results.clone());
        tokio::spawn(async move { send(&connector, address, times, &lines, &results).await })
    };
    Ok(connectors.iter().map(start).collect())
}

async fn send(
    connector: &Connector,
    address: SocketAddr,
    times: Times,
    lines: &Lines,
    results: &Results,
) -> Result<()> {
    let mut wire = Wire::with_token(address, "/v1/chat", "application/x-ndjson", connector.token.as_deref());
    wire.connect().await?;
    let mut body = String::new();
    for at in 0..=times.windows {
        let start_ms = times.first_ms + at * times.window_ms;
        let (first_ms, end_ms) = (start_ms + times.grace_ms + connector.phase_ms, start_ms + times.window_ms);
        // The first message closes the window before. The second one is the last of this window.
        for (second, due_ms) in [(0, first_ms), (1, first_ms.midpoint(end_ms))] {
            if at == times.windows && second == 1 {
                break;
            }
            until(due_ms).await;
            body.clear();
            for (stream, id) in &connector.streams {
                lines.write_as(id, stream * 97 + (2 * at + second) as usize, due_ms, &mut body);
            }
            if wire.post(&body).await != Some(202) {
                results.refused();
                continue;
            }
            for (stream, _) in &connector.streams {
                match second {
                    0 if at > 0 => results.closed(*stream, start_ms - times.window_ms, due_ms),
                    0 => {}
                    _ => results.sent(*stream, start_ms, due_ms),
                }
            }
        }
    }
    Ok(())
}
