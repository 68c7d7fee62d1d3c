//! Who is let in.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Which keys and tokens a server takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Door {
    /// All are let in.
    #[default]
    Open,
    /// One key is let in.
    Key(String),
    /// The token in this file is let in so many times. Then the server writes another one there, and refuses the old one.
    Expiring {
        /// The file.
        file: PathBuf,
        /// How many times a token is let in, at least 1.
        times: u64,
    },
}

/// Stands at a door.
#[derive(Debug)]
pub(crate) struct Guard {
    door: Door,
    /// How many times the newest token was let in, and its number.
    token: Mutex<(u64, u64)>,
}

impl Guard {
    pub(crate) fn new(door: Door) -> std::io::Result<Self> {
        if let Door::Expiring { file, .. } = &door {
            std::fs::write(file, token(0))?;
        }
        Ok(Self { door, token: Mutex::new((0, 0)) })
    }

    /// Whether this `Authorization` is let in.
    pub(crate) fn admits(&self, authorization: Option<&str>) -> bool {
        let given = authorization.and_then(|text| text.strip_prefix("Bearer "));
        match &self.door {
            Door::Open => true,
            Door::Key(key) => given == Some(key),
            Door::Expiring { file, times } => {
                let mut newest = self.token.lock().unwrap_or_else(PoisonError::into_inner);
                if newest.0 >= *times {
                    *newest = (0, newest.1 + 1);
                    // A file that cannot be written shows as a token that is refused for ever.
                    let _ = std::fs::write(file, token(newest.1));
                }
                if given != Some(token(newest.1).as_str()) {
                    return false;
                }
                newest.0 += 1;
                true
            }
        }
    }
}

fn token(number: u64) -> String {
    format!("token-{number}")
}
