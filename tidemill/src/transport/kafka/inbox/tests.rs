//! What the inbox hands out, and in which order.

use super::*;

fn record(offset: Offset) -> ConsumedRecord {
    ConsumedRecord { offset, timestamp: 0, key: None, value: None, headers: Headers::new() }
}

#[test]
fn what_was_taken_is_not_lost_for_an_error_of_another_partition() {
    let partitions = [0, 1, 2].map(|number| TopicPartition::new("in", number));
    let mut left = [vec![record(7)], Vec::new(), vec![record(9)]];
    let mut read = |first: usize| {
        let order = (0..3).map(|place| (&partitions[(first + place) % 3], (first + place) % 3));
        gather(order, 10, |_, place, _| match place {
            1 => Err(TransportError::Retriable("no leader".into())),
            _ => Ok(std::mem::take(&mut left[place])),
        })
    };
    let offsets = |read: Vec<Fetched>| {
        read.into_iter().flat_map(|one| one.records).map(|record| record.offset).collect::<Vec<_>>()
    };
    assert_eq!(read(0).map(offsets).ok(), Some(vec![7]), "the second partition's error comes later");
    assert!(matches!(read(1), Err(TransportError::Retriable(_))), "now there is nothing to lose");
    assert_eq!(read(2).map(offsets).ok(), Some(vec![9]));
}
