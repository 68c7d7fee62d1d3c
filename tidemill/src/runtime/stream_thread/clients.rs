//! A thread's connections to the log.

use crate::{
    config::ProcessingGuarantee,
    names::ThreadName,
    runtime::Prepared,
    transport::{Admin, Consumer, ConsumerConfig, Producer, ProducerConfig, Reader, TransportError},
};

/// The clients of a thread. They are opened together, and opened again after a newer instance fenced this one.
pub(crate) struct Clients {
    pub(crate) consumer: Box<dyn Consumer>,
    pub(crate) reader: Box<dyn Reader>,
    pub(crate) producer: Box<dyn Producer>,
    pub(crate) admin: Box<dyn Admin>,
}

impl Clients {
    pub(crate) fn open(app: &Prepared, thread: &ThreadName) -> Result<Self, TransportError> {
        let producer = Self::producer(app, thread)?;
        let mut consumer = app.transport.consumer(&ConsumerConfig {
            group: app.config.application_id.clone(),
            client_id: thread.to_string(),
            instance_id: app
                .config
                .group_instance_id
                .as_ref()
                .map(|instance| format!("{instance}-{}", thread.number())),
            session_timeout: app.config.session_timeout,
            max_poll_records: app.max_poll_records(),
        })?;
        consumer.subscribe(&app.plan.existing_source_topics())?;
        Ok(Self { consumer, reader: app.transport.reader()?, producer, admin: app.transport.admin()? })
    }

    /// A new producer, ready to send. It fences an earlier producer of the same thread and ends that producer's
    /// transaction.
    pub(crate) fn producer(app: &Prepared, thread: &ThreadName) -> Result<Box<dyn Producer>, TransportError> {
        let transactional_id = match app.config.processing_guarantee {
            ProcessingGuarantee::ExactlyOnce => {
                Some(format!("{}-{}-{}", app.config.application_id, app.process_id, thread.number()))
            }
            ProcessingGuarantee::AtLeastOnce => None,
        };
        let named = |error| match (error, &transactional_id) {
            (TransportError::Invalid(reason), Some(id)) => {
                TransportError::Invalid(reason.rephrase(|text| format!("transactional id '{id}': {text}")))
            }
            (other, _) => other,
        };
        let config = ProducerConfig { transactional_id: transactional_id.clone() };
        let mut producer = app.transport.producer(&config).map_err(named)?;
        if transactional_id.is_some() {
            producer.init_transactions().map_err(named)?;
        }
        Ok(producer)
    }
}
