//! Dead letters are listed and put back to their topics, each once.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use common::{Tested, is_drained, records, wait_until};
use tidemill::{
    RecordHandler, Streams, StreamsBuilder, StreamsConfig,
    dead_letters::{DeadLetter, DeadLetterFilter, DeadLetterId, DeadLetters, ReplayError},
    transport::{
        Headers, Transport as _,
        embedded::{EmbeddedLog, Entry},
    },
};

/// A log with letters of an application that refuses "bad…", and a switch that makes it take everything.
struct Site {
    log: EmbeddedLog,
    takes_all: Arc<AtomicBool>,
    letters: DeadLetters,
}

fn config() -> StreamsConfig {
    StreamsConfig {
        processing_handler: RecordHandler::DeadLetter("dead".into()),
        deserialization_handler: RecordHandler::DeadLetter("unread".into()),
        commit_interval: Duration::from_millis(5),
        ..StreamsConfig::new("app")
    }
}

impl Site {
    fn new() -> Tested<Self> {
        let log = EmbeddedLog::in_memory();
        for (topic, partitions) in [("in", 2), ("other", 2), ("out", 1), ("dead", 3), ("unread", 1)] {
            log.create(topic, partitions)?;
        }
        let letters = DeadLetters::of(log.clone(), &config());
        Ok(Self { log, takes_all: Arc::default(), letters })
    }

    /// Runs the application until it has taken everything.
    fn run(&self) -> Tested {
        let builder = StreamsBuilder::new();
        for topic in ["in", "other"] {
            let takes_all = self.takes_all.clone();
            let check = move |_: &String, text: &String| {
                let refused = text.starts_with("bad") && !takes_all.load(Ordering::SeqCst);
                if refused { Err(format!("'{text}' is bad")) } else { Ok(()) }
            };
            builder.stream::<String, String>(topic).try_peek(check).named(&format!("check-{topic}")).to("out");
        }
        let streams = Streams::start(&builder.build()?, config(), self.log.clone())?;
        wait_until("all is processed", || is_drained(&self.log, "app"));
        Ok(streams.close()?)
    }

    fn list(&self, filter: DeadLetterFilter) -> Tested<Vec<DeadLetter>> {
        Ok(self.letters.list(&filter)?)
    }

    fn all(&self) -> Tested<Vec<DeadLetter>> {
        self.list(DeadLetterFilter { with_replayed: true, ..DeadLetterFilter::default() })
    }

    fn out(&self) -> Vec<String> {
        let mut values: Vec<String> =
            records::<String, String>(&self.log, "out").into_iter().map(|(_, _, value)| value).collect();
        values.sort();
        values
    }
}

fn ids(letters: &[DeadLetter]) -> Vec<DeadLetterId> {
    letters.iter().map(|letter| letter.id.clone()).collect()
}

#[test]
fn letters_are_listed_with_their_cause_and_chosen_by_it() -> Tested {
    let site = Site::new()?;
    let mut headers = Headers::new();
    headers.push("trace", "t-1");
    let traced = Entry { headers: headers.clone(), ..Entry::new("ann", "bad one", 10) };
    site.log.append("in", 1, [Entry::new("ann", "fine", 5), traced])?;
    site.log.append("other", 0, [Entry::new("bob", "bad two", 20), Entry::new("bob", vec![0xff], 30)])?;
    site.run()?;
    let listed = site.list(DeadLetterFilter::default())?;
    assert_eq!(listed.len(), 3);
    let one = listed.iter().find(|letter| letter.error == "'bad one' is bad").ok_or("the first is listed")?;
    assert_eq!(one.from.as_ref().map(ToString::to_string).as_deref(), Some("topic 'in', partition 1, offset 1"));
    assert_eq!((one.operator.as_deref(), one.origin.as_deref()), (Some("check-in"), Some("processing")));
    assert_eq!((one.application.as_deref(), one.timestamp, &one.headers), (Some("app"), 10, &headers));
    assert_eq!((one.key.as_deref(), one.value.as_deref()), (Some(&b"ann"[..]), Some(&b"bad one"[..])));
    assert_eq!((one.replayed, one.replays, &one.replay_of), (false, 0, &None));

    let all = DeadLetterFilter::default;
    let chosen = [
        (DeadLetterFilter { from_topic: Some("other".into()), ..all() }, 2),
        (DeadLetterFilter { operator: Some("check-other".into()), ..all() }, 1),
        (DeadLetterFilter { error: Some("does not decode".into()), ..all() }, 1),
        (DeadLetterFilter { key: Some("bob".into()), ..all() }, 2),
        (DeadLetterFilter { from_ms: Some(10), to_ms: Some(20), ..all() }, 1),
        (DeadLetterFilter { limit: Some(2), ..all() }, 2),
        (DeadLetterFilter { operator: Some("nobody".into()), ..all() }, 0),
    ];
    for (filter, count) in chosen {
        assert_eq!(site.list(filter.clone())?.len(), count, "{filter:?}");
    }
    Ok(())
}

