//! Three members on one log: random steps and faults, and what must hold after each of them.

mod checks;
mod simulation;

use proptest::{collection::vec, prelude::*, sample::select};

use super::{
    super::Limit,
    log::{HOUR, MINUTE, SECOND},
};

/// What happens next. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    Reserve {
        member: usize,
        tenant: &'static str,
        route: &'static str,
        most: u64,
    },
    /// The member asks for changes and puts them into its outbox.
    Write(usize),
    /// The outbox's first records are written.
    Deliver {
        member: usize,
        count: usize,
        again: Again,
    },
    /// The outbox's first record never arrives.
    Lose(usize),
    Read {
        member: usize,
        count: usize,
    },
    /// An attempt ends, and says so up to three times.
    Settle {
        member: usize,
        which: usize,
        percent: u64,
        times: usize,
    },
    Withdraw {
        member: usize,
        which: usize,
    },
    /// The process dies. Another one starts and reads the log from its beginning.
    Crash(usize),
    /// Nobody does anything for a while.
    Wait(i64),
    /// Members work as they should for a while, but no attempt ends. One of them may be paused.
    Work {
        work_ms: i64,
        paused: Option<usize>,
    },
    Compact,
}

/// What is written again because its acknowledgement was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    Nothing,
    /// The last record, some time later.
    Last,
    /// All of them, at once and in order, so that an old record stands behind a new one of the same key for a moment.
    All,
}

const TENANTS: [&str; 2] = ["ann", "bob"];
const ROUTES: [&str; 2] = ["large", "small"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let member = || 0..3usize;
    let reserve = (member(), select(TENANTS.to_vec()), select(ROUTES.to_vec()), 0..60u64);
    let reserve = reserve.prop_map(|(member, tenant, route, most)| Step::Reserve { member, tenant, route, most });
    let deliver = (member(), 1..6usize, select(vec![Again::Nothing, Again::Last, Again::All]));
    let settle = (member(), 0..8usize, 0..150u64, 1..4usize);
    let short = select(vec![50, 900, 7 * SECOND, 21 * SECOND]);
    let long = select(vec![70 * SECOND, 20 * MINUTE, 50 * MINUTE, 7 * HOUR, 26 * HOUR]);
    let work = (select(vec![SECOND, 10 * SECOND, 80 * SECOND]), proptest::option::of(member()));
    let step = prop_oneof![
        12 => reserve,
        8 => member().prop_map(Step::Write),
        10 => deliver.prop_map(|(member, count, again)| Step::Deliver { member, count, again }),
        1 => member().prop_map(Step::Lose),
        12 => (member(), 1..9usize).prop_map(|(member, count)| Step::Read { member, count }),
        9 => settle.prop_map(|(member, which, percent, times)| Step::Settle { member, which, percent, times }),
        2 => (member(), 0..8usize).prop_map(|(member, which)| Step::Withdraw { member, which }),
        1 => member().prop_map(Step::Crash),
        4 => short.prop_map(Step::Wait),
        1 => long.prop_map(Step::Wait),
        6 => work.prop_map(|(work_ms, paused)| Step::Work { work_ms, paused }),
        2 => Just(Step::Compact),
    ];
    vec(step, 10..120)
}

/// Some of these limits, so that a narrow one does not always hide the others.
fn limits() -> impl Strategy<Value = Vec<Limit>> {
    let all = [
        Limit::in_flight(2),
        Limit::in_flight(1).for_each_tenant(),
        Limit::calls_per_minute(3),
        Limit::tokens_per_minute(90).of_route("large"),
        Limit::calls_per_hour(5).of_tenant("ann"),
        Limit::tokens_per_day(250).for_each_tenant().of_route("small"),
        Limit::micros_per_hour(120),
        Limit::micros_per_day(200).for_each_tenant(),
    ];
    vec(any::<bool>(), all.len())
        .prop_map(move |chosen| all.iter().zip(chosen).filter(|it| it.1).map(|it| it.0.clone()).collect())
}

proptest! {
    #[test]
    fn limits_hold_and_nothing_is_forgotten(
        limits in limits(),
        skews_ms in proptest::array::uniform3(-3 * SECOND..=3 * SECOND),
        offset_ms in 0..24 * HOUR,
        steps in steps(),
    ) {
        let mut simulation = simulation::Simulation::new(limits, skews_ms, offset_ms);
        for step in &steps {
            simulation.step(step);
        }
        simulation.finish();
    }
}
