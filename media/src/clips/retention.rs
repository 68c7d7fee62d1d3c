//! Which clips go that are not made any more.

use std::collections::HashMap;

use crate::clips::{Clip, ClipId, ClipState};

/// How many clips that failed or were cancelled stay of an owner.
const UNMADE: usize = 200;

/// The clips to remove: finished ones as [`expired_files`] says, and those that failed or were cancelled, once they were
/// asked for more than `keep_ms` ago, or an owner has too many.
pub(super) fn expired<'a>(
    clips: impl Iterator<Item = &'a Clip> + Clone,
    now_ms: i64,
    keep_ms: Option<i64>,
    quota_bytes: Option<u64>,
) -> Vec<ClipId> {
    let mut gone = expired_files(clips.clone(), now_ms, keep_ms, quota_bytes);
    let is_unmade = |clip: &&Clip| matches!(clip.state, ClipState::Failed { .. } | ClipState::Cancelled);
    let mut unmade: Vec<_> = clips.filter(is_unmade).collect();
    unmade.sort_by_key(|clip| (clip.created_ms, &clip.id));
    let mut of_owner: HashMap<&str, usize> = HashMap::new();
    // The newest first.
    for clip in unmade.into_iter().rev() {
        let count = of_owner.entry(&clip.request.owner).or_default();
        *count += 1;
        if *count > UNMADE || keep_ms.is_some_and(|keep| clip.created_ms.saturating_add(keep) < now_ms) {
            gone.push(clip.id.clone());
        }
    }
    gone
}

/// The files to remove: those that are older than `keep_ms`, then the oldest while all together exceed `quota_bytes`. The
/// newest one stays whatever its size: it was asked for just now.
fn expired_files<'a>(
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

    #[test]
    fn what_was_not_made_goes_when_it_is_old_or_its_owner_has_too_much_of_it() {
        let names: Vec<_> = (0..300).map(|number| (format!("c{number:03}"), number)).collect();
        let files: Vec<_> = names.iter().map(|(name, at)| (name.as_str(), *at, 1)).collect();
        let mut unmade = clips(&files);
        for (number, clip) in unmade.iter_mut().enumerate() {
            clip.created_ms = number as i64;
            clip.request.owner = if number < 50 { "ada" } else { "bob" }.into();
            clip.state = if number % 2 == 0 { ClipState::Cancelled } else { ClipState::Failed { reason: "x".into() } };
        }
        unmade[60].state = ClipState::Fetching;
        let gone = |now_ms, keep_ms| -> Vec<String> {
            let mut gone: Vec<_> =
                expired(unmade.iter(), now_ms, keep_ms, None).into_iter().map(String::from).collect();
            gone.sort();
            gone
        };
        let too_many: Vec<_> =
            names[50..100].iter().map(|(name, _)| name.clone()).filter(|name| name != "c060").collect();
        assert_eq!(gone(300, None), too_many, "the newest 200 of each owner stay, and what is still made");
        let old = gone(1000, Some(900));
        assert_eq!(old.len(), too_many.len() + 50, "{old:?}");
        assert_eq!(gone(9000, Some(900)).len(), 299);
    }
}
