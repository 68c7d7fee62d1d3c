//! Notes beside a store's rows which operator wrote them. So a store without a changelog is also never read in the
//! wrong format.

use std::ops::Bound;

use tidemill_state::{ByteStore, Direction, StoreError};

use crate::graph::{StoreFormat, StoreSpec};

/// Compares a store's operator with the store's note, and adds missing parts to the note.
pub(super) fn compare_writers(spec: &StoreSpec, store: &mut ByteStore) -> Result<(), StoreError> {
    let noted = store.written_by()?;
    let is_new = noted.is_none() && is_empty(store)?;
    let noted = noted.map_or_else(StoreFormat::default, |noted| StoreFormat::decode(&noted));
    if let Some(difference) = spec.format.difference(&noted).filter(|_| !is_new) {
        return Err(StoreError::WrittenByAnother { store: spec.name.to_string(), difference });
    }
    spec.format.added_to(&noted).map_or(Ok(()), |format| store.set_written_by(&format.encode()))
}

fn is_empty(store: &ByteStore) -> Result<bool, StoreError> {
    Ok(store.scan(Bound::Unbounded, Bound::Unbounded, Direction::Forward)?.next().transpose()?.is_none())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidemill_state::StoreError;

    use crate::{
        Materialized, Plan, StreamsBuilder, TimeWindows,
        clock::ManualClock,
        error::TaskError,
        plan::TaskId,
        task::TaskStores,
        testing::{Fate, FaultRates, Process, SimulatedDisk},
        topology::Topology,
    };

    fn unlogged() -> Materialized<String, i64> {
        Materialized::named("words").without_logging()
    }

    fn counting() -> Topology {
        let builder = StreamsBuilder::new();
        drop(builder.stream::<String, String>("in").group_by_key().count(unlogged()));
        builder.build().expect("is valid")
    }

    fn windowed() -> Topology {
        let builder = StreamsBuilder::new();
        let windows = TimeWindows::of_size_with_no_grace(Duration::from_secs(60));
        drop(builder.stream::<String, String>("in").group_by_key().windowed_by(windows).count(unlogged()));
        builder.build().expect("is valid")
    }

    #[test]
    fn a_store_that_is_on_this_disk_alone_is_not_read_as_another() {
        let process = Process::new("a", Fate::new(0, FaultRates::NONE, ManualClock::new(0)));
        let disk = SimulatedDisk::new(process);
        let open = |topology: &Topology| {
            let plan = Plan::new("app", topology).resolve(|_| Some(1)).expect("the topic exists");
            TaskStores::open(&plan, TaskId { subtopology: 0, partition: 0 }, &disk)
        };
        drop(open(&counting()).expect("nothing is there"));
        match open(&windowed()).map(drop) {
            Err(TaskError::State { source: StoreError::WrittenByAnother { difference, .. }, .. }) => {
                assert_eq!(difference, "its operator was count and is windowed-count now");
            }
            other => panic!("{other:?}"),
        }
        drop(open(&counting()).expect("it is as it was"));
    }
}
