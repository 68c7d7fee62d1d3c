//! Settings of the server: addresses, storage, processing, and limits for clients.

use std::net::{SocketAddr, ToSocketAddrs as _};

use tidemill::ProcessingGuarantee;

use tidemill_apps::{
    server::Settings,
    setting::{Row, bytes, duration, list, number, path, switch, text},
};

type Setting = Row<Settings>;

/// Addresses of the server.
pub(super) fn place() -> Vec<Setting> {
    vec![
        Setting::new("server.listen", "127.0.0.1:8080", address, |s| &mut s.listen)
            .flag("listen", "HOST:PORT")
            .help("Address to listen on; an address that other machines reach needs a [[tenant]] in the file"),
        Setting::new("server.advertise", "", text, |s| &mut s.advertised)
            .help("HOST:PORT at which other instances reach this server; without it they use server.listen"),
        Setting::new("server.cors", "", list, |s| &mut s.cors_origins)
            .help("Origins of other sites whose pages may use the server, separated by commas"),
    ]
}

/// Storage and processing.
pub(super) fn work() -> Vec<Setting> {
    vec![
        Setting::new("data.dir", "", path, |s| &mut s.data_dir)
            .flag("data-dir", "FOLDER")
            .help("Folder for state and, without brokers, for the log; without a folder, both are in memory"),
        Setting::new("data.memory", "640MiB", bytes, |s| &mut s.memory_bytes).help(
            "Memory for rows and records of data.dir, cached or not yet in files: a fifth for the log without brokers, \
             the rest for the applications",
        ),
        Setting::new("data.sync", "false", switch, |s| &mut s.sync)
            .help("Whether each commit waits for the disk, so that a power loss loses no committed data"),
        Setting::new("data.raw_retention", "1h", duration, |s| &mut s.raw_retention)
            .help("How long chat, speech and frames are kept"),
        Setting::new("data.result_retention", "7d", str::parse, |s| &mut s.result_retention)
            .help("How long insights, clips, alerts and feedback are kept: a time such as 90d, or forever"),
        Setting::new("run.threads", "1", number, |s| &mut s.threads)
            .flag("threads", "N")
            .help("Stream threads of each application"),
        Setting::choice("run.guarantee", "exactly-once", GUARANTEES, |s| &mut s.guarantee)
            .flag("guarantee", "GUARANTEE")
            .help("Processing guarantee"),
        Setting::new("run.commit_interval", "100ms", duration, |s| &mut s.commit_interval)
            .help("Time between commits; results become visible with the commit"),
        Setting::new("run.instance_id", "", text, |s| &mut s.instance_id)
            .help("Name of this instance as a static member, which keeps its tasks over a quick restart"),
        Setting::new("run.client_id", "", text, |s| &mut s.client_id)
            .help("Name of this instance in member lists; generated if empty"),
        Setting::new("run.standby_replicas", "0", number, |s| &mut s.standby_replicas)
            .help("Number of other instances that keep a copy of each task's state"),
        Setting::new("run.partitions", "4", number, |s| &mut s.partitions)
            .help("Partitions of each topic, fixed when the topic is created"),
    ]
}

/// Live streams that are read by their addresses.
pub(super) fn sources() -> Vec<Setting> {
    vec![
        Setting::new("sources.enabled", "true", switch, |s| &mut s.sources.enabled)
            .help("Whether the server reads live streams by their addresses"),
        Setting::new("sources.allow_private", "false", switch, |s| &mut s.sources.guard.allows_private)
            .help("Whether streams may have addresses inside this network, and files of this machine"),
    ]
}

/// Clips of live streams.
pub(super) fn clips() -> Vec<Setting> {
    vec![
        Setting::new("clips.enabled", "true", switch, |s| &mut s.clips.enabled)
            .help("Whether clips of live streams can be asked for; they need FFmpeg"),
        Setting::new("clips.folder", "", path, |s| &mut s.clips.folder)
            .help("Folder of clips, of one instance; without it, 'clips' in data.dir"),
        Setting::new("clips.parallel", "1", number, |s| &mut s.clips.parallel)
            .help("Number of clips that are cut at the same time; FFmpeg uses all cores for one"),
        Setting::new("clips.waiting", "200", number, |s| &mut s.clips.waiting_most)
            .help("Maximum number of clips that wait; further ones are refused"),
        Setting::new("clips.longest", "5m", duration, |s| &mut s.clips.longest)
            .help("Maximum length of a clip, with its lead-in"),
        Setting::new("clips.lead_in", "0s", duration, |s| &mut s.clips.lead_in)
            .help("How much is shown before what is asked for, as far as the stream still has it"),
        Setting::new("clips.lines", "720", number, |s| &mut s.clips.lines).help("Short side of the picture in pixels"),
        Setting::new("clips.keep", "7d", duration, |s| &mut s.clips.keep)
            .help("How long clips are kept, finished or failed"),
        Setting::new("clips.quota", "10GiB", bytes, |s| &mut s.clips.quota_bytes)
            .help("Maximum size of all finished clips together; beyond it, the oldest are deleted"),
    ]
}

/// Limits for clients.
pub(super) fn bounds() -> Vec<Setting> {
    vec![
        Setting::new("limits.body", "1MiB", bytes, |s| &mut s.limits.body_bytes).help("Maximum size of a request body"),
        Setting::new("limits.in_flight", "64MiB", bytes, |s| &mut s.limits.bytes_in_flight)
            .help("Maximum total size of all request bodies in progress"),
        Setting::new("limits.lag_records", "200000", number, |s| &mut s.limits.lag_records)
            .help("Maximum lag of an application in records; at this lag, senders must wait"),
        Setting::new("limits.event_streams", "2000", number, |s| &mut s.limits.event_streams)
            .help("Maximum number of pages that follow results at the same time"),
        Setting::new("limits.wrong_tokens", "30", number, |s| &mut s.limits.wrong_tokens)
            .help("Maximum wrong tokens of one address in a minute; 0 behind a proxy, whose address all clients share"),
        Setting::new("limits.clock_ahead", "2m", duration, |s| &mut s.limits.clock_ahead)
            .help("How far an event's time may be ahead of the server's clock; an event further ahead is refused"),
        Setting::new("limits.connections", "10000", number, |s| &mut s.limits.connections)
            .help("Maximum number of connections at the same time; further ones wait until others end"),
        Setting::new("limits.address_connections", "2500", number, |s| &mut s.limits.address_connections)
            .help("Maximum number of connections of one address; further ones are closed; 0 behind a proxy"),
        Setting::new("limits.idle_timeout", "1m", duration, |s| &mut s.limits.idle_timeout)
            .help("How long a connection may be idle, and how long the headers of a request may take"),
        Setting::new("limits.body_timeout", "30s", duration, |s| &mut s.limits.body_timeout)
            .help("How long the body of a request may take"),
        Setting::new("pages.mediapipe_dir", "", path, |s| &mut s.mediapipe_dir)
            .help("Folder with the files of the pose model"),
    ]
}

const GUARANTEES: &[(&str, ProcessingGuarantee)] =
    &[("exactly-once", ProcessingGuarantee::ExactlyOnce), ("at-least-once", ProcessingGuarantee::AtLeastOnce)];

/// An address with a port. A name such as `localhost` stands for its first address, IPv4 before IPv6.
fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found: Vec<_> = text.trim().to_socket_addrs().into_iter().flatten().collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    let wrong = || format!("must be an address such as 127.0.0.1:8080 or localhost:8080, not '{text}'");
    found.first().copied().ok_or_else(wrong)
}
