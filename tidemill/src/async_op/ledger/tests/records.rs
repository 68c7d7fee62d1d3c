//! Records that are many, large, strange, late, lost or repeated.

use bytes::Bytes;

use super::{
    super::{Claim, Ledger, Limit, Spent},
    log::{DAY, HOUR, Room, SECOND, START, micros},
};

impl Room {
    /// What a member sees of the current day, all tenants and routes together. There is one of each.
    pub(super) fn members_day(&mut self, member: usize) -> Spent {
        let now_ms = self.now_ms;
        self.member(member).spending(now_ms).first().map(|spending| spending.day).unwrap_or_default()
    }
}

#[test]
fn a_record_stays_short_when_many_attempts_run() {
    let mut ledger = Ledger::new("host-1/3f2a", vec![Limit::in_flight(1_000)]);
    let claim = |id| Claim { id, tenant: "tenant", route: "route", most: micros(123_456) };
    for id in 0..1_000 {
        ledger.reserve(claim(u64::MAX - id), START).expect("room");
    }
    let changes = ledger.changes(START);
    let longest = changes.iter().map(|(_, value)| value.as_ref().map_or(0, Bytes::len)).max();
    assert_eq!(changes.len(), 32);
    assert!(longest.is_some_and(|longest| longest < 1_500), "{longest:?} bytes");
    for (key, value) in &changes {
        ledger.read(key, value.as_deref(), START);
    }
    let decided = ledger.decided();
    assert_eq!(decided.iter().filter(|(_, decision)| decision.is_ok()).count(), 1_000);
    // One attempt ends and another starts: one record.
    ledger.settle(decided[500].0, micros(1), START);
    ledger.reserve(claim(0), START).expect("room");
    assert_eq!(ledger.changes(START).len(), 1);
}

