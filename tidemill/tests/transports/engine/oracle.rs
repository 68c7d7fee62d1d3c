//! What must come out, and whether it did: nothing lost, nothing twice, nothing else.

use std::{
    collections::BTreeMap,
    fmt::Debug,
    thread,
    time::{Duration, Instant},
};

use tidemill::{
    Windowed,
    state::{Codec, Coded},
};

use super::{
    input::{self, Entry},
    topology::{INPUTS, WINDOW_MS, user_of},
};
use crate::{Site, Tested};

/// Longer than a session, a transaction's time-out and a broker's start together.
const PATIENCE: Duration = Duration::from_secs(240);

/// By key: of a count each step in order.
type Results<K, V> = BTreeMap<K, Vec<V>>;

#[derive(Debug, Default, PartialEq)]
struct Counts {
    channels: Results<(String, i64), i64>,
    users: Results<String, i64>,
}

impl Counts {
    fn expected(entries: &[Entry]) -> Self {
        let mut counts = Self::default();
        for entry in entries.iter().filter(|entry| entry.topic == "chat") {
            step(counts.channels.entry((entry.key.clone(), window(entry))).or_default());
            step(counts.users.entry(user_of(&entry.text).to_owned()).or_default());
        }
        counts
    }

    fn read(site: &Site) -> Tested<Self> {
        let channels = results::<Windowed<String>, i64>(site, "by-channel")?;
        let channels = channels.into_iter().map(|(key, counts)| ((key.key, key.window.start), counts)).collect();
        Ok(Self { channels, users: results(site, "by-user")? })
    }

    fn len(&self) -> usize {
        self.channels.values().map(Vec::len).sum::<usize>() + self.users.values().map(Vec::len).sum::<usize>()
    }
}

fn step(counts: &mut Vec<i64>) {
    counts.push(counts.len() as i64 + 1);
}

fn window(entry: &Entry) -> i64 {
    entry.timestamp / WINDOW_MS * WINDOW_MS
}

/// Waits until what was sent has been counted, and checks that it was counted right.
pub(crate) fn counted(site: &Site, sent: &[Entry]) -> Tested {
    let expected = Counts::expected(sent);
    let found = until(|| Counts::read(site), |found| found.len() >= expected.len())?;
    same("by-channel", &found.channels, &expected.channels);
    same("by-user", &found.users, &expected.users);
    Ok(())
}

/// Checks that the input itself is as it was sent, before anybody else is blamed.
fn fed(site: &Site, sent: &[Entry]) -> Tested {
    for topic in INPUTS {
        let mut expected = Results::<String, String>::new();
        for entry in sent.iter().filter(|entry| entry.topic == topic) {
            expected.entry(entry.key.clone()).or_default().push(entry.text.clone());
        }
        same(topic, &results(site, topic)?, &expected);
    }
    Ok(())
}

/// Closes every window and checks all that came out in all.
pub(crate) fn all(site: &Site, mut sent: Vec<Entry>) -> Tested {
    fed(site, &sent)?;
    counted(site, &sent)?;
    let mut talk = Results::<(String, i64), (Vec<String>, Vec<String>)>::new();
    for entry in &sent {
        let both = talk.entry((entry.key.clone(), window(entry))).or_insert_with(|| vec![Default::default()]);
        let side = if entry.topic == "chat" { &mut both[0].0 } else { &mut both[0].1 };
        side.push(entry.text.clone());
    }
    let expected: Results<_, _> =
        talk.into_iter().map(|(at, both)| (at, vec![format!("{:?} {:?}", both[0].0, both[0].1)])).collect();
    input::feed(site, input::closing())?;
    sent.extend(input::closing());
    let read = || {
        let found = results::<Windowed<String>, String>(site, "talk")?;
        let found = found.into_iter().map(|(key, both)| ((key.key, key.window.start), both));
        Ok(found
            .filter(|((_, start), _)| *start < input::future_ms() / WINDOW_MS * WINDOW_MS)
            .collect::<Results<_, _>>())
    };
    let found = until(read, |found| found.len() >= expected.len())?;
    same("talk", &found, &expected);
    counted(site, &sent)?;
    assert_eq!(site.read_all("late")?.len(), 0, "the grace covers all disorder");
    // Once more: nothing may come after what was waited for.
    same("talk", &read()?, &expected);
    Ok(())
}

/// Reads until it is enough, or for so long that it never will be; the caller says what is wrong then.
fn until<T>(read: impl Fn() -> Tested<T>, enough: impl Fn(&T) -> bool) -> Tested<T> {
    let started = Instant::now();
    loop {
        let found = read()?;
        if enough(&found) || started.elapsed() > PATIENCE {
            return Ok(found);
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn results<K: Coded + Ord, V: Coded>(site: &Site, topic: &str) -> Tested<Results<K, V>> {
    let mut results = Results::new();
    for (_, record) in site.read_all(topic)? {
        let key = K::Codec::default().decode_opt(record.key)?;
        results.entry(key).or_insert_with(Vec::new).push(V::Codec::default().decode_opt(record.value)?);
    }
    Ok(results)
}

fn same<K: Ord + Debug, V: PartialEq + Debug>(topic: &str, found: &Results<K, V>, expected: &Results<K, V>) {
    let strange: Vec<_> = found.keys().filter(|key| !expected.contains_key(key)).take(3).collect();
    assert!(strange.is_empty(), "{topic}: nobody asked for: {strange:?}");
    for (key, values) in expected {
        assert_eq!(found.get(key), Some(values), "{topic}: another result at {key:?}");
    }
}
