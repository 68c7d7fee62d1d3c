//! What is granted, what is refused, and until when.

use super::{
    super::{Again, Claim, Limit, Refusal},
    log::{DAY, HOUR, MINUTE, Room, SECOND, START, micros},
};

fn refused(limit: &Limit, again: Again) -> Refusal {
    Refusal { limit: limit.clone(), again }
}

#[test]
fn the_first_in_the_topic_gets_the_last_place() {
    let limit = Limit::in_flight(1);
    let mut room = Room::new(&["a", "b"], std::slice::from_ref(&limit));
    let (a, b) = (room.reserve(0, "t", 1).expect("room"), room.reserve(1, "t", 1).expect("room"));
    room.write(1);
    room.write(0);
    assert_eq!(room.read(0), [(a, Err(refused(&limit, Again::WhenOneEnds)))]);
    assert_eq!(room.read(1), [(b, Ok(()))]);
    assert_eq!(room.reserve(0, "t", 1), Err(refused(&limit, Again::WhenOneEnds)));
    // The refused one is withdrawn, so it is in nobody's way when the other ends.
    assert_eq!(room.write(0), 1);
    room.settle(1, b, 1);
    room.start(1, "t", 1);
}

#[test]
fn own_reservations_count_before_they_are_written() {
    let mut room = Room::new(&["a"], &[Limit::in_flight(2)]);
    let first = room.reserve(0, "t", 1).expect("room");
    room.reserve(0, "t", 1).expect("room");
    assert!(room.reserve(0, "t", 1).is_err());
    room.member(0).withdraw(first);
    assert!(room.reserve(0, "t", 1).is_ok());
}

#[test]
fn a_budget_refuses_until_its_period_ends_or_an_attempt_ends() {
    let (hour, day) = (Limit::micros_per_hour(100), Limit::micros_per_day(150).for_each_tenant());
    let mut room = Room::new(&["a", "b"], &[hour.clone(), day.clone()]);
    room.now_ms += 10 * HOUR + 20 * MINUTE;
    assert_eq!(room.reserve(0, "t", 101), Err(refused(&hour, Again::Never)));
    let running = room.start(0, "t", 60);
    room.read(1);
    // The running attempt may use less.
    assert_eq!(room.reserve(1, "t", 50), Err(refused(&hour, Again::WhenOneEnds)));
    room.settle(0, running, 70);
    assert_eq!(room.reserve(1, "u", 50), Err(refused(&hour, Again::At(START + 11 * HOUR))));
    room.now_ms = START + 11 * HOUR;
    assert_eq!(room.reserve(1, "t", 90), Err(refused(&day, Again::At(START + DAY))));
    room.start(1, "u", 90);
    room.now_ms = START + DAY;
    room.start(0, "t", 90);
}

#[test]
fn scopes_count_their_tenant_and_route_only() {
    let limits = [
        Limit::in_flight(1).of_tenant("ann"),
        Limit::calls_per_hour(2).of_route("large").for_each_tenant(),
        Limit::calls_per_day(5),
    ];
    let mut room = Room::new(&["a"], &limits);
    let mut claim = |tenant, route| {
        let now_ms = room.now_ms;
        room.member(0).reserve(Claim { id: 0, tenant, route, most: micros(0) }, now_ms).map_err(|it| it.limit)
    };
    assert!(claim("ann", "small").is_ok());
    assert_eq!(claim("ann", "large"), Err(limits[0].clone()));
    assert!(claim("bob", "large").is_ok());
    assert!(claim("bob", "large").is_ok());
    assert_eq!(claim("bob", "large"), Err(limits[1].clone()));
    assert!(claim("eve", "large").is_ok());
    assert!(claim("bob", "small").is_ok());
    assert_eq!(claim("eve", "small"), Err(limits[2].clone()));
}

#[test]
fn a_minute_slides() {
    let limit = Limit::calls_per_minute(10);
    let mut room = Room::new(&["a"], std::slice::from_ref(&limit));
    room.now_ms += 50 * SECOND;
    for _ in 0..10 {
        let ticket = room.start(0, "t", 1);
        room.settle(0, ticket, 1);
    }
    // A tenth of the last minute has to pass before one more fits.
    let next = START + MINUTE + 6 * SECOND;
    assert_eq!(room.reserve(0, "t", 1), Err(refused(&limit, Again::At(next))));
    room.now_ms = next - 1;
    assert_eq!(room.reserve(0, "t", 1), Err(refused(&limit, Again::At(next))));
    room.now_ms = next;
    room.start(0, "t", 1);
    assert_eq!(room.reserve(0, "t", 1), Err(refused(&limit, Again::At(next + 6 * SECOND))));
    room.now_ms += 2 * MINUTE;
    for _ in 0..10 {
        room.start(0, "t", 1);
    }
    assert!(room.reserve(0, "t", 1).is_err());
}

