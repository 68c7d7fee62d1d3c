//! Listeners that do not trust everybody.

use std::{
    path::Path,
    process::{Command, Stdio},
};

/// The user that a broker with credentials knows.
pub const USER: &str = "tidemill";
/// The user's password.
pub const PASSWORD: &str = "a-secret";

/// What a client must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// Encrypt, and trust the broker's own certificate.
    Tls,
    /// Give name and password as they are.
    SaslPlain,
    /// Prove that it knows the password (SCRAM-SHA-512).
    SaslScram,
    /// The same, encrypted.
    SaslScramTls,
    /// Show a token; here one that nobody signed.
    SaslOauth,
}

const AUTHORITY: &str = "ca.pem";
const KEYS: &str = "keys.p12";

impl Security {
    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Tls => "SSL",
            Self::SaslPlain | Self::SaslScram | Self::SaslOauth => "SASL_PLAINTEXT",
            Self::SaslScramTls => "SASL_SSL",
        }
    }

    fn mechanism(self) -> Option<&'static str> {
        match self {
            Self::Tls => None,
            Self::SaslPlain => Some("PLAIN"),
            Self::SaslScram | Self::SaslScramTls => Some("SCRAM-SHA-512"),
            Self::SaslOauth => Some("OAUTHBEARER"),
        }
    }

    fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::SaslScramTls)
    }

    /// What the listener `CLIENT` needs. Makes the certificate.
    pub(crate) fn server_properties(self, folder: &Path) -> Vec<(String, String)> {
        let mut properties = Vec::new();
        let mut set = |name: &str, value: String| properties.push((format!("listener.name.client.{name}"), value));
        if let Some(mechanism) = self.mechanism() {
            set("sasl.enabled.mechanisms", mechanism.to_owned());
            let module = match self {
                Self::SaslPlain => format!("plain.PlainLoginModule required user_{USER}=\"{PASSWORD}\";"),
                Self::SaslOauth => {
                    format!("oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"{USER}\";")
                }
                _ => "scram.ScramLoginModule required;".to_owned(),
            };
            let name = format!("{}.sasl.jaas.config", mechanism.to_lowercase());
            set(&name, format!("org.apache.kafka.common.security.{module}"));
        }
        if self.is_encrypted() {
            make_certificate(folder);
            set("ssl.keystore.type", "PKCS12".to_owned());
            set("ssl.keystore.location", folder.join(KEYS).display().to_string());
            set("ssl.keystore.password", PASSWORD.to_owned());
            set("ssl.key.password", PASSWORD.to_owned());
        }
        properties
    }

    /// What formatting the broker's folder needs.
    pub(crate) fn format_arguments(self) -> Vec<String> {
        match self {
            Self::SaslScram | Self::SaslScramTls => {
                vec!["--add-scram".to_owned(), format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]")]
            }
            Self::Tls | Self::SaslPlain | Self::SaslOauth => Vec::new(),
        }
    }

    /// What a client sets, in librdkafka's names.
    pub(crate) fn client_properties(self, folder: &Path) -> Vec<(&'static str, String)> {
        let mut properties = vec![("security.protocol", self.protocol().to_lowercase())];
        if let Some(mechanism) = self.mechanism() {
            properties.push(("sasl.mechanisms", mechanism.to_owned()));
        }
        if self == Self::SaslOauth {
            properties.push(("enable.sasl.oauthbearer.unsecure.jwt", "true".to_owned()));
            properties.push(("sasl.oauthbearer.config", format!("principal={USER}")));
        } else if self.mechanism().is_some() {
            properties.push(("sasl.username", USER.to_owned()));
            properties.push(("sasl.password", PASSWORD.to_owned()));
        }
        if self.is_encrypted() {
            properties.push(("ssl.ca.location", folder.join(AUTHORITY).display().to_string()));
        }
        properties
    }
}

/// A certificate that vouches for itself, for this machine's loopback.
fn make_certificate(folder: &Path) {
    let keys = folder.join(KEYS).display().to_string();
    let store = ["-keystore", &keys, "-storetype", "PKCS12", "-storepass", PASSWORD, "-alias", "broker"];
    let names = ["-dname", "CN=localhost", "-ext", "SAN=dns:localhost,ip:127.0.0.1", "-ext", "bc:c"];
    keytool(&[&["-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "30"][..], &store, &names]);
    let authority = folder.join(AUTHORITY).display().to_string();
    keytool(&[&["-exportcert", "-rfc", "-file", &authority][..], &store]);
}

fn keytool(arguments: &[&[&str]]) {
    let output = Command::new("keytool").args(arguments.concat()).stdin(Stdio::null()).output();
    let output = output.expect("keytool comes with Java");
    assert!(output.status.success(), "keytool: {}", String::from_utf8_lossy(&output.stdout));
}
