//! One broker: started, stopped, killed, started again.

use std::{
    env,
    fmt::Write,
    fs,
    path::PathBuf,
    process::{self, Command},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    Cluster, Options, Security,
    installation::{self, Installation},
    java::Java,
    options, ports,
};

/// Long for a machine that does other things, too. A broker that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// `tidemill-tests-1`, as Kafka writes such ids.
const CLUSTER: &str = "dGlkZW1pbGwtdGVzdHMtMQ";
const BROKER: &str = "kafka.Kafka";
const SETTINGS: &str = "server.properties";
const ARCHIVE: &str = "classes.jsa";
const LOG: &str = "broker.log";
/// Set to anything, the folder of a broker stays after a test that panicked: its logs tell what was written.
const KEEP: &str = "TIDEMILL_KEEP_BROKER";

/// A broker, alone or of a [`Cluster`]. Dropped, it is killed and its folder removed.
pub struct Broker {
    folder: PathBuf,
    /// Where it trusts everybody.
    inner_port: u16,
    client_port: u16,
    security: Option<Security>,
    java_options: &'static [&'static str],
    java: Option<Java>,
}

/// Which broker of a cluster this is.
pub(crate) struct Identity<'a> {
    pub(crate) id: usize,
    /// The controllers' ports, by id from 1.
    pub(crate) controllers: &'a [u16],
}

impl Broker {
    /// Starts a broker and waits until it serves; `None` if none is installed, after saying so.
    pub fn start(options: Options) -> Option<Self> {
        Some(Cluster::start(1, options)?.into_only())
    }