#[test]
fn a_minute_counts_those_whose_clock_is_ahead() {
    let mut room = Room::new(&["a", "b"], &[Limit::calls_per_minute(1)]);
    room.now_ms += MINUTE + 2 * SECOND;
    room.start(0, "t", 1);
    room.now_ms -= 5 * SECOND;
    room.read(1);
    assert!(room.reserve(1, "t", 1).is_err());
}

#[test]
fn tokens_per_minute_are_those_used_once_an_attempt_ended() {
    let limit = Limit::tokens_per_minute(100);
    let mut room = Room::new(&["a"], std::slice::from_ref(&limit));
    let ticket = room.start(0, "t", 90);
    assert!(room.reserve(0, "t", 20).is_err());
    room.settle(0, ticket, 80);
    room.start(0, "t", 20);
    room.now_ms += MINUTE;
    assert_eq!(room.reserve(0, "t", 50), Err(refused(&limit, Again::At(room.now_ms + MINUTE / 2))));
}

#[test]
fn a_silent_member_is_not_in_flight_but_may_have_been_paid() {
    let (places, money) = (Limit::in_flight(1), Limit::micros_per_hour(100));
    let mut room = Room::new(&["a", "b"], &[places.clone(), money.clone()]);
    let running = room.start(0, "t", 60);
    room.now_ms += 55 * SECOND;
    assert_eq!(room.write(0), 1, "a sign of life");
    room.now_ms += 4 * SECOND;
    assert_eq!(room.write(0), 0, "the last sign is fresh");
    room.read(1);
    room.now_ms += 56 * SECOND;
    assert_eq!(room.reserve(1, "t", 10), Err(refused(&places, Again::WhenOneEnds)));
    room.now_ms += SECOND;
    assert_eq!(room.reserve(1, "t", 50), Err(refused(&money, Again::At(START + HOUR))));
    let other = room.start(1, "t", 10);
    let spent = room.members_day(1);
    assert_eq!((spent.unknown_calls, spent.unknown, spent.open_calls), (1, micros(60), 1));
    // It was only slow. What it says then counts again.
    room.settle(1, other, 10);
    room.settle(0, running, 20);
    let spent = room.members_day(1);
    assert_eq!((spent.unknown_calls, spent.calls, spent.usage.cost_micros), (0, 2, 30));
    room.start(1, "t", 70);
}

#[test]
fn only_the_first_settlement_counts() {
    let mut room = Room::new(&["a"], &[Limit::micros_per_day(100)]);
    let ticket = room.start(0, "t", 10);
    room.settle(0, ticket, 20);
    room.settle(0, ticket, 30);
    room.member(0).withdraw(ticket);
    assert_eq!(room.members_day(0).usage, micros(20));
    // An attempt that somebody started without waiting for the decision is paid all the same.
    let early = room.reserve(0, "t", 5).expect("room");
    room.settle(0, early, 7);
    assert_eq!((room.members_day(0).calls, room.members_day(0).usage.cost_micros), (2, 27));
    assert!(room.read(0).is_empty());
}

#[test]
fn a_request_that_ran_elsewhere_is_known() {
    let mut room = Room::new(&["a", "b"], &[]);
    let mut reserve = |id| {
        let now_ms = room.now_ms;
        room.member(0).reserve(Claim { id, tenant: "", route: "r", most: micros(1) }, now_ms).expect("room")
    };
    let (first, second) = (reserve(7), reserve(8));
    room.write(0);
    room.read(0);
    room.read(1);
    let begun = |room: &mut Room| [7, 8, 9].map(|id| room.member(1).begun_elsewhere(id));
    assert_eq!(begun(&mut room), [true, true, false]);
    assert!(!room.member(0).begun_elsewhere(7), "its own are no others'");
    room.member(0).withdraw(second);
    room.write(0);
    room.read(1);
    assert_eq!(begun(&mut room), [true, false, false]);
    room.settle(0, first, 1);
    assert_eq!(begun(&mut room), [true, false, false]);
}

#[test]
fn a_member_that_lost_a_request_is_dead_after_a_shorter_silence() {
    let places = Limit::in_flight(1);
    let mut room = Room::new(&["a", "b"], std::slice::from_ref(&places));
    let now_ms = room.now_ms;
    room.member(0).reserve(Claim { id: 7, tenant: "t", route: "r", most: micros(1) }, now_ms).expect("room");
    room.write(0);
    room.read(0);
    room.read(1);
    room.now_ms += 20 * SECOND;
    room.member(1).taken_over(8);
    room.member(1).taken_over(7);
    assert_eq!(room.reserve(1, "t", 1), Err(refused(&places, Again::WhenOneEnds)), "it may only be slow");
    room.now_ms += SECOND;
    room.start(1, "t", 1);
    let spent = room.members_day(1);
    assert_eq!((spent.unknown_calls, spent.open_calls), (1, 1), "what it may have paid is not forgotten");
}
