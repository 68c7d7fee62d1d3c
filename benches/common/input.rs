//! Inputs of the benchmarks, as the applications get them: chats of live streams and pose frames of athletes.

use bytes::{Bytes, BytesMut};
use tidemill::{partition_for, transport::embedded::Entry};

/// The first timestamp: a whole minute, in milliseconds.
const T0: i64 = 1_700_000_040_000;
/// The number of keys in the input.
pub(crate) const STREAMS: usize = 1000;
/// Records are slices of blocks of about this size, like the records of a fetch response.
const BLOCK: usize = 64 * 1024;
/// The size of a pose frame as JSON.
const FRAME_BYTES: usize = 1800;
/// The number of different frames. They do not fit into the CPU's cache.
const FRAMES: usize = 20_000;

/// Chats of 1000 streams, ten per second each, about 50 bytes long. One second of event time has 10 000 records.
pub(crate) fn chats(records: usize) -> impl Iterator<Item = Entry> {
    let mut random = Random(42);
    let mut blocks = Blocks::default();
    (0..records).map(move |i| {
        let key = random.next() % STREAMS;
        let text = format!("{{\"user\":\"u{}\",\"text\":\"{:020x} so good\"}}", random.next() % 5000, random.next());
        let timestamp = T0 + i as i64 / (STREAMS as i64 / 100);
        Entry::new(blocks.slice(format!("stream-{key}").as_bytes()), blocks.slice(text.as_bytes()), timestamp)
    })
}

/// Transcript segments of the same streams, one every two seconds for each stream.
pub(crate) fn segments(records: usize) -> impl Iterator<Item = Entry> {
    let mut random = Random(21);
    let mut blocks = Blocks::default();
    (0..records).map(move |i| {
        let text = format!("{{\"text\":\"{:020x} you know\"}}", random.next());
        let timestamp = T0 + (i / STREAMS * 2000) as i64;
        Entry::new(blocks.slice(format!("stream-{}", i % STREAMS).as_bytes()), blocks.slice(text.as_bytes()), timestamp)
    })
}

/// The number of pose frames, and the frames per second of each user.
pub(crate) struct Frames {
    pub(crate) records: usize,
    pub(crate) per_second: usize,
}

/// Frames of 1000 users in turn, 1.8 kB each.
pub(crate) fn frames(Frames { records, per_second }: Frames) -> impl Iterator<Item = Entry> {
    let mut random = Random(7);
    let mut blocks = Blocks::default();
    let keys: Vec<_> = (0..STREAMS).map(|key| blocks.slice(format!("stream-{key}").as_bytes())).collect();
    let pool: Vec<_> = (0..FRAMES.min(records)).map(|_| blocks.slice(&frame(&mut random))).collect();
    (0..records).map(move |i| {
        let timestamp = T0 + (i / STREAMS * 1000 / per_second) as i64;
        Entry::new(keys[i % STREAMS].clone(), pool[i % pool.len()].clone(), timestamp)
    })
}

/// The partition of a record, by its key.
pub(crate) fn partition_of(entry: &Entry, partitions: i32) -> i32 {
    partition_for(entry.key.as_deref(), partitions)
}

/// A frame with as many digits and names as real JSON, so that compression costs the same.
fn frame(random: &mut Random) -> Vec<u8> {
    let mut json = br#"{"exercise":"pullup","landmarks":["#.to_vec();
    while json.len() < FRAME_BYTES {
        let (x, y, z) = (random.next() % 1_000_000, random.next() % 1_000_000, random.next() % 1_000_000);
        json.extend_from_slice(format!(r#"{{"part":12,"x":0.{x:06},"y":0.{y:06},"z":-0.{z:06}}},"#).as_bytes());
    }
    json.truncate(FRAME_BYTES);
    json
}

/// Cuts slices from blocks, as a fetch response is cut into records.
#[derive(Default)]
struct Blocks(BytesMut);

impl Blocks {
    fn slice(&mut self, bytes: &[u8]) -> Bytes {
        if self.0.capacity() < bytes.len() {
            self.0 = BytesMut::with_capacity(BLOCK);
        }
        self.0.extend_from_slice(bytes);
        self.0.split().freeze()
    }
}

/// A xorshift generator. It gives the same input in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 as usize >> 8
    }
}
