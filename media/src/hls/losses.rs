//! Segments that could not be had: each is a gap; where all are denied, the address is no longer good.

use crate::error::MediaError;
use crate::hls::Trouble;

/// How many segments in a row may be denied.
const DENIED: u32 = 3;

/// Counts segments that could not be had.
#[derive(Debug)]
pub(crate) struct Losses {
    host: String,
    denied: u32,
}

impl Losses {
    /// None yet, of the stream on this host.
    pub(crate) fn new(host: String) -> Self {
        Self { host, denied: 0 }
    }

    /// A segment was had.
    pub(crate) fn had(&mut self) {
        self.denied = 0;
    }

    /// A segment could not be had. Returns why.
    ///
    /// # Errors
    /// [`MediaError::Expired`] where the server gives none any more.
    pub(crate) fn lost(&mut self, trouble: Trouble) -> Result<String, MediaError> {
        let reason = match trouble {
            Trouble::Denied { status } => {
                self.denied += 1;
                if self.denied >= DENIED && status != 404 {
                    return Err(MediaError::Expired { host: self.host.clone(), status });
                }
                format!("{} does not give a part of the stream (status {status}).", self.host)
            }
            Trouble::Passing { reason, .. } => reason,
            Trouble::Useless(error) => error.to_string(),
        };
        tracing::warn!(host = self.host, reason, "a part of the stream is lost");
        Ok(reason)
    }
}
