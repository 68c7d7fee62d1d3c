//! The address of the journal.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::stream;
use serde::Deserialize;
use tidemill::transport::TransportError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    keeper::Journal,
    lines::{line, of_partition},
};
use crate::{
    apps::App,
    server::{
        access::Visitor,
        address::{Path, Query, whole},
        problem::Problem,
    },
};

/// The default and the maximum number of calls.
const LINES: usize = 1_000;
const LINES_MAX: usize = 10_000;

/// Values behind the question mark.
#[derive(Debug, Default, Deserialize)]
pub(in crate::server) struct Page {
    #[serde(default, deserialize_with = "whole")]
    limit: Option<usize>,
}

type Line = Result<Bytes, TransportError>;

/// `GET /state/calls/{application}/journal`
pub(in crate::server) async fn lines(
    State(journal): State<Arc<Journal>>,
    Path(application): Path<String>,
    Query(page): Query<Page>,
    visitor: Visitor,
) -> Result<Response, Problem> {
    visitor.may_inspect()?;
    let known = journal.engine.settings().known();
    let app = known.into_iter().find(|app| app.id == application);
    let app = app.ok_or_else(|| Problem::not_found("such application", "GET /state lists those that run here"))?;
    journal.engine.app(app)?;
    let topics = app.call_topics().filter(|_| !journal.engine.settings().keep_calls.is_zero());
    let Some(topics) = topics else {
        let fix = "set analyst.keep_calls, such as 24h: calls are kept from then on";
        return Err(Problem::not_found(&format!("journal of calls of {}", app.id), fix));
    };
    let limit = page.limit.unwrap_or(LINES);
    if !(1..=LINES_MAX).contains(&limit) {
        let problem = format!("limit must be from 1 to {LINES_MAX}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, problem, "correct the value, or leave it out"));
    }
    let (found, told) = channel(64);
    tokio::task::spawn_blocking(move || send(&journal, app, &topics, limit, &found));
    let next = |mut told: Receiver<Line>| async move { told.recv().await.map(|line| (line, told)) };
    let body = Body::from_stream(stream::unfold(told, next));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Sends the lines of each partition, until the client goes away. An error breaks the answer off.
fn send(journal: &Journal, app: App, topics: &[String; 2], limit: usize, found: &Sender<Line>) {
    let send = |line| found.blocking_send(line).is_ok();
    let partitions = match journal.engine.log().partitions(&topics[0]) {
        Ok(partitions) => partitions,
        Err(error) => {
            send(Err(error));
            return;
        }
    };
    let read = |partition| of_partition(&journal.engine, app, topics, partition, limit);
    let calls = match (0..partitions).map(read).collect::<Result<Vec<_>, _>>() {
        Ok(calls) => calls,
        Err(error) => {
            tracing::warn!(%error, "the journal of calls cannot be read");
            send(Err(error));
            return;
        }
    };
    let shares = shares(&calls.iter().map(Vec::len).collect::<Vec<_>>(), limit);
    for ((partition, calls), share) in (0..).zip(calls).zip(shares) {
        let older = calls.len() - share;
        if !calls[older..].iter().all(|(request, answer)| send(Ok(line(partition, request, answer)))) {
            return;
        }
    }
}

/// How many lines each partition gives, so that there are `limit` of them if possible, in shares as equal as possible.
fn shares(lengths: &[usize], limit: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..lengths.len()).collect();
    order.sort_by_key(|partition| lengths[*partition]);
    let (mut shares, mut left) = (vec![0; lengths.len()], limit);
    for (done, partition) in order.into_iter().enumerate() {
        shares[partition] = lengths[partition].min(left.div_ceil(lengths.len() - done));
        left -= shares[partition];
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn what_small_partitions_do_not_need_goes_to_the_larger_ones() {
        assert_eq!(shares(&[0, 19, 0, 0], 10), [0, 10, 0, 0]);
        assert_eq!(shares(&[2, 50, 50, 1], 13), [2, 5, 5, 1]);
        assert_eq!(shares(&[9, 9, 9], 5), [2, 2, 1]);
        assert_eq!(shares(&[1, 2], 100), [1, 2]);
        assert_eq!(shares(&[], 5), Vec::<usize>::new());
    }
}
