//! Starts that must not be: each says what is wrong, where, and what to do.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::Duration,
};

use serde_json::json;
use tidemill_schemas::avro::{AvroEvent, Credentials, Registry, RegistryProblem, RegistrySettings, Subject};

use crate::{
    registry::registry,
    versions::{broken, first, second, shorter},
};

fn start<T: AvroEvent>(settings: RegistrySettings, topic: &str) -> Result<(), Vec<RegistryProblem>> {
    Registry::new(settings).expect("a client").prepare(vec![Subject::of::<T>(topic)])
}

/// The one problem, in words that have these parts.
fn problem(started: Result<(), Vec<RegistryProblem>>, parts: &[&str]) -> RegistryProblem {
    let problems = started.expect_err("it must not start");
    let [problem] = &problems[..] else { panic!("one problem: {problems:?}") };
    for part in parts {
        assert!(problem.to_string().contains(part), "{part} in: {problem}");
    }
    problem.clone()
}

#[test]
fn a_schema_that_cannot_read_an_old_version_is_refused_and_not_registered() {
    let Some(server) = registry() else { return };
    let settings = || RegistrySettings::new(server.url());
    start::<first::Goal>(settings(), "refused").expect("the first");
    start::<second::Goal>(settings(), "refused").expect("a compatible one");
    // Also where the registry itself would not mind.
    let anything = json!({ "compatibility": "NONE" });
    assert_eq!(server.call("PUT", "/config/refused-value", Some(&anything)).0, 200);
    let problems = start::<broken::Goal>(settings(), "refused").expect_err("incompatible");
    assert_eq!(problems.len(), 2, "one for each version: {problems:?}");
    let text = problems[0].to_string();
    for part in ["'refused-value'", "version 1", "tests.Goal", "give new fields a default"] {
        assert!(text.contains(part), "{part} in: {text}");
    }
    assert_eq!(server.versions("refused"), json!([1, 2]));
}

#[test]
fn a_version_that_was_deleted_is_no_hindrance() {
    let Some(server) = registry() else { return };
    let settings = || RegistrySettings::new(server.url());
    start::<first::Goal>(settings(), "cleared").expect("the first");
    assert_eq!(server.call("DELETE", "/subjects/cleared-value/versions/1", None).0, 200);
    start::<broken::Goal>(settings(), "cleared").expect("nothing is left that it could not read");
}

#[test]
fn what_the_registrys_rule_forbids_is_refused() {
    let Some(server) = registry() else { return };
    let settings = || RegistrySettings::new(server.url());
    start::<first::Goal>(settings(), "ruled").expect("the first");
    let forward = json!({ "compatibility": "FORWARD" });
    assert_eq!(server.call("PUT", "/config/ruled-value", Some(&forward)).0, 200);
    let refused = start::<shorter::Goal>(settings(), "ruled");
    let problem = problem(refused, &["'ruled-value'", "the registry refuses", "topic of its own"]);
    assert!(matches!(problem, RegistryProblem::Refused { .. }));
    assert_eq!(server.versions("ruled"), json!([1]));
}

#[test]
fn a_registry_that_is_not_there_is_told_once_for_all_topics() {
    let settings = RegistrySettings { patience: Duration::ZERO, ..RegistrySettings::new("http://127.0.0.1:1") };
    let registry = Registry::new(settings).expect("a client");
    let topics = ["one", "two"].map(Subject::of::<first::Goal>).to_vec();
    let parts = ["http://127.0.0.1:1", "does not answer", "refused", "start it"];
    assert!(matches!(problem(registry.prepare(topics), &parts), RegistryProblem::Unreachable { .. }));
}

#[test]
fn an_address_without_the_protocols_path_is_told() {
    let Some(server) = registry() else { return };
    let url = format!("http://{}/apis/nothing", server.address);
    let settings = RegistrySettings { patience: Duration::ZERO, ..RegistrySettings::new(url) };
    problem(start::<first::Goal>(settings, "lost"), &["/apis/nothing", "path of its own"]);
}

#[test]
fn a_registry_that_wants_another_user_is_told_without_the_password() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let answering = thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("somebody asks");
        let mut asked = [0; 1024];
        let length = client.read(&mut asked).expect("a request");
        client.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").expect("answered");
        String::from_utf8_lossy(&asked[..length]).into_owned()
    });
    let credentials = Some(Credentials { user: "ada".to_owned(), password: "hunter2".to_owned() });
    let settings = RegistrySettings { credentials, ..RegistrySettings::new(url) };
    assert!(!format!("{settings:?}").contains("hunter2"));
    let problem = problem(start::<first::Goal>(settings, "private"), &["'private-value'", "401", "check user"]);
    assert!(matches!(problem, RegistryProblem::Denied { .. }) && !problem.to_string().contains("hunter2"));
    let asked = answering.join().expect("asked").to_ascii_lowercase();
    // `ada:hunter2`, as basic authentication writes it.
    assert!(asked.contains("authorization: basic ywrhomh1bnrlcji="), "{asked}");
}
