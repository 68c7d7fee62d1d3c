//! What a stream ends with instead of success, and what has to be done about it.

use tonic::{Code, Status};

use crate::error::shorten;
use crate::{Credential, SpeechError};

/// The error for the transcriber.
pub(super) fn error_of(status: &Status, token: &Credential, used: &str) -> SpeechError {
    let code = status.code();
    let said = shorten(status.message());
    let reason = if said.is_empty() {
        format!("Google Speech-to-Text ends the stream: {code:?}")
    } else {
        format!("Google Speech-to-Text ends the stream: {code:?}, {said}")
    };
    match code {
        // A stream may last five minutes; also one that gets no audio for some seconds is ended.
        Code::Aborted | Code::OutOfRange => SpeechError::SessionOver { reason },
        Code::Unauthenticated if token.refused(used) => {
            SpeechError::transient("the token for Google Speech-to-Text has expired, and is read again")
        }
        Code::Unauthenticated => SpeechError::refused(
            "Google Speech-to-Text does not take the token",
            format!("put a new access token into {token}"),
        ),
        Code::PermissionDenied => SpeechError::refused(
            reason,
            "enable Speech-to-Text in the project, and give the account the role Speech Client",
        ),
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::Unimplemented => {
            SpeechError::refused(reason, "check project, location, model and language")
        }
        _ => SpeechError::transient(reason),
    }
}

#[cfg(test)]
mod tests {
    use tidemill_remote::Secret;

    use super::*;

    #[test]
    fn a_status_says_whether_a_new_stream_helps() {
        let token = Credential::from(Secret::value("hunter2"));
        let error = |code, message: &str| error_of(&Status::new(code, message), &token, "hunter2");
        let over = [
            error(Code::Aborted, "Max duration of 5 minutes reached for stream."),
            error(Code::OutOfRange, "Exceeded maximum allowed stream duration of 305 seconds."),
            error(Code::Aborted, "Stream timed out after receiving no more client requests."),
        ];
        assert!(over.iter().all(|error| matches!(error, SpeechError::SessionOver { .. })), "{over:?}");
        assert!(matches!(error(Code::ResourceExhausted, "quota"), SpeechError::Transient { .. }));
        assert!(matches!(error(Code::Unavailable, ""), SpeechError::Transient { .. }));
        assert!(matches!(error(Code::InvalidArgument, "model"), SpeechError::Refused { .. }));
        let refused = error(Code::Unauthenticated, "invalid token hunter2").to_string();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
