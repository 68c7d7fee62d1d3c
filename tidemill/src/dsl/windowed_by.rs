//! The kinds of windows that a grouped stream can be divided into.

use super::{
    CogroupedKStream, KStream, SessionWindowedCogroupedKStream, SessionWindowedKStream, TimeWindowedCogroupedKStream,
    TimeWindowedKStream,
};
use crate::{
    record::Data,
    windows::{SessionWindows, SlidingWindows, TimeWindows},
};

/// Windows that [`KGroupedStream::windowed_by`](crate::KGroupedStream::windowed_by) accepts. Other crates cannot add
/// kinds of windows.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{KGroupedStream, StreamsBuilder, TimeWindows, TimeWindowedKStream};
/// # let builder = StreamsBuilder::new();
/// let views: KGroupedStream<u64, String> = builder.stream("views").group_by_key();
/// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// let per_minute: TimeWindowedKStream<u64, String> = views.windowed_by(minutes);
/// per_minute.count("per-minute");
/// builder.build()?;
/// # Ok::<(), tidemill::TopologyError>(())
/// ```
pub trait Windows<K, V>: sealed::Sealed {
    /// The stream that is divided into these windows.
    type Stream;

    /// Divides a grouped stream.
    #[doc(hidden)]
    fn divide(self, stream: KStream<K, V>) -> Self::Stream;
}

/// Windows that [`CogroupedKStream::windowed_by`](crate::CogroupedKStream::windowed_by) accepts. Other crates cannot add
/// kinds of windows. See the example of [`CogroupedKStream`](crate::CogroupedKStream).
pub trait WindowsOfCogroup<K, A>: sealed::Sealed {
    /// The streams that are divided into these windows.
    type Stream;

    /// Divides cogrouped streams.
    #[doc(hidden)]
    fn divide_cogroup(self, streams: CogroupedKStream<K, A>) -> Self::Stream;
}

mod sealed {
    /// Implemented by the windows of this crate only.
    pub trait Sealed {}

    impl Sealed for crate::windows::SessionWindows {}

    impl Sealed for crate::windows::TimeWindows {}
    impl Sealed for crate::windows::SlidingWindows {}
}

impl<K: Data, V: Data> Windows<K, V> for TimeWindows {
    type Stream = TimeWindowedKStream<K, V>;

    fn divide(self, stream: KStream<K, V>) -> TimeWindowedKStream<K, V> {
        stream.graph.borrow_mut().graph.problems.extend(self.problems());
        TimeWindowedKStream::new(stream, self)
    }
}

impl<K: Data, V: Data> Windows<K, V> for SlidingWindows {
    type Stream = TimeWindowedKStream<K, V, Self>;

    fn divide(self, stream: KStream<K, V>) -> TimeWindowedKStream<K, V, Self> {
        TimeWindowedKStream::new(stream, self)
    }
}

impl<K: Data, V: Data> Windows<K, V> for SessionWindows {
    type Stream = SessionWindowedKStream<K, V>;

    fn divide(self, stream: KStream<K, V>) -> SessionWindowedKStream<K, V> {
        SessionWindowedKStream::new(stream, self)
    }
}

impl<K: Data, A: Data> WindowsOfCogroup<K, A> for TimeWindows {
    type Stream = TimeWindowedCogroupedKStream<K, A>;

    fn divide_cogroup(self, streams: CogroupedKStream<K, A>) -> TimeWindowedCogroupedKStream<K, A> {
        streams.graph.borrow_mut().graph.problems.extend(self.problems());
        streams.by_time(self)
    }
}

impl<K: Data, A: Data> WindowsOfCogroup<K, A> for SlidingWindows {
    type Stream = TimeWindowedCogroupedKStream<K, A, Self>;

    fn divide_cogroup(self, streams: CogroupedKStream<K, A>) -> TimeWindowedCogroupedKStream<K, A, Self> {
        streams.by_time(self)
    }
}

impl<K: Data, A: Data> WindowsOfCogroup<K, A> for SessionWindows {
    type Stream = SessionWindowedCogroupedKStream<K, A>;

    fn divide_cogroup(self, streams: CogroupedKStream<K, A>) -> SessionWindowedCogroupedKStream<K, A> {
        SessionWindowedCogroupedKStream::new(streams, self)
    }
}
