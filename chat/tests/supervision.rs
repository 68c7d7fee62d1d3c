//! A supervised connection survives every error but a refusal, tells its state, and tells no message twice.

#![allow(clippy::unwrap_used)]

mod fake;

use std::{sync::Arc, time::Duration};

use fake::{FakeClock, FakePlatform, Step, ids, message};
use serde_json::json;
use tidemill_chat::{Batch, ChatError, ChatEvent, Position, Source, State, Supervised, Supervision, Told, Url};

const NOW: i64 = 1_767_225_600_000;

fn supervised(platform: &Arc<FakePlatform>, from: Option<Position>) -> Supervised {
    let source = Source::new(Url::parse("https://chat.example/ada").unwrap());
    let supervision = Supervision { clock: FakeClock::at(NOW), ..Supervision::default() };
    Supervised::new(Arc::clone(platform) as _, source, from, supervision)
}

fn batch(names: &[&str]) -> Step {
    let position = Some(Position(json!(names.last())));
    Step::Next(Ok(Batch { events: names.iter().map(|id| message(id)).collect(), position, ended: false }))
}

fn cut(reason: &str) -> Step {
    Step::Next(Err(ChatError::transient(reason)))
}

async fn told(supervised: &mut Supervised, count: usize) -> Vec<Told> {
    let mut told = Vec::new();
    for _ in 0..count {
        told.push(supervised.next().await);
    }
    told
}

fn messages(told: &[Told]) -> Vec<&str> {
    told.iter().flat_map(|told| if let Told::Events(batch) = told { ids(batch) } else { Vec::new() }).collect()
}

#[tokio::test]
async fn replayed_history_is_told_once() {
    let steps = [Step::Open(Ok(())), batch(&["a", "b"]), cut("cut"), Step::Open(Ok(())), batch(&["a", "b", "c"])];
    let platform = FakePlatform::following(steps);
    let told = told(&mut supervised(&platform, None), 7).await;
    assert_eq!(messages(&told), ["a", "b", "c"]);
    assert!(matches!(&told[3], Told::State(State::Waiting { reason, until_ms }) if reason == "cut" && *until_ms > NOW));
    assert_eq!(*platform.opened.lock().unwrap(), [None, Some(Position(json!("b")))]);
}

#[tokio::test]
async fn messages_that_have_arrived_are_told_together_and_before_the_failure_behind_them() {
    let steps = [Step::Open(Ok(())), batch(&["a"]), batch(&["a", "b"]), batch(&["c"]), cut("cut")];
    let platform = FakePlatform::following(steps);
    let told = told(&mut supervised(&platform, None), 4).await;
    assert!(matches!(&told[2], Told::Events(batch) if ids(batch) == ["a", "b", "c"]), "{told:?}");
    let Told::Events(Batch { position: Some(Position(position)), .. }) = &told[2] else { panic!("{told:?}") };
    assert_eq!(position["at"], "c");
    assert!(matches!(&told[3], Told::State(State::Waiting { reason, .. }) if reason == "cut"), "{told:?}");
}

#[tokio::test]
async fn messages_that_wait_are_told_in_parts_of_bounded_size() {
    let names: Vec<String> = (0..1_200).map(|number| number.to_string()).collect();
    let steps = names.iter().map(|name| batch(&[name]));
    let platform = FakePlatform::following([Step::Open(Ok(()))].into_iter().chain(steps));
    let told = told(&mut supervised(&platform, None), 5).await;
    assert_eq!(messages(&told), names);
    let sizes =
        told.iter().filter_map(|told| if let Told::Events(batch) = told { Some(ids(batch).len()) } else { None });
    assert_eq!(sizes.collect::<Vec<_>>(), [500, 500, 200]);
}

#[tokio::test]
async fn a_restart_goes_on_at_the_position_and_knows_the_ids() {
    let platform = FakePlatform::following([Step::Open(Ok(())), batch(&["a", "b"])]);
    let first = told(&mut supervised(&platform, None), 3).await;
    let Told::Events(Batch { position, .. }) = &first[2] else { panic!("{first:?}") };

    let platform = FakePlatform::following([Step::Open(Ok(())), batch(&["b", "c"])]);
    let then = told(&mut supervised(&platform, position.clone()), 3).await;
    assert_eq!(messages(&then), ["c"]);
    assert_eq!(*platform.opened.lock().unwrap(), [Some(Position(json!("b")))]);
}

#[tokio::test]
async fn a_platform_without_positions_tells_its_history_again_in_vain_after_a_restart() {
    let history = |last| Step::Next(Ok(Batch { events: (0..last).map(numbered).collect(), ..Batch::default() }));
    let platform = FakePlatform::following([Step::Open(Ok(())), history(900)]);
    let first = told(&mut supervised(&platform, None), 3).await;
    let Told::Events(Batch { position: Some(position), .. }) = &first[2] else { panic!("{first:?}") };
    assert!(position.0.to_string().len() < 11_000);

    let platform = FakePlatform::following([Step::Open(Ok(())), history(901)]);
    let then = told(&mut supervised(&platform, Some(position.clone())), 3).await;
    assert_eq!(messages(&then), ["900"]);
}

