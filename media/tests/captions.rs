//! Captions that a stream carries: each word once, at its event time, whatever happens on the way.

mod common;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::{content, quick, stream, url, whole};
use tidemill_hls_server::{Captions as Kind, Content, Faults, HlsServer, Line, Pace, Schedule};
use tidemill_media::clips::Caption;
use tidemill_media::{
    AudioOptions, AudioState, Captions, CaptionsWanted, Given, Listener, MediaError, Resolved, Resolver,
    ResolverOptions,
};

/// A minute of lines, close to each other: they overlap segments, and one sounds like the one before.
fn talk() -> Vec<Line> {
    let line = |(index, text): (i64, &str)| Line { start_ms: 700 + index * 2900, text: text.to_owned() };
    let texts = ["Welcome back & hello", "What a goal", "What a goal", "goal of the year", "We are back", "Good night"];
    (0..).zip(texts).map(line).collect()
}

/// Media with these lines: eighteen seconds. `None` where FFmpeg is missing.
fn talking() -> Option<Arc<Content>> {
    static TALKING: OnceLock<Arc<Content>> = OnceLock::new();
    content()?;
    let make = || {
        let folder = tempfile::tempdir().expect("a folder");
        Arc::new(Content::make(folder.path(), &talk(), 18).expect("media"))
    };
    Some(Arc::clone(TALKING.get_or_init(make)))
}

fn wanted() -> AudioOptions {
    AudioOptions { captions: CaptionsWanted::Only, language: Some("en-US".into()), ..quick() }
}

/// All captions, until the stream ends.
async fn read(resolved: &Resolved, options: AudioOptions) -> (Vec<Caption>, MediaError) {
    let mut captions = Captions::open(resolved, &options).await.expect("a playlist").expect("captions");
    let mut read = Vec::new();
    loop {
        match captions.next().await {
            Ok(caption) => read.push(caption),
            Err(error) => return (read, error),
        }
    }
}

