//! A frame as it is shown: one insight, and how exact it is.

use serde::{Deserialize, Serialize};
use tidemill_schemas::Insight;

/// Several windows, shown as one insight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameView {
    /// The windows together. A view of one window is that window's insight. Otherwise the instruction, the engagement,
    /// the usual values and the analyst are those of the newest window, and there is no provenance.
    pub insight: Insight,
    /// How exact the insight is.
    pub note: FrameNote,
}

/// How exact a view is, and what is cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameNote {
    /// The number of windows.
    pub windows: usize,
    /// The length of all windows together, in milliseconds. It does not count gaps.
    pub covered_ms: i64,
    /// Times between the windows for which there is no window.
    pub gaps: Vec<Gap>,
    /// The number of distinct authors is in this range, in 19 of 20 cases; equal numbers are exact.
    pub users: Bounds,
    /// For each author in the insight's `active_users`, in that order, the most messages that the author may have.
    pub active_users: Vec<AtMost>,
    /// An author outside of all windows' lists wrote at most this many messages.
    pub others_at_most: u64,
    /// For each of the insight's `hot_topics`, in that order, how much is known of it.
    pub hot_topics: Vec<TopicRange>,
    /// For each supporter in the insight's `support`, the largest sum that the supporter may have given, in millionths
    /// of a unit. The id is the currency, a blank and the supporter's id.
    pub supporters: Vec<AtMost>,
    /// The number of phrases, with those that are not shown.
    pub phrases: u64,
    /// The number of clips, with those that are not shown.
    pub clips: u64,
    /// The number of alerts, with those that are not shown.
    pub alerts: u64,
}

/// A time without windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// First millisecond, in epoch milliseconds.
    pub from_ms: i64,
    /// First millisecond after it, in epoch milliseconds.
    pub to_ms: i64,
}

/// A number that is known to lie between two others, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The number is not less.
    pub least: u64,
    /// The number is not greater.
    pub most: u64,
}

/// The upper bound of somebody's number. The lower bound is the number that is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtMost {
    /// The author's id.
    pub id: String,
    /// The number is not greater.
    pub at_most: u64,
}

/// What is known of a hot topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicRange {
    /// The term.
    pub term: String,
    /// The number of windows that list the topic. Other windows add nothing to it.
    pub windows: u64,
    /// At least this many authors used the term. The number that is shown counts an author once for each window.
    pub users_least: u64,
}
