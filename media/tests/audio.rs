//! Audio of a stream that has faults: all of it, once, at its event times.

mod common;

use std::fs;

use common::{content, quick, runs, script, stream, until, url, whole};
use tempfile::TempDir;
use tidemill_hls_server::{Content, Faults, HlsServer, Pace, Schedule};
use tidemill_media::process::Program;
use tidemill_media::resolve::direct;
use tidemill_media::{Audio, AudioOptions, AudioState, Listener, MediaError, Resolved, Resolver, ResolverOptions};

/// Samples of a millisecond.
const MS: i64 = 16;

/// Everything that is heard: runs of samples without a gap in their times.
async fn hear(resolved: &Resolved, options: AudioOptions) -> (Vec<(i64, Vec<i16>)>, MediaError) {
    let mut audio = Audio::open(resolved, options).expect("FFmpeg");
    let mut heard: Vec<(i64, Vec<i16>)> = Vec::new();
    loop {
        match audio.next().await {
            Ok(pcm) => match heard.last_mut() {
                Some((start, samples)) if *start + samples.len() as i64 / MS == pcm.start_ms => {
                    samples.extend(pcm.samples);
                }
                last => {
                    let end = last.map_or(i64::MIN, |(start, samples)| *start + samples.len() as i64 / MS);
                    assert!(pcm.start_ms >= end, "audio at {} was given before {end} already", pcm.start_ms);
                    heard.push((pcm.start_ms, pcm.samples));
                }
            },
            Err(error) => return (heard, error),
        }
    }
}

fn loudness(heard: &[(i64, Vec<i16>)], from_ms: i64, to_ms: i64) -> f64 {
    let (start, samples) = heard.iter().rev().find(|(start, _)| *start <= from_ms).expect("audio at this time");
    let range = ((from_ms - start) * MS) as usize..((to_ms - start) * MS) as usize;
    let of_range = &samples[range];
    (of_range.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / of_range.len() as f64).sqrt()
}

fn length_ms(heard: &[(i64, Vec<i16>)]) -> i64 {
    heard.iter().map(|(_, samples)| samples.len() as i64 / MS).sum()
}

#[tokio::test]
async fn speech_is_heard_when_the_stream_says_it() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let (heard, end) = hear(&stream(&server), quick()).await;
    assert_eq!(end, MediaError::Ended);
    assert_eq!(heard.len(), 1, "no gaps");
    assert_eq!(heard[0].0, server.start_ms(0));
    assert!((length_ms(&heard) - 16_000).abs() < 150, "{} ms", length_ms(&heard));
    for line in server.spoken(8) {
        let said = loudness(&heard, line.start_ms + 100, line.end_ms - 200);
        let before = loudness(&heard, line.start_ms - 500, line.start_ms - 100);
        assert!(said > 300.0 && before < said / 10.0, "'{}': {said} after {before}", line.text);
    }
}

#[tokio::test]
async fn exact_audio_comes_out_as_it_went_in_through_faults() {
    if content().is_none() {
        return;
    }
    let samples: Vec<i16> = (0..20 * 16_000).map(|at| (at * 31 % 20_011 - 10_000) as i16).collect();
    let faults = Faults { seed: 3, busy: 0.3, cut: 0.3, ..Faults::default() };
    let schedule = Schedule { ready: 10, ends_after: Some(10), faults, ..Schedule::default() };
    let server = HlsServer::start(Content::of_samples(&samples).into(), schedule).await.expect("a server");
    let resolved = direct(&url(&server.url("/live/video.m3u8"))).expect("HLS");
    let (heard, end) = hear(&resolved, quick()).await;
    assert_eq!(end, MediaError::Ended);
    assert!(heard == [(server.start_ms(0), samples)]);
}

#[tokio::test]
async fn busy_servers_and_cuts_cost_no_sample_and_double_none() {
    let Some(content) = content() else { return };
    let calm = HlsServer::start(content.clone(), whole()).await.expect("a server");
    let (expect, _) = hear(&stream(&calm), quick()).await;
    for seed in 0..4 {
        let faults = Faults { seed, busy: 0.3, cut: 0.3, slow: 0.3, slow_ms: 30, ..Faults::default() };
        let server = HlsServer::start(content.clone(), Schedule { faults, ..whole() }).await.expect("a server");
        let (heard, end) = hear(&stream(&server), quick()).await;
        assert_eq!(end, MediaError::Ended);
        assert!(heard == expect, "seed {seed}");
        assert!((0..8).map(|number| server.asked(number)).sum::<u32>() > 8, "seed {seed} struck nothing");
    }
}

