//! Topics.

use std::time::Duration;

use tidemill::transport::{CleanupPolicy, TopicPartition, TopicSpec, TransportError, Watermarks};

use crate::{Site, Tested, wait_for};

pub(crate) fn a_topic_is_described_as_it_was_created(site: &Site) -> Tested {
    let mut admin = site.transport.admin()?;
    for (name, partitions, cleanup, retention) in [
        ("forever", 1, CleanupPolicy::Delete, None),
        ("a-day", 3, CleanupPolicy::Delete, Some(Duration::from_hours(24))),
        ("compacted", 2, CleanupPolicy::Compact, None),
    ] {
        let spec = TopicSpec { name: site.topic(name), partitions, cleanup, retention };
        admin.create_topic(&spec)?;
        assert_eq!(admin.describe_topic(&spec.name)?, Some(spec.clone()));
        assert!(admin.list_topics()?.contains(&spec.name));
        let again = admin.create_topic(&spec);
        assert!(matches!(again, Err(TransportError::TopicExists(topic)) if topic == *spec.name));
    }
    assert!(admin.list_topics()?.is_sorted());
    Ok(())
}

pub(crate) fn topics_are_never_made_up(site: &Site) -> Tested {
    let mut admin = site.transport.admin()?;
    assert_eq!(admin.describe_topic(&site.topic("none"))?, None);
    let deleted = admin.delete_topic(&site.topic("none"));
    assert!(matches!(deleted, Err(TransportError::UnknownTopic(_))), "{deleted:?}");
    let mut producer = site.producer()?;
    let sent = producer.send(site.record("none", 0, "lost")).and_then(|()| producer.flush());
    assert!(matches!(sent, Err(TransportError::UnknownTopic(_))), "{sent:?}");
    assert_eq!(admin.describe_topic(&site.topic("none"))?, None);
    assert!(!admin.list_topics()?.contains(&site.topic("none")));
    Ok(())
}

pub(crate) fn a_deleted_topic_is_gone_and_can_be_created_again(site: &Site) -> Tested {
    site.create("in", 1)?;
    site.send("in", 0, &["old"])?;
    let mut admin = site.transport.admin()?;
    admin.delete_topic(&site.topic("in"))?;
    wait_for("it is gone", || Ok(admin.describe_topic(&site.topic("in"))?.is_none().then_some(())))?;
    assert!(!admin.list_topics()?.contains(&site.topic("in")));
    site.create("in", 1)?;
    site.send("in", 0, &["new"])?;
    assert_eq!(site.values("in")?, ["new"]);
    Ok(())
}

pub(crate) fn deleted_records_are_gone_and_the_others_stay(site: &Site) -> Tested {
    site.create("in", 2)?;
    site.send("in", 0, &["a", "b", "c"])?;
    site.send("in", 1, &["d"])?;
    let mut admin = site.transport.admin()?;
    admin.delete_records(&site.partition("in", 0), 2)?;
    let mut reader = site.transport.reader()?;
    assert_eq!(reader.watermarks(&site.partition("in", 0))?, Watermarks { low: 2, high: 3 });
    assert_eq!(reader.watermarks(&site.partition("in", 1))?, Watermarks { low: 0, high: 1 });
    assert_eq!(site.values("in")?, ["c", "d"]);
    admin.delete_records(&site.partition("in", 0), 3)?;
    assert_eq!(reader.watermarks(&site.partition("in", 0))?, Watermarks { low: 3, high: 3 });
    let unknown = admin.delete_records(&TopicPartition::new(site.topic("none"), 0), 0);
    assert!(matches!(unknown, Err(TransportError::UnknownTopic(_))), "{unknown:?}");
    Ok(())
}
