//! Instances with a name that outlives them: whoever restarts finds its work where it was, and nobody else moves.

use std::{collections::BTreeSet, thread, time::Duration};

use tidemill::{Streams, StreamsConfig, StreamsState, TaskState};
use tidemill_broker::{Broker, Options};

use super::{
    processes::{a_while, disturbed},
    site,
};
use crate::{
    Site, Tested,
    engine::{
        input,
        instance::{self, TASKS},
        oracle,
    },
    wait_for,
};

fn named(site: &Site, client_id: &str, name: &str) -> StreamsConfig {
    StreamsConfig { group_instance_id: Some(site.named(name)), ..instance::config(site, client_id) }
}

fn a_restart_moves_nothing(site: &Site) -> Tested {
    instance::create_topics(site)?;
    let start = |client_id, name| instance::start(site, named(site, client_id, name), instance::undisturbed());
    let stays = start("b", "stays")?;
    let leaves = start("a", "leaves")?;
    let running = |instance: &Streams| {
        let tasks = instance.status().into_iter().flat_map(|thread| thread.tasks);
        tasks.filter(|task| task.state == TaskState::Running).map(|task| task.id).collect::<BTreeSet<_>>()
    };
    let mut shares = [BTreeSet::new(), BTreeSet::new()];
    wait_for("both have tasks", || {
        shares = [running(&stays), running(&leaves)];
        let all = shares.iter().map(BTreeSet::len).sum::<usize>() == TASKS;
        Ok((all && shares.iter().all(|share| !share.is_empty())).then_some(()))
    })?;
    let mut sent: Vec<_> = input::entries(0..300).collect();
    input::feed(site, sent.clone())?;
    leaves.close()?;
    // Longer than a group needs to share anew.
    thread::sleep(Duration::from_secs(2));
    let more: Vec<_> = input::entries(300..500).collect();
    input::feed(site, more.clone())?;
    sent.extend(more);
    assert_eq!(running(&stays), shares[0], "those of who left wait for it");
    let returned = start("c", "leaves")?;
    oracle::all(site, sent)?;
    assert_eq!([running(&stays), running(&returned)], shares);
    returned.close()?;
    Ok(stays.close()?)
}

#[test]
fn a_named_instance_that_restarts_gets_its_tasks_back_and_nobody_else_moves() -> Tested {
    let Some(broker) = Broker::shared() else { return Ok(()) };
    a_restart_moves_nothing(&site(broker, "named")?)
}

#[test]
fn the_same_holds_for_the_classic_protocol() -> Tested {
    let Some(broker) = Broker::start(Options::new().classic_groups()) else { return Ok(()) };
    a_restart_moves_nothing(&site(&broker, "named_classic")?)
}

/// Its last life's session has not ended when it comes back: the new protocol makes it wait for that, the classic one
/// gives it the place at once.
fn a_killed_one_comes_back(broker: &Broker, scenario: &'static str) -> Tested {
    disturbed(broker, scenario, |scene| {
        let (mut killed, other) = (scene.static_worker("a")?, scene.static_worker("b")?);
        a_while();
        for _ in 0..2 {
            killed.kill()?;
            killed = scene.static_worker("a")?;
            a_while();
        }
        Ok(vec![killed, other])
    })
}

#[test]
fn a_named_process_that_was_killed_takes_its_place_again() -> Tested {
    let Some(broker) = Broker::shared() else { return Ok(()) };
    a_killed_one_comes_back(broker, "named_killed")
}

#[test]
fn so_it_does_by_the_classic_protocol() -> Tested {
    let Some(broker) = Broker::start(Options::new().classic_groups()) else { return Ok(()) };
    a_killed_one_comes_back(&broker, "named_killed_classic")
}

/// Both would fence each other for ever, if each came back.
#[test]
fn by_the_classic_protocol_the_older_of_two_instances_of_one_name_ends() -> Tested {
    let Some(broker) = Broker::start(Options::new().classic_groups()) else { return Ok(()) };
    let site = site(&broker, "one_name")?;
    instance::create_topics(&site)?;
    let start = |client_id| instance::start(&site, named(&site, client_id, "one"), instance::undisturbed());
    let older = start("a")?;
    instance::until_they_run(&[&older], &[TASKS])?;
    let newer = start("b")?;
    wait_for("the older one ends", || Ok((older.state() == StreamsState::Error).then_some(())))?;
    let problem = older.close().err().ok_or("it ended without an error")?.chain();
    assert!(problem.contains("instance id"), "{problem}");
    instance::until_they_run(&[&newer], &[TASKS])?;
    Ok(newer.close()?)
}
