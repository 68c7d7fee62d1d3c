//! Every transport keeps the promises of its traits, and an application is exact on each of them.
//!
//! Scenarios are written once and know traits alone. They run on the embedded log and, where `make kafka-broker` was
//! able to fetch one, on a real Kafka.

mod contract;
mod engine;
#[cfg(feature = "kafka")]
mod kafka;
mod member;
mod site;

use std::{
    error::Error,
    thread,
    time::{Duration, Instant},
};

use tidemill::transport::TransportError;

use site::Site;

type Tested<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Long for a busy machine; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks until there is an answer.
fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Tested<Option<T>>) -> Tested<T> {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if started.elapsed() > PATIENCE {
            return Err(format!("waited in vain: {what}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Tries again while a transport says that this may help.
fn patiently<T>(what: &str, mut attempt: impl FnMut() -> Tested<T>) -> Tested<T> {
    wait_for(what, || match attempt() {
        Ok(done) => Ok(Some(done)),
        Err(error) if matches!(error.downcast_ref(), Some(TransportError::Retriable(_))) => Ok(None),
        Err(error) => Err(error),
    })
}

/// Each scenario as a test of each transport.
macro_rules! scenarios {
    ($($part:ident :: $file:ident :: $scenario:ident,)*) => {
        mod embedded {
            $(#[test]
            fn $scenario() -> crate::Tested {
                crate::$part::$file::$scenario(&crate::Site::embedded(stringify!($scenario)))
            })*
        }

        #[cfg(feature = "kafka")]
        mod on_kafka {
            $(#[test]
            fn $scenario() -> crate::Tested {
                let Some(site) = crate::Site::kafka(stringify!($scenario))? else { return Ok(()) };
                crate::$part::$file::$scenario(&site)
            })*
        }
    };
}

scenarios! {
    contract::admin::a_topic_is_described_as_it_was_created,
    contract::admin::topics_are_never_made_up,
    contract::admin::a_deleted_topic_is_gone_and_can_be_created_again,
    contract::admin::deleted_records_are_gone_and_the_others_stay,
    contract::reader::records_come_back_with_all_they_carried,
    contract::reader::a_read_starts_where_it_is_told_and_takes_no_more_than_asked,
    contract::reader::a_position_passes_what_is_no_record,
    contract::reader::a_position_that_does_not_exist_is_an_error,
    contract::producer::what_is_acknowledged_is_told_once,
    contract::producer::a_flush_tells_of_nothing_that_was_sent_after_it_began,
    contract::producer::what_was_discarded_or_not_comes_at_most_once,
    contract::producer::calls_in_the_wrong_order_are_refused,
    contract::transactions::a_transaction_happens_whole_or_not_at_all,
    contract::transactions::the_next_transaction_may_be_filled_while_one_commits,
    contract::transactions::a_newer_producer_fences_the_older,
    contract::transactions::what_a_producer_left_open_is_aborted_by_its_successor,
    contract::transactions::a_member_that_was_replaced_cannot_commit_in_a_transaction,
    contract::consumer::a_member_goes_on_where_its_predecessor_committed,
    contract::consumer::what_is_committed_beside_an_offset_comes_back,
    contract::consumer::pause_resume_and_seek_move_the_fetch,
    contract::consumer::a_member_knows_that_it_has_read_everything,
    contract::consumer::a_member_may_seek_as_soon_as_it_owns_a_partition,
    contract::consumer::an_offset_is_found_by_time,
    contract::dead_letters::a_dead_letter_is_replayed_once,
    contract::groups::same_numbered_partitions_stay_together,
    contract::groups::a_revoked_partition_waits_for_its_release,
    contract::groups::a_zombie_loses_everything_and_joins_anew,
    engine::undisturbed::results_are_those_of_the_oracle,
    engine::undisturbed::at_least_once_is_once_where_nothing_happens,
    engine::undisturbed::aborted_input_has_no_effect,
    engine::crash::a_crash_changes_nothing,
    engine::crash::a_lost_state_folder_changes_nothing,
    engine::deleted::an_instance_whose_source_topic_is_deleted_ends_and_names_it,
    engine::formats::windows_of_another_size_are_refused,
    engine::global::a_global_table_is_whole_on_every_instance,
    engine::idle::a_writer_that_rested_and_is_stalled_makes_no_record_late,
    engine::scaling::instances_come_and_go_under_load,
    engine::sources::sources_begin_where_they_should_and_sinks_write_what_records_choose,
    engine::zombie::an_instance_that_hangs_is_replaced_and_joins_again,
}

/// An instance of the application that another test disturbs.
#[cfg(feature = "kafka")]
#[test]
#[ignore = "started by other tests, as a process of its own"]
fn worker() -> Tested {
    kafka::worker::run()
}
