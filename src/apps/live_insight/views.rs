//! Views of a stream: time frames, what comes next, files to keep, past streams, and what is worth a clip.

use serde::Serialize;
use tidemill_schemas::Insight;

use super::{
    frames::{Range, frame},
    highlights::{MOST, USUAL, highlights},
    history::{Format, StreamSummary, export, past_streams},
    outlook::{HORIZON_MS, outlook},
};
use crate::apps::{Parameters, Shown, Span, Stored, Unshown, View, Wanted, Wrong};

/// The most earlier predictions beside the newest one.
const EARLIER: usize = 12;
/// The time of a prediction grows with the number of windows, multiplied by those of its horizon. Windows of a minute stay
/// far below this.
const WORK: usize = 60_000;

const RANGE_FIX: &str = "write last=5m, 15m, 60m, 2h or all, or from=MS and to=MS in epoch milliseconds";

/// The views, each at `/v1/streams/{id}/<name>`.
pub(super) const VIEWS: &[View] = &[
    View { name: "frame", ask: of_frame },
    View { name: "prediction", ask: of_prediction },
    View { name: "export", ask: of_export },
    View { name: "past", ask: of_past },
    View { name: "clips/candidates", ask: of_candidates },
];

#[derive(Serialize)]
struct Past {
    streams: Vec<StreamSummary>,
    /// How long each window stays after its end; absent if for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_ms: Option<u64>,
}

/// `?last=15m` or `?from=MS&to=MS`: several windows as one.
fn of_frame(_stream: &str, asked: &Parameters) -> Result<Wanted, Wrong> {
    let range = range(asked)?;
    let show = move |stored| json(&frame(&insights(stored), range).ok_or_else(no_insight)?);
    Ok(Wanted { span: span(range), show: Box::new(show) })
}

fn of_prediction(_stream: &str, asked: &Parameters) -> Result<Wanted, Wrong> {
    let too_few = || Unshown::Missing {
        what: "prediction yet: it needs three windows since the stream's last pause of half an hour".to_owned(),
        fix: "ask again after the third window with chat or speech".to_owned(),
    };
    of_whole(asked, move |stored| json(&outlook(recent(&insights(stored)), EARLIER).ok_or_else(too_few)?))
}

/// `?format=csv`, `jsonl` or `parquet`; with a range as in a frame, only that part.
fn of_export(stream: &str, asked: &Parameters) -> Result<Wanted, Wrong> {
    let format = match asked.get("format") {
        None => Format::Csv,
        Some(text) => text.parse().map_err(|_| Wrong {
            error: format!("'{}' is not a format of a file", start_of(text)),
            fix: "write format=csv, format=jsonl or format=parquet".to_owned(),
        })?,
    };
    let (range, name) = (range(asked)?, format.file_name(stream));
    let show = move |stored: Stored| {
        if stored.left_out > 0 {
            let error = format!("{} older windows do not fit into one file", stored.left_out);
            let fix = "export parts, one after another: from=MS&to=MS in epoch milliseconds".to_owned();
            return Err(Unshown::TooMuch { error, fix });
        }
        let insights = insights(stored);
        let chosen = range.of(&insights);
        if chosen.is_empty() {
            return Err(no_insight());
        }
        let mut body = Vec::new();
        export(&chosen, format, &mut body).map_err(|error| Unshown::Failed(error.to_string()))?;
        Ok(Shown { media_type: format.media_type(), file_name: Some(name), body })
    };
    Ok(Wanted { span: span(range), show: Box::new(show) })
}

fn of_past(_stream: &str, asked: &Parameters) -> Result<Wanted, Wrong> {
    of_whole(asked, |stored| {
        let kept_ms = stored.kept.of_topic().map(|kept| u64::try_from(kept.as_millis()).unwrap_or(u64::MAX));
        json(&Past { streams: past_streams(&insights(stored)), kept_ms })
    })
}

/// `?most=N`: the moments of the whole stream that are worth a clip.
fn of_candidates(_stream: &str, asked: &Parameters) -> Result<Wanted, Wrong> {
    let most = match asked.get("most") {
        None => USUAL,
        Some(text) => text.trim().parse().ok().filter(|most| (1..=MOST).contains(most)).ok_or_else(|| Wrong {
            error: format!("most is not a number of candidates: '{}'", start_of(text)),
            fix: format!("write most=1 to most={MOST}, or leave it out"),
        })?,
    };
    of_whole(asked, move |stored| json(&highlights(&insights(stored), most)))
}

/// A view that needs all windows, so that a part of them would say something else.
fn of_whole(
    asked: &Parameters,
    show: impl FnOnce(Stored) -> Result<Shown, Unshown> + Send + 'static,
) -> Result<Wanted, Wrong> {
    if let Some(name) = ["last", "from", "to"].into_iter().find(|name| asked.contains_key(*name)) {
        let error = format!("this address does not take '{name}': it always reads the whole stream");
        return Err(Wrong { error, fix: format!("leave {name} out") });
    }
    Ok(Wanted { span: Span::Whole, show: Box::new(show) })
}

/// The part of the stream that is asked for; without any value, the whole stream.
fn range(asked: &Parameters) -> Result<Range, Wrong> {
    let wrong = |error: String| Wrong { error, fix: RANGE_FIX.to_owned() };
    let time = |name: &str, without: i64| match asked.get(name) {
        None => Ok(without),
        Some(text) => text.trim().parse().map_err(|_| wrong(format!("{name} is not a time: '{}'", start_of(text)))),
    };
    let has_times = asked.contains_key("from") || asked.contains_key("to");
    match asked.get("last") {
        Some(_) if has_times => Err(wrong("last and from or to contradict each other".to_owned())),
        Some(text) => text.parse().map_err(|_| wrong(format!("'{}' is not a time frame", start_of(text)))),
        None if has_times => {
            let (from, to) = (time("from", i64::MIN)?, time("to", i64::MAX)?);
            if from < to { Ok(Range::Between(from, to)) } else { Err(wrong("from is not before to".to_owned())) }
        }
        None => Ok(Range::Whole),
    }
}

