//! A client for HTTP and HTTPS.

use std::time::Duration;

/// Makes a client for HTTP and HTTPS. A request fails after `timeout`.
///
/// # Errors
/// If this machine's certificates cannot be read.
pub fn http_client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // One provider is installed per process. A provider that was installed before is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().timeout(timeout).build()
}
