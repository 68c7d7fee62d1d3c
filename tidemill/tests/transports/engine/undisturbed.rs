//! Nobody disturbs the application; what it reads may be no record.

use tidemill::{ProcessingGuarantee, StreamsConfig, transport::TransportError};

use super::{input, instance, oracle};
use crate::{Site, Tested, wait_for};

pub(crate) fn results_are_those_of_the_oracle(site: &Site) -> Tested {
    instance::create_topics(site)?;
    let streams = instance::start(site, instance::config(site, "a"), instance::undisturbed())?;
    let sent: Vec<_> = input::entries(0..500).collect();
    input::feed(site, sent.clone())?;
    oracle::all(site, sent)?;
    Ok(streams.close()?)
}

pub(crate) fn at_least_once_is_once_where_nothing_happens(site: &Site) -> Tested {
    instance::create_topics(site)?;
    let config = |client_id| StreamsConfig {
        processing_guarantee: ProcessingGuarantee::AtLeastOnce,
        ..instance::config(site, client_id)
    };
    let sent: Vec<_> = input::entries(0..500).collect();
    let (earlier, later) = sent.split_at(250);
    // A close commits: whoever comes next begins where it ended.
    for (client_id, part) in [("a", earlier), ("b", later)] {
        let streams = instance::start(site, config(client_id), instance::undisturbed())?;
        input::feed(site, part.to_vec())?;
        if client_id == "a" {
            oracle::counted(site, part)?;
        } else {
            oracle::all(site, sent.clone())?;
        }
        streams.close()?;
    }
    Ok(())
}

pub(crate) fn aborted_input_has_no_effect(site: &Site) -> Tested {
    instance::create_topics(site)?;
    let streams = instance::start(site, instance::config(site, "a"), instance::undisturbed())?;
    let mut producer = site.transactional("input")?;
    let mut sent = Vec::new();
    for portion in 0..20 {
        let entries: Vec<_> = input::entries(portion * 20..(portion + 1) * 20).collect();
        // The last ones, too: the end of each partition is nothing that can be read.
        let commits = portion % 2 == 0;
        wait_for("the transaction ends as planned", || {
            producer.begin_transaction()?;
            let mut attempt = || -> Tested {
                entries.iter().try_for_each(|entry| input::send(site, producer.as_mut(), entry.clone()))?;
                Ok(if commits { producer.commit_transaction().map(drop) } else { producer.abort_transaction() }?)
            };
            match attempt() {
                // A busy broker may refuse one.
                Err(error) if matches!(error.downcast_ref(), Some(TransportError::Abort(_))) => {
                    producer.abort_transaction()?;
                    Ok(None)
                }
                ended => ended.map(Some),
            }
        })?;
        sent.extend(if commits { entries } else { Vec::new() });
    }
    oracle::counted(site, &sent)?;
    oracle::all(site, sent)?;
    Ok(streams.close()?)
}