#[test]
fn a_replayed_letter_goes_back_once_and_is_known_as_replayed() -> Tested {
    let site = Site::new()?;
    site.log.append("in", 1, [Entry::new("ann", "bad one", 10), Entry::new("ann", "bad two", 11)])?;
    site.run()?;
    let letters = site.all()?;
    let (first, second) = (letters[0].id.clone(), letters[1].id.clone());
    let chosen = [first.clone(), first.clone()];

    let would = site.letters.dry_run(&chosen)?;
    assert_eq!(would.replayed, std::slice::from_ref(&first));
    assert_eq!(site.log.end_offsets("in")?, [0, 2], "a dry run writes nothing");

    site.takes_all.store(true, Ordering::SeqCst);
    assert_eq!(
        site.letters.replay(&chosen)?.replayed,
        std::slice::from_ref(&first),
        "an id that comes twice counts once"
    );
    let again = site.letters.replay(&[first.clone(), second.clone()])?;
    assert_eq!((again.replayed, again.replayed_before), (vec![second.clone()], vec![first]));
    assert_eq!(site.log.end_offsets("in")?, [0, 4], "both went to the partition that they came from");
    site.run()?;
    assert_eq!(site.out(), ["bad one", "bad two"]);
    assert!(site.list(DeadLetterFilter::default())?.is_empty());
    assert!(site.all()?.iter().all(|letter| letter.replayed));

    let (_, record) = site.log.read_all("in")?.pop().ok_or("it was put back")?;
    let header = |name: &str| record.headers.last(name).map(|it| String::from_utf8_lossy(it).into_owned());
    assert_eq!(header("tidemill.replayed.from"), Some(second.to_string()));
    assert!(record.headers.iter().all(|header| !header.key.contains(".errors.")), "{:?}", record.headers);
    assert_eq!(record.timestamp, 11);
    Ok(())
}

#[test]
fn a_replay_that_fails_again_is_a_new_letter() -> Tested {
    let site = Site::new()?;
    site.log.append("in", 0, [Entry::new("ann", "bad", 10)])?;
    site.run()?;
    let mut last = site.all()?.remove(0);
    for replays in 1..=2 {
        site.letters.replay(std::slice::from_ref(&last.id))?;
        site.run()?;
        let open = site.list(DeadLetterFilter::default())?;
        let [new] = &open[..] else { panic!("one letter is open: {open:#?}") };
        assert_eq!((new.replay_of.as_ref(), new.replays), (Some(&last.id), replays));
        assert_eq!(new.headers, Headers::new(), "the record's own headers do not grow");
        last = new.clone();
    }
    assert_eq!(site.all()?.len(), 3);
    Ok(())
}

#[test]
fn what_cannot_be_replayed_is_told_and_holds_nothing_up() -> Tested {
    let site = Site::new()?;
    site.log.append("in", 0, [Entry::new("ann", "bad", 10)])?;
    site.log.append("other", 0, [Entry::new("bob", "bad", 11)])?;
    site.run()?;
    site.log.append("dead", 2, [Entry::new("eve", "from elsewhere", 12)])?;
    site.log.admin()?.delete_topic("other")?;
    let replay = site.letters.replay(&ids(&site.all()?))?;
    assert_eq!(replay.replayed.len(), 1);
    let mut problems: Vec<_> = replay.not_possible.into_iter().map(|(_, problem)| problem).collect();
    problems.sort();
    assert_eq!(
        problems,
        ["it has no headers that tell where it came from", "its topic 'other' does not exist any more"]
    );

    let unknown: [DeadLetterId; 3] = ["dead/0/77".parse()?, "dead/9/0".parse()?, "in/0/0".parse()?];
    let error = site.letters.replay(&unknown).err().ok_or("there are none")?;
    assert!(matches!(&error, ReplayError::Unknown(ids) if ids[..] == unknown), "{error}");
    assert_eq!(error.to_string(), "there is no dead letter dead/0/77, dead/9/0, in/0/0");
    Ok(())
}

