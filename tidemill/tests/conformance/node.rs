//! The operators of a case.

use serde::{Deserialize, Serialize};

use crate::kinds::{Fetch, FoldKind, HeaderKind, Kind, Scan, Window};

/// An operator. `from` and `with` are places of earlier nodes. `mod` and `is` choose values by their hash.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Node {
    Stream {
        topic: String,
    },
    Table {
        topic: String,
    },
    /// Keeps versions for so long.
    VersionedTable {
        topic: String,
        history: i64,
    },
    /// Only `JoinGlobal` reads it.
    GlobalTable {
        topic: String,
    },
    Filter {
        from: usize,
        r#mod: u64,
        is: u64,
    },
    FilterNot {
        from: usize,
        r#mod: u64,
        is: u64,
    },
    MapValues {
        from: usize,
        add: String,
    },
    NullValues {
        from: usize,
        r#mod: u64,
    },
    Map {
        from: usize,
        r#mod: u64,
        add: String,
    },
    FlatMapValues {
        from: usize,
        r#mod: u64,
    },
    FlatMap {
        from: usize,
        r#mod: u64,
    },
    SelectKey {
        from: usize,
        r#mod: u64,
    },
    NullKeys {
        from: usize,
        r#mod: u64,
    },
    Merge {
        from: usize,
        with: usize,
    },
    Split {
        from: usize,
        mods: Vec<u64>,
    },
    Branch {
        from: usize,
        branch: usize,
    },
    Repartition {
        from: usize,
        #[serde(default, skip_serializing_if = "is_false")]
        keyless: bool,
    },
    /// With `initial`, the initializer of Kafka Streams gives a value. Otherwise the first aggregate begins with none.
    Fold {
        from: usize,
        kind: FoldKind,
        #[serde(default, skip_serializing_if = "is_false")]
        initial: bool,
        /// Its store keeps versions for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<i64>,
    },
    Windowed {
        from: usize,
        window: Window,
        kind: FoldKind,
        close: bool,
        delete: u64,
        /// Kafka Streams forgets rows as it does by default: see the rules.
        #[serde(default, skip_serializing_if = "is_false")]
        forgetful: bool,
    },
    Sessions {
        from: usize,
        gap: i64,
        grace: i64,
        kind: FoldKind,
        close: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        forgetful: bool,
    },
    Sliding {
        from: usize,
        difference: i64,
        grace: i64,
        kind: FoldKind,
        close: bool,
        #[serde(default, skip_serializing_if = "is_false")]
        forgetful: bool,
    },
    /// Without windows there is one aggregate for each key.
    Cogroup {
        from: usize,
        with: usize,
        window: Option<Window>,
    },
    SessionCogroup {
        from: usize,
        with: usize,
        gap: i64,
        grace: i64,
    },
    SlidingCogroup {
        from: usize,
        with: usize,
        difference: i64,
        grace: i64,
    },
    JoinStreams {
        from: usize,
        with: usize,
        kind: Kind,
        before: i64,
        after: i64,
        grace: i64,
        #[serde(default, skip_serializing_if = "is_false")]
        forgetful: bool,
    },
    JoinTable {
        from: usize,
        with: usize,
        kind: Kind,
        /// How long records wait for late updates of a versioned table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waits: Option<i64>,
    },
    /// The hash of a value chooses the key of the global table, or none.
    JoinGlobal {
        from: usize,
        with: usize,
        kind: Kind,
    },
    /// Keeps the last value of each key, and emits all that came since it was called last.
    Process {
        from: usize,
        every: i64,
        /// By stream time, otherwise by the wall clock.
        stream_time: bool,
    },
    /// Adds to each value how many of its key came before.
    ProcessValues {
        from: usize,
    },
    /// Adds a header, takes all away, or adds the last `h` to the value.
    Headers {
        from: usize,
        kind: HeaderKind,
    },
    /// Keeps the last value of each key, and adds those of other keys to a value.
    ProcessRows {
        from: usize,
        kind: Scan,
    },
    /// Keeps the value of each window of 5 ms for so long, and adds those around a record to its value.
    ProcessWindows {
        from: usize,
        retention: i64,
        kind: Fetch,
    },
    /// Keeps versions for so long, and adds to a value what its key had a moment ago.
    ProcessVersions {
        from: usize,
        history: i64,
        /// Also until when a version is valid: see the rules.
        #[serde(default, skip_serializing_if = "is_false")]
        ends: bool,
    },
    TableFilter {
        from: usize,
        r#mod: u64,
        is: u64,
        stored: bool,
        /// Its store keeps versions for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<i64>,
    },
    TableFilterNot {
        from: usize,
        r#mod: u64,
        is: u64,
        stored: bool,
    },
    TableMapValues {
        from: usize,
        add: String,
        stored: bool,
        /// Its store keeps versions for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<i64>,
    },
    TransformValues {
        from: usize,
        add: String,
        stored: bool,
    },
    GroupTable {
        from: usize,
        r#mod: u64,
        kind: FoldKind,
        /// Its store keeps versions for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<i64>,
    },
    JoinTables {
        from: usize,
        with: usize,
        kind: Kind,
        stored: bool,
        /// Its store keeps versions for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<i64>,
    },
    ToTable {
        from: usize,
        /// Its store keeps versions for so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        versions: Option<i64>,
    },
    /// Without `wait` until the window closes.
    Suppress {
        from: usize,
        wait: Option<i64>,
        /// So many keys wait at most, then the oldest come out early.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keys: Option<usize>,
    },
    /// The hash of a value chooses the key of the other table.
    JoinForeign {
        from: usize,
        with: usize,
        kind: Kind,
        stored: bool,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}