#[test]
fn garbage_is_counted_and_skipped() {
    let mut ledger = Ledger::new("a", vec![Limit::in_flight(1), Limit::micros_per_day(10)]);
    let entry = br#"["b","t","r",480000,0]"#.as_slice();
    let records: [(&[u8], Option<&[u8]>); 10] = [
        (b"", None),
        (b"\xff\x00", Some(b"\xff")),
        (b"[]", Some(b"{}")),
        (b"[1,2,3]", None),
        (br#"["b","t","r",-1,0]"#, Some(br#"{"s":1,"t":1}"#)),
        (br#"["b","t","r",9223372036854775807,0]"#, Some(br#"{"s":1,"t":1}"#)),
        (entry, Some(b"{}")),
        (entry, Some(br#"{"s":1,"t":1,"o":[[1,60,0,0,0]]}"#)),
        (entry, Some(br#"{"s":1,"t":1,"m":[[200,1,1]]}"#)),
        (br#"["b"]"#, Some(br#"{"t":"late"}"#)),
    ];
    for (key, value) in records {
        ledger.read(key, value, START);
    }
    assert_eq!(ledger.malformed(), 10);
    // The largest numbers do not overflow anything.
    let huge = u64::MAX;
    for (block, at_ms) in [(0, i64::MIN), (1, i64::MAX)] {
        let key = format!(r#"["b","t","r",480000,{block}]"#);
        let open = format!("[[1,59,{huge},{huge},{huge}],[2,0,{huge},{huge},{huge}]]");
        let minutes = format!("[[0,{huge},{huge}]]");
        let value =
            format!(r#"{{"s":{huge},"t":{at_ms},"n":{huge},"u":[{huge},{huge},{huge}],"m":{minutes},"o":{open}}}"#);
        ledger.read(key.as_bytes(), Some(value.as_bytes()), START);
    }
    assert_eq!(ledger.malformed(), 10);
    assert!(ledger.reserve(Claim { id: 1, tenant: "t", route: "r", most: micros(1) }, START).is_err());
    assert_eq!(ledger.spending(START)[0].day.calls, huge);
}

#[test]
fn fields_of_a_newer_version_are_skipped() {
    let mut ledger = Ledger::new("a", vec![Limit::in_flight(1)]);
    let value = format!(r#"{{"s":1,"t":{START},"n":3,"u":[1,2,3],"new":{{"x":[1]}},"o":[[5,0,1,1,1]]}}"#);
    ledger.read(br#"["b","t","r",480000,0]"#, Some(value.as_bytes()), START);
    assert_eq!(ledger.malformed(), 0);
    let day = ledger.spending(START)[0].day;
    assert_eq!((day.calls, day.open_calls), (3, 1));
    assert!(ledger.begun_elsewhere(5));
}

#[test]
fn names_may_hold_any_letter() {
    let mut room = Room::new(&["a\"]/\u{0}", "b"], &[Limit::in_flight(1).for_each_tenant()]);
    for tenant in ["", "\",\"", "t\\", "Ä\u{7f}\n"] {
        room.start(0, tenant, 1);
        room.read(1);
        assert!(room.reserve(1, tenant, 1).is_err());
    }
    assert_eq!(room.member(1).malformed(), 0);
}

#[test]
fn repeated_records_change_nothing_and_an_old_one_is_overwritten() {
    let mut room = Room::new(&["a", "b"], &[Limit::in_flight(1)]);
    let ticket = room.start(0, "t", 1);
    let old = room.log[0].clone();
    room.settle(0, ticket, 9);
    room.log.push(room.log[1].clone());
    room.read(0);
    room.read(1);
    assert_eq!(room.members_day(1).usage, micros(9));
    assert_eq!(room.write(0), 0);
    // The first record comes again behind the second.
    room.log.push(old);
    room.read(0);
    room.read(1);
    assert_eq!((room.members_day(1).usage, room.members_day(1).open_calls), (micros(9), 0));
    assert_eq!(room.write(0), 1, "the topic must not end with the old record");
    let mut late = Ledger::new("c", Vec::new());
    let (key, value) = room.log.last().expect("it was written");
    late.read(key, value.as_deref(), START);
    assert_eq!(late.spending(START)[0].day.usage, micros(9));
}

#[test]
fn a_lost_record_is_written_again() {
    let mut room = Room::new(&["a"], &[Limit::in_flight(1)]);
    let ticket = room.reserve(0, "t", 1).expect("room");
    assert_eq!(room.write(0), 1);
    room.log.clear();
    room.now_ms += 9 * SECOND;
    assert_eq!(room.write(0), 1, "a sign of life");
    room.now_ms += SECOND;
    assert_eq!(room.write(0), 1, "the record");
    assert_eq!(room.read(0), [(ticket, Ok(()))]);
    room.now_ms += SECOND;
    assert_eq!(room.write(0), 0);
}

#[test]
fn a_lost_reservation_counts_in_the_minute_in_which_it_arrives() {
    let mut room = Room::new(&["a"], &[Limit::calls_per_minute(1)]);
    let ticket = room.reserve(0, "t", 1).expect("room");
    room.write(0);
    room.log.clear();
    room.now_ms += 150 * SECOND;
    room.write(0);
    assert!(room.read(0).is_empty());
    room.write(0);
    assert_eq!(room.read(0), [(ticket, Ok(()))]);
    let (_, value) = room.log.last().expect("it was written");
    let text = String::from_utf8_lossy(value.as_deref().unwrap_or_default()).into_owned();
    assert!(text.contains(r#""o":[[0,2,"#), "minute 2: {text}");
    assert!(room.reserve(0, "t", 1).is_err());
}

#[test]
fn a_record_that_is_read_too_late_is_not_decided() {
    let mut room = Room::new(&["a", "b"], &[Limit::in_flight(1)]);
    let ticket = room.reserve(0, "t", 1).expect("room");
    room.write(0);
    room.now_ms += 2 * HOUR;
    // The other one takes it for dead.
    let other = room.reserve(1, "t", 1).expect("room");
    room.write(1);
    assert_eq!(room.read(1), [(other, Ok(()))], "the silent member has no place");
    assert!(room.read(0).is_empty());
    // It is written anew, in the current hour, behind the other's.
    room.write(0);
    let decided = room.read(0);
    assert!(matches!(decided[..], [(refused, Err(_))] if refused == ticket), "{decided:?}");
}

#[test]
fn a_new_member_knows_what_was_spent_and_old_entries_go_away() {
    let mut room = Room::new(&["a", "b"], &[Limit::micros_per_day(100)]);
    let ticket = room.start(0, "t", 10);
    room.settle(0, ticket, 20);
    room.start(0, "t", 30);
    room.now_ms += 2 * HOUR;
    room.read(1);
    let day = room.members_day(1);
    assert_eq!((day.calls, day.usage, day.unknown), (1, micros(20), micros(30)));
    assert!(room.reserve(1, "t", 51).is_err());
    let ticket = room.start(1, "t", 50);
    room.settle(1, ticket, 50);
    room.now_ms = START + 2 * DAY + HOUR;
    assert_eq!(room.write(1), 2, "the dead member's entry, which is older than two days, and the member");
    room.now_ms += 2 * HOUR;
    assert_eq!(room.write(1), 1, "its own entry");
    let tombstones: Vec<_> = room.log.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| &**key).collect();
    let expected: [&[u8]; 3] = [br#"["a","t","r",480000,0]"#, br#"["a"]"#, br#"["b","t","r",480002,0]"#];
    assert_eq!(tombstones, expected);
    assert!(room.member(1).spending(START).is_empty());
}
