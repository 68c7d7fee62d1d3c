//! What the stand-in says of itself, and how it is steered while it runs.

mod http;

use http::{CHAT, ask_chat, begin, chat, finish, request, soon};
use serde_json::{Value, json};
use tidemill_model_server::{Call, Fault, Latency, ModelServer, Rates, Schedule};

#[test]
fn calls_and_the_bill_can_be_read() {
    let server = ModelServer::start(Schedule::default());
    chat(&server, "a", &ask_chat(json!({})));
    chat(&server, "b", &ask_chat(json!({"messages": []})));
    let lines = request(&server, "GET", "/stand-in/calls", &[], "").body;
    let calls: Vec<Call> = lines.lines().map(|line| serde_json::from_str(line).expect("a call")).collect();
    assert_eq!(calls, server.calls());
    let bill = request(&server, "GET", "/stand-in/bill", &[], "").json();
    assert_eq!((&bill["calls"], &bill["billed_calls"], &bill["by_id"]), (&json!(2), &json!(1), &json!({"a": 1})));
    assert_eq!(bill["by_model"]["small"]["output_tokens"], calls[0].output_tokens);
}

#[test]
fn the_schedule_changes_while_it_runs() {
    let server = ModelServer::start(Schedule { seed: 5, ..Schedule::default() });
    let steer = |method: &str, body: Value| request(&server, method, "/stand-in/schedule", &[], &body.to_string());
    assert_eq!(steer("PATCH", json!({"rates": {"unavailable": 1.0}})).status, 200);
    assert_eq!(server.schedule().seed, 5, "a change leaves the rest");
    assert_eq!(chat(&server, "a", &ask_chat(json!({}))).status, 503);
    let now = steer("PUT", json!({"seed": 6, "outages": [{"from_ms": 600_000, "to_ms": 600_001}]}));
    assert_eq!((&now.json()["seed"], &now.json()["rates"]["unavailable"]), (&json!(6), &json!(0.0)));
    assert_eq!(chat(&server, "a", &ask_chat(json!({}))).status, 200);
    for wrong in [
        json!({"rates": {"unavailabel": 1}}),
        json!({"rates": {"cut": 2}}),
        json!({"outages": [{"from_ms": 1, "to_ms": 1}]}),
    ] {
        let refused = steer("PATCH", wrong);
        assert_eq!(refused.status, 400);
        assert!(refused.json()["error"]["message"].is_string());
    }
    assert_eq!(server.schedule().seed, 6, "a refused change changes nothing");
}

#[test]
fn calls_at_once_are_counted() {
    let server = ModelServer::start(Schedule { rates: Rates::always(Fault::Hang), ..Schedule::default() });
    let body = ask_chat(json!({})).to_string();
    let connections: Vec<_> = (0..5).map(|_| begin(&server, "POST", CHAT, &[], &body)).collect();
    soon("all calls are there", || server.at_once() == 5);
    drop(connections);
    soon("all calls are over", || server.at_once() == 0);
    assert_eq!(server.most_at_once(), 5);
    server.change(|schedule| schedule.rates = Rates::default());
    for _ in 0..20 {
        chat(&server, "a", &ask_chat(json!({})));
        assert_eq!(server.at_once(), 0, "whoever has the answer is no longer counted");
    }
}

#[test]
fn a_dropped_server_closes_its_connections() {
    let server = ModelServer::start(Schedule { latency: Latency::steady(60_000), ..Schedule::default() });
    let address = server.address();
    let connection = begin(&server, "POST", CHAT, &[], &ask_chat(json!({})).to_string());
    drop(server);
    assert_eq!(finish(connection).status, 0);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
#[should_panic(expected = "The rate cut is 1.5. Give a share from 0 to 1.")]
fn a_wrong_schedule_is_refused() {
    let mut schedule = Schedule::default();
    schedule.rates.cut = 1.5;
    ModelServer::start(schedule);
}

#[test]
fn it_starts_and_stops_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let server = ModelServer::start(Schedule::default());
        assert_eq!(chat(&server, "a", &ask_chat(json!({}))).status, 200);
    });
}

#[test]
fn two_thousand_calls_run_at_once() {
    const CALLS: usize = 2_000;
    let server = ModelServer::start(Schedule { rates: Rates::always(Fault::Hang), ..Schedule::default() });
    let body = ask_chat(json!({})).to_string();
    let connections: Vec<_> = (0..CALLS).map(|_| begin(&server, "POST", CHAT, &[], &body)).collect();
    soon("all calls are there", || server.at_once() == CALLS);
    server.change(|schedule| schedule.rates = Rates::default());
    assert_eq!(chat(&server, "a", &ask_chat(json!({}))).status, 200, "beside them, one gets its answer");
    drop(connections);
    soon("all calls are over", || server.at_once() == 0 && server.connections() == 0);
    let hung = server.calls().iter().filter(|call| call.client_left).count();
    assert_eq!((hung, server.most_at_once(), server.bill().billed_calls), (CALLS, CALLS + 1, 1));
}
