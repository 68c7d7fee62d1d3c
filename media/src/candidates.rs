//! Moments of a stream that may become clips: from spikes to candidates that do not overlap, the best one first.

/// Something happened in the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Spike {
    /// When it began.
    pub start_ms: i64,
    /// When it ended.
    pub end_ms: i64,
    /// How much it matters; more than 0.
    pub score: f64,
    /// What happened, for the streamer to read.
    pub reason: String,
}

/// How candidates are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CandidateOptions {
    /// How much is shown before a spike: chat reacts after the moment. 15 seconds.
    pub lead_in_ms: i64,
    /// How much is shown after a spike. 5 seconds.
    pub lead_out_ms: i64,
    /// The longest candidate; at least one second. One minute.
    pub longest_ms: i64,
    /// How many candidates are kept. 20.
    pub most: usize,
}

impl Default for CandidateOptions {
    fn default() -> Self {
        Self { lead_in_ms: 15_000, lead_out_ms: 5000, longest_ms: 60_000, most: 20 }
    }
}

/// A moment that may become a clip.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Candidate {
    /// When it begins.
    pub start_ms: i64,
    /// When it ends.
    pub end_ms: i64,
    /// The best score of each reason, added up: a moment with several reasons is better than one that repeats itself.
    pub score: f64,
    /// Why, the best reason first; each once.
    pub reasons: Vec<String>,
}

/// The candidates of a whole stream, the best one first; of equal ones the earlier. They do not overlap: spikes near each
/// other become one candidate, and what exceeds the longest candidate is cut to the part with the highest score. Spikes
/// whose score is not a number above 0 are left out.
///
/// ```
/// use tidemill_media::candidates::{CandidateOptions, Spike, rank};
///
/// let spike = |second: i64, score, reason: &str| Spike {
///     start_ms: second * 1000,
///     end_ms: second * 1000 + 2000,
///     score,
///     reason: reason.into(),
/// };
/// let spikes = [spike(100, 2.0, "chat"), spike(104, 1.0, "donation"), spike(900, 2.5, "chat")];
/// let ranked = rank(&spikes, &CandidateOptions::default());
/// assert_eq!(ranked[0].reasons, ["chat", "donation"]);
/// assert_eq!((ranked[0].start_ms, ranked[0].end_ms), (85_000, 111_000));
/// assert_eq!(ranked[1].score, 2.5);
/// ```
pub fn rank(spikes: &[Spike], options: &CandidateOptions) -> Vec<Candidate> {
    let longest = options.longest_ms.max(1000);
    let mut shown: Vec<Shown<'_>> =
        spikes.iter().filter(|spike| spike.score > 0.0).map(|spike| Shown::new(spike, options, longest)).collect();
    shown.sort_by(|a, b| (a.from, a.to, &a.spike.reason).cmp(&(b.from, b.to, &b.spike.reason)));
    let mut candidates = Vec::new();
    let mut rest = shown.as_slice();
    while let [first, ..] = rest {
        let mut to = first.to;
        let mut count = 1;
        while let Some(next) = rest.get(count).filter(|next| next.from < to) {
            to = to.max(next.to);
            count += 1;
        }
        split(&rest[..count], longest, &mut candidates);
        rest = &rest[count..];
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.start_ms.cmp(&b.start_ms)));
    candidates.truncate(options.most);
    candidates
}

/// A spike with what is shown around it.
#[derive(Debug, Clone, Copy)]
struct Shown<'a> {
    from: i64,
    to: i64,
    spike: &'a Spike,
}

impl<'a> Shown<'a> {
    fn new(spike: &'a Spike, options: &CandidateOptions, longest: i64) -> Self {
        let from = spike.start_ms.saturating_sub(options.lead_in_ms.max(0));
        let to = spike.end_ms.max(spike.start_ms).saturating_add(options.lead_out_ms.max(0));
        Self { from, to: to.clamp(from.saturating_add(1), from.saturating_add(longest)), spike }
    }
}

