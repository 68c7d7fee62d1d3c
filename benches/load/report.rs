//! The report of a run: tables on standard error.

use crate::{
    options::Options,
    process::{Sample, Used},
    tally::{App, Kind, Tally, Window},
};

/// Prints everything.
pub(crate) fn print(options: &Options, tally: &Tally, samples: &[Sample], used: &Used, end_ms: i64) {
    eprintln!(
        "\n{} s: {} athletes x {} frames/s, {} chats/s and {} segments/s of {} streams",
        options.seconds, options.users, options.frames, options.chats, options.segments, options.streams
    );
    eprintln!(
        "\n{:<12} {:>9} {:>9} {:>9} {:>6} {:>6} {:>20}",
        "sent", "requests", "accepted", "per s", "429", "other", "answer ms p50/p99/max"
    );
    for kind in Kind::ALL {
        let mut sent = tally.sent(kind);
        let (name, per_s) = (format!("{kind:?}").to_lowercase(), sent.accepted as f64 / options.seconds as f64);
        let answered = percentiles(&mut sent.answered_ms);
        let (requests, accepted) = (sent.requests, sent.accepted);
        eprintln!(
            "{name:<12} {requests:>9} {accepted:>9} {per_s:>9.0} {:>6} {:>6} {answered:>20}",
            sent.busy, sent.other
        );
    }
    eprintln!(
        "\n{:<12} {:>8} {:>8} {:>8} {:>26} {:>26}",
        "results of", "windows", "missing", "twice", "last event ms p50/p99/max", "above the floor"
    );
    for (app, name) in [(App::Coach, "athletes"), (App::Live, "streams")] {
        let windows = tally.windows(app);
        let count = |is: fn(&Window) -> bool| windows.iter().filter(|(_, window)| is(window)).count();
        let (missing, twice) = (count(|window| window.results == 0), count(|window| window.results > 1));
        // The last windows close by idle time, so their delays are not a result of the load.
        let timed = windows.iter().filter(|(closes_ms, window)| *closes_ms < end_ms && window.results > 0);
        let timed = timed.map(|(closes_ms, at)| (at.arrived_ms - at.last_due_ms, at.arrived_ms - closes_ms));
        let (mut since_last, mut above): (Vec<_>, Vec<_>) = timed.unzip();
        let (since_last, above) = (percentiles(&mut since_last), percentiles(&mut above));
        eprintln!("{name:<12} {:>8} {missing:>8} {twice:>8} {since_last:>26} {above:>26}", windows.len());
    }
    eprintln!("The floor is the window's end plus its grace: a result cannot be final before that time.");
    let Used { wall_s, server_s, own_s, peak_rss } = used;
    let own = format!("this program {:.0} % of a core", 100.0 * own_s / wall_s);
    let (Some(last), Some(minute)) = (samples.last(), samples.iter().rfind(|sample| sample.second <= 60)) else {
        eprintln!("\nCPU: {own}; the server is not measured");
        return;
    };
    let largest = samples.iter().map(|sample| sample.disk).max().unwrap_or(0);
    eprintln!(
        "\nCPU: server {:.0} % of a core ({server_s:.1} s), {own}; load average at the end {:.1}",
        100.0 * server_s / wall_s,
        last.load
    );
    let (at, end) = (minute.second, last.second);
    eprintln!(
        "memory: {} MiB after {at} s, {} after {end} s, {} at most",
        mib(minute.rss),
        mib(last.rss),
        mib(*peak_rss)
    );
    eprintln!(
        "disk: {} MiB after {at} s, {} after {end} s, {} at most",
        mib(minute.disk),
        mib(last.disk),
        mib(largest)
    );
}

pub(crate) fn mib(bytes: u64) -> u64 {
    bytes >> 20
}

/// The median, the 99th percentile and the largest value.
pub(crate) fn percentiles(values: &mut [i64]) -> String {
    values.sort_unstable();
    let at = |part: f64| values.get(((values.len() as f64 * part) as usize).min(values.len().saturating_sub(1)));
    match (at(0.5), at(0.99), at(1.0)) {
        (Some(p50), Some(p99), Some(max)) => format!("{p50} / {p99} / {max}"),
        _ => "-".to_owned(),
    }
}
