//! How many files and connections the process may have open at the same time.

use tidemill_apps::server::Limits;

/// Files that log and state may have open, and those of clients of other servers. With the default settings a server on
/// a folder has about 400.
const OWN: u64 = 768;
/// Connections for which there must be room.
const CONNECTIONS_MIN: usize = 64;

/// Raises the process's limit as far as it may, and bounds connections so that log and state keep their files. Returns
/// what is too low.
pub(crate) fn make_room(limits: &mut Limits) -> Option<String> {
    // Where the limit cannot be asked for, the system has none.
    let files = rlimit::increase_nofile_limit(u64::MAX).ok()?;
    let room = usize::try_from(files.saturating_sub(OWN)).unwrap_or(usize::MAX);
    limits.connections = limits.connections.min(room.max(CONNECTIONS_MIN));
    let enough = OWN + CONNECTIONS_MIN as u64;
    (files < enough).then(|| format!("this process may open only {files} files: raise `ulimit -n` to {enough} or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_log_and_state() {
        let mut limits = Limits { connections: usize::MAX, ..Limits::default() };
        let told = make_room(&mut limits);
        let files = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        assert!((limits.connections as u64) < files, "{} of {files}", limits.connections);
        assert_eq!(told.is_some(), files < OWN + CONNECTIONS_MIN as u64);
    }
}