/// Spikes that overlap in a chain, in order of time: one candidate where that is short enough, else the best part and
/// what is left on its two sides.
fn split(chain: &[Shown<'_>], longest: i64, candidates: &mut Vec<Candidate>) {
    let Some(first) = chain.first() else { return };
    let end = chain.iter().map(|shown| shown.to).max().unwrap_or(first.to);
    if end.saturating_sub(first.from) <= longest {
        candidates.push(candidate(first.from, end, chain));
        return;
    }
    let inside = |from: i64| {
        let to = from.saturating_add(longest);
        let inside: Vec<_> = chain.iter().copied().filter(|shown| shown.from >= from && shown.to <= to).collect();
        let end = inside.iter().map(|shown| shown.to).max().unwrap_or(to);
        candidate(from, end, &inside)
    };
    let best = chain
        .iter()
        .map(|shown| inside(shown.from))
        .reduce(|best, next| if next.score > best.score { next } else { best });
    let Some(best) = best else { return };
    let before: Vec<_> = chain.iter().copied().filter(|shown| shown.to <= best.start_ms).collect();
    let after: Vec<_> = chain.iter().copied().filter(|shown| shown.from >= best.end_ms).collect();
    let touching: Vec<_> =
        chain.iter().copied().filter(|shown| shown.to > best.start_ms && shown.from < best.end_ms).collect();
    candidates.push(candidate(best.start_ms, best.end_ms, &touching));
    split(&before, longest, candidates);
    split(&after, longest, candidates);
}

fn candidate(start_ms: i64, end_ms: i64, spikes: &[Shown<'_>]) -> Candidate {
    let mut best: Vec<(&str, f64)> = Vec::new();
    for Shown { spike, .. } in spikes {
        match best.iter_mut().find(|(reason, _)| *reason == spike.reason) {
            Some((_, score)) => *score = score.max(spike.score),
            None => best.push((&spike.reason, spike.score)),
        }
    }
    best.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    Candidate {
        start_ms,
        end_ms,
        score: best.iter().map(|(_, score)| score).sum(),
        reasons: best.into_iter().map(|(reason, _)| reason.to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CandidateOptions, Spike, rank};

    fn spike(second: i64, score: f64, reason: &str) -> Spike {
        Spike { start_ms: second * 1000, end_ms: second * 1000 + 1000, score, reason: reason.into() }
    }

    fn options() -> CandidateOptions {
        CandidateOptions { lead_in_ms: 10_000, lead_out_ms: 4000, longest_ms: 30_000, most: 9 }
    }

    #[test]
    fn a_reason_that_repeats_counts_once_and_several_reasons_add_up() {
        let repeated: Vec<_> = (0..5).map(|second| spike(100 + second, 1.0, "chat")).collect();
        assert!((rank(&repeated, &options())[0].score - 1.0).abs() < 1e-9);
        let several = [spike(100, 1.0, "chat"), spike(102, 2.0, "goal")];
        let ranked = rank(&several, &options());
        assert_eq!(ranked.len(), 1);
        assert_eq!(ranked[0].reasons, ["goal", "chat"]);
        assert!((ranked[0].score - 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_long_burst_is_cut_to_its_best_part_and_the_rest_stays_a_candidate() {
        let mut spikes: Vec<_> = (0..20).map(|step| spike(100 + step * 5, 1.0, "chat")).collect();
        spikes.push(spike(150, 9.0, "goal"));
        let ranked = rank(&spikes, &options());
        assert_eq!(ranked[0].reasons, ["goal", "chat"]);
        assert!(ranked[0].start_ms <= 140_000 && ranked[0].end_ms >= 155_000, "{:?}", ranked[0]);
        assert!(ranked.len() > 1);
    }

    #[test]
    fn scores_that_are_no_numbers_are_left_out() {
        assert_eq!(rank(&[spike(1, f64::NAN, "a"), spike(2, -1.0, "b"), spike(3, 0.0, "c")], &options()), []);
    }

    proptest! {
        #[test]
        fn candidates_never_overlap_nor_last_too_long_and_no_reason_is_lost(
            spikes in proptest::collection::vec((0_i64..600, 1_u32..9, 0_usize..4), 0..40)
        ) {
            let spikes: Vec<_> = spikes
                .into_iter()
                .map(|(second, score, reason)| spike(second, f64::from(score), ["chat", "goal", "donation", "laugh"][reason]))
                .collect();
            let mut ranked = rank(&spikes, &CandidateOptions { most: usize::MAX, ..options() });
            prop_assert!(ranked.is_sorted_by(|a, b| a.score >= b.score));
            ranked.sort_by_key(|candidate| candidate.start_ms);
            prop_assert!(ranked.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
            prop_assert!(ranked.iter().all(|candidate| candidate.end_ms - candidate.start_ms <= 30_000));
            for spike in &spikes {
                let kept = ranked.iter().any(|candidate| {
                    candidate.start_ms < spike.end_ms + 4000
                        && candidate.end_ms > spike.start_ms - 10_000
                        && candidate.reasons.contains(&spike.reason)
                });
                prop_assert!(kept, "{spike:?} is in none of {ranked:?}");
            }
        }
    }
}
