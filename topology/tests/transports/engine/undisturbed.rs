//! Nobody disturbs the application; what it reads may be no record.

use tidemill_topology::transport::TransportError;

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
                Ok(if commits { producer.commit_transaction() } else { producer.abort_transaction() }?)
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
