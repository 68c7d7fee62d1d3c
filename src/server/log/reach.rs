//! Checks once, at the start, that the brokers answer. Otherwise the first request of a page would find out.

use std::{
    net::{TcpStream, ToSocketAddrs as _},
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tidemill::transport::{Transport, TransportError};

use crate::server::error::EngineError;

/// How long brokers may take to answer. They may still be starting.
const PATIENCE: Duration = Duration::from_secs(10);
/// After this time, a line in the log says that the program waits for brokers.
const SILENCE: Duration = Duration::from_secs(1);
/// How long one address may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(1);

/// Waits until a broker answers.
///
/// # Errors
/// If no broker answers within ten seconds. The error lists what was found at each address.
pub(super) fn wait(transport: &Arc<dyn Transport>, brokers: &str) -> Result<(), EngineError> {
    let started = Instant::now();
    let (answered, answer) = mpsc::channel();
    let asking = transport.clone();
    // The client's own timeout is longer. The thread is abandoned when the time here is over.
    let spawned = thread::Builder::new().name("brokers".to_owned()).spawn(move || {
        loop {
            let asked = ask(&asking);
            let again = matches!(asked, Err(TransportError::Retriable(_))) && started.elapsed() < PATIENCE;
            if answered.send(asked).is_err() || !again {
                break;
            }
            thread::park_timeout(SILENCE / 4);
        }
    });
    spawned.map_err(|error| TransportError::Invalid(format!("cannot start the thread: {error}").into()))?;
    let (mut told, mut reason) = (false, String::new());
    loop {
        let left = PATIENCE.saturating_sub(started.elapsed());
        match answer.recv_timeout(if told { left } else { left.min(SILENCE) }) {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(TransportError::Retriable(text))) => reason = text.to_string(),
            Ok(Err(lasting)) => return Err(lasting.into()),
            Err(_) if left.is_zero() => return Err(EngineError::Brokers(findings(brokers, &reason))),
            Err(_) => {}
        }
        if !told && started.elapsed() >= SILENCE {
            tracing::info!("waiting for the brokers {brokers}");
            told = true;
        }
    }
}

fn ask(transport: &Arc<dyn Transport>) -> Result<(), TransportError> {
    transport.admin()?.list_topics().map(drop)
}

/// Says what was found at each address, and what to do.
fn findings(brokers: &str, reason: &str) -> String {
    let seconds = PATIENCE.as_secs();
    let found = brokers.split(',').map(str::trim).map(|broker| match connect(broker) {
        Ok(()) => format!("{broker} accepts connections, but does not answer as a Kafka broker should"),
        Err(problem) => format!("{broker}: {problem}"),
    });
    let found: Vec<_> = found.collect();
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    format!(
        "no broker answered within {seconds} seconds{reason}: {}; check the addresses, that the brokers run, and \
         that security.protocol and credentials are what they expect",
        found.join("; ")
    )
}

fn connect(broker: &str) -> Result<(), String> {
    // librdkafka also accepts addresses that begin with a protocol.
    let address = broker.rsplit_once("://").map_or(broker, |(_, address)| address);
    let mut addresses = address.to_socket_addrs().map_err(|error| format!("the name cannot be resolved ({error})"))?;
    let address = addresses.next().ok_or("the name has no address")?;
    TcpStream::connect_timeout(&address, CONNECT).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_is_found_at_each_address_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let open = listener.local_addr().expect("bound").to_string();
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").to_string();
        let text = findings(&format!("{open}, PLAINTEXT://{closed},nobody"), "timed out");
        assert!(text.contains(&format!("{open} accepts connections")), "{text}");
        assert!(text.contains(&format!("PLAINTEXT://{closed}: ")) && text.contains("nobody: "), "{text}");
        assert!(text.contains("(timed out)"), "{text}");
    }
}
