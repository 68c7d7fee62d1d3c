//! Parts with tables, sessions, sliding windows, and updates that are held back.

use tidemill::{BufferConfig, KTable, Materialized, SessionWindows, SlidingWindows, Suppressed, TimeWindows};

use super::{Answer, Maker, Texts, hash, ms};

impl Maker<'_> {
    pub(super) fn sessions(&mut self, stream: &Texts) {
        let (name, emit) = (self.name("sessions"), self.emit());
        let (gap, grace) = (10 + self.random.below(60), [0, 50, 300][self.random.below(3) as usize]);
        let windows = SessionWindows::of_inactivity_gap_and_grace(ms(gap), ms(grace));
        let windows = if self.random.happens(0.25) { windows.event_time_by_key() } else { windows };
        let mut windowed = stream.group_by_key().windowed_by(windows).emit(emit);
        let late = windowed.late_records();
        let out = if self.random.happens(0.5) {
            windowed.count(name.as_str()).to_stream().drop_null_values().map_values(|count| count.to_string())
        } else {
            windowed.reduce(name.as_str(), |all, value| all + "," + &value).to_stream().drop_null_values()
        };
        self.write_windows(&out, Answer::InOrder, &format!("sessions {windows:?} {emit:?}"));
        self.write(&late, Answer::InOrder, "late for sessions");
    }

    pub(super) fn sliding(&mut self, stream: &Texts) {
        let (name, emit) = (self.name("sliding"), self.emit());
        let (apart, grace) = (10 + self.random.below(60), [0, 50, 300][self.random.below(3) as usize]);
        let windows = SlidingWindows::of_time_difference_and_grace(ms(apart), ms(grace));
        let windowed = stream.group_by_key().windowed_by(windows).emit(emit);
        let out = windowed.reduce(name.as_str(), |all, value| all + "," + &value).to_stream().drop_null_values();
        self.write_windows(&out, Answer::InOrder, &format!("sliding windows {windows:?} {emit:?}"));
    }

    pub(super) fn suppressed(&mut self, stream: &Texts) {
        let (name, held, idle) = (self.name("folded"), self.name("held"), self.random.happens(0.3));
        let all = |all: String, value: String| all + "," + &value;
        if self.random.happens(0.5) {
            let windows = TimeWindows::of_size_and_grace(ms(50), ms(self.random.below(3) * 50));
            let table = stream.group_by_key().windowed_by(windows).reduce(name.as_str(), all);
            let until = Suppressed::until_window_closes(BufferConfig::unbounded());
            let until = if idle { until.idle_after(ms(300)) } else { until };
            let out = table.suppress(held.as_str(), until).to_stream().drop_null_values();
            self.write_windows(&out, Answer::InOrder, "windows held back");
        } else {
            let table = stream.group_by_key().reduce(name.as_str(), all);
            let buffer = match self.random.below(3) {
                0 => BufferConfig::unbounded(),
                1 => BufferConfig::max_records(1 + self.random.below(3) as usize).emit_early_when_full(),
                _ => BufferConfig::max_bytes(200).emit_early_when_full(),
            };
            let until = Suppressed::until_time_limit(ms(self.random.below(200)), buffer);
            let until = if idle { until.idle_after(ms(300)) } else { until };
            let out = table.suppress(held.as_str(), until).to_stream().drop_null_values();
            self.write(&out, Answer::InOrder, &format!("updates held back in {buffer:?}"));
        }
    }

    /// A stream as a table. With a cache, only its last values are the same in every run.
    fn table(&mut self, stream: &Texts, what: &str, cached: bool) -> KTable<String, String> {
        let kept = Materialized::named(self.name(what));
        stream.to_table(if cached { kept.with_caching() } else { kept })
    }

    pub(super) fn joined_tables(&mut self, left: &Texts, right: &Texts) {
        let cached = self.random.happens(0.3);
        let (left, right) = (self.table(left, "left-rows", cached), self.table(right, "right-rows", cached));
        let joined = match self.random.below(3) {
            0 => left.join(&right, |_, left, right| format!("{left}&{right}")),
            1 => left.left_join(&right, |_, left, right| format!("{left}&{right:?}")),
            _ => left.outer_join(&right, |_, left, right| format!("{left:?}&{right:?}")),
        };
        let answer = if cached { Answer::Last } else { Answer::InOrder };
        self.write(&joined.to_stream().drop_null_values(), answer, "table join");
    }

    pub(super) fn joined_by_foreign_key(&mut self, left: &Texts, right: &Texts) {
        let name = self.name("foreign");
        let (left, right) = (self.table(left, "referring", false), self.table(right, "referred", false));
        let joined = left.left_join_foreign_key(
            &right,
            name.as_str(),
            |_, value| format!("key-{}", hash(value) % 5),
            |_, left, right| format!("{left}&{right:?}"),
        );
        self.write(&joined.to_stream().drop_null_values(), Answer::Last, "foreign-key join");
    }

    /// Behind a repartition topic the order of updates is chance.
    pub(super) fn regrouped(&mut self, stream: &Texts) {
        let (name, store) = (self.name("regrouped"), self.name("regrouped-store"));
        let table = self.table(stream, "rows", false);
        let groups = table.group_by(name.as_str(), |_, value| (format!("group-{}", hash(&value) % 4), value));
        let out = if self.random.happens(0.5) {
            groups.count(store.as_str()).to_stream().drop_null_values().map_values(|count| count.to_string())
        } else {
            let with = |all: String, more: String| {
                let mut parts: Vec<_> = all.split(',').chain([more.as_str()]).filter(|part| !part.is_empty()).collect();
                parts.sort_unstable();
                parts.join(",")
            };
            let without = |all: String, less: String| {
                let mut parts: Vec<_> = all.split(',').collect();
                match parts.iter().position(|part| *part == less) {
                    Some(at) => drop(parts.remove(at)),
                    None => parts.push("what was not there"),
                }
                parts.join(",")
            };
            groups.reduce(store.as_str(), with, without).to_stream().drop_null_values()
        };
        self.write(&out, Answer::Last, "grouped table");
    }
}
