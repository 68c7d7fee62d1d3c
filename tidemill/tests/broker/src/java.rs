//! A Java process that ends with the one that started it, however that ends.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

/// Passes signals on, one a line. When the pipe breaks, its other end is gone: then nothing may be left of the process
/// and its folder. `$1` is the folder, the rest is the command. Its output is the command's alone, so that the end of
/// the output is the end of the command. Until it waits, a dead command's id is nobody else's.
const GUARD: &str = r#"
folder=$1; shift
"$@" </dev/null 2>&1 & java=$!
exec >/dev/null 2>&1
while read -r order; do
  case $order in
    leave) wait $java; exit 0 ;;
    *) kill -s "$order" $java ;;
  esac
done
kill -s KILL $java
wait $java
rm -rf -- "$folder"
"#;

pub(crate) struct Java {
    guard: Child,
    orders: ChildStdin,
    /// Lines of output; disconnected when the process has ended. Never locked: it makes a broker one to share.
    output: Mutex<Receiver<String>>,
    heard: Vec<String>,
}

impl Java {
    /// Starts `java` with these arguments. The folder goes when the caller dies; see [`Java::leave`].
    pub(crate) fn start<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(folder)
            .arg("java")
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // An interrupt from the keyboard is for the caller; the guard must outlive it.
            .process_group(0)
            .spawn()
            .expect("there is a shell");
        let orders = guard.stdin.take().expect("it was asked for");
        let stdout = guard.stdout.take().expect("it was asked for");
        let (lines, output) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Read to the end even if nobody listens any more, or the process would wait for a reader.
                let _ = lines.send(line);
            }
        });
        Self { guard, orders, output: Mutex::new(output), heard: Vec::new() }
    }

    /// Waits for a line that contains this; `false` if the process ends, or the time, before.
    pub(crate) fn says(&mut self, text: &str, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while let Ok(line) = self.line_before(deadline) {
            let found = line.contains(text);
            self.heard.push(line);
            if found {
                return true;
            }
        }
        false
    }

    /// Everything it said so far.
    pub(crate) fn heard(&self) -> String {
        self.heard.join("\n")
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&mut self, name: &str) {
        writeln!(self.orders, "{name}").expect("the guard listens until it is told to leave");
    }

    /// Waits until the process has ended by itself or by a signal.
    pub(crate) fn has_ended(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        loop {
            match self.line_before(deadline) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// Lets go of a process that has ended; its folder stays.
    pub(crate) fn leave(mut self) {
        self.signal("leave");
        self.guard.wait().expect("the guard is a child");
    }

    fn line_before(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let output = self.output.get_mut().unwrap_or_else(PoisonError::into_inner);
        output.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }
}
