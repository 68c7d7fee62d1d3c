//! A frame: what several windows say together.

use tidemill_schemas::{Insight, TrendSummary};

use super::{
    chatters::Authors,
    clock::Clock,
    evidence::Lines,
    head::Head,
    moments::Moments,
    people::People,
    range::Range,
    series::Course,
    speech::Speech,
    support::Given,
    talk::Talk,
    view::{Bounds, FrameNote, FrameView},
};

/// The sum of one or more windows of one stream. Frames of different windows can be merged, in any order and grouping.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    clock: Clock,
    head: Head,
    authors: Authors,
    active: People,
    outliers: People,
    talk: Talk,
    speech: Speech,
    course: Course,
    moments: Moments,
    given: Given,
    lines: Lines,
    newest: Insight,
}

/// The view of those windows of a stream that are in a range; `None` if there are none. The insights are those of one
/// stream, in any order; of several insights of a window, the last one counts.
pub fn frame<'a>(insights: impl IntoIterator<Item = &'a Insight>, range: Range) -> Option<FrameView> {
    Frame::of_all(range.of(insights)).map(|frame| frame.view())
}

impl Frame {
    /// The frame of one window.
    pub fn of(insight: &Insight) -> Self {
        Self {
            clock: Clock::of(insight),
            head: Head::of(insight),
            authors: Authors::of(insight),
            active: People::active(insight),
            outliers: People::outliers(insight),
            talk: Talk::of(insight),
            speech: Speech::of(insight),
            course: Course::of(insight),
            moments: Moments::of(insight),
            given: Given::of(insight),
            lines: Lines::of(insight),
            newest: insight.clone(),
        }
    }

    /// The frame of several windows, each once; `None` if there are none.
    pub fn of_all<'a>(insights: impl IntoIterator<Item = &'a Insight>) -> Option<Self> {
        let mut frames: Vec<Self> = insights.into_iter().map(Self::of).collect();
        // Pairs of equal length are merged, so that a long stream is not sorted again for every window.
        while frames.len() > 1 {
            let mut pairs = frames.into_iter();
            let mut merged = Vec::with_capacity(pairs.len().div_ceil(2));
            while let Some(mut one) = pairs.next() {
                if let Some(other) = pairs.next() {
                    one.merge(&other);
                }
                merged.push(one);
            }
            frames = merged;
        }
        frames.pop()
    }

    /// Adds the windows of another frame of the same stream. No window may be in both frames: it would count twice.
    pub fn merge(&mut self, other: &Self) {
        self.clock.merge(&other.clock);
        self.head.merge(&other.head);
        self.authors.merge(&other.authors);
        self.active.merge(&other.active);
        self.outliers.merge(&other.outliers);
        self.talk.merge(&other.talk);
        self.speech.merge(&other.speech);
        self.course.merge(&other.course);
        self.moments.merge(&other.moments);
        self.given.merge(&other.given);
        self.lines.merge(&other.lines);
        if other.newest.window_start_ms > self.newest.window_start_ms {
            self.newest = other.newest.clone();
        }
    }

    /// The frame as one insight, and how exact it is.
    pub fn view(&self) -> FrameView {
        let counted = self.authors.count();
        let (hot_topics, topic_ranges) = self.talk.hot_topics(counted.users);
        let (active_users, at_most) = self.active.most_active();
        let (support, supporters) = self.given.support();
        let (phrases, all_phrases) = self.speech.phrases();
        let (clips, all_clips) = self.moments.clips();
        let (alerts, all_alerts) = self.moments.alerts();
        let note = FrameNote {
            windows: self.clock.windows(),
            covered_ms: self.clock.covered_ms(),
            gaps: self.clock.gaps(),
            users: Bounds { least: counted.least, most: counted.most },
            active_users: at_most,
            others_at_most: self.active.others_at_most(),
            hot_topics: topic_ranges,
            supporters,
            phrases: all_phrases,
            clips: all_clips,
            alerts: all_alerts,
        };
        if note.windows == 1 {
            return FrameView { insight: self.newest.clone(), note };
        }
        let (start_ms, end_ms) = (self.clock.start_ms(), self.clock.end_ms());
        let seconds = note.covered_ms.max(1) as f64 / 1000.0;
        let vibe_score = self.head.vibe_score();
        let mut insight = Insight {
            window_start_ms: start_ms,
            window_end_ms: end_ms,
            chats: self.head.chats,
            users: counted.users,
            segments: self.head.segments,
            chats_per_second: (self.head.chats as f64 / seconds * 100.0).round() / 100.0,
            questions: self.head.questions,
            silent_microphone: self.head.silent_microphone(),
            silent_chat: self.head.chats == 0,
            vibe_score,
            mood: self.head.mood(),
            top_chats: self.talk.top_chats(&hot_topics, f64::from(vibe_score) / 50.0 - 1.0),
            hot_topics,
            active_users,
            outliers: self.outliers.all(),
            phrases,
            languages: self.talk.languages(),
            series: self.course.series(start_ms, end_ms),
            trend: TrendSummary { history: self.course.history(), ..self.newest.trend.clone() },
            spikes: self.moments.spikes(),
            clips,
            alerts,
            support,
            withdrawn: self.head.withdrawn,
            evidence: Vec::new(),
            provenance: None,
            remainder: None,
            stream_id: self.newest.stream_id.clone(),
            analyst: self.newest.analyst.clone(),
            instruction: self.newest.instruction.clone(),
        };
        insight.evidence = self.lines.behind(&insight, self.newest.window_start_ms);
        FrameView { insight, note }
    }
}