#[tokio::test]
async fn a_stream_that_goes_on_is_read_as_it_grows() {
    let Some(content) = content() else { return };
    let faults = Faults { stalls: std::iter::once(4..6).collect(), ..Faults::default() };
    let schedule =
        Schedule { pace: Pace::Scaled(20.0), ready: 2, ends_after: Some(8), window: 8, faults, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let mut audio = Audio::open(&stream(&server), quick()).expect("FFmpeg");
    let mut next_ms = server.start_ms(0);
    loop {
        match audio.next().await {
            Ok(pcm) => {
                assert_eq!(pcm.start_ms, next_ms);
                next_ms = pcm.end_ms();
            }
            Err(error) => {
                break assert_eq!(
                    error,
                    MediaError::Ended,
                    "after {} ms of {} segments",
                    next_ms - server.start_ms(0),
                    server.made()
                );
            }
        }
    }
    assert!((next_ms - server.start_ms(8)).abs() < 150);
}

#[tokio::test]
async fn what_is_lost_is_a_gap_and_what_follows_keeps_its_time() {
    let Some(content) = content() else { return };
    let faults = Faults { lost: vec![2], pauses: vec![(6, 60_000)], ..Faults::default() };
    let server = HlsServer::start(content, Schedule { faults, ..whole() }).await.expect("a server");
    let (heard, end) = hear(&stream(&server), AudioOptions { attempts: 2, ..quick() }).await;
    assert_eq!(end, MediaError::Ended);
    let starts: Vec<_> = heard.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts, [server.start_ms(0), server.start_ms(3), server.start_ms(6)]);
    let line = &server.spoken(8)[1];
    assert!(loudness(&heard, line.start_ms + 100, line.end_ms - 200) > 300.0);
}

#[tokio::test]
async fn an_address_that_expires_is_told_and_reading_goes_on_where_it_was() {
    let Some(content) = content() else { return };
    let faults = Faults { expires_at: Some(5), ..Faults::default() };
    let schedule = Schedule { pace: Pace::ByHand, ready: 4, ends_after: Some(8), faults, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let mut audio = Audio::open(&stream(&server), quick()).expect("FFmpeg");
    let mut blocks = Vec::new();
    let error = loop {
        match audio.next().await {
            Ok(pcm) => blocks.push(pcm),
            Err(error) => break error,
        }
        server.advance(u64::from(blocks.len() == 30));
    };
    assert!(matches!(error, MediaError::Expired { status: 403, .. }), "{error}");
    assert_eq!(audio.next().await, Err(error), "an error is returned on every further call");

    // The streamer's address is resolved again.
    reqwest::get(server.url("/watch")).await.expect("the page");
    server.advance(3);
    let resumed = AudioOptions { resume_after_ms: audio.position_ms(), ..quick() };
    let mut audio = Audio::open(&stream(&server), resumed).expect("FFmpeg");
    while let Ok(pcm) = audio.next().await {
        blocks.push(pcm);
    }
    assert!(blocks.windows(2).all(|pair| pair[0].end_ms() == pair[1].start_ms), "no gap, and nothing twice");
    assert!((audio.position_ms().unwrap_or(0) - server.start_ms(8)).abs() < 150);
}

#[tokio::test]
async fn a_decoder_that_is_killed_is_started_again() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let flag = folder.path().join("died");
    // The first one dies in the third segment.
    let text = format!(
        "if [ ! -e {0} ]; then touch {0}; head -c 150000 | ffmpeg \"$@\"; kill -9 $$; fi\nexec ffmpeg \"$@\"",
        flag.display()
    );
    let dying = Program::at("ffmpeg", script(folder.path(), "ffmpeg", &text));
    let (heard, end) = hear(&stream(&server), AudioOptions { ffmpeg: Some(dying), ..quick() }).await;
    assert_eq!(end, MediaError::Ended);
    assert!(heard.len() == 2 && length_ms(&heard) > 10_000, "{} runs, {} ms", heard.len(), length_ms(&heard));
    assert!((heard[1].0 - server.start_ms(0)) % 2000 == 0, "it goes on with a segment");
}

