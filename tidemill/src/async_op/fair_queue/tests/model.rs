//! A comparison with a queue of plain lists, and fairness whatever waits.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// The same queue as plain lists, which are searched.
#[derive(Default)]
struct Naive {
    /// The calls that wait: id to tenant and lane.
    calls: BTreeMap<u64, (u8, u8)>,
    held: BTreeSet<u8>,
    /// The tenants in line with their lanes in line.
    line: Vec<(u8, Vec<u8>)>,
}

impl Naive {
    fn oldest(&self, lane: u8) -> Option<(u64, u8)> {
        self.calls.iter().find(|(_, call)| call.1 == lane).map(|(id, call)| (*id, call.0))
    }

    /// Takes out of line what does not belong there, and appends what is missing.
    fn tidy(&mut self) {
        let belongs: Vec<(u8, u8)> = (0..LANES)
            .filter(|lane| !self.held.contains(lane))
            .filter_map(|lane| self.oldest(lane).map(|(_, tenant)| (tenant, lane)))
            .collect();
        for (tenant, lanes) in &mut self.line {
            lanes.retain(|lane| belongs.contains(&(*tenant, *lane)));
        }
        self.line.retain(|(_, lanes)| !lanes.is_empty());
        // One operation brings at most one lane into line.
        for (tenant, lane) in belongs {
            match self.line.iter_mut().find(|(name, _)| *name == tenant) {
                Some((_, lanes)) if lanes.contains(&lane) => {}
                Some((_, lanes)) => lanes.push(lane),
                None => self.line.push((tenant, vec![lane])),
            }
        }
    }

    fn pop(&mut self, no_tenants: u8, no_lanes: u8) -> Option<u64> {
        let allowed = |mask: u8, bit: u8| mask & (1 << bit) == 0;
        let mut allowed_tenants = self.line.iter().enumerate().filter(|(_, (tenant, _))| allowed(no_tenants, *tenant));
        let (tenant, lane) = allowed_tenants
            .find_map(|(at, (_, lanes))| Some((at, lanes.iter().position(|lane| allowed(no_lanes, *lane))?)))?;
        let (name, mut lanes) = self.line.remove(tenant);
        let lane = lanes.remove(lane);
        let (id, _) = self.oldest(lane)?;
        self.calls.remove(&id);
        let next = self.oldest(lane).map(|(_, tenant)| tenant).filter(|_| !self.held.contains(&lane));
        match next {
            Some(same) if same == name => lanes.push(lane),
            // The next call of the lane is another tenant's, which was not served: it stands before the served one.
            Some(other) => match self.line.iter_mut().find(|(tenant, _)| *tenant == other) {
                Some((_, others)) => others.push(lane),
                None => self.line.push((other, vec![lane])),
            },
            None => {}
        }
        if !lanes.is_empty() {
            self.line.push((name, lanes));
        }
        Some(id)
    }
}

const LANES: u8 = 6;

#[derive(Debug, Clone)]
enum Step {
    Push { id: u64, tenant: u8, lane: u8 },
    Pop { no_tenants: u8, no_lanes: u8 },
    Remove(u64),
    Hold(u8),
    Release(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (ids, lanes) = (0..60_u64, 0..LANES);
    let step = prop_oneof![
        8 => (ids.clone(), 0..4_u8, lanes.clone()).prop_map(|(id, tenant, lane)| Step::Push { id, tenant, lane }),
        3 => Just(Step::Pop { no_tenants: 0, no_lanes: 0 }),
        4 => (0..16_u8, 0..64_u8).prop_map(|(no_tenants, no_lanes)| Step::Pop { no_tenants, no_lanes }),
        2 => ids.clone().prop_map(Step::Remove),
        1 => lanes.clone().prop_map(Step::Hold),
        2 => lanes.prop_map(Step::Release),
    ];
    prop::collection::vec(step, 0..150)
}

fn name_of(tenant: u8) -> Arc<str> {
    format!("{tenant}").into()
}

fn number_of(tenant: &str) -> u8 {
    tenant.parse().expect("tenants of this test are numbers")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_queue_is_the_same_as_plain_lists(steps in steps()) {
        let (mut queue, mut naive) = (FairQueue::default(), Naive::default());
        for step in steps {
            match step {
                Step::Push { id, tenant, lane } => {
                    if naive.calls.contains_key(&id) {
                        continue;
                    }
                    queue.push(id, name_of(tenant), Bytes::copy_from_slice(&[lane]));
                    naive.calls.insert(id, (tenant, lane));
                }
                Step::Pop { no_tenants, no_lanes } => {
                    let found = queue.pop(|call| {
                        if no_tenants & (1 << number_of(call.tenant)) != 0 {
                            Turn::SkipTenant
                        } else if no_lanes & (1 << call.lane[0]) != 0 {
                            Turn::SkipLane
                        } else {
                            Turn::Start
                        }
                    });
                    prop_assert_eq!(found, naive.pop(no_tenants, no_lanes));
                }
                Step::Remove(id) => {
                    prop_assert_eq!(queue.remove(id), naive.calls.remove(&id).is_some());
                }
                Step::Hold(lane) => {
                    queue.hold(&Bytes::copy_from_slice(&[lane]));
                    naive.held.insert(lane);
                }
                Step::Release(lane) => {
                    queue.release(&Bytes::copy_from_slice(&[lane]));
                    naive.held.remove(&lane);
                }
            }
            naive.tidy();
            prop_assert_eq!(queue.len(), naive.calls.len());
            let mut waiting = BTreeMap::new();
            for (tenant, _) in naive.calls.values() {
                *waiting.entry(*tenant).or_insert(0) += 1;
            }
            let counted: BTreeMap<_, _> = queue.tenants().map(|(name, count)| (number_of(name), count)).collect();
            prop_assert_eq!(counted, waiting);
            let lanes: BTreeSet<_> = naive.calls.values().map(|call| call.1).chain(naive.held.iter().copied()).collect();
            prop_assert_eq!(queue.lanes(), lanes.len());
        }
    }

    #[test]
    fn no_one_is_served_twice_while_another_waits(calls in prop::collection::vec((0..5_u8, 0..3_u8), 0..200)) {
        let mut queue = FairQueue::default();
        let mut left: BTreeMap<u8, usize> = BTreeMap::new();
        for (id, (tenant, lane)) in (0..).zip(&calls) {
            queue.push(id, name_of(*tenant), Bytes::copy_from_slice(&[*tenant, *lane]));
            *left.entry(*tenant).or_default() += 1;
        }
        // How often each tenant was passed by each other since its last turn.
        let mut passed: BTreeMap<(u8, u8), usize> = BTreeMap::new();
        while let Some(id) = queue.pop(anyone) {
            let (served, _) = calls[id as usize];
            *left.entry(served).or_default() -= 1;
            passed.retain(|(waiting, _), _| *waiting != served);
            for waiting in left.iter().filter(|(tenant, left)| **tenant != served && **left > 0) {
                let times = passed.entry((*waiting.0, served)).or_default();
                *times += 1;
                prop_assert!(*times <= 1, "tenant {} was passed twice by {served}", waiting.0);
            }
        }
        prop_assert!(left.values().all(|left| *left == 0));
    }
}
