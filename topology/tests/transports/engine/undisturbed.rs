//! Nobody disturbs the application; what it reads may be no record.

use super::{input, instance, oracle};
use crate::{Site, Tested};

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
        producer.begin_transaction()?;
        for entry in entries.clone() {
            input::send(site, producer.as_mut(), entry)?;
        }
        // The last ones, too: the end of each partition is nothing that can be read.
        if portion % 2 == 0 {
            producer.commit_transaction()?;
            sent.extend(entries);
        } else {
            producer.abort_transaction()?;
        }
    }
    oracle::counted(site, &sent)?;
    oracle::all(site, sent)?;
    Ok(streams.close()?)
}
