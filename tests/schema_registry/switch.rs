//! A way to the registry that can be cut and mended.

use std::{
    io::{self},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use crate::registry::url_at;

pub(crate) struct Switch {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    cut: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Switch {
    pub(crate) fn to(registry: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listens");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(State::default());
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().filter_map(Result::ok) {
                // Dropped, a connection is refused.
                if !shared.cut.load(Ordering::SeqCst)
                    && let Ok(server) = TcpStream::connect(registry)
                {
                    pass(&shared, &client, &server).expect("connections can be shared");
                }
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        url_at(self.address)
    }

    pub(crate) fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
        for open in self.state.open.lock().expect("nobody panicked").drain(..) {
            // It may have been closed by the other side.
            let _ = open.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn mend(&self) {
        self.state.cut.store(false, Ordering::SeqCst);
    }
}

fn pass(state: &State, client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    for (from, to) in [(client, server), (server, client)] {
        state.open.lock().expect("nobody panicked").push(from.try_clone()?);
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            // However it ends, both sides end.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}
