//! The running stand-in.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::desk::Desk;
use crate::ledger::{Bill, Call};
use crate::listener::Counting;
use crate::routes::routes;
use crate::schedule::Schedule;

/// So many files may be open, where the system allows it: two thousand connections of both sides fit.
const FILES: u64 = 16_384;

/// So many connections may wait to be accepted.
const BACKLOG: u32 = 4_096;

/// A running stand-in for model providers, on a thread and a runtime of its own. Dropping it stops it and closes all its
/// connections.
#[derive(Debug)]
pub struct ModelServer {
    desk: Arc<Desk>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ModelServer {
    /// Starts one on a free port of this machine.
    ///
    /// # Panics
    ///
    /// If the schedule is wrong ([`Schedule::check`]), or if the machine has no free port.
    pub fn start(schedule: Schedule) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self::listen(address, schedule).expect("the stand-in for model providers starts on a free port")
    }

    /// Starts one at this address.
    ///
    /// # Panics
    ///
    /// If the schedule is wrong ([`Schedule::check`]).
    pub fn listen(address: SocketAddr, schedule: Schedule) -> io::Result<Self> {
        checked(&schedule);
        // Fewer files are no reason not to start.
        let _ = rlimit::increase_nofile_limit(FILES);
        let desk = Arc::new(Desk::new(schedule));
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let shared = desk.clone();
        // All of it on the thread, so that a caller within a runtime may start it, too.
        let thread = std::thread::Builder::new().name("model-server".into()).spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(tell.send(Err(error))),
            };
            runtime.block_on(async {
                match bound(address) {
                    Ok((listener, address)) => {
                        let _ = tell.send(Ok(address));
                        serve(listener, shared, stopped).await;
                    }
                    Err(error) => drop(tell.send(Err(error))),
                }
            });
        })?;
        let address = told.recv().map_err(io::Error::other)??;
        Ok(Self { desk, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Its address: `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every call in the order in which they came, the last 200,000. Calls that wait are there, too.
    pub fn calls(&self) -> Vec<Call> {
        self.desk.book().calls()
    }

    /// What all calls cost together.
    pub fn bill(&self) -> Bill {
        self.desk.book().bill()
    }

    /// How often this id was asked.
    pub fn asked(&self, id: &str) -> u64 {
        self.desk.book().asked(id)
    }

    /// The schedule.
    pub fn schedule(&self) -> Schedule {
        Schedule::clone(&self.desk.schedule())
    }

    /// Takes another schedule. Calls that run keep the old one.
    ///
    /// # Panics
    ///
    /// If the schedule is wrong ([`Schedule::check`]).
    pub fn set(&self, schedule: Schedule) {
        checked(&schedule);
        self.desk.set(schedule);
    }

    /// Changes the schedule. Calls that run keep the old one.
    ///
    /// # Panics
    ///
    /// If the changed schedule is wrong ([`Schedule::check`]).
    pub fn change(&self, change: impl FnOnce(&mut Schedule)) {
        let mut schedule = self.schedule();
        change(&mut schedule);
        self.set(schedule);
    }

    /// The milliseconds since the start: the present for outages.
    pub fn now_ms(&self) -> u64 {
        self.desk.now_ms()
    }

    /// The calls that run now: from their arrival until the last piece of their answer is sent.
    pub fn at_once(&self) -> usize {
        self.desk.book().at_once()
    }

    /// The most calls that ever ran at once.
    pub fn most_at_once(&self) -> usize {
        self.desk.book().most_at_once()
    }

    /// The connections that are open now.
    pub fn connections(&self) -> usize {
        self.desk.open_connections()
    }

    /// Serves until the process ends.
    pub fn serve_forever(mut self) {
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said why.
            let _ = thread.join();
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let listener = socket.listen(BACKLOG)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn serve(listener: TcpListener, desk: Arc<Desk>, stopped: oneshot::Receiver<()>) {
    let app = routes(desk.clone());
    tokio::select! {
        _ = axum::serve(Counting::new(listener, desk), app).into_future() => {}
        _ = stopped => {}
    }
}

fn checked(schedule: &Schedule) {
    if let Err(problem) = schedule.check() {
        panic!("The schedule of the stand-in is wrong. {problem}");
    }
}

impl Drop for ModelServer {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
