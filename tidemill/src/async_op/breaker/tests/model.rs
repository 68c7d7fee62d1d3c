//! What holds for every sequence of events.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Event {
    Admit {
        lasts_ms: i64,
    },
    Succeeded(prop::sample::Index),
    Failed(prop::sample::Index),
    FailedUntil(prop::sample::Index, i64),
    Abandoned(prop::sample::Index),
    /// The caller forgets the ticket.
    Lost(prop::sample::Index),
    Wait(i64),
    WaitUntilAllowed,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let which = any::<prop::sample::Index>;
    let event = prop_oneof![
        6 => (1..30_000_i64).prop_map(|lasts_ms| Event::Admit { lasts_ms }),
        3 => which().prop_map(Event::Succeeded),
        4 => which().prop_map(Event::Failed),
        1 => (which(), -5_000..90_000_i64).prop_map(|(which, pause_ms)| Event::FailedUntil(which, pause_ms)),
        1 => which().prop_map(Event::Abandoned),
        1 => which().prop_map(Event::Lost),
        2 => (0..8_000_i64).prop_map(Event::Wait),
        3 => Just(Event::WaitUntilAllowed),
    ];
    prop::collection::vec(event, 0..200)
}

fn policies() -> impl Strategy<Value = BreakerPolicy> {
    let limits = (0..5_u32, 0..8_u32, 0..10_u32, 1..120_u32);
    (limits, 0..20_000_u64, 0..60_000_u64, 0..4_u32).prop_map(|(limits, open_for, longest, probes)| BreakerPolicy {
        failures: limits.0,
        window: limits.1,
        minimum: limits.2,
        failed_percent: limits.3,
        open_for: Duration::from_millis(open_for),
        longest: Duration::from_millis(longest),
        probes,
    })
}

/// An attempt without an outcome.
#[derive(Debug, Clone, Copy)]
struct Running {
    ticket: Ticket,
    /// The number of openings before the attempt began, if it is a probe.
    probe_of: Option<u64>,
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn probes_are_few_open_admits_nothing_and_only_a_probe_closes(policy in policies(), events in events()) {
        let probes = policy.places();
        let mut breaker = Breaker::new(policy);
        let (mut now_ms, mut until_ms) = (0_i64, 0_i64);
        let mut running: Vec<Running> = Vec::new();
        // Probes that ended or were lost no longer count, whatever the test does with them.
        let mut probing: BTreeMap<u64, i64> = BTreeMap::new();
        for event in events {
            let before = (breaker.state(now_ms), breaker.changes());
            let mut picked = |which: prop::sample::Index| {
                (!running.is_empty()).then(|| running.swap_remove(which.index(running.len())))
            };
            let mut succeeded_probe_of = None;
            match event {
                Event::Admit { lasts_ms } => {
                    let deadline_ms = now_ms + lasts_ms;
                    let admission = breaker.admit(now_ms, deadline_ms);
                    match (before.0, admission) {
                        (BreakerState::Closed, Admission::Yes(ticket)) => {
                            running.push(Running { ticket, probe_of: None });
                        }
                        (BreakerState::HalfOpen, Admission::Probe(ticket)) => {
                            running.push(Running { ticket, probe_of: Some(before.1.opened) });
                            probing.insert(ticket.number, deadline_ms);
                        }
                        (BreakerState::Open { until_ms: end_ms }, Admission::Not { until_ms: wait_ms }) => {
                            prop_assert_eq!(end_ms, wait_ms);
                            until_ms = wait_ms;
                        }
                        (BreakerState::HalfOpen, Admission::Not { until_ms: wait_ms }) => until_ms = wait_ms,
                        unexpected => prop_assert!(false, "{unexpected:?}"),
                    }
                    if let Admission::Not { until_ms } = admission {
                        prop_assert!(until_ms > now_ms, "the way back lies ahead");
                    }
                }
                Event::Succeeded(which) => {
                    if let Some(attempt) = picked(which) {
                        succeeded_probe_of = attempt.probe_of;
                        breaker.succeeded(attempt.ticket, running.len());
                        probing.remove(&attempt.ticket.number);
                    }
                }
                Event::Failed(which) => {
                    if let Some(attempt) = picked(which) {
                        breaker.failed(now_ms, attempt.ticket, running.len());
                        probing.remove(&attempt.ticket.number);
                    }
                }
                Event::FailedUntil(which, pause_ms) => {
                    if let Some(attempt) = picked(which) {
                        breaker.failed_until(now_ms, now_ms + pause_ms, attempt.ticket, running.len());
                        probing.remove(&attempt.ticket.number);
                        if let (true, BreakerState::Open { until_ms }) = (pause_ms > 0, breaker.state(now_ms)) {
                            prop_assert!(until_ms >= now_ms + pause_ms, "at least the pause that was asked for");
                        } else {
                            prop_assert!(pause_ms <= 0, "a pause that was asked for opens");
                        }
                    }
                }
                Event::Abandoned(which) => {
                    if let Some(attempt) = picked(which) {
                        breaker.abandoned(attempt.ticket);
                        probing.remove(&attempt.ticket.number);
                    }
                }
                Event::Lost(which) => drop(picked(which)),
                Event::Wait(pause_ms) => now_ms += pause_ms,
                Event::WaitUntilAllowed => now_ms = now_ms.max(until_ms),
            }
            let after = (breaker.state(now_ms), breaker.changes());
            if after.1.opened > before.1.opened || after.1.closed > before.1.closed {
                probing.clear();
            }
            probing.retain(|_, deadline_ms| *deadline_ms > now_ms);
            prop_assert!(probing.len() <= probes, "{} probes run", probing.len());
            if let (BreakerState::Open { until_ms: old_ms }, BreakerState::Open { until_ms: new_ms }) = (before.0, after.0) {
                prop_assert!(new_ms >= old_ms, "a pause never becomes shorter");
            }
            if after.1.closed > before.1.closed {
                prop_assert_eq!(before.0, BreakerState::HalfOpen);
                prop_assert_eq!(succeeded_probe_of, Some(before.1.opened), "only a probe of this opening closes");
            }
            prop_assert!(after.1.half_opened <= after.1.opened && after.1.closed <= after.1.half_opened);
        }
        // Whatever happened: whoever waits as told and then succeeds finds a closed breaker soon.
        let mut asked = 0;
        while breaker.state(now_ms) != BreakerState::Closed {
            asked += 1;
            prop_assert!(asked <= 2 * (probes + 1), "there is a way back");
            match breaker.admit(now_ms, now_ms + 1) {
                Admission::Yes(ticket) | Admission::Probe(ticket) => breaker.succeeded(ticket, running.len()),
                Admission::Not { until_ms } => now_ms = until_ms,
            }
        }
    }
}