#[test]
fn letters_of_another_application_on_the_same_topic_are_not_ours() -> Tested {
    let site = Site::new()?;
    site.log.append("in", 0, [Entry::new("ann", "bad", 10)])?;
    site.run()?;
    let id = site.all()?.remove(0).id;
    let others = DeadLetters::new(site.log.clone(), "another", ["dead"]);
    assert!(others.list(&DeadLetterFilter::default())?.is_empty());
    assert!(matches!(others.replay(&[id]), Err(ReplayError::Unknown(_))));
    Ok(())
}

#[test]
fn two_programs_that_replay_everything_replay_each_letter_once() -> Tested {
    let site = Site::new()?;
    let bad = (0..300).map(|number| Entry::new("ann", format!("bad {number}"), number));
    site.log.append("in", 0, bad)?;
    site.run()?;
    let all = ids(&site.all()?);
    assert_eq!(all.len(), 300);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            // A program that another one overtakes gets an error, and may try again.
            scope.spawn(|| wait_until("all is replayed", || site.letters.replay(&all).is_ok()));
        }
    });
    assert_eq!(site.log.end_offsets("in")?[0], 600);
    Ok(())
}

/// A letter of another writer about a record of `in` with these headers.
fn of_another_writer(partition: &str, more: &[(&str, &str)]) -> Entry {
    let mut headers = Headers::new();
    for (name, value) in [("topic", "in"), ("partition", partition), ("offset", "0"), ("message", "odd")] {
        headers.push(format!("__streams.errors.{name}"), value.to_owned());
    }
    for (name, value) in more {
        headers.push(*name, (*value).to_owned());
    }
    Entry { headers, ..Entry::new("ann", "odd", 5) }
}

#[test]
fn odd_headers_of_another_writer_hold_nothing_up() -> Tested {
    let site = Site::new()?;
    let often = u32::MAX.to_string();
    let letters = [
        of_another_writer("-1", &[]),
        of_another_writer("2", &[]),
        of_another_writer("1", &[("tidemill.replayed.times", &often)]),
    ];
    site.log.append("dead", 0, letters)?;
    let replay = site.letters.replay(&ids(&site.all()?))?;
    assert_eq!(replay.replayed, ["dead/0/2".parse()?]);
    let problems: Vec<_> = replay.not_possible.into_iter().map(|(_, problem)| problem).collect();
    assert_eq!(problems, ["its topic 'in' has no partition -1", "its topic 'in' has no partition 2"]);
    Ok(())
}

#[test]
fn a_letter_in_the_place_of_one_that_was_replayed_is_not_replayed_yet() -> Tested {
    let site = Site::new()?;
    site.log.append("in", 0, [Entry::new("ann", "bad one", 10), Entry::new("ann", "bad two", 20)])?;
    site.run()?;
    let first = site.all()?.remove(0);
    site.letters.replay(std::slice::from_ref(&first.id))?;
    // Somebody empties the topic.
    site.log.admin()?.delete_topic("dead")?;
    site.log.create("dead", 3)?;
    site.run()?;
    let new = site.list(DeadLetterFilter::default())?.remove(0);
    assert_eq!((&new.id, new.replay_of.as_ref()), (&first.id, Some(&first.id)), "the replay failed");
    assert_eq!(site.letters.replay(std::slice::from_ref(&new.id))?.replayed, std::slice::from_ref(&new.id));
    assert!(site.list(DeadLetterFilter::default())?.is_empty());
    assert_eq!(site.letters.replay(std::slice::from_ref(&new.id))?.replayed_before, [new.id]);
    Ok(())
}

#[test]
fn a_letter_that_is_itself_the_record_of_a_letter_keeps_its_headers() -> Tested {
    let site = Site::new()?;
    // `in` is the dead-letter topic of another application.
    let theirs = of_another_writer("1", &[("tidemill.errors.application", "another"), ("trace", "t-1")]);
    let headers = theirs.headers.clone();
    site.log.append("in", 0, [Entry { value: Some("bad".into()), ..theirs }])?;
    site.run()?;
    let letter = site.all()?.remove(0);
    assert_eq!((letter.application.as_deref(), letter.error.as_str()), (Some("app"), "'bad' is bad"));
    assert_eq!(letter.headers, headers);
    site.letters.replay(&[letter.id])?;
    let (_, record) = site.log.read_all("in")?.pop().ok_or("it was put back")?;
    assert!(headers.iter().all(|header| record.headers.last(&header.key) == header.value.as_ref()));
    Ok(())
}
