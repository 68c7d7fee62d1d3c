//! Two streams collected into common windows.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use super::{
    KStream, Materialized, TimeWindowedKStream,
    builder::{add_operator, meets},
    cogroup::join_inputs,
    window_rows::WindowRows,
};
use crate::{
    graph::{LATE_PORT, MAIN_PORT},
    operators::{BuildNode, Cogroup, LeftInput, RightInput},
    record::Data,
    windows::{Cogrouped, JoinKind, Windowed},
};

/// Two streams that will be collected into common windows.
/// [`TimeWindowedKStream::cogroup`](super::TimeWindowedKStream::cogroup) returns it. Kafka Streams has no such step.
///
/// ```
/// # use std::time::Duration;
/// # use tidemill::{Cogrouped, JoinKind, TimeWindows};
/// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
/// # let builder = StreamsBuilder::new();
/// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
/// let chat = builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes);
/// let gifts = builder.stream::<u64, i64>("gifts").group_by_key().windowed_by(minutes);
/// chat.cogroup(gifts)
///     .collect("chat-minutes", "gift-minutes")
///     .map(|windowed, Cogrouped { left, right }| (windowed.key, format!("{left:?} {right:?}")))
///     .to("minutes");
///
/// let driver = TopologyTestDriver::new(&builder.build()?)?;
/// let (chat, gifts) = (driver.input::<u64, String>("chat"), driver.input::<u64, i64>("gifts"));
/// gifts.pipe_all([(7, 5, 10), (8, 1, 20)])?;
/// chat.pipe_all([(7, "wow".into(), 30), (9, "hi".into(), 60_000)])?;
/// // Room 8 has gifts only, and its minute is emitted all the same. Room 9's minute is still open.
/// assert_eq!(driver.output::<u64, String>("minutes").read_values()?, ["[\"wow\"] [5]", "[] [1]"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CogroupedWindows<K, L, R> {
    left: TimeWindowedKStream<K, L>,
    right: TimeWindowedKStream<K, R>,
}

impl<K: Data, L: Data, R: Data> CogroupedWindows<K, L, R> {
    pub(super) fn new(left: TimeWindowedKStream<K, L>, right: TimeWindowedKStream<K, R>) -> Self {
        meets(&left.stream.graph, &right.stream.graph, "cogroup");
        if left.windows != right.windows {
            left.stream.graph.borrow_mut().graph.problems.push(format!(
                "two streams are cogrouped by different windows, {:?} and {:?}: give both the same windows",
                left.windows, right.windows
            ));
        }
        Self { left, right }
    }

    /// Collects both sides. When a window closes, it is emitted if at least one side has elements. A silent side does
    /// not hide the other side.
    ///
    /// `left` and `right` name the stores. The result has the highest timestamp of its elements. See the example of
    /// [`CogroupedWindows`].
    pub fn collect(
        self,
        left: impl Into<Materialized<K, L>>,
        right: impl Into<Materialized<K, R>>,
    ) -> KStream<Windowed<K>, Cogrouped<L, R>> {
        self.collect_as(JoinKind::Outer, left, right)
    }

    /// Collects both sides. When a window closes, `kind` decides whether it is emitted.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tidemill::{JoinKind, TimeWindows};
    /// # use tidemill::{StreamsBuilder, testing::TopologyTestDriver};
    /// # let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
    /// let chat = builder.stream::<u64, String>("chat").group_by_key().windowed_by(minutes);
    /// let gifts = builder.stream::<u64, i64>("gifts").group_by_key().windowed_by(minutes);
    /// let both = chat.cogroup(gifts).collect_as(JoinKind::Inner, "chat-minutes", "gift-minutes");
    /// both.map(|windowed, minute| (windowed.key, minute.right)).to("gifts-with-chat");
    ///
    /// let driver = TopologyTestDriver::new(&builder.build()?)?;
    /// let (chat, gifts) = (driver.input::<u64, String>("chat"), driver.input::<u64, i64>("gifts"));
    /// gifts.pipe_all([(7, 5, 10), (8, 1, 20)])?;
    /// chat.pipe_all([(7, "wow".into(), 30), (9, "hi".into(), 60_000)])?;
    /// assert_eq!(driver.output::<u64, Vec<i64>>("gifts-with-chat").read_values()?, [[5]]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn collect_as(
        self,
        kind: JoinKind,
        left: impl Into<Materialized<K, L>>,
        right: impl Into<Materialized<K, R>>,
    ) -> KStream<Windowed<K>, Cogrouped<L, R>> {
        let Self { left: left_side, right: right_side } = self;
        let graph = left_side.stream.graph.clone();
        let windows = left_side.windows;
        let left = WindowRows::new(&graph, windows, left.into());
        let right = WindowRows::beside(&graph, windows, right.into());
        let emit = left_side.emit.or_on_close().earlier_idle(right_side.emit);
        let stores = left.stores().into_iter().chain(right.stores()).collect();
        let (left_name, right_name) = (left.store.clone(), right.store.clone());

        let build: BuildNode = Arc::new(move |assembly, id| {
            let time = left.time(assembly, windows, emit, std::slice::from_ref(&right.store))?;
            let next = assembly.next(id, MAIN_PORT)?;
            let (left, right) = (left.elements(assembly), right.elements(assembly));
            let core = Rc::new(RefCell::new(Cogroup { time, kind, left, right, next }));
            assembly.lifecycle(id, core.clone());
            assembly.share(id, core);
            Ok(())
        });
        let core = add_operator(&graph, None, "cogroup", &[], stores, build);
        graph.borrow_mut().graph.note_idle(core, emit.idle_ms(), windows.retention_ms());

        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = assembly.shared::<Cogroup<K, L, R>>(core)?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, L>(id, Rc::new(RefCell::new(LeftInput { core, late })));
            Ok(())
        });
        let left_input = left_side.attach("cogroup-left", &left_name, vec![left_name.clone()], build);

        let build: BuildNode = Arc::new(move |assembly, id| {
            let core = assembly.shared::<Cogroup<K, L, R>>(core)?;
            let late = assembly.next(id, LATE_PORT)?;
            assembly.input::<K, R>(id, Rc::new(RefCell::new(RightInput { core, late })));
            Ok(())
        });
        let right_input = right_side.attach("cogroup-right", &right_name, vec![right_name.clone()], build);

        join_inputs(&graph, core, &[left_input, right_input]);
        KStream::new(graph, core)
    }
}
