//! Dead letters go back to where they came from, each once.

use tidemill::{
    dead_letters::{DeadLetterFilter, DeadLetters},
    transport::ProducerRecord,
};

use crate::{Site, Tested, patiently};

/// A dead letter of a record of partition 1 of `in`.
fn letter(site: &Site, offset: i64, value: &str) -> ProducerRecord {
    let mut record = site.record("dead", 0, value);
    record.headers.push("trace", "t-1");
    record.headers.push("__streams.errors.message", "it is bad");
    record.headers.push("__streams.errors.topic", site.named("in"));
    record.headers.push("__streams.errors.partition", "1");
    record.headers.push("__streams.errors.offset", offset.to_string());
    record
}

pub(crate) fn a_dead_letter_is_replayed_once(site: &Site) -> Tested {
    site.create("in", 2)?;
    site.create("dead", 1)?;
    let mut producer = site.producer()?;
    for (offset, value) in ["one", "two", "three"].iter().enumerate() {
        producer.send(letter(site, offset as i64, value))?;
    }
    producer.flush()?;
    let letters = DeadLetters::new(site.transport.clone(), site.named("app"), [site.topic("dead")]);
    let list = |filter: DeadLetterFilter| patiently("letters are listed", || Ok(letters.list(&filter)?));
    let listed = list(DeadLetterFilter::default())?;
    assert_eq!(listed.len(), 3);
    assert_eq!(listed[1].from.as_ref().map(|from| from.offset), Some(1));
    let chosen = [listed[2].id.clone(), listed[0].id.clone()];
    assert_eq!(letters.replay(&chosen)?.replayed, chosen);
    assert_eq!(letters.replay(&chosen)?.replayed_before, chosen);
    let back = site.read_all("in")?;
    let back: Vec<_> = back.iter().map(|(partition, record)| (*partition, record.value.as_deref())).collect();
    assert_eq!(back, [(1, Some(&b"three"[..])), (1, Some(&b"one"[..]))]);
    assert_eq!(site.read_all("in")?[0].1.headers.last("trace").map(|value| &value[..]), Some(&b"t-1"[..]));
    let left = list(DeadLetterFilter::default())?;
    assert_eq!(left.iter().map(|letter| &letter.id).collect::<Vec<_>>(), [&listed[1].id]);
    Ok(())
}
