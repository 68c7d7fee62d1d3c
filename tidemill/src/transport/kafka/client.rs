//! A librdkafka consumer that leaves its group within a bounded time.

use std::{ops::Deref, sync::Arc, time::Duration};

use crossbeam_channel::bounded;
use rdkafka::{
    ClientConfig,
    config::FromClientConfigAndContext as _,
    consumer::{BaseConsumer, Consumer as _},
};

use super::{
    context::{Context, answer},
    error,
};
use crate::transport::TransportError;

/// The longest time that dropping a client may take.
const LEAVE: Duration = Duration::from_secs(5);

/// A consumer, shared with the queues of its partitions.
pub(super) struct Client(Option<Arc<BaseConsumer<Context>>>);

impl Client {
    pub(super) fn open(config: &ClientConfig) -> Result<Self, TransportError> {
        let mut consumer = BaseConsumer::from_config_and_context(config, Context::default()).map_err(error::of)?;
        let signal = Arc::clone(&consumer.context().signal);
        consumer.set_nonempty_callback(move || signal.tell());
        Ok(Self(Some(Arc::new(consumer))))
    }
}

impl Deref for Client {
    type Target = Arc<BaseConsumer<Context>>;

    fn deref(&self) -> &Self::Target {
        self.0.as_ref().expect("taken by drop alone")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let Some(client) = self.0.take() else { return };
        client.context().close();
        let (left, done) = bounded::<()>(0);
        let leaving = std::thread::Builder::new().name("leaving".to_owned()).spawn(move || {
            // An unanswered assignment or revocation would delay leaving the group.
            if let Err(error) = client.assignment().and_then(|owned| answer(&client, &owned, false)) {
                tracing::debug!(%error, "partitions could not be given back while leaving");
            }
            drop(client);
            drop(left);
        });
        if leaving.is_ok() {
            // The channel disconnects when the client has left. This takes longer if the brokers are unreachable.
            let _ = done.recv_timeout(LEAVE);
        }
    }
}
