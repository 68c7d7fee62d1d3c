//! What holds for every sequence of events at several executors with one ledger.

use std::time::Duration;

use proptest::prelude::*;

use super::{
    super::super::{AnswerCache, BreakerPolicy, CallError, CallOrder, CallPolicy, Limit, Route, WhenExhausted},
    world::{Request, World},
};

const TENANTS: [&str; 3] = ["ann", "bob", "eve"];

#[derive(Debug, Clone)]
pub(super) enum Event {
    Ask { partition: i32, tenant: usize, lane: u8, content: Option<u8>, due_ms: Option<i64>, most: u64 },
    Turn(usize),
    Tell { at: usize, which: usize, outcome: Outcome, used: Option<u64> },
    Step { at: usize, which: usize },
    Deliver { at: usize, count: usize, twice: bool },
    Pass(i64),
    Give { partition: usize, to: usize },
    Crash(usize),
}

#[derive(Debug, Clone)]
pub(super) enum Outcome {
    Answer,
    Never,
    Backoff,
    After(u64),
}

impl Outcome {
    fn told(&self) -> Result<(), CallError> {
        match self {
            Self::Answer => Ok(()),
            Self::Never => Err(CallError::permanent("no")),
            Self::Backoff => Err(CallError::transient("busy")),
            Self::After(ms) => Err(CallError::retry_after("later", Duration::from_millis(*ms))),
        }
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let content = prop::option::of(0..4_u8);
    let due_ms = prop_oneof![3 => Just(None), 1 => (0..6_000_i64).prop_map(Some)];
    let outcome = prop_oneof![
        6 => Just(Outcome::Answer),
        1 => Just(Outcome::Never),
        4 => Just(Outcome::Backoff),
        1 => (0..8_000_u64).prop_map(Outcome::After),
    ];
    let used = prop::option::of(0..20_u64);
    let event = prop_oneof![
        8 => (0..3_i32, 0..3_usize, 0..4_u8, content, due_ms, 0..20_u64).prop_map(
            |(partition, tenant, lane, content, due_ms, most)| Event::Ask { partition, tenant, lane, content, due_ms, most }
        ),
        12 => (0..3_usize).prop_map(Event::Turn),
        8 => (0..3_usize, 0..9_usize, outcome, used)
            .prop_map(|(at, which, outcome, used)| Event::Tell { at, which, outcome, used }),
        1 => (0..3_usize, 0..9_usize).prop_map(|(at, which)| Event::Step { at, which }),
        6 => (0..3_usize, 1..9_usize, prop::bool::weighted(0.2))
            .prop_map(|(at, count, twice)| Event::Deliver { at, count, twice }),
        6 => prop_oneof![0..30_i64, 0..1_500_i64, Just(4_000_i64)].prop_map(Event::Pass),
        1 => (0..3_usize, 0..3_usize).prop_map(|(partition, to)| Event::Give { partition, to }),
        1 => (0..3_usize).prop_map(Event::Crash),
    ];
    prop::collection::vec(event, 0..120)
}

fn limit() -> impl Strategy<Value = Limit> {
    let limit = (0..9_u8, 1..60_u64).prop_map(|(kind, most)| match kind {
        0..3 => Limit::in_flight(1 + most % 4),
        3 => Limit::calls_per_minute(most + 12),
        4 => Limit::tokens_per_minute(most * 4 + 250),
        5 => Limit::calls_per_hour(most),
        6 => Limit::tokens_per_day(most * 4),
        7 => Limit::micros_per_hour(most * 4),
        _ => Limit::micros_per_day(most * 8),
    });
    (limit, 0..4_u8, 0..4_u8).prop_map(|(limit, tenants, route)| {
        let limit = match tenants {
            0 => limit.for_each_tenant(),
            1 => limit.of_tenant("ann"),
            _ => limit,
        };
        if route == 0 { limit.of_route("a") } else { limit }
    })
}

fn policies() -> impl Strategy<Value = CallPolicy> {
    let breaker = (1..4_u32, 1..3_u32, 100..4_000_u64).prop_map(|(failures, probes, open_for)| {
        let open_for = Duration::from_millis(open_for);
        BreakerPolicy { failures, probes, open_for, longest: open_for * 3, window: 6, minimum: 4, failed_percent: 60 }
    });
    let route = (prop::option::of(1..3_u32), prop::option::of(200..3_000_u64), prop::option::of(breaker));
    let routes = prop::collection::vec(route, 1..4).prop_map(|routes| {
        let named = |((max_attempts, timeout, breaker), name): ((_, Option<u64>, _), &str)| {
            let timeout = timeout.map(Duration::from_millis);
            Route { max_attempts, timeout, breaker, ..Route::named(name) }
        };
        routes.into_iter().zip(["a", "b", "c"]).map(named).collect::<Vec<_>>()
    });
    let limits = prop_oneof![1 => Just(Vec::new()), 2 => prop::collection::vec(limit(), 1..4)];
    let when = prop_oneof![Just(WhenExhausted::Wait), Just(WhenExhausted::Fallback), Just(WhenExhausted::Drop)];
    let sharing = (prop::option::of(0..10_000_u64), any::<bool>(), any::<bool>());
    let sizes = (1..5_usize, prop_oneof![Just(usize::MAX), 1..3_usize], 1..4_u32);
    let hedge = prop::option::of(50..900_u64);
    (routes, limits, when, sharing, sizes, hedge).prop_map(|(routes, limits, when_exhausted, sharing, sizes, hedge)| {
        CallPolicy {
            max_in_flight: sizes.0,
            max_in_flight_per_key: sizes.1,
            max_attempts: sizes.2,
            timeout: Duration::from_secs(1),
            first_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            routes,
            limits,
            keep_ledger: sharing.2,
            when_exhausted,
            hedge_after: hedge.map(Duration::from_millis),
            cache: sharing.0.map(|ms| AnswerCache { time_to_live: Duration::from_millis(ms), max_entries: 3 }),
            join_identical: sharing.1,
            ..CallPolicy::default()
        }
    })
}

fn happens(world: &mut World, event: &Event) {
    let members = world.members.len();
    match event {
        Event::Ask { partition, tenant, lane, content, due_ms, most } => {
            let due_ms = due_ms.map(|ms| world.now.monotonic_ms + ms);
            // A lane belongs to one partition.
            let lane = format!("{partition}-{lane}");
            let tenant = TENANTS[*tenant];
            let (content, most, answer) = (*content, *most, None);
            let again = most % 7 == 3;
            world.requests.push(Request { partition: *partition, tenant, lane, content, due_ms, most, again, answer });
        }
        Event::Turn(at) => {
            world.read_requests(at % members);
            world.turn(at % members);
        }
        Event::Tell { at, which, outcome, used } => world.tell(at % members, *which, outcome.told(), *used),
        Event::Step { at, which } => world.keep_step(at % members, *which),
        Event::Deliver { at, count, twice } => world.deliver(at % members, *count, *twice),
        Event::Pass(ms) => {
            world.pass(*ms);
            if *ms >= 1_000 {
                (0..members).for_each(|at| world.turn(at));
            }
        }
        Event::Give { partition, to } => world.give(*partition, to % members),
        Event::Crash(at) => world.crash(at % members),
    }
    in_flight_limits_hold(world);
}

fn in_flight_limits_hold(world: &World) {
    for limit in &world.policy.limits {
        let text = limit.to_string();
        let Some(most) = text.strip_prefix("at most ").and_then(|rest| rest.split_once(" calls in flight")) else {
            continue;
        };
        let (most, rest): (usize, _) = (most.0.parse().expect("a number"), most.1);
        let of_a = |route: usize| !rest.contains("on the route a") || route == 0;
        let count = |tenant: &str| world.in_flight(|of, route| (tenant.is_empty() || of == tenant) && of_a(route));
        let counts: Vec<_> = match rest {
            _ if rest.contains("each tenant") => TENANTS.iter().map(|tenant| count(tenant)).collect(),
            _ if rest.contains("tenant ann") => vec![count("ann")],
            _ => vec![count("")],
        };
        assert!(counts.iter().all(|count| *count <= most), "{text}, but {counts:?} run");
    }
}

/// From now on records arrive at once and attempts succeed. Everything must end.
fn settles(world: &mut World) {
    let members = world.members.len();
    for _ in 0..400 {
        for at in 0..members {
            world.read_requests(at);
            world.turn(at);
            while !world.members[at].running.is_empty() {
                world.tell(at, 0, Ok(()), Some(0));
            }
            world.deliver(at, usize::MAX, false);
        }
        in_flight_limits_hold(world);
        if (0..members).all(|at| world.members[at].calls.len() == 0) {
            break;
        }
        world.pass(1_000);
    }
    for at in 0..members {
        world.turn(at);
        world.deliver(at, usize::MAX, false);
        let left: Vec<_> = world.members[at].calls.calls.keys().copied().collect();
        for id in left {
            assert!(world.policy.when_exhausted == WhenExhausted::Wait, "call {id} waits for ever");
            let text = format!("{:?}", world.members[at].calls.calls[&id]);
            // Those behind it in its lane wait with it.
            let calls = &world.members[at].calls;
            let oldest = *calls.lanes[&calls.calls[&id].arrival.lane].first().expect("the lane of a call has it");
            assert!(world.is_exhausted(at, oldest), "call {id} waits for ever: {text}");
        }
    }
    let answered = world.requests.iter().filter(|request| request.answer.is_some()).count();
    let open: usize = world.members.iter().map(|member| member.calls.len()).sum();
    assert_eq!(answered + open, world.requests.len(), "requests without an owner");
}

fn ledger_is_right(world: &World) {
    if !world.policy.has_ledger() {
        return;
    }
    let used = world.members.iter().map(|member| &member.used).chain([&world.dead]);
    let used: Vec<_> =
        used.flat_map(|used| used.iter().map(|((tenant, route), sums)| (&**tenant, *route, *sums))).collect();
    let sum = |counts: &dyn Fn(&str, usize) -> bool| {
        let counted = used.iter().filter(|(tenant, route, _)| counts(tenant, *route));
        counted.fold((0, 0), |sum, (_, _, used)| (sum.0 + used.0, sum.1 + used.1))
    };
    let (spent, expected) = (world.spent(), sum(&|_, _| true));
    if world.starts == world.members.len() {
        assert_eq!(spent, expected, "what the ledger says was spent: calls, micros");
    } else {
        // What was settled but not written counts with its most, and what was reserved and never began counts too.
        assert!(spent.0 >= expected.0 && spent.1 >= expected.1, "{spent:?} is less than {expected:?}");
    }
    for limit in world.policy.limits.iter().map(Limit::to_string) {
        let (most, rest) = limit.trim_start_matches("at most ").split_once(' ').expect("a number, then words");
        let tenants: Vec<&str> = match rest {
            _ if rest.contains("each tenant") => TENANTS.to_vec(),
            _ if rest.contains("tenant ann") => vec!["ann"],
            _ => vec![""],
        };
        let is_budget = rest.contains("per hour") || rest.contains("per day");
        for name in tenants.into_iter().filter(|_| is_budget) {
            let counts = |tenant: &str, route| {
                (name.is_empty() || tenant == name) && (route == 0 || !rest.contains("on the route a"))
            };
            let (calls, micros) = sum(&counts);
            let used = if rest.starts_with("calls") { calls } else { micros };
            assert!(used <= most.parse().expect("a number"), "{limit}, but {used} were used");
        }
    }
}

pub(super) fn run(policy: CallPolicy, order: CallOrder, members: usize, events: &[Event]) {
    let mut world = World::new(policy, order, members);
    world.undecodable_until_ms = 5_000;
    for event in events {
        happens(&mut world, event);
    }
    settles(&mut world);
    ledger_is_right(&world);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_call_ends_once_counters_hold_and_the_ledger_has_what_was_used(
        policy in policies(),
        latest in any::<bool>(),
        members in 1..4_usize,
        events in events(),
    ) {
        let order = if latest { CallOrder::LatestWins } else { CallOrder::Unordered };
        run(policy, order, members, &events);
    }
}
