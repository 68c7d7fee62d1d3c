//! Calls that get an error.

use std::time::Duration;

use axum::http::StatusCode;

use crate::schedule::Hint;

/// Why a call gets an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The request is not what the protocol allows.
    BadRequest(String),
    NoKey,
    BadKey,
    NoModel(String),
    NoPath(String),
    RateLimited {
        after: Duration,
        hint: Hint,
        /// What there were too many of: requests or tokens.
        of: &'static str,
    },
    OutOfCredit,
    Internal,
    Unavailable,
    GatewayPage,
    /// The prompt is refused. Only for providers that say this by an error.
    BlockedPrompt,
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadRequest(_) | Self::BlockedPrompt => StatusCode::BAD_REQUEST,
            Self::NoKey | Self::BadKey => StatusCode::UNAUTHORIZED,
            Self::NoModel(_) | Self::NoPath(_) => StatusCode::NOT_FOUND,
            Self::RateLimited { .. } | Self::OutOfCredit => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::GatewayPage => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// What a gateway says when the provider behind it does not answer.
pub(crate) const GATEWAY_PAGE: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
    <center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
