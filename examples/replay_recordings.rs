//! Prints the results of the offline analysts for the recordings, and their time per window:
//! `cargo run --release --example replay_recordings`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use tidemill_apps::apps::form_coach::analysis::{Assessment, PoseWindow, SessionProgress};
use tidemill_apps::apps::live_insight::analysis::{self as live, ChatWindow, StreamTrend, Voices};
use tidemill_apps::apps::recordings::{START_MS, STREAM_ID, generate};
use tidemill_schemas::{ChatMessage, TranscriptSegment, describe_errors, parse_chat, parse_pose, parse_transcript};

const NOW_MS: i64 = START_MS + 86_400_000;
const MINUTE_MS: i64 = 60_000;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let files = generate();
    let lines = |path: &str| {
        files.iter().find(|file| file.path.ends_with(path)).map_or_else(Vec::new, |file| {
            file.content.lines().map(str::as_bytes).map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
    };
    live_stream(&mut out, &lines("chat.ndjson"), &lines("transcript.ndjson"))?;
    for file in files.iter().filter(|file| file.path.starts_with("form_coach") && file.path.ends_with(".ndjson")) {
        writeln!(out, "\n{}", file.path)?;
        session(&mut out, &lines(&file.path))?;
    }
    Ok(())
}

fn parsed<T>(
    lines: &[Vec<u8>],
    parse: fn(&[u8], i64) -> Result<T, Vec<tidemill_schemas::FieldError>>,
) -> io::Result<Vec<T>> {
    lines.iter().map(|line| parse(line, NOW_MS).map_err(|errors| io::Error::other(describe_errors(&errors)))).collect()
}

fn live_stream(out: &mut impl Write, chats: &[Vec<u8>], segments: &[Vec<u8>]) -> io::Result<()> {
    let (chats, segments) = (parsed(chats, parse_chat)?, parsed(segments, parse_transcript)?);
    let mut trend = StreamTrend::default();
    let mut took = Duration::ZERO;
    let mut windows = 0;
    let end_ms = chats.last().map_or(START_MS, |chat| chat.timestamp);
    for start_ms in (START_MS..end_ms).step_by(MINUTE_MS as usize) {
        let inside = |timestamp: i64| (start_ms..start_ms + MINUTE_MS).contains(&timestamp);
        let window = ChatWindow {
            stream_id: STREAM_ID.into(),
            start_ms,
            end_ms: start_ms + MINUTE_MS,
            chats: chats.iter().filter(|chat| inside(chat.timestamp)).cloned().collect(),
            segments: segments.iter().filter(|segment| inside(segment.timestamp)).cloned().collect(),
            trend: trend.clone(),
            told: Vec::new(),
        };
        let begin = Instant::now();
        let insight = live::OfflineAnalyst::insight(&window);
        trend.update(&window);
        took += begin.elapsed();
        windows += 1;
        let topics: Vec<_> = insight.hot_topics.iter().map(|t| format!("{} ({})", t.term, t.users)).collect();
        let (mood, engagement) = (insight.mood, insight.trend.engagement);
        writeln!(
            out,
            "minute {:2}: {:4} chats, vibe {:3}, {mood:?}, {engagement:?}; {}",
            windows - 1,
            insight.chats,
            insight.vibe_score,
            topics.join(", ")
        )?;
        for chat in insight.top_chats.iter().take(2) {
            writeln!(out, "    \"{}\" x{}", chat.text, chat.echoes)?;
        }
        for alert in &insight.alerts {
            writeln!(out, "    {:?} {:.2}: {}", alert.kind, alert.severity, alert.message)?;
        }
        for clip in &insight.clips {
            writeln!(
                out,
                "    clip {} s, score {}: {}",
                (clip.end_ms - clip.start_ms) / 1000,
                clip.score,
                clip.reason
            )?;
        }
        writeln!(out, "    -> {}", insight.instruction)?;
    }
    let micros = took.as_micros() / windows;
    let each = chats.len() / windows as usize;
    writeln!(out, "{micros} us per window of {each} chats, insight and trend")?;
    busy_minute(out, trend, chats, segments)
}

/// The whole stream within one minute: the load of a large stream.
fn busy_minute(
    out: &mut impl Write,
    trend: StreamTrend,
    mut chats: Vec<ChatMessage>,
    mut segments: Vec<TranscriptSegment>,
) -> io::Result<()> {
    let squeezed = |timestamp: i64| START_MS + (timestamp - START_MS) / 20;
    for chat in &mut chats {
        chat.timestamp = squeezed(chat.timestamp);
    }
    for segment in &mut segments {
        segment.timestamp = squeezed(segment.timestamp);
    }
    let (stream_id, end_ms) = (STREAM_ID.into(), START_MS + MINUTE_MS);
    let window = ChatWindow { stream_id, start_ms: START_MS, end_ms, chats, segments, trend, told: Vec::new() };
    let mut took: Vec<u128> = (0..9)
        .map(|_| {
            let begin = Instant::now();
            live::OfflineAnalyst::insight(&window);
            begin.elapsed().as_micros()
        })
        .collect();
    took.sort_unstable();
    let begin = Instant::now();
    let mut steps: BTreeMap<i64, Voices> = BTreeMap::new();
    let heard =
        window.chats.iter().filter(|chat| steps.entry(Voices::step_of(chat.timestamp)).or_default().hear(chat)).count();
    let per_chat = begin.elapsed().as_micros() as f64 / window.chats.len() as f64;
    writeln!(out, "{} us per window of {} chats, insight alone (median of 9)", took[4], window.chats.len())?;
    writeln!(out, "{per_chat:.1} us per chat, mood watch ({heard} heard)")
}

fn session(out: &mut impl Write, frames: &[Vec<u8>]) -> io::Result<()> {
    let frames = parsed(frames, parse_pose)?;
    let mut progress = SessionProgress::default();
    let mut took = Duration::ZERO;
    let mut windows = 0;
    let end_ms = frames.last().map_or(START_MS, |frame| frame.timestamp);
    for start_ms in (START_MS..=end_ms).step_by(3_000) {
        let end_ms = start_ms + 3_000;
        let window = PoseWindow {
            user_id: "athlete".into(),
            start_ms,
            end_ms,
            frames: frames.iter().filter(|frame| (start_ms..end_ms).contains(&frame.timestamp)).cloned().collect(),
            profile: None,
            progress: progress.clone(),
        };
        let begin = Instant::now();
        let outcome = Assessment::of(&window);
        took += begin.elapsed();
        windows += 1;
        progress = outcome.progress;
        let feedback = outcome.feedback;
        let grade = feedback.grade.map_or("  --".to_owned(), |grade| format!("{grade:4.1}"));
        let symmetry = feedback.symmetry.map_or("-".to_owned(), |symmetry| format!("{:.2}", symmetry.score));
        let (full, half) = (feedback.session_repetitions, feedback.session_half_repetitions);
        let faults: Vec<_> = feedback.faults.iter().map(|f| format!("{:?} {:.2}", f.kind, f.severity)).collect();
        let sentence = &feedback.sentence;
        writeln!(out, "  {grade} {full:2}+{half:<2} symmetry {symmetry:4} {sentence} [{}]", faults.join(", "))?;
    }
    writeln!(out, "  {} us per window, feedback and progress", took.as_micros() / windows)
}
