//! Why a WebSocket ends, as its close frame says it.

use axum::extract::ws::{CloseFrame, close_code};
use tokio_tungstenite::tungstenite;

use super::sockets::MESSAGE_BYTES;

/// Why a WebSocket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The page closed it, or is gone.
    Gone,
    /// The server stops.
    Stopping,
    /// The page does not take what is sent.
    Slow,
    /// The page does not answer pings.
    Silent,
    /// A message is too long.
    TooLong,
    /// What the page sends is not a WebSocket's.
    Broken,
    /// The results cannot be read.
    Unread,
}

impl Ended {
    /// The end that an error of the connection means.
    pub(super) fn of(error: axum::Error) -> Self {
        match error.into_inner().downcast_ref::<tungstenite::Error>() {
            Some(tungstenite::Error::Capacity(_)) => Self::TooLong,
            Some(tungstenite::Error::WriteBufferFull(_)) => Self::Slow,
            Some(tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                Self::Gone
            }
            Some(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_)) => Self::Broken,
            _ => Self::Gone,
        }
    }

    /// What the page is told; nothing, if it is gone. A reason has at most 123 bytes: more do not fit into a frame.
    pub(super) fn frame(self) -> Option<CloseFrame> {
        let (code, reason) = match self {
            Self::Gone => return None,
            Self::Stopping => (close_code::AWAY, "the server stops; connect again".to_owned()),
            Self::Slow => (close_code::POLICY, "the page reads too slowly; read on and connect again".to_owned()),
            Self::Silent => (close_code::POLICY, "the page does not answer pings; connect again".to_owned()),
            Self::TooLong => (close_code::SIZE, format!("a message may have at most {MESSAGE_BYTES} bytes")),
            Self::Broken => (close_code::PROTOCOL, "this is not what a WebSocket sends".to_owned()),
            Self::Unread => (close_code::ERROR, "the results cannot be read; connect again".to_owned()),
        };
        Some(CloseFrame { code, reason: reason.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_into_a_frame() {
        for ended in [Ended::Stopping, Ended::Slow, Ended::Silent, Ended::TooLong, Ended::Broken, Ended::Unread] {
            let frame = ended.frame().expect("a reason");
            assert!(!frame.reason.is_empty() && frame.reason.len() <= 123, "{ended:?}");
        }
        assert!(Ended::Gone.frame().is_none());
    }
}
