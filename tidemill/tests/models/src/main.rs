//! The stand-in as a program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tidemill_model_server::{Fault, Latency, ModelServer, Outage, Price, Quota, Schedule};

/// What the user typed.
#[derive(Debug, Parser)]
#[command(
    name = "tidemill-model-server",
    about = "A local stand-in for model providers: Gemini, Vertex AI, and servers of OpenAI's protocol"
)]
struct Flags {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// A file with a schedule as JSON. The other flags change it.
    #[arg(long, value_name = "FILE")]
    schedule: Option<PathBuf>,
    /// Decides which faults strike which requests.
    #[arg(long)]
    seed: Option<u64>,
    /// How long half of the answers take at least: 300ms, 2s.
    #[arg(long, value_parser = milliseconds)]
    latency: Option<u64>,
    /// How far times spread: the deviation of their logarithm, for example 0.5.
    #[arg(long)]
    spread: Option<f64>,
    /// The share of calls that fail: a third each with status 429, 500 and 503.
    #[arg(long, value_name = "SHARE")]
    errors: Option<f64>,
    /// How often a fault strikes, for example hang=0.01. May be given several times.
    #[arg(long = "rate", value_name = "FAULT=SHARE", value_parser = rate)]
    rates: Vec<(Fault, f64)>,
    /// How often declared tools are asked for first.
    #[arg(long, value_name = "SHARE")]
    tool_calls: Option<f64>,
    /// A time in which all calls get status 503, since the start: 10s..20s. May be given several times.
    #[arg(long = "outage", value_name = "FROM..TO", value_parser = outage)]
    outages: Vec<Outage>,
    /// The most requests of one key in a minute.
    #[arg(long, value_name = "NUMBER")]
    requests_per_minute: Option<u64>,
    /// The most tokens of one key in a minute.
    #[arg(long, value_name = "NUMBER")]
    tokens_per_minute: Option<u64>,
    /// A key that is let in; without any, all are. May be given several times.
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// A model that exists; without any, all do. May be given several times.
    #[arg(long = "model", value_name = "MODEL")]
    models: Vec<String>,
    /// What a model's tokens cost, in micros for a million of input and of output. May be given several times.
    #[arg(long = "price", value_name = "MODEL=INPUT:OUTPUT", value_parser = price)]
    prices: Vec<(String, Price)>,
    /// Data that says "ignore your instructions" is obeyed.
    #[arg(long)]
    obeys_injection: bool,
}

fn main() -> ExitCode {
    match run(Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

fn run(flags: Flags) -> Result<(), String> {
    let listen = flags.listen;
    let schedule = schedule(flags)?;
    schedule.check()?;
    let server =
        ModelServer::listen(listen, schedule).map_err(|error| format!("Cannot listen at {listen}: {error}."))?;
    eprintln!("The stand-in for model providers listens at {}.", server.url());
    eprintln!("Gemini: /v1beta/models/MODEL:generateContent. OpenAI: /v1/chat/completions. Bill: /stand-in/bill.");
    server.serve_forever();
    Ok(())
}

fn schedule(flags: Flags) -> Result<Schedule, String> {
    let mut schedule = match &flags.schedule {
        None => Schedule::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("Cannot read the schedule {}: {error}.", path.display()))?;
            serde_json::from_str(&text)
                .map_err(|error| format!("The schedule {} cannot be used: {error}.", path.display()))?
        }
    };
    schedule.seed = flags.seed.unwrap_or(schedule.seed);
    let Latency { median_ms, spread } = schedule.latency;
    schedule.latency =
        Latency { median_ms: flags.latency.unwrap_or(median_ms), spread: flags.spread.unwrap_or(spread) };
    if let Some(errors) = flags.errors {
        for fault in [Fault::RateLimited, Fault::InternalError, Fault::Unavailable] {
            schedule.rates.set(fault, errors / 3.0);
        }
    }
    for (fault, share) in flags.rates {
        schedule.rates.set(fault, share);
    }
    schedule.tool_calls = flags.tool_calls.unwrap_or(schedule.tool_calls);
    schedule.outages.extend(flags.outages);
    if flags.requests_per_minute.is_some() || flags.tokens_per_minute.is_some() {
        schedule.quota =
            Some(Quota { requests_per_minute: flags.requests_per_minute, tokens_per_minute: flags.tokens_per_minute });
    }
    schedule.keys.extend(flags.keys);
    schedule.models.extend(flags.models);
    schedule.prices.extend(flags.prices);
    schedule.obeys_injection |= flags.obeys_injection;
    Ok(schedule)
}

fn milliseconds(text: &str) -> Result<u64, String> {
    let (number, factor) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 1_000.0),
        (None, None) => return Err("Give a unit, for example 300ms or 2s.".into()),
    };
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok((number * factor).round() as u64),
        _ => Err("Give a number and a unit, for example 300ms or 2s.".into()),
    }
}

fn rate(text: &str) -> Result<(Fault, f64), String> {
    let (name, share) = text.split_once('=').ok_or("Write FAULT=SHARE, for example hang=0.01.")?;
    let share = share.parse().map_err(|_| format!("'{share}' is not a share. Give a number from 0 to 1."))?;
    Ok((name.parse()?, share))
}

fn outage(text: &str) -> Result<Outage, String> {
    let (from, to) = text.split_once("..").ok_or("Write FROM..TO, for example 10s..20s.")?;
    Ok(Outage::between(milliseconds(from)?, milliseconds(to)?))
}

fn price(text: &str) -> Result<(String, Price), String> {
    let wrong = || "Write MODEL=INPUT:OUTPUT, for example gemini-2.5-flash=300000:2500000.".to_owned();
    let (model, prices) = text.split_once('=').ok_or_else(wrong)?;
    let (input, output) = prices.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| text.parse().map_err(|_| wrong());
    Ok((model.to_owned(), Price { input_micros: number(input)?, output_micros: number(output)? }))
}
