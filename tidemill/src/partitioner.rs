//! The partition of a key: Java's murmur2, so that records are co-partitioned with records of Java producers.

/// The 32-bit murmur2 hash of Kafka's Java client (`Utils.murmur2`).
///
/// ```
/// // The value that Kafka's own test of `Utils.murmur2` lists.
/// assert_eq!(tidemill::murmur2(b"21") as i32, -973_932_308);
/// ```
pub fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes([word[0], word[1], word[2], word[3]]).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// The partition of a key among `partitions`, as Kafka's default partitioner chooses it. The bytes are those of the
/// encoded key.
///
/// A null key does not choose a partition, and this function returns 0 for it. A producer of records without keys must
/// spread them itself. Tidemill's sinks do.
///
/// ```
/// use tidemill::partition_for;
///
/// let partition = partition_for(Some(b"ann"), 6);
/// assert_eq!(partition, partition_for(Some(b"ann"), 6), "a key stays in its partition");
/// assert!((0..6).contains(&partition));
/// ```
pub fn partition_for(key: Option<&[u8]>, partitions: i32) -> i32 {
    key.map_or(0, |key| (murmur2(key) & 0x7fff_ffff) as i32 % partitions.max(1))
}

/// The partition, among `partitions`, of a record without a key whose input record is at `offset` of a task's queue.
/// Many offsets spread evenly. A record that is processed again goes to the same partition.
pub(crate) fn partition_of_origin(task: i32, queue: usize, offset: i64, partitions: i32) -> i32 {
    let mut origin = [0; 16];
    origin[..4].copy_from_slice(&task.to_le_bytes());
    origin[4..8].copy_from_slice(&(queue as u32).to_le_bytes());
    origin[8..].copy_from_slice(&offset.to_le_bytes());
    partition_for(Some(&origin), partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_equal_those_of_the_java_client() {
        // Values of org.apache.kafka.common.utils.Utils.murmur2, as its own test lists them.
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
        assert_eq!(murmur2(b"abc") as i32, 479_470_107);
    }

    #[test]
    fn keys_with_negative_hashes_go_to_the_partitions_that_the_java_client_chooses() {
        // Values of org.apache.kafka.common.utils.Utils.toPositive(murmur2(key)) % partitions.
        for (key, hash, partitions) in [
            ("H", -798_908_673, [2, 6, 75]),
            ("i3", -771_056_497, [1, 1, 51]),
            ("BzgB", -1_672_491_273, [2, 4, 75]),
            ("stream-2", -2_133_572_436, [2, 0, 12]),
        ] {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
            let chosen = [3, 7, 100].map(|count| partition_for(Some(key.as_bytes()), count));
            assert_eq!(chosen, partitions, "{key}");
        }
    }
}
