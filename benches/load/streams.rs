//! Simulates the streams' connectors: one for chat and one for speech. Each collects events and sends them as lines.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::{
    events::Lines,
    options::Options,
    tally::{Answered, Kind, Tally, until},
    wire::Wire,
};

/// Starts both connectors of all streams. Their start times are spread over the time for which a connector collects.
pub(crate) fn all(
    options: &Options,
    address: SocketAddr,
    start_ms: i64,
    tally: &Arc<Tally>,
) -> Result<Vec<JoinHandle<Result<()>>>> {
    let mut connectors = Vec::new();
    for (kind, path, file, rate) in [
        (Kind::Chat, "/v1/chat", "/chat.ndjson", options.chats),
        (Kind::Transcript, "/v1/transcript", "/transcript.ndjson", options.segments),
    ] {
        let lines = Arc::new(Lines::load(file)?);
        let every_ms = 1000.0 * options.streams as f64 / f64::from(rate);
        for stream in 0..options.streams {
            let first_ms = start_ms + options.gather_ms * stream as i64 / options.streams as i64;
            let (lines, tally, gather_ms) = (lines.clone(), tally.clone(), options.gather_ms);
            let end_ms = start_ms + options.seconds as i64 * 1000;
            connectors.push(tokio::spawn(async move {
                let mut wire = Wire::new(address, path, "application/x-ndjson");
                wire.connect().await?;
                let (mut body, mut sent) = (String::new(), 0_usize);
                let mut due_ms = first_ms + gather_ms;
                while due_ms < end_ms {
                    until(due_ms).await;
                    body.clear();
                    // The times of the events since the last request.
                    let times_ms: Vec<_> = (sent..usize::MAX)
                        .map(|at| first_ms + (every_ms * at as f64) as i64)
                        .take_while(|happened_ms| *happened_ms < due_ms)
                        .collect();
                    for happened_ms in &times_ms {
                        lines.write(stream, sent, *happened_ms, &mut body);
                        sent += 1;
                    }
                    if !times_ms.is_empty() {
                        let status = wire.post(&body).await;
                        tally.answered(kind, stream, Answered { status, due_ms, times_ms: &times_ms });
                    }
                    due_ms += gather_ms;
                }
                anyhow::Ok(())
            }));
        }
    }
    Ok(connectors)
}
