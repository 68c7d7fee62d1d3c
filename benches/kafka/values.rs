//! What workloads do with keys and values.

use bytes::{BufMut, Bytes, BytesMut};
use tidemill::{KStream, Windowed};

/// Replaces a windowed key by the key without the window.
pub(crate) fn inner<V: tidemill::Data>(stream: &KStream<Windowed<Bytes>, V>) -> KStream<Bytes, V> {
    stream.select_key(|windowed, _| windowed.key.clone())
}

/// Joins a segment with a chat that was written at the same time.
pub(crate) fn with(segment: &Bytes, chat: Option<&Bytes>) -> Bytes {
    match chat {
        Some(chat) => Bytes::from([&segment[..], &chat[..]].concat()),
        None => segment.clone(),
    }
}

/// Concatenates frames, each with its length before it.
pub(crate) fn framed(frames: Vec<Bytes>) -> Bytes {
    let mut all = BytesMut::with_capacity(frames.iter().map(|frame| 4 + frame.len()).sum());
    for frame in frames {
        all.put_u32(frame.len() as u32);
        all.put_slice(&frame);
    }
    all.freeze()
}

/// The stream that a chat names: one of ten, by a digit of its user.
pub(crate) fn other(chat: &Bytes) -> Option<Bytes> {
    let digit = chat.get(10)?;
    Some(Bytes::from([b"stream-", &[*digit][..]].concat()))
}

/// Concatenates two values.
pub(crate) fn both(left: &Bytes, right: &Bytes) -> Bytes {
    with(left, Some(right))
}
