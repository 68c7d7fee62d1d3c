//! The counts and the mood of several windows.

use std::collections::HashMap;

use tidemill_schemas::{Insight, MoodLabel};

/// Counts, and the mood weighted by authors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Head {
    pub(super) chats: u64,
    pub(super) segments: u64,
    pub(super) questions: u64,
    pub(super) withdrawn: u64,
    /// Whether some window missed the voice of somebody who had spoken before.
    missed_speech: bool,
    /// Vibe scores times authors.
    vibe: u64,
    /// The authors of windows with chat, each window for itself.
    weight: u64,
    /// For each word of the mood its authors, and the newest window with it.
    moods: HashMap<MoodLabel, (u64, i64)>,
}

impl Head {
    pub(super) fn of(insight: &Insight) -> Self {
        let Insight { chats, segments, questions, withdrawn, silent_microphone: missed_speech, .. } = *insight;
        let weight = if chats > 0 { insight.users.max(1) } else { 0 };
        let mood = (weight > 0).then_some((insight.mood, (weight, insight.window_start_ms)));
        let (vibe, moods) = (u64::from(insight.vibe_score) * weight, mood.into_iter().collect());
        Self { chats, segments, questions, withdrawn, missed_speech, vibe, weight, moods }
    }

    /// Whether a microphone that had a voice brought none. Without speech at all, nothing is missed.
    pub(super) fn silent_microphone(&self) -> bool {
        self.segments == 0 && self.missed_speech
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.chats += other.chats;
        self.segments += other.segments;
        self.questions += other.questions;
        self.withdrawn += other.withdrawn;
        self.missed_speech |= other.missed_speech;
        self.vibe += other.vibe;
        self.weight += other.weight;
        for (mood, (weight, newest)) in &other.moods {
            let own = self.moods.entry(*mood).or_insert((0, i64::MIN));
            *own = (own.0 + weight, own.1.max(*newest));
        }
    }

    /// The mean vibe score; 50 (neutral) without chat.
    pub(super) fn vibe_score(&self) -> u8 {
        if self.weight == 0 { 50 } else { (self.vibe as f64 / self.weight as f64).round() as u8 }
    }

    /// The mood of the most authors, and of equal ones the newest.
    pub(super) fn mood(&self) -> MoodLabel {
        let most = self.moods.iter().max_by_key(|(_, weight_and_newest)| **weight_and_newest);
        most.map_or(MoodLabel::Silent, |(mood, _)| *mood)
    }
}
