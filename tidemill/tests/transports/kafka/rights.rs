//! Brokers that do not let everybody do everything.

use tidemill::{
    AsyncCall, CallExecutor, CallPolicy, CallRequest, Reply,
    transport::{TransportError, kafka::KafkaTransport},
};
use tidemill_broker::{Broker, Options, PASSWORD, Security, USER};

use super::{config, site};
use crate::{Site, Tested, engine::instance};

/// A broker that knows a guest. What nobody keeps for himself is open to him, too, if `generous`.
fn strict_broker(generous: bool) -> Option<Broker> {
    let login = "org.apache.kafka.common.security.plain.PlainLoginModule required";
    Broker::start(
        Options::new()
            .secured(Security::SaslPlain)
            .set("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
            .set("allow.everyone.if.no.acl.found", generous)
            .set("super.users", format!("User:ANONYMOUS;User:{USER}"))
            .set(
                "listener.name.client.plain.sasl.jaas.config",
                format!("{login} user_{USER}=\"{PASSWORD}\" user_guest=\"{PASSWORD}\";"),
            ),
    )
}

/// The guest's site beside the owner's, where topics are created.
fn guest(broker: &Broker, scenario: &str) -> Tested<Site> {
    instance::create_topics(&site(broker, scenario)?)?;
    let mut guest = config(&broker.bootstrap_servers());
    for (name, value) in broker.client_properties() {
        guest = guest.set(name, value);
    }
    Ok(Site::new(KafkaTransport::new(guest.set("sasl.username", "guest"))?, scenario))
}

#[test]
fn who_may_not_read_is_told_at_the_start() -> Tested {
    let Some(broker) = strict_broker(false) else { return Ok(()) };
    let guest = guest(&broker, "rights")?;
    let refused = instance::start(&guest, instance::config(&guest, "a"), instance::undisturbed());
    let problem = refused.err().ok_or("it started without rights")?.to_string();
    assert!(problem.contains("7 problem(s)") && problem.contains("grant the rights"), "{problem}");
    assert!(!problem.contains("does not exist"), "{problem}");
    Ok(())
}

#[test]
fn who_may_not_join_the_group_or_use_the_transactional_id_is_told() -> Tested {
    let Some(broker) = strict_broker(true) else { return Ok(()) };
    for (scenario, resource) in [("no_group", "--group"), ("no_transaction", "--transactional-id")] {
        let guest = guest(&broker, scenario)?;
        let ids = guest.named("app");
        broker.reserve(&["--resource-pattern-type", "prefixed", resource, &ids], USER);
        let started = instance::start(&guest, instance::config(&guest, "a"), instance::undisturbed());
        let problem = started.err().ok_or("it started without rights")?.to_string();
        assert!(problem.contains(&ids) && problem.contains("grant the rights"), "{scenario}: {problem}");
    }
    Ok(())
}

#[test]
fn an_executor_that_may_not_join_its_group_is_told() -> Tested {
    let Some(broker) = strict_broker(true) else { return Ok(()) };
    let guest = guest(&broker, "no_executor")?;
    let call = AsyncCall::<String, String, String>::named("ask");
    let echo = |request: CallRequest<String, String>, reply: Reply<String>| reply.send(Ok(request.value));
    let spawn = || {
        let (transport, policy) = (guest.transport.clone(), CallPolicy::default());
        CallExecutor::spawn(&call, &guest.named("app"), transport, policy, echo)
    };
    let group = spawn()?.group().to_owned();
    broker.reserve(&["--group", &group], USER);
    let refused = spawn().err().ok_or("it started without rights")?;
    assert!(matches!(&refused, TransportError::Invalid(reason) if reason.as_str().contains(&group)), "{refused}");
    Ok(())
}
