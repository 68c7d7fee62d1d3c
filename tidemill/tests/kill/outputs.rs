//! What came out: one value for each key and window.

use std::collections::BTreeMap;

use tidemill::{
    Windowed,
    state::{Codec, Coded},
    transport::embedded::EmbeddedLog,
};

use crate::{
    Tested,
    windows::{self, OUTPUTS, WINDOW_MS},
    workload::Work,
};

/// A window's results by topic, key and start: more than one is one too many.
type Results<V> = BTreeMap<(String, i64), Vec<V>>;

#[derive(Debug, Default)]
pub(crate) struct Outputs {
    talk: Results<String>,
    counts: Results<i64>,
    texts: Results<Vec<String>>,
    late: usize,
}

impl Outputs {
    pub(crate) fn read(log: &EmbeddedLog) -> Tested<Self> {
        let [talk, counts, texts, late] = OUTPUTS;
        Ok(Self {
            talk: results(log, talk)?,
            counts: results(log, counts)?,
            texts: results(log, texts)?,
            late: log.read_all(late)?.len(),
        })
    }

    /// Nothing lost, nothing twice, nothing else.
    pub(crate) fn assert_same_as(&self, expected: &Self) {
        assert_same("talk", &self.talk, &expected.talk);
        assert_same("user-counts", &self.counts, &expected.counts);
        assert_same("user-chats", &self.texts, &expected.texts);
        assert_eq!(self.late, 0, "the grace covers all disorder");
        let windows = [self.talk.len(), self.counts.len(), self.texts.len()];
        println!("windows of talk, user-counts, user-chats: {windows:?}, each once and as undisturbed");
    }

    /// Every chat is in its user's window, once, and counted; every chat and speech is in its channel's.
    pub(crate) fn check_against_input(&self, work: &Work) {
        let mut texts: Results<Vec<String>> = BTreeMap::new();
        let mut elements = 0;
        for entry in work.data("chat") {
            let text = String::from_utf8_lossy(entry.value.as_deref().unwrap_or_default()).into_owned();
            let start = entry.timestamp / WINDOW_MS * WINDOW_MS;
            let window = texts.entry((windows::user_of(&text).to_owned(), start)).or_insert_with(|| vec![Vec::new()]);
            window[0].push(text);
            elements += 2;
        }
        for window in texts.values_mut() {
            window[0].sort_unstable();
        }
        let counts = texts.iter().map(|(at, texts)| (at.clone(), vec![texts[0].len() as i64])).collect();
        assert_same("user-chats", &self.texts, &texts);
        assert_same("user-counts", &self.counts, &counts);
        // As many speeches as chats, and each element is quoted.
        let talk: usize = self.talk.values().flatten().map(|both| both.matches('"').count() / 2).sum();
        assert_eq!(talk, elements, "chats and speeches in common windows");
    }
}

fn results<V: Coded>(log: &EmbeddedLog, topic: &str) -> Tested<Results<V>> {
    let keys = <Windowed<String> as Coded>::Codec::default();
    let mut results = Results::new();
    for (_, record) in log.read_all(topic)? {
        let Windowed { key, window } = keys.decode_opt(record.key)?;
        let value = V::Codec::default().decode_opt(record.value)?;
        results.entry((key, window.start)).or_default().push(value);
    }
    Ok(results)
}

fn assert_same<V: PartialEq + std::fmt::Debug>(topic: &str, found: &Results<V>, expected: &Results<V>) {
    let twice: Vec<_> = found.iter().filter(|(_, values)| values.len() != 1).take(3).collect();
    assert!(twice.is_empty(), "{topic}: more than one result: {twice:?}");
    let lost: Vec<_> = expected.keys().filter(|at| !found.contains_key(*at)).take(3).collect();
    assert!(lost.is_empty(), "{topic}: lost: {lost:?}");
    let strange: Vec<_> = found.keys().filter(|at| !expected.contains_key(*at)).take(3).collect();
    assert!(strange.is_empty(), "{topic}: nobody asked for: {strange:?}");
    for (at, values) in expected {
        assert_eq!(&found[at], values, "{topic}: another result at {at:?}");
    }
}
