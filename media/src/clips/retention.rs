//! Which finished clips go.

use crate::clips::{Clip, ClipId, ClipState};

/// The clips to remove: those that are older than `keep_ms`, then the oldest while all together exceed `quota_bytes`. The
/// newest one stays whatever its size: it was asked for just now.
pub(super) fn expired<'a>(
    clips: impl Iterator<Item = &'a Clip>,
    now_ms: i64,
    keep_ms: Option<i64>,
    quota_bytes: Option<u64>,
) -> Vec<ClipId> {
    let finished = |clip: &'a Clip| match &clip.state {
        ClipState::Done(finished) => Some((finished.finished_ms, finished.bytes, &clip.id)),
        _ => None,
    };
    let mut files: Vec<_> = clips.filter_map(finished).collect();
    files.sort();
    let old = keep_ms.map_or(0, |keep| files.partition_point(|(at, ..)| at.saturating_add(keep) < now_ms));
    let mut gone = old;
    let mut bytes: u64 = files[old..].iter().map(|(_, bytes, _)| bytes).sum();
    while gone + 1 < files.len() && quota_bytes.is_some_and(|quota| bytes > quota) {
        bytes -= files[gone].1;
        gone += 1;
    }
    files[..gone].iter().map(|(.., id)| (*id).clone()).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::expired;
    use crate::clips::{Clip, ClipId, ClipRequest, ClipState, Finished, Shape};

    /// Finished clips: a name, when each was finished, and its bytes.
    pub(in crate::clips) fn clips(files: &[(&str, i64, u64)]) -> Vec<Clip> {
        let clip = |&(name, finished_ms, bytes): &(&str, i64, u64)| Clip {
            id: ClipId::new(name).expect("a name"),
            request: ClipRequest {
                title: String::new(),
                footage: Vec::new(),
                start_ms: 0,
                end_ms: 1,
                lead_in_ms: 0,
                shape: Shape::Landscape,
                captions: Vec::new(),
                captioned: false,
                owner: String::new(),
            },
            created_ms: 0,
            state: ClipState::Done(Finished { bytes, start_ms: 0, duration_ms: 1, finished_ms }),
        };
        files.iter().map(clip).collect()
    }

    fn gone(now_ms: i64, keep_ms: Option<i64>, quota: Option<u64>) -> Vec<String> {
        let clips = clips(&[("b", 200, 50), ("a", 100, 40), ("c", 300, 70)]);
        expired(clips.iter(), now_ms, keep_ms, quota).into_iter().map(String::from).collect()
    }

    #[test]
    fn old_clips_go_and_then_the_oldest_while_there_are_too_many_bytes() {
        assert_eq!(gone(300, None, None), Vec::<String>::new());
        assert_eq!(gone(300, Some(150), None), ["a"]);
        assert_eq!(gone(300, None, Some(120)), ["a"]);
        assert_eq!(gone(300, Some(150), Some(119)), ["a", "b"]);
        assert_eq!(gone(900, Some(150), None), ["a", "b", "c"]);
        assert_eq!(gone(300, None, Some(1)), ["a", "b"], "the newest stays");
    }
}
