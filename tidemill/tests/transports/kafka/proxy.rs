//! A network between clients and their broker that keeps back what ends a transaction, and delivers it later.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tidemill_broker::{Broker, Options};

use crate::Tested;

/// `EndTxn` and `InitProducerId` in Kafka's protocol.
const END_OF_TRANSACTION: [u8; 2] = [0, 26];
const INIT: [u8; 2] = [0, 22];

/// A way to a broker. It ends with the test's process.
pub(super) struct Proxy {
    address: SocketAddr,
    network: Arc<Network>,
}

#[derive(Default)]
struct Network {
    broker: Mutex<Option<SocketAddr>>,
    /// The next end of a transaction is kept, and the connection that it came by is broken.
    keeps_next: AtomicBool,
    kept: Mutex<Vec<Vec<u8>>>,
    /// What has passed since: ends of transactions and beginnings of producers, by transactional id.
    passed: Mutex<Vec<([u8; 2], String)>>,
}

impl Proxy {
    /// Starts a broker whose clients come by this way; `None` if there is none, after saying so.
    pub(super) fn before(options: Options) -> Tested<Option<(Self, Broker)>> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Self { address: listener.local_addr()?, network: Arc::default() };
        let advertised = format!("PLAINTEXT://{}", proxy.address);
        let Some(broker) = Broker::start(options.set("advertised.listeners", advertised)) else { return Ok(None) };
        *lock(&proxy.network.broker) = Some(broker.bootstrap_servers().parse()?);
        let network = proxy.network.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // A client whose connection fails comes again.
                let _ = network.connect(client);
            }
        });
        Ok(Some((proxy, broker)))
    }

    pub(super) fn bootstrap_servers(&self) -> String {
        self.address.to_string()
    }

    /// The next end of a transaction does not arrive, and its client learns that the connection is gone.
    pub(super) fn keep_next_end(&self) {
        self.network.keeps_next.store(true, Ordering::SeqCst);
    }

    /// The transactional id of what is kept.
    pub(super) fn kept(&self) -> Option<String> {
        lock(&self.network.kept).first().map(|request| client_of(request))
    }

    /// Whether a new producer of a transactional id has begun, and ended a transaction, since something was kept.
    pub(super) fn commits_anew(&self, id: &str) -> bool {
        let passed = lock(&self.network.passed);
        let mut of_id = passed.iter().filter(|(_, client)| client == id).map(|(kind, _)| *kind);
        of_id.any(|kind| kind == INIT) && of_id.any(|kind| kind == END_OF_TRANSACTION)
    }

    /// Delivers what was kept, and gives the broker's answers: 0 where it did what it was asked.
    pub(super) fn deliver(&self) -> Tested<Vec<i16>> {
        let kept = std::mem::take(&mut *lock(&self.network.kept));
        kept.iter().map(|request| self.network.ask(request)).collect()
    }
}

impl Network {
    fn open(&self) -> Tested<TcpStream> {
        let broker = lock(&self.broker).ok_or("the broker does not serve yet")?;
        let stream = TcpStream::connect(broker)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn connect(self: &Arc<Self>, client: TcpStream) -> Tested {
        client.set_nodelay(true)?;
        let broker = self.open()?;
        let (mut answers, mut back) = (broker.try_clone()?, client.try_clone()?);
        thread::spawn(move || {
            let _ = std::io::copy(&mut answers, &mut back);
            let _ = back.shutdown(Shutdown::Both);
        });
        let network = self.clone();
        thread::spawn(move || {
            let _ = network.forward(&client, &broker);
            let _ = client.shutdown(Shutdown::Both);
            let _ = broker.shutdown(Shutdown::Both);
        });
        Ok(())
    }

    /// Requests, one after the other, until the connection ends.
    fn forward(&self, mut client: &TcpStream, mut broker: &TcpStream) -> Tested {
        loop {
            let request = frame(&mut client)?;
            if request[4..6] == END_OF_TRANSACTION && self.keeps_next.swap(false, Ordering::SeqCst) {
                lock(&self.passed).clear();
                lock(&self.kept).push(request);
                return Ok(());
            }
            broker.write_all(&request)?;
            let kind = [request[4], request[5]];
            if kind == END_OF_TRANSACTION || kind == INIT {
                lock(&self.passed).push((kind, client_of(&request)));
            }
        }
    }

    /// Asks on a connection of its own: length, correlation, throttle time, error.
    fn ask(&self, request: &[u8]) -> Tested<i16> {
        let mut broker = self.open()?;
        broker.write_all(request)?;
        let answer = frame(&mut broker)?;
        let error = answer.get(12..14).ok_or("the answer is too short")?;
        Ok(i16::from_be_bytes(error.try_into()?))
    }
}

/// A request or an answer, with its length before it.
fn frame(from: &mut impl std::io::Read) -> Tested<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut frame = length.to_vec();
    from.take(u32::from_be_bytes(length).into()).read_to_end(&mut frame)?;
    // As long as what begins a request, if it came whole: length, kind, version, correlation, length of a name.
    if frame.len() < 14 { Err("the connection ended".into()) } else { Ok(frame) }
}

/// The name that a client gives itself with each request: of our transactional producers it is the transactional id.
fn client_of(request: &[u8]) -> String {
    let length = usize::from(u16::from_be_bytes([request[12], request[13]]));
    request.get(14..14 + length).map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
