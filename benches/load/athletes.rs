//! Simulates athletes' pages. Each page sends five frames per second, each frame in its own request.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::{
    events::Frames,
    options::Options,
    tally::{Answered, Kind, Tally, until},
    wire::Wire,
};

/// Starts all athletes. Their start times are spread over the time between two frames.
pub(crate) fn all(
    options: &Options,
    address: SocketAddr,
    start_ms: i64,
    tally: &Arc<Tally>,
) -> Result<Vec<JoinHandle<Result<()>>>> {
    let frames = Arc::new(Frames::load()?);
    let (every_ms, end_ms) = (1000.0 / f64::from(options.frames), start_ms + options.seconds as i64 * 1000);
    let athlete = |user: usize| {
        let first_ms = start_ms as f64 + every_ms * user as f64 / options.users as f64;
        let (frames, tally) = (frames.clone(), tally.clone());
        tokio::spawn(async move {
            let mut wire = Wire::new(address, "/v1/pose", "application/json");
            wire.connect().await?;
            let mut body = String::new();
            for at in 0.. {
                let due_ms = (first_ms + every_ms * at as f64) as i64;
                if due_ms >= end_ms {
                    break;
                }
                until(due_ms).await;
                body.clear();
                frames.write(user, at, due_ms, &mut body);
                let status = wire.post(&body).await;
                tally.answered(Kind::Pose, user, Answered { status, due_ms, times_ms: &[due_ms] });
            }
            anyhow::Ok(())
        })
    };
    Ok((0..options.users).map(athlete).collect())
}
