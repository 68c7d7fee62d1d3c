//! Where the pictures of a stream are.

use tidemill_media::clips::Footage;

use super::{ClipError, error::plain};
use crate::sources::{Guard, Media, Seen};

/// The footage of a stream's source, as its audio is read: the same address, the same times, within the same guard.
///
/// # Errors
/// [`ClipError::Conflict`] where the address cannot be used.
pub async fn footage(Seen { source, progress }: &Seen, guard: Guard) -> Result<Footage, ClipError> {
    let refused = |error: &str, fix: &str| ClipError::Conflict { error: plain(error), fix: plain(fix) };
    let address = Media::address_of(source).map_err(|(reason, remedy)| refused(reason, remedy))?;
    guard.check_url(&address).await.map_err(|(reason, remedy)| refused(&reason, remedy))?;
    let speech = progress.as_ref().and_then(|progress| progress.speech.as_ref());
    Ok(Footage { address, start_ms: speech.map(|speech| speech.origin_ms) })
}