fn numbered(number: u32) -> ChatEvent {
    message(&number.to_string())
}

#[tokio::test]
async fn a_refusal_is_told_with_its_remedy_and_nothing_follows() {
    let platform = FakePlatform::following([Step::Open(Err(ChatError::refused("the key is wrong", "set another")))]);
    let mut supervised = supervised(&platform, None);
    let told = told(&mut supervised, 2).await;
    assert_eq!(
        told[1],
        Told::State(State::Refused { reason: "the key is wrong".into(), remedy: "set another".into() })
    );
    let silence = tokio::time::timeout(Duration::from_millis(10), supervised.next()).await;
    assert!(silence.is_err());
}

#[tokio::test]
async fn the_end_follows_the_last_events() {
    let last = Batch { events: vec![message("z")], position: None, ended: true };
    let platform = FakePlatform::following([Step::Open(Ok(())), Step::Next(Ok(last))]);
    let told = told(&mut supervised(&platform, None), 4).await;
    assert_eq!(messages(&told), ["z"]);
    assert_eq!(told[3], Told::State(State::Ended));
}

#[tokio::test]
async fn waits_grow_until_something_new_comes() {
    let fails = || Step::Open(Err(ChatError::transient("503")));
    let steps = [fails(), fails(), fails(), Step::Open(Ok(())), batch(&["a"]), cut("cut")];
    let told = told(&mut supervised(&FakePlatform::following(steps), None), 10).await;
    let mut now = NOW;
    let mut waits = Vec::new();
    for told in &told {
        if let Told::State(State::Waiting { until_ms, .. }) = told {
            waits.push(until_ms - now);
            now = *until_ms;
        }
    }
    let [first, second, third, anew] = waits[..] else { panic!("{waits:?}") };
    assert!((500..=1000).contains(&first) && (1000..=2000).contains(&second) && (2000..=4000).contains(&third));
    assert!((500..=1000).contains(&anew), "{waits:?}");
}

#[tokio::test]
async fn a_platform_can_ask_for_an_hour_and_no_more() {
    for seconds in [7_200, u64::MAX / 1_000, u64::MAX] {
        let retry_after = Some(Duration::from_secs(seconds));
        let steps = [Step::Open(Err(ChatError::Transient { reason: "503".into(), retry_after }))];
        let told = told(&mut supervised(&FakePlatform::following(steps), None), 2).await;
        let Told::State(State::Waiting { until_ms, .. }) = &told[1] else { panic!("{told:?}") };
        assert!((3_600_000..3_602_000).contains(&(until_ms - NOW)), "{until_ms} after {seconds} s");
    }
}

#[tokio::test]
async fn a_chat_that_opens_and_breaks_at_once_is_opened_ever_more_rarely() {
    let steps = (0..6).flat_map(|_| [Step::Open(Ok(())), cut("cut")]);
    let told = told(&mut supervised(&FakePlatform::following(steps), None), 18).await;
    let Some(Told::State(State::Waiting { until_ms, .. })) = told.last() else { panic!("{told:?}") };
    assert!(until_ms - NOW >= (1 + 2 + 4 + 8 + 16 + 32) * 500, "{}", until_ms - NOW);
}

#[tokio::test]
async fn a_stream_that_has_not_begun_is_looked_at_until_it_has() {
    let starts = |ms| ChatError::NotLive { reason: "begins later".into(), starts_at_ms: Some(NOW + ms) };
    let steps = [Step::Open(Err(starts(120_000))), Step::Open(Err(starts(0))), Step::Open(Ok(()))];
    let told = told(&mut supervised(&FakePlatform::following(steps), None), 6).await;
    let until = |told: &Told| if let Told::State(State::Waiting { until_ms, .. }) = told { until_ms - NOW } else { -1 };
    assert_eq!((until(&told[1]), until(&told[3])), (120_000, 150_000));
    assert_eq!(told[5], Told::State(State::Connected));
}

#[tokio::test]
async fn withdrawals_and_bans_are_told_once() {
    let deleted = || ChatEvent::Deleted { message_id: "a".into() };
    let banned = |timestamp_ms| ChatEvent::Banned { user_id: "u".into(), timestamp_ms, until_ms: None };
    let events = vec![message("a"), deleted(), banned(1), deleted(), banned(1), banned(2)];
    let batch = Batch { events, position: None, ended: false };
    let platform = FakePlatform::following([Step::Open(Ok(())), Step::Next(Ok(batch))]);
    let told = told(&mut supervised(&platform, None), 3).await;
    let Told::Events(batch) = &told[2] else { panic!("{told:?}") };
    assert_eq!(batch.events, [message("a"), deleted(), banned(1), banned(2)]);
}
