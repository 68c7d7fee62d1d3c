//! A broker that asks for a token, and who gives tokens out.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use tidemill::transport::kafka::KafkaTransport;
use tidemill_broker::{Broker, Options, Security};

use super::{config, site};
use crate::{Site, Tested, engine::undisturbed};

/// `{"alg":"none"}` and `{"sub":"tidemill","iat":1700000000,"exp":4102444800}`: nobody signed it, and it is good for long.
const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ0aWRlbWlsbCIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo0MTAyNDQ0ODAwfQ.";
/// `mill:a-secret`, as HTTP has it.
const CREDENTIALS: &str = "bWlsbDphLXNlY3JldA==";

/// Serves tokens at this address to whoever shows the credentials, and tells of each request whether it did.
fn token_endpoint() -> Tested<(String, Receiver<bool>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = format!("http://{}/token", listener.local_addr()?);
    let (told, asked) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever hangs up before it is answered asks again.
            let Ok(may) = stream.and_then(answer) else { continue };
            if told.send(may).is_err() {
                return;
            }
        }
    });
    Ok((address, asked))
}

fn answer(mut stream: TcpStream) -> io::Result<bool> {
    let mut request = BufReader::new(stream.try_clone()?);
    let head: Vec<_> = request.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    // Read to its end, or the answer may be lost with it.
    let length = head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    io::copy(&mut request.take(length.unwrap_or(0)), &mut io::sink())?;
    let may = head.iter().any(|line| line.ends_with(CREDENTIALS));
    let (status, body) = if may {
        ("200 OK", format!(r#"{{"access_token":"{TOKEN}","token_type":"Bearer","expires_in":3600}}"#))
    } else {
        ("401 Unauthorized", r#"{"error":"invalid_client"}"#.to_owned())
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    Ok(may)
}

#[test]
fn a_broker_may_ask_for_a_token() -> Tested {
    let Some(broker) = Broker::start(Options::new().secured(Security::SaslOauth)) else { return Ok(()) };
    undisturbed::results_are_those_of_the_oracle(&site(&broker, "token")?)?;

    // One that an identity provider gives out.
    let (address, asked) = token_endpoint()?;
    let config = config(&broker.bootstrap_servers())
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", "OAUTHBEARER")
        .set("sasl.oauthbearer.method", "oidc")
        .set("sasl.oauthbearer.token.endpoint.url", address)
        .set("sasl.oauthbearer.client.id", "mill")
        .set("sasl.oauthbearer.client.secret", "a-secret");
    undisturbed::results_are_those_of_the_oracle(&Site::new(KafkaTransport::new(config)?, "provided_token"))?;
    assert!(asked.try_iter().next().is_some_and(|may| may), "it was asked, with the secret");
    Ok(())
}