    /// A broker with no options, which all tests of a process share.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Broker>> = OnceLock::new();
        let broker = SHARED.get_or_init(|| Self::start(Options::new())).as_ref();
        if broker.is_none() {
            // The other tests are skipped, too, and say so.
            installation::find();
        }
        broker
    }

    /// Where clients connect.
    pub fn bootstrap_servers(&self) -> String {
        format!("127.0.0.1:{}", self.client_port)
    }

    /// What clients set beside it, in librdkafka's names: nothing without [`Options::secured`].
    pub fn client_properties(&self) -> Vec<(&'static str, String)> {
        self.security.map(|security| security.client_properties(&self.folder)).unwrap_or_default()
    }

    /// Keeps a resource, as `kafka-acls` names one (`--group x`), for one user. Needs an authorizer.
    pub fn reserve(&self, resource: &[&str], user: &str) {
        let Installation { class_path, .. } = installation::find().expect("looked for before");
        let (server, principal) = (format!("127.0.0.1:{}", self.inner_port), format!("User:{user}"));
        let output = Command::new("java")
            .args(["-cp", class_path, "org.apache.kafka.tools.AclCommand", "--bootstrap-server", &server])
            .args(["--add", "--allow-principal", &principal, "--operation", "All"])
            .args(resource)
            .current_dir(&self.folder)
            .output()
            .expect("java was found before");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Ends it as an administrator would, and waits for its end.
    pub fn stop(&mut self) {
        self.end("TERM");
        self.keep_archive();
    }

    /// Ends it without warning (`kill -9`).
    pub fn kill(&mut self) {
        self.end("KILL");
    }

    /// Lets it hang: connections stay open, nothing answers.
    pub fn pause(&mut self) {
        self.java.as_mut().expect("a stopped broker cannot hang").signal("STOP");
    }

    /// Ends the hanging.
    pub fn resume(&mut self) {
        self.java.as_mut().expect("a stopped broker cannot hang").signal("CONT");
    }

    /// Starts it again, on the same folder and ports, and waits until it serves.
    pub fn restart(&mut self) {
        assert!(self.java.is_none(), "it runs");
        self.spawn();
        self.wait_until_ready();
    }

    /// Writes settings and formats the folder.
    pub(crate) fn prepare(identity: Identity<'_>, options: &Options) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tidemill-broker-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("the temporary folder can be written to");
        fs::write(folder.join("log4j2.properties"), include_str!("log4j2.properties")).expect("so can a folder in it");

        let inner = ports::free();
        let outer = options.security.map(|security| (security, ports::free()));
        let mut settings: Vec<(String, String)> =
            options::defaults(identity.controllers.len()).into_iter().map(|(key, value)| (key.into(), value)).collect();
        settings.extend(listeners(&identity, inner, outer));
        if let Some(security) = options.security {
            settings.extend(security.server_properties(&folder));
        }
        settings.extend(options.properties.clone());
        let text = settings.iter().fold(String::new(), |mut text, (key, value)| {
            writeln!(text, "{key}={value}").expect("a string takes everything");
            text
        });
        fs::write(folder.join(SETTINGS), text).expect("the folder can be written to");

        let mut broker = Self {
            folder,
            inner_port: inner,
            client_port: outer.map_or(inner, |(_, port)| port),
            security: options.security,
            java_options: options.java(),
            java: None,
        };
        let extra = options.security.map(Security::format_arguments).unwrap_or_default();
        let mut arguments = vec!["format", "-t", CLUSTER, "-c", SETTINGS];
        arguments.extend(extra.iter().map(String::as_str));
        broker.run("kafka.tools.StorageTool", &arguments);
        let java = broker.java.as_mut().expect("it was just started");
        assert!(java.says("Formatting", PATIENCE), "the folder cannot be formatted: {}", java.heard());
        assert!(java.has_ended(PATIENCE), "formatting a folder hangs");
        broker.java.take().expect("it was just started").leave();
        broker
    }

    pub(crate) fn spawn(&mut self) {
        self.run(BROKER, &[SETTINGS]);
    }

    pub(crate) fn wait_until_ready(&mut self) {
        let java = self.java.as_mut().expect("it was spawned");
        if !java.says("Kafka Server started", PATIENCE) {
            let log = fs::read_to_string(self.folder.join(LOG)).unwrap_or_default();
            panic!("the broker did not start:\n{}\n{log}", java.heard());
        }
    }

    fn run(&mut self, class: &str, arguments: &[&str]) {
        let Installation { class_path, archive } = installation::find().expect("looked for before");
        let archive = match (archive.exists(), class == BROKER) {
            (true, _) => Some(format!("-XX:SharedArchiveFile={}", archive.display())),
            (false, true) => Some(format!("-XX:ArchiveClassesAtExit={ARCHIVE}")),
            (false, false) => None,
        };
        let fixed = ["-Dlog4j2.configurationFile=log4j2.properties", "-cp", class_path, class];
        let options = self.java_options.iter().copied().chain(archive.as_deref());
        let arguments = options.chain(fixed).chain(arguments.iter().copied());
        self.java = Some(Java::start(&self.folder, arguments));
    }

    /// Puts the classes that this broker has loaded to where the next one finds them. Without them it is slower.
    fn keep_archive(&self) {
        let (made, place) = (self.folder.join(ARCHIVE), &installation::find().expect("looked for before").archive);
        if made.exists() && !place.exists() {
            // Another test may do the same at the same time: what is renamed is whole.
            let half = place.with_extension(process::id().to_string());
            let _ = fs::copy(&made, &half).and_then(|_| fs::rename(&half, place));
        }
    }

    fn end(&mut self, signal: &str) {
        let mut java = self.java.take().expect("it runs");
        java.signal(signal);
        if !java.has_ended(PATIENCE) {
            java.signal("KILL");
            java.has_ended(PATIENCE);
        }
        java.leave();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if self.java.is_some() {
            self.kill();
        }
        if env::var_os(KEEP).is_some() && thread::panicking() {
            eprintln!("the broker's folder stays: {}", self.folder.display());
            return;
        }
        // A folder that stays is no reason to fail a test that passed.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn listeners(identity: &Identity<'_>, inner: u16, outer: Option<(Security, u16)>) -> Vec<(String, String)> {
    let mut clients = format!("PLAINTEXT://127.0.0.1:{inner}");
    let mut protocols = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned();
    if let Some((security, port)) = outer {
        write!(clients, ",CLIENT://127.0.0.1:{port}").expect("a string takes everything");
        write!(protocols, ",CLIENT:{}", security.protocol()).expect("a string takes everything");
    }
    let voters: Vec<_> = (1..).zip(identity.controllers).map(|(id, port)| format!("{id}@127.0.0.1:{port}")).collect();
    let controller = identity.controllers[identity.id - 1];
    let settings = [
        ("node.id", identity.id.to_string()),
        ("log.dirs", "data".to_owned()),
        ("controller.quorum.voters", voters.join(",")),
        ("listeners", format!("{clients},CONTROLLER://127.0.0.1:{controller}")),
        ("advertised.listeners", clients),
        ("listener.security.protocol.map", protocols),
    ];
    settings.map(|(name, value)| (name.to_owned(), value)).to_vec()
}
