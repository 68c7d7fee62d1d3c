//! The registry: one process for all tests of this program, ended with it.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, ExitStatus, Stdio},
    sync::OnceLock,
};

use serde_json::{Value, json};

use crate::wait_for;

/// Where it serves Confluent's protocol.
const PROTOCOL: &str = "/apis/ccompat/v7";

pub(crate) struct SchemaRegistry {
    pub(crate) address: SocketAddr,
    /// The registry ends when this is closed, however the tests end.
    _life: ChildStdin,
}

/// The registry, or `None` with a word about it.
pub(crate) fn registry() -> Option<&'static SchemaRegistry> {
    static STARTED: OnceLock<Option<SchemaRegistry>> = OnceLock::new();
    let registry = STARTED.get_or_init(SchemaRegistry::start).as_ref();
    if registry.is_none() {
        eprintln!("skipped: there is no schema registry; `make schema-registry` fetches one, and it needs Java 17");
    }
    registry
}

/// What `make schema-registry` leaves beside the builds.
fn jar() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("schema-registry");
    let files = fs::read_dir(folder).ok()?.filter_map(|file| Some(file.ok()?.path()));
    files.into_iter().find(|file| file.to_string_lossy().ends_with("-runner.jar"))
}

impl SchemaRegistry {
    fn start() -> Option<Self> {
        let jar = jar()?;
        Command::new("java").arg("-version").stderr(Stdio::null()).status().ok().filter(ExitStatus::success)?;
        let free = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
        // The shell ends with its input, and the registry with the shell.
        let script = r#"java -Xmx384m -XX:TieredStopAtLevel=1 -Dquarkus.http.host=127.0.0.1 \
            -Dquarkus.http.port="$2" -Dquarkus.log.level=WARN -jar "$1" </dev/null >/dev/null 2>&1 &
            cat >/dev/null; kill $!"#;
        #[expect(clippy::zombie_processes, reason = "it lives as long as the tests, and ends with them")]
        let mut child = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(jar)
            .arg(free.port().to_string())
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        let registry = Self { address: free, _life: child.stdin.take().expect("piped") };
        wait_for("the registry starts", || {
            TcpStream::connect(free).ok()?;
            (registry.call("GET", "/subjects", None).0 == 200).then_some(())
        });
        assert_eq!(registry.call("PUT", "/config", Some(&json!({ "compatibility": "BACKWARD" }))).0, 200);
        Some(registry)
    }

    pub(crate) fn url(&self) -> String {
        url_at(self.address)
    }

    /// One request, as an administrator's script would send it.
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(self.address).expect("connects");
        write!(
            stream,
            "{method} {PROTOCOL}{path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// The versions of a topic's schema.
    pub(crate) fn versions(&self, topic: &str) -> Value {
        self.call("GET", &format!("/subjects/{topic}-value/versions"), None).1
    }
}

pub(crate) fn url_at(address: SocketAddr) -> String {
    format!("http://{address}{PROTOCOL}")
}
