//! An instance of the application as a process of its own: this test binary, started again.

use std::{
    env,
    io::{self, Read},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tidemill::StreamsConfig;

use crate::{Site, Tested, engine::instance};

const SERVERS: &str = "WORKER_SERVERS";
const SCENARIO: &str = "WORKER_SCENARIO";
const NAME: &str = "WORKER_NAME";
const STATE: &str = "WORKER_STATE";
const STATIC: &str = "WORKER_STATIC";

/// The process; dropped, it is killed.
pub(super) struct Worker {
    child: Child,
}

impl Worker {
    /// Starts an instance of that name, whose state is where an earlier one of the name left it. A static one is known
    /// to the group by its name, too.
    pub(super) fn start(servers: &str, scenario: &str, name: &str, state: &Path, is_static: bool) -> Tested<Self> {
        let mut command = Command::new(env::current_exe()?);
        if is_static {
            command.env(STATIC, name);
        }
        let child = command
            .args(["--ignored", "--exact", "worker"])
            .env(SERVERS, servers)
            .env(SCENARIO, scenario)
            .env(NAME, name)
            .env(STATE, state.join(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self { child })
    }

    /// `kill -9`.
    pub(super) fn kill(mut self) -> Tested {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends a signal by name.
    pub(super) fn signal(&self, name: &str) -> Tested {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { Err(format!("the worker cannot be sent {name}").into()) }
    }

    /// Lets it close as it should, and checks that it does.
    pub(super) fn close(mut self) -> Tested {
        drop(self.child.stdin.take());
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(format!("the worker ended with {status}").into()) }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Stopped or not, running or not: afterwards it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process itself. It runs until nobody holds the other end of its input.
pub(crate) fn run() -> Tested {
    let Ok(servers) = env::var(SERVERS) else { return Ok(()) };
    let site = Site::new(super::transport(&servers)?, &env::var(SCENARIO)?);
    let state = env::var(STATE)?;
    let config = StreamsConfig {
        // Longer than the broker's own patience with a silent member: that is what ends a stopped one's session.
        session_timeout: Duration::from_secs(20),
        num_stream_threads: 2,
        group_instance_id: env::var(STATIC).ok().map(|name| site.named(&name)),
        ..instance::with_state(instance::config(&site, &env::var(NAME)?), Path::new(&state))
    };
    let streams = instance::start(&site, config, instance::undisturbed())?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(streams.close()?)
}