/// Asserts that these captions are the lines that were spoken, each once, in their order and at their times.
fn assert_said(captions: &[Caption], server: &HlsServer, segments: u64) {
    let spoken = server.spoken(segments);
    let texts = |texts: &mut dyn Iterator<Item = &String>| texts.cloned().collect::<Vec<_>>().join("|");
    assert_eq!(texts(&mut captions.iter().map(|it| &it.text)), texts(&mut spoken.iter().map(|it| &it.text)));
    for (caption, spoken) in captions.iter().zip(&spoken) {
        // The clock is read from the media, whose first frame may begin a little later than its segment.
        assert!((caption.start_ms - spoken.start_ms).abs() < 100, "{caption:?}: {spoken:?}");
        assert!(caption.end_ms > caption.start_ms && caption.end_ms < spoken.end_ms + 3_000, "{caption:?}: {spoken:?}");
    }
    assert!(captions.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{captions:?}");
}

#[tokio::test]
async fn each_line_is_read_once_whatever_the_style_of_the_captions() {
    let Some(content) = talking() else { return };
    for captions in [Kind::Cues, Kind::Cut, Kind::RollUp] {
        let schedule = Schedule { ready: 9, ends_after: Some(9), captions, ..Schedule::default() };
        let server = HlsServer::start(Arc::clone(&content), schedule).await.expect("a server");
        let (read, end) = read(&stream(&server), wanted()).await;
        assert_eq!(end, MediaError::Ended);
        assert_said(&read, &server, 9);
        let asked: u32 = (0..9).map(|number| server.asked(number)).sum();
        assert!(asked <= 1, "only the clock of the media was read, not {asked} segments");
    }
}

#[tokio::test]
async fn busy_servers_and_cuts_cost_no_word_and_double_none() {
    let Some(content) = talking() else { return };
    for seed in 0..4 {
        let faults = Faults { seed, busy: 0.3, cut: 0.3, slow: 0.3, slow_ms: 30, ..Faults::default() };
        let schedule = Schedule { ready: 9, ends_after: Some(9), faults, ..Schedule::default() };
        let server = HlsServer::start(Arc::clone(&content), schedule).await.expect("a server");
        let (read, end) = read(&stream(&server), wanted()).await;
        assert_eq!(end, MediaError::Ended);
        assert_said(&read, &server, 9);
        assert!((0..9).map(|number| server.captions_asked(number)).sum::<u32>() > 9, "seed {seed} struck nothing");
    }
}

#[tokio::test]
async fn a_stream_that_goes_on_stalls_pauses_and_begins_its_clock_anew_is_read_as_it_grows() {
    let Some(content) = talking() else { return };
    let faults = Faults { stalls: vec![4..7, 12..14], pauses: vec![(6, 60_000)], ..Faults::default() };
    let pace = Pace::Scaled(20.0);
    let schedule = Schedule { pace, ready: 2, ends_after: Some(22), window: 8, faults, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let (read, end) = read(&stream(&server), wanted()).await;
    assert_eq!(end, MediaError::Ended);
    // The last line of the last round lies behind the end, or is cut by it.
    let said: Vec<_> = server.spoken(22).into_iter().map(|line| line.text).collect();
    let texts: Vec<_> = read.iter().map(|caption| caption.text.clone()).collect();
    assert_eq!(texts, said);
    assert!(read.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{read:?}");
}

#[tokio::test]
async fn a_reader_that_is_started_again_in_mid_stream_goes_on_after_the_last_word() {
    let Some(content) = talking() else { return };
    for captions in [Kind::Cues, Kind::Cut, Kind::RollUp] {
        for stop in 1..6 {
            let schedule = Schedule { ready: 9, ends_after: Some(9), captions, ..Schedule::default() };
            let server = HlsServer::start(Arc::clone(&content), schedule).await.expect("a server");
            let mut first = Captions::open(&stream(&server), &wanted()).await.expect("a playlist").expect("captions");
            let mut all = Vec::new();
            for _ in 0..stop {
                all.push(first.next().await.expect("a caption"));
            }
            drop(first);
            let resume_after_ms = all.last().map(|caption| caption.end_ms);
            let (rest, end) = read(&stream(&server), AudioOptions { resume_after_ms, ..wanted() }).await;
            assert_eq!(end, MediaError::Ended);
            all.extend(rest);
            assert_said(&all, &server, 9);
        }
    }
}

#[tokio::test]
async fn captions_without_dates_have_times_from_now_on() {
    let Some(content) = talking() else { return };
    let schedule = Schedule { ready: 9, ends_after: Some(9), dated: false, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let (read, _) = read(&stream(&server), AudioOptions { start_ms: 50_000, ..wanted() }).await;
    assert_eq!(read.len(), talk().len());
    for (caption, line) in read.iter().zip(talk()) {
        assert!((caption.start_ms - 50_000 - line.start_ms).abs() < 100, "{caption:?}: {line:?}");
    }
}

#[tokio::test]
async fn captions_without_dates_have_those_of_the_media() {
    let Some(content) = talking() else { return };
    let schedule = Schedule { ready: 9, ends_after: Some(9), captions_dated: false, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let (read, _) = read(&stream(&server), AudioOptions { start_ms: 50_000, ..wanted() }).await;
    assert_said(&read, &server, 9);
}

#[tokio::test]
async fn what_is_lost_costs_no_more_than_its_words() {
    let Some(content) = talking() else { return };
    let faults = Faults { lost: vec![3], ..Faults::default() };
    let schedule = Schedule { ready: 9, ends_after: Some(9), captions: Kind::Cut, faults, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let (read, end) = read(&stream(&server), AudioOptions { attempts: 2, ..wanted() }).await;
    assert_eq!(end, MediaError::Ended);
    let texts: Vec<_> = read.iter().map(|caption| caption.text.as_str()).collect();
    assert_eq!(texts.first().zip(texts.last()), Some((&"Welcome back & hello", &"Good night")));
    assert!(texts.len() >= 5, "{texts:?}");
}

fn listener(server: &HlsServer, path: &str, options: AudioOptions) -> Listener {
    Listener::new(Resolver::new(ResolverOptions::default()), url(&server.url(path)), options)
}

#[tokio::test]
async fn a_listener_takes_captions_where_there_are_some_and_audio_elsewhere() {
    let Some(content) = content() else { return };
    let prefer =
        |language: &str| AudioOptions { captions: CaptionsWanted::Prefer, language: Some(language.into()), ..quick() };
    let server = HlsServer::start(Arc::clone(&content), whole()).await.expect("a server");
    let mut captions = listener(&server, "/live/master.m3u8", prefer("en-US"));
    let first = captions.next().await.expect("a caption");
    assert!(matches!(&first, Given::Caption(caption) if caption.text == "Welcome back everyone"), "{first:?}");
    assert_eq!((captions.state(), captions.position_ms()), (AudioState::Captions, Some(first.end_ms())));
    for (path, language) in [("/live/video.m3u8", "en-US"), ("/live/master.m3u8", "de")] {
        let given = listener(&server, path, prefer(language)).next().await.expect("audio");
        assert!(matches!(given, Given::Pcm(_)), "{given:?}");
    }
    let silent = HlsServer::start(content, Schedule { captions: Kind::Off, ..whole() }).await.expect("a server");
    let given = listener(&silent, "/live/master.m3u8", prefer("en-US")).next().await.expect("audio");
    assert!(matches!(given, Given::Pcm(_)), "{given:?}");
    let error = listener(&silent, "/live/master.m3u8", wanted()).next().await.expect_err("no captions");
    assert!(matches!(error, MediaError::NoCaptions { .. }), "{error}");
}

#[tokio::test]
async fn an_address_that_expires_is_told_and_reading_goes_on_where_it_was() {
    let Some(content) = talking() else { return };
    let faults = Faults { expires_at: Some(6), ..Faults::default() };
    let schedule =
        Schedule { pace: Pace::ByHand, ready: 5, window: 9, ends_after: Some(9), faults, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let mut captions = Captions::open(&stream(&server), &wanted()).await.expect("a playlist").expect("captions");
    let mut all = vec![captions.next().await.expect("a caption")];
    server.advance(1);
    let error = loop {
        match captions.next().await {
            Ok(caption) => all.push(caption),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, MediaError::Expired { status: 403, .. }), "{error}");
    assert_eq!(captions.next().await, Err(error), "an error is returned on every further call");
    assert_eq!(captions.state(), AudioState::Ended);

    // The streamer's address is resolved again.
    reqwest::get(server.url("/watch")).await.expect("the page");
    server.advance(3);
    let resume_after_ms = all.last().map(|caption| caption.end_ms);
    let (rest, end) = read(&stream(&server), AudioOptions { resume_after_ms, ..wanted() }).await;
    assert_eq!(end, MediaError::Ended);
    all.extend(rest);
    assert_said(&all, &server, 9);
}

#[tokio::test]
async fn captions_that_say_nothing_give_way_to_the_audio() {
    if content().is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let content = Arc::new(Content::make(folder.path(), &[], 8).expect("media"));
    let schedule = Schedule { pace: Pace::ByHand, ready: 4, ..Schedule::default() };
    let server = HlsServer::start(content, schedule).await.expect("a server");
    let prefer =
        AudioOptions { captions: CaptionsWanted::Prefer, captions_patience: Duration::from_millis(20), ..quick() };
    let mut listener = listener(&server, "/live/master.m3u8", prefer);
    assert!(matches!(listener.next().await, Ok(Given::Pcm(_))));
}