fn start_of(text: &str) -> String {
    text.chars().take(40).collect()
}

fn span(range: Range) -> Span {
    match range {
        Range::Whole => Span::Whole,
        Range::Last(ms) => Span::Last(ms),
        Range::Between(from, to) => Span::Between(from, to),
    }
}

/// The insights that can be read.
fn insights(stored: Stored) -> Vec<Insight> {
    let read = |json: bytes::Bytes| match serde_json::from_slice(&json) {
        Ok(insight) => Some(insight),
        Err(error) => {
            tracing::warn!(%error, "an insight cannot be read, a view is made without it");
            None
        }
    };
    stored.results.into_iter().filter_map(read).collect()
}

/// The last windows, as many as a prediction can be made of in a moment: all of them, unless windows are short.
fn recent(insights: &[Insight]) -> &[Insight] {
    let length_ms = insights.last().map_or(0, |newest| newest.window_end_ms - newest.window_start_ms);
    let horizon = (HORIZON_MS / length_ms.max(1)).max(1) as usize;
    let most = (WORK / horizon).max(3 * horizon);
    &insights[insights.len().saturating_sub(most)..]
}

fn no_insight() -> Unshown {
    Unshown::Missing {
        what: "insight of this stream in this time".to_owned(),
        fix: "ask for last=all; an insight comes some seconds after a minute with chat or speech".to_owned(),
    }
}

fn json(value: &impl Serialize) -> Result<Shown, Unshown> {
    let body = serde_json::to_vec(value).map_err(|error| Unshown::Failed(error.to_string()))?;
    Ok(Shown { media_type: "application/json", file_name: None, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::Retention;
    use crate::apps::recordings::{START_MS, insights as insights_of};

    fn asked(query: &str) -> Parameters {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn error(answer: Result<Wanted, Wrong>) -> String {
        answer.err().map(|wrong| format!("{}: {}", wrong.error, wrong.fix)).unwrap_or_default()
    }

    #[test]
    fn a_part_of_a_stream_is_asked_for_by_its_length_or_by_times() {
        for (query, wanted) in [
            ("", Range::Whole),
            ("last=all", Range::Whole),
            ("last=15m", Range::Last(900_000)),
            ("from=5&to=9", Range::Between(5, 9)),
            ("from=5", Range::Between(5, i64::MAX)),
            ("to=9", Range::Between(i64::MIN, 9)),
        ] {
            assert_eq!(range(&asked(query)), Ok(wanted), "{query}");
        }
        for wrong in ["last=", "last=0m", "last=soon", "last=5m&from=1", "from=now", "to=1.5", "from=9&to=9"] {
            let told = range(&asked(wrong)).expect_err(wrong);
            assert_eq!(told.fix, RANGE_FIX, "{wrong}");
        }
    }

    #[test]
    fn an_unknown_format_is_refused_before_anything_is_read() {
        let told = error(of_export("ada", &asked("format=xlsx")));
        assert_eq!(told, "'xlsx' is not a format of a file: write format=csv, format=jsonl or format=parquet");
        assert_eq!(error(of_export("ada", &asked("format=parquet&last=60m"))), "");
        assert!(error(of_export("ada", &asked("last=never"))).starts_with("'never' is not a time frame: "));
        assert!(error(of_prediction("ada", &asked("last=5m"))).ends_with(": leave last out"));
    }

    #[test]
    fn without_windows_there_is_no_view_but_an_empty_list_of_past_streams() {
        let answer = |view: fn(&str, &Parameters) -> Result<Wanted, Wrong>, left_out| {
            let wanted = view("ada", &Parameters::new()).expect("asked well");
            (wanted.show)(Stored { results: Vec::new(), left_out, kept: Retention::default() })
        };
        for view in [of_frame, of_export] {
            assert_eq!(answer(view, 0), Err(no_insight()));
        }
        assert!(matches!(answer(of_prediction, 0), Err(Unshown::Missing { .. })));
        assert!(matches!(answer(of_export, 7), Err(Unshown::TooMuch { .. })), "a file is never cut off");
        assert_eq!(answer(of_past, 0).map(|shown| shown.body), Ok(br#"{"streams":[],"kept_ms":604800000}"#.to_vec()));
    }

    #[test]
    fn a_prediction_reads_all_minutes_and_the_last_of_many_short_windows() {
        let said = include_str!("recordings/transcript.ndjson").lines().next().expect("a line");
        let said = tidemill_schemas::parse_transcript(said.as_bytes(), START_MS + 86_400_000).expect("valid");
        let one = insights_of(&[], &[said], START_MS, 60_000).remove(0);
        let windows = |count: i64, length_ms: i64| -> Vec<Insight> {
            let window = |at: i64| Insight {
                window_start_ms: at * length_ms,
                window_end_ms: (at + 1) * length_ms,
                ..one.clone()
            };
            (0..count).map(window).collect()
        };
        assert_eq!(recent(&windows(3_000, 60_000)).len(), 3_000);
        let short = windows(3_000, 10_000);
        assert_eq!((recent(&short).len(), recent(&short).last()), (2_000, short.last()));
        assert_eq!(recent(&windows(3_000, 1_000)).len(), 900);
        assert_eq!(recent(&windows(1, 0)).len(), 1);
        assert!(recent(&[]).is_empty());
    }
}
