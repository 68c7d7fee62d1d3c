//! Lists calls without an answer of a running server, and asks them again. Lists records that its applications could not
//! process, and replays them.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

mod records;

use anyhow::{Context as _, Result, bail};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Value, json};
use tidemill_apps::apps::http_client;

use super::serve::runtime;
use crate::{
    cli::{DlqAction, DlqOptions, DlqServer},
    usage::usage,
};

/// How long the server may take for an answer.
const PATIENCE: Duration = Duration::from_mins(1);
/// How many dead letters are asked for at once.
const PAGE: &str = "500";

/// Runs a command about dead letters.
pub(crate) fn dlq(options: &DlqOptions) -> Result<()> {
    runtime()?.block_on(async {
        match &options.action {
            DlqAction::List { server, records } if records.records => {
                records::list(&Server::new(server)?, records).await
            }
            DlqAction::List { server, .. } => list(&Server::new(server)?).await,
            DlqAction::Replay { server, records, dry_run, all, ids } => {
                if *all != ids.is_empty() {
                    let told = if *all { "either ids or --all, not both" } else { "which dead letters: ids or --all" };
                    let records = if records.records { " --records" } else { "" };
                    return Err(usage(format!("name {told}; `tidemill dlq list{records}` lists them")));
                }
                let server = Server::new(server)?;
                if records.records {
                    records::replay(&server, records, *dry_run, ids).await
                } else {
                    replay(&server, ids).await
                }
            }
        }
    })
}

async fn list(server: &Server) -> Result<()> {
    let mut found = 0;
    for application in server.applications().await? {
        let mut after = None::<String>;
        loop {
            let mut url = server.url(&["state", "dead-letters", &application])?;
            url.query_pairs_mut().append_pair("limit", PAGE);
            if let Some(after) = &after {
                url.query_pairs_mut().append_pair("after", after);
            }
            let page = server.ask(Method::GET, url, None).await?;
            let letters = page["dead_letters"].as_array().map(Vec::as_slice).unwrap_or_default();
            for letter in letters {
                writeln!(std::io::stdout().lock(), "{}", row(&application, letter))?;
            }
            found += letters.len();
            after = letters.last().and_then(|letter| letter["id"].as_str()).map(ToOwned::to_owned);
            if page["more"] != true {
                break;
            }
        }
    }
    if found == 0 {
        tracing::info!("there is no dead letter: every call got an answer, or was asked again");
    }
    Ok(())
}

/// A JSON value in a line.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A message that comes from elsewhere. A line stays a line.
fn line(message: &str) -> String {
    message.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// A dead letter in a line.
fn row(application: &str, letter: &Value) -> String {
    let [id, kind, attempts, bytes] = ["id", "kind", "attempts", "bytes"].map(|field| text(&letter[field]));
    let (owner, message) = (text(&letter["key"]["id"]), text(&letter["message"]));
    let message = line(&message);
    format!("{application} {id}: {owner}: {kind} after {attempts} attempt(s), {bytes} bytes: {message}")
}

async fn replay(server: &Server, ids: &[String]) -> Result<()> {
    let applications = server.applications().await?;
    if !ids.is_empty() && applications.len() > 1 {
        let known = applications.join(" or ");
        return Err(usage(format!("the server runs several applications: name one with --application {known}")));
    }
    let (mut now, mut before, mut refused) = (0, 0, None);
    for application in &applications {
        let url = server.url(&["state", "dead-letters", application, "replay"])?;
        let body = if ids.is_empty() { json!({ "all": true }) } else { json!({ "ids": ids }) };
        match server.ask(Method::POST, url, Some(&body)).await {
            Ok(asked) => {
                now += asked["asked_again"].as_u64().unwrap_or(0);
                before += asked["asked_before"].as_u64().unwrap_or(0);
            }
            // The models of another application may take calls.
            Err(error) => refused = refused.or(Some(error.context(application.clone()))),
        }
    }
    if let Some(refused) = refused {
        if now > 0 {
            tracing::info!("{now} dead letter(s) of other applications are asked again");
        }
        return Err(refused);
    }
    match (now, before) {
        (0, 0) => tracing::info!("there is no dead letter to ask again"),
        (0, 1) => tracing::info!("nothing is left to ask: the dead letter was asked again before"),
        (0, before) => tracing::info!("nothing is left to ask: {before} dead letters were asked again before"),
        (1, _) => tracing::info!("1 dead letter is asked again"),
        (now, _) => tracing::info!("{now} dead letters are asked again"),
    }
    Ok(())
}

/// A running server.
struct Server {
    http: Client,
    url: Url,
    shown: String,
    token: Option<String>,
    application: Option<String>,
}

impl Server {
    fn new(DlqServer { application, url, token }: &DlqServer) -> Result<Self> {
        let parsed = Url::parse(url).map_err(|error| usage(format!("{url} is not an address: {error}")))?;
        let (shown, token, application) = (url.clone(), token.clone(), application.clone());
        Ok(Self { http: http_client(PATIENCE)?, url: parsed, shown, token, application })
    }

    fn url(&self, parts: &[&str]) -> Result<Url> {
        let mut url = self.url.clone();
        match url.path_segments_mut() {
            Ok(mut path) => drop(path.pop_if_empty().extend(parts)),
            Err(()) => bail!("{} cannot have a path", self.shown),
        }
        Ok(url)
    }

    /// The application that was named, or all of the server's.
    async fn applications(&self) -> Result<Vec<String>> {
        if let Some(application) = &self.application {
            return Ok(vec![application.clone()]);
        }
        let calls = self.ask(Method::GET, self.url(&["state", "calls"])?, None).await?;
        let ids = calls.as_array().into_iter().flatten().filter_map(|app| app["application"].as_str());
        Ok(ids.map(ToOwned::to_owned).collect())
    }

    async fn ask(&self, method: Method, url: Url, body: Option<&Value>) -> Result<Value> {
        let mut request: RequestBuilder = self.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await;
        let response = response.map_err(reqwest::Error::without_url).with_context(|| {
            format!("{} does not answer: start the server, or name its address with --url", self.shown)
        })?;
        let status = response.status();
        let body = response.bytes().await.map_err(reqwest::Error::without_url)?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .with_context(|| format!("{} answers something else than a tidemill server", self.shown));
        }
        let answer: BTreeMap<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
        let text = |field: &str| answer.get(field).and_then(Value::as_str).unwrap_or_default();
        let hint = if status.as_u16() == 401 { "; the token comes from TIDEMILL_TOKEN" } else { "" };
        match (text("error"), text("fix")) {
            ("", _) => bail!("{} refuses with HTTP {status}: is it a tidemill server?", self.shown),
            (error, fix) => bail!("{error}: {fix}{hint}"),
        }
    }
}