#[tokio::test]
async fn a_stream_without_audio_is_an_error_that_says_so() {
    let Some(content) = content() else { return };
    let server = HlsServer::start(content, whole()).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let text = "cat > /dev/null; echo \"Stream map '0:a:0' matches no streams.\" >&2; exit 234";
    let deaf = Program::at("ffmpeg", script(folder.path(), "ffmpeg", text));
    let (heard, error) = hear(&stream(&server), AudioOptions { ffmpeg: Some(deaf), ..quick() }).await;
    assert!(heard.is_empty());
    assert_eq!(error.to_string(), "The media has no audio or no video. Choose a stream that has both.");
}

#[tokio::test]
async fn a_dropped_audio_leaves_no_process() {
    let Some(content) = content() else { return };
    let schedule = Schedule { pace: Pace::ByHand, ready: 4, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let pids = folder.path().join("pids");
    let text = format!("sleep 1000 &\necho $! $$ > {}\nffmpeg \"$@\"", pids.display());
    let noted = Program::at("ffmpeg", script(folder.path(), "ffmpeg", &text));
    let mut audio = Audio::open(&stream(&server), AudioOptions { ffmpeg: Some(noted), ..quick() }).expect("FFmpeg");
    audio.next().await.expect("a block");
    let pids = fs::read_to_string(pids).expect("process ids");
    assert!(pids.split_whitespace().all(runs));
    drop(audio);
    until("the end of all processes", || !pids.split_whitespace().any(runs)).await;
}

#[tokio::test]
async fn a_file_is_read_from_the_time_it_is_told_and_resumed_within() {
    let Some(content) = content() else { return };
    let file = url(&format!("file://{}", content.recording().display()));
    let resolved = direct(&file).expect("a file");
    let (heard, end) = hear(&resolved, AudioOptions { start_ms: 50_000, ..quick() }).await;
    assert_eq!((end, heard.len(), heard[0].0), (MediaError::Ended, 1, 50_000));
    assert!((length_ms(&heard) - 16_000).abs() < 150);
    let options = AudioOptions { start_ms: 50_000, resume_after_ms: Some(58_000), ..quick() };
    let (rest, _) = hear(&resolved, options).await;
    assert_eq!(rest[0].0, 58_000);
    assert!((length_ms(&rest) - 8000).abs() < 150, "{}", length_ms(&rest));
    assert!(loudness(&rest, 59_100, 59_500) > 300.0);
}

#[tokio::test]
async fn a_listener_resolves_again_what_expired_and_goes_on_where_it_was() {
    let Some(content) = content() else { return };
    let faults = Faults { expires_at: Some(5), ..Faults::default() };
    let pace = Pace::Scaled(10.0);
    let schedule = Schedule { pace, ready: 3, ends_after: Some(8), window: 8, faults, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let folder = TempDir::new().expect("a folder");
    let watch = url(&server.url("/watch"));
    // It looks at the page, which makes the address work again.
    let text = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{}; printf 'GET /watch HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 >/dev/null\n\
         echo '{{\"title\":\"The final\",\"url\":\"{}\",\"protocol\":\"m3u8_native\",\"is_live\":true}}'",
        watch.port().expect("a port"),
        server.url("/live/master.m3u8"),
    );
    let yt_dlp = Some(Program::at("yt-dlp", script(folder.path(), "yt-dlp", &text)));
    let resolver = Resolver::new(ResolverOptions { yt_dlp, ..ResolverOptions::default() });
    let mut listener = Listener::new(resolver, watch, quick());
    let mut next_ms = server.start_ms(0);
    let error = loop {
        match listener.next().await {
            Ok(given) => {
                assert_eq!(given.start_ms(), next_ms, "no gap, and nothing twice");
                next_ms = given.end_ms();
            }
            Err(error) => break error,
        }
    };
    assert_eq!((error, listener.title()), (MediaError::Ended, Some("The final")));
    assert!((next_ms - server.start_ms(8)).abs() < 150);
    assert_eq!(listener.state(), AudioState::Ended);
}
