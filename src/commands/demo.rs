//! Both applications with something to see.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, bail};
use tidemill::{apps::http_client, server::recordings};

use super::{
    play::Player,
    recording::{self, Event},
    serve::{announce, runtime, start, until_stopped},
};
use crate::{cli::DemoOptions, config::Config};

/// Serves both applications and plays recordings into them.
pub(crate) fn demo(config: Config, options: &DemoOptions) -> Result<()> {
    let events = events(options)?;
    let settings = config.settings;
    let token = settings.tenants.first().map(|tenant| tenant.token.clone());
    let http = http_client(Duration::from_mins(1))?;
    runtime()?.block_on(async {
        let server = start(settings).await?;
        announce(&server);
        let url = format!("http://{}", server.address());
        let player = Player { http, url, token, speed: options.speed, keep_times: false };
        let ended = tokio::select! {
            played = player.play(events) => played.map(|_| ()),
            ended = until_stopped(&server) => {
                server.close().await;
                return ended;
            }
        };
        let ended = match ended {
            Ok(()) if !options.once => {
                tracing::info!("the recordings are played; the pages stay open until Ctrl-C");
                until_stopped(&server).await
            }
            ended => ended,
        };
        server.close().await;
        ended
    })
}

fn events(options: &DemoOptions) -> Result<Vec<Event>> {
    if !options.recordings.is_empty() {
        return recording::load(&options.recordings);
    }
    let mut folders = BTreeMap::<&str, Vec<Event>>::new();
    for (name, text) in recordings() {
        let folder = name.rsplit_once('/').map_or(name, |(folder, _)| folder);
        folders.entry(folder).or_default().extend(recording::parse(name, text)?);
    }
    let mut events = Vec::new();
    for recorded in folders.into_values() {
        let first = recorded.iter().map(|event| event.timestamp).min().unwrap_or(0);
        // Recorded on different days, the applications are played side by side.
        events.extend(recorded.into_iter().map(|event| (event.timestamp - first, event)));
    }
    if events.is_empty() {
        bail!("this build brings no recordings: name some, such as `tidemill demo talk.ndjson`");
    }
    events.sort_by_key(|(at, _)| *at);
    Ok(events.into_iter().map(|(at, event)| event.moved_to(at)).collect())
}
