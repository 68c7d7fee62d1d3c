//! Typed handles of session stores: what they find, against a plain list.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::{cell::RefCell, ops::Bound, rc::Rc, sync::Arc};

use common::kinds;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tidemill_state::{BigEndian, ByteSessionStore, ByteStore, Session, SessionStore, Utf8};

type Visits = SessionStore<String, i64>;
type Found = Vec<((String, Session), i64)>;

fn visits(store: ByteStore) -> (Visits, Rc<RefCell<ByteSessionStore>>) {
    let store = Rc::new(RefCell::new(ByteSessionStore::new(store, 1_000)));
    (SessionStore::new(store.clone(), Arc::new(Utf8), Arc::new(BigEndian)), store)
}

fn reversed(mut found: Found) -> Found {
    found.reverse();
    found
}

/// Keys of which some begin as others do, and some with bytes that stores escape.
fn key() -> impl Strategy<Value = String> {
    vec(prop::sample::select(vec!['\0', 'a', 'b']), 0..3).prop_map(String::from_iter)
}

fn session() -> impl Strategy<Value = Session> {
    (0..6i64, 0..4i64).prop_map(|(start, length)| Session { start, end: start + length })
}

#[test]
fn a_handle_finds_what_a_plain_list_has() {
    let mut runner = TestRunner::new(Config::with_cases(300));
    let all = vec((key(), session()), 0..25);
    let asked = (key(), key(), -2..11i64, -2..11i64);
    let outcome = runner.run(&(all, asked, 0..25usize), |(all, (first, last, from, to), committed)| {
        let (visits, store) = visits(kinds().remove(0).store());
        let mut list: Found = Vec::new();
        for (number, (key, at)) in (0..).zip(all) {
            if number as usize == committed {
                store.borrow_mut().commit(None).unwrap();
            }
            visits.put(&key, at.start, at.end, &number).unwrap();
            list.retain(|((known, session), _)| (known, session) != (&key, &at));
            list.push(((key, at), number));
        }
        list.sort_by_key(|((key, at), _)| (key.clone(), at.end, at.start));
        let of = |wanted: &dyn Fn(&str, Session) -> bool| -> Found {
            list.iter().filter(|((key, at), _)| wanted(key, *at)).cloned().collect()
        };
        let within = |key: &str| *first <= *key && *key <= *last;
        let near = |at: Session| at.end >= from && at.start <= to;

        let found = of(&|key, _| within(key));
        prop_assert_eq!(visits.fetch_keys(&first..=&last).read_all().unwrap(), found.clone());
        prop_assert_eq!(visits.backward_fetch_keys(&first..=&last).read_all().unwrap(), reversed(found));
        let found = of(&|key, at| *key > *first && near(at));
        let behind = (Bound::Excluded(&first), Bound::Unbounded);
        prop_assert_eq!(visits.find_sessions_of_keys(behind, from, to).read_all().unwrap(), found);
        let found = of(&|key, at| *key < *last && near(at));
        prop_assert_eq!(visits.backward_find_sessions_of_keys(..&last, from, to).read_all().unwrap(), reversed(found));
        let found = of(&|key, at| within(key) && near(at));
        prop_assert_eq!(visits.find_sessions_of_keys(&first..=&last, from, to).read_all().unwrap(), found.clone());
        let backward = visits.backward_find_sessions_of_keys(&first..=&last, from, to).read_all().unwrap();
        prop_assert_eq!(backward, reversed(found));
        let plain = |found: Found| found.into_iter().map(|((_, at), number)| (at, number)).collect::<Vec<_>>();
        let found = of(&|key, at| key == first && near(at));
        prop_assert_eq!(visits.find_sessions(&first, from, to).read_all().unwrap(), plain(found.clone()));
        let backward = visits.backward_find_sessions(&first, from, to).read_all().unwrap();
        prop_assert_eq!(backward, plain(reversed(found)));
        let mut found = of(&|_, at| from <= at.end && at.end <= to);
        found.sort_by_key(|((key, at), _)| (at.end, at.start, key.clone()));
        prop_assert_eq!(visits.find_sessions_by_end(from, to).read_all().unwrap(), found);
        prop_assert_eq!(visits.all().read_all().unwrap(), list.clone());
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn sessions_may_be_removed_while_they_are_found() {
    let (visits, _) = visits(kinds().remove(0).store());
    for (key, start) in [("a", 0), ("a", 10), ("b", 5), ("c", 20)] {
        visits.put(&key.into(), start, start + 1, &start).unwrap();
    }
    let mut seen = Vec::new();
    for found in visits.find_sessions_by_end(0, 12) {
        let ((key, Session { start, end }), number) = found.unwrap();
        visits.remove(&key, start, end).unwrap();
        visits.remove(&"a".into(), 10, 11).unwrap();
        seen.push((key, number));
    }
    assert_eq!(seen, [("a".to_owned(), 0), ("b".to_owned(), 5)]);
    assert_eq!(visits.all().count(), 1);
    assert_eq!(visits.fetch_keys(&"c".to_owned()..=&"a".to_owned()).count(), 0, "no key lies between");
}

#[test]
fn a_session_that_cannot_be_is_an_error_for_writes_alone() {
    let (visits, _) = visits(kinds().remove(0).store());
    let key = "a".to_owned();
    for (start, end) in [(-1, 5), (6, 5)] {
        assert!(visits.put(&key, start, end, &1).is_err() && visits.remove(&key, start, end).is_err());
        assert_eq!(visits.fetch_session(&key, start, end).unwrap(), None);
    }
    visits.put(&key, i64::MAX, i64::MAX, &1).unwrap();
    assert_eq!(visits.find_sessions(&key, i64::MIN, i64::MAX).count(), 1);
    assert_eq!(visits.find_sessions_by_end(i64::MIN, i64::MAX - 1).count(), 0);
}
