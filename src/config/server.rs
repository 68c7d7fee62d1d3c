//! Settings of the server: where it is, how it works, what clients may ask of it.

use std::net::SocketAddr;

use tidemill::ProcessingGuarantee;

use tidemill_apps::{
    server::Settings,
    setting::{Row, bytes, duration, list, number, path, switch, text},
};

type Setting = Row<Settings>;

/// Where the server is reached.
pub(super) fn place() -> Vec<Setting> {
    vec![
        Setting::new("server.listen", "127.0.0.1:8080", address, |s| &mut s.listen)
            .flag("listen", "IP:PORT")
            .help("Address to listen on; beyond this machine only with [[tenant]]s in the file"),
        Setting::new("server.advertise", "", text, |s| &mut s.advertised)
            .help("HOST:PORT at which other instances reach this server; without it they use server.listen"),
        Setting::new("server.cors", "", list, |s| &mut s.cors_origins)
            .help("Origins of other sites' pages that may use the server, with commas"),
    ]
}

/// What is kept, and how the work is done.
pub(super) fn work() -> Vec<Setting> {
    vec![
        Setting::new("data.dir", "", path, |s| &mut s.data_dir)
            .flag("data-dir", "FOLDER")
            .help("Folder for state, and for the log without brokers; without a folder they are in memory"),
        Setting::new("data.sync", "false", switch, |s| &mut s.sync)
            .help("Whether each commit waits for the disk, so that a power loss takes nothing"),
        Setting::new("data.raw_retention", "1h", duration, |s| &mut s.raw_retention)
            .help("How long chat, speech and frames are kept"),
        Setting::new("data.result_retention", "7d", duration, |s| &mut s.result_retention)
            .help("How long insights, clips, alerts and feedback are kept"),
        Setting::new("run.threads", "1", number, |s| &mut s.threads)
            .flag("threads", "N")
            .help("Stream threads of each application"),
        Setting::choice("run.guarantee", "exactly-once", GUARANTEES, |s| &mut s.guarantee)
            .flag("guarantee", "WHAT")
            .help("What a crash may do to results"),
        Setting::new("run.commit_interval", "100ms", duration, |s| &mut s.commit_interval)
            .help("How often work is committed, and so becomes visible"),
        Setting::new("run.instance_id", "", text, |s| &mut s.instance_id)
            .help("Name of this instance; if it starts again at once under the same name, it keeps its tasks"),
        Setting::new("run.client_id", "", text, |s| &mut s.client_id)
            .help("Name of this instance in member lists; made up if empty"),
        Setting::new("run.standby_replicas", "0", number, |s| &mut s.standby_replicas)
            .help("How many other instances keep the state of each task warm"),
        Setting::new("run.partitions", "4", number, |s| &mut s.partitions)
            .help("Partitions of each topic, fixed when the topic is created"),
    ]
}

/// What clients may ask of the server.
pub(super) fn bounds() -> Vec<Setting> {
    vec![
        Setting::new("limits.body", "1MiB", bytes, |s| &mut s.limits.body_bytes).help("Largest body of one request"),
        Setting::new("limits.in_flight", "64MiB", bytes, |s| &mut s.limits.bytes_in_flight)
            .help("Largest sum of all bodies that are being taken in"),
        Setting::new("limits.lag_records", "200000", number, |s| &mut s.limits.lag_records)
            .help("Records of an application that may wait before senders must wait"),
        Setting::new("limits.event_streams", "2000", number, |s| &mut s.limits.event_streams)
            .help("Pages that may follow results at the same time"),
        Setting::new("pages.mediapipe_dir", "", path, |s| &mut s.mediapipe_dir)
            .help("Folder with the files of the pose model"),
    ]
}

const GUARANTEES: &[(&str, ProcessingGuarantee)] =
    &[("exactly-once", ProcessingGuarantee::ExactlyOnce), ("at-least-once", ProcessingGuarantee::AtLeastOnce)];

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("must be an address such as 127.0.0.1:8080, not '{text}'"))
}
