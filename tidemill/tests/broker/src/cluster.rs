//! Several brokers, each also a controller.

use crate::{Broker, Options, broker::Identity, installation, ports};

/// Brokers that replicate to each other. With three, topics have three replicas, and one may be gone.
pub struct Cluster {
    brokers: Vec<Broker>,
}

impl Cluster {
    /// Starts so many brokers and waits until they serve; `None` if none is installed, after saying so.
    pub fn start(nodes: usize, options: Options) -> Option<Self> {
        installation::find()?;
        let controllers: Vec<_> = (0..nodes).map(|_| ports::free()).collect();
        let prepare = |id| Broker::prepare(Identity { id, controllers: &controllers }, &options);
        let mut brokers: Vec<_> = (1..=nodes).map(prepare).collect();
        // Together: alone, none of them would find a majority.
        brokers.iter_mut().for_each(Broker::spawn);
        brokers.iter_mut().for_each(Broker::wait_until_ready);
        Some(Self { brokers })
    }

    /// Where clients connect: all of them.
    pub fn bootstrap_servers(&self) -> String {
        let servers: Vec<_> = self.brokers.iter().map(Broker::bootstrap_servers).collect();
        servers.join(",")
    }

    /// One of them, from 0.
    pub fn broker(&mut self, index: usize) -> &mut Broker {
        &mut self.brokers[index]
    }

    pub(crate) fn into_only(self) -> Broker {
        let [broker] = <[Broker; 1]>::try_from(self.brokers).unwrap_or_else(|_| panic!("one was asked for"));
        broker
    }
}
