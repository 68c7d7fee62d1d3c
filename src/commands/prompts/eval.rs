//! Asks recorded requests again, with another prompt or another model, and compares the answers.

use std::{io::Write as _, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, anyhow};
use indicatif::{ProgressBar, ProgressStyle};
use tidemill::llm::{ModelRoute, Price, Prompt};
use tidemill_apps::{
    apps::{App, ModelSettings, Question, Questions, Setup},
    evaluation::{Answer, Asking, Calls, Compared, Ended, Summary, ask, money, most},
    server::AnalystChoice,
};

use super::{asked_for, journal};
use crate::{
    cli::{Against, EvalOptions},
    commands::{serve::runtime, signals::Signals},
    config::Config,
    usage::usage,
};

/// Evaluates a prompt.
pub(super) fn eval(config: Config, options: &EvalOptions) -> Result<()> {
    let (app, asked) = asked_for(&options.application)?;
    let Config { settings, analyst_problems, .. } = config;
    let models = match settings.analyst {
        _ if !analyst_problems.is_empty() => return Err(usage(analyst_problems.join("; "))),
        AnalystChoice::Model(models) => models,
        AnalystChoice::Offline => {
            return Err(usage("an evaluation asks a model: set 'analyst.kind', for example with --analyst gemini"));
        }
    };
    let prompt = |file: Option<&PathBuf>| match file {
        Some(file) => {
            let prompt = Prompt::load(file).map_err(|error| usage(error.to_string()))?;
            asked.check_version(&prompt).map_err(|problem| usage(format!("{}: {problem}", file.display())))?;
            Ok(prompt)
        }
        None => Prompt::parse(asked.prompt).context("a prompt of this program"),
    };
    let candidate = prompt(options.prompt.as_ref())?;
    let against = match &options.against {
        Against::Prompt(file) => Some(prompt(Some(file))?),
        Against::Recorded | Against::Offline => None,
    };
    // Results and reports name a prompt by its version.
    if let Some(other) = against.as_ref().filter(|against| against.clashes_with(&candidate)) {
        return Err(usage(format!(
            "both prompts say that they are {} version {}, but they differ: raise the version of the newer one",
            other.name, other.version
        )));
    }
    let runtime = runtime()?;
    let handle = runtime.handle().clone();
    let route = route(&models, options.model.as_deref())?;
    let questions = |prompt: Prompt| {
        let (model, runtime) = (route.model.clone(), handle.clone());
        (asked.questions)(Setup::new(Arc::new(prompt), model, runtime))
    };
    let evaluation = Evaluation {
        app,
        options,
        asking: Asking::of(&settings.calls),
        is_free: route.price == Price::default(),
        model: route.name,
        currency: models.currency.clone(),
        candidate: questions(candidate),
        against: against.map(questions),
    };
    let summary = runtime.block_on(evaluation.run())?;
    // Attempts that were interrupted are given up.
    runtime.shutdown_background();
    tell(&summary, options)
}

/// A model, and what is said about it.
struct Route {
    name: String,
    price: Price,
    model: ModelRoute,
}

fn route(models: &ModelSettings, name: Option<&str>) -> Result<Route> {
    let chosen = models.models.iter().find(|model| name.is_none_or(|name| model.name == name));
    let price = chosen.map_or(Price::default(), |model| model.price);
    let setting = if name.is_some() { "--model" } else { "'analyst.model'" };
    let name = name.or(chosen.map(|model| model.name.as_str())).unwrap_or_default().to_owned();
    let model = ModelRoute::new(models.provider()?, &name).price(price).settings(models.setting_names(setting));
    Ok(Route { name, price, model })
}

struct Evaluation<'a> {
    app: App,
    options: &'a EvalOptions,
    asking: Asking,
    is_free: bool,
    model: String,
    currency: String,
    candidate: Arc<dyn Questions>,
    /// The questions of the other prompt, if the answers are compared with those of another prompt.
    against: Option<Arc<dyn Questions>>,
}

impl Evaluation<'_> {
    async fn run(&self) -> Result<Summary> {
        let calls = self.calls().await?;
        let candidate = calls.questions(&*self.candidate);
        let against = self.against.as_ref().map(|against| calls.questions(&**against));
        // The questions of both prompts take turns, so that an interruption leaves pairs.
        let all: Vec<Arc<dyn Question>> = match &against {
            Some(against) => {
                candidate.iter().zip(against).flat_map(|(one, other)| [one.clone(), other.clone()]).collect()
            }
            None => candidate.clone(),
        };
        self.announce(&calls, &all)?;
        let bar = ProgressBar::new(all.len() as u64).with_style(style());
        let mut signals = Signals::listen()?;
        let stop = async { drop(signals.received().await) };
        let ended = ask(&all, &self.asking, stop, |_| bar.inc(1)).await;
        bar.finish_and_clear();

        let sides = 1 + usize::from(against.is_some());
        let mut tried = vec![None; all.len()];
        for Ended { index, tried: one } in ended {
            tried[index] = Some(Answer::tried(&one));
        }
        let compared = calls.calls.iter().enumerate().filter_map(|(at, call)| {
            let answer = tried[at * sides].clone()?;
            let other = match self.options.against {
                Against::Recorded => Answer::recorded(call, &*candidate[at]),
                Against::Offline => Answer::offline(&*candidate[at]),
                Against::Prompt(_) => tried[at * sides + 1].clone()?,
            };
            Some(Compared { id: call.id.clone(), candidate: answer, against: other })
        });
        let compared: Vec<_> = compared.collect();
        let named = |questions: &dyn Questions| format!("{} with {}", questions.prompt(), self.model);
        let names = [
            named(&*self.candidate),
            match (&self.options.against, &self.against) {
                (_, Some(against)) => named(&**against),
                (Against::Offline, None) => "the offline analysis".to_owned(),
                (_, None) => "the recorded answers".to_owned(),
            },
        ];
        let schema = self.candidate.prompt().schema();
        let summary = Summary::of([&names[0], &names[1]], &compared, schema, self.options.tolerance);
        Ok(Summary {
            application: self.app.id.to_owned(),
            requests: calls.calls.len(),
            interrupted: compared.len() < calls.calls.len(),
            currency: self.currency.clone(),
            ..summary
        })
    }

    /// The recorded calls.
    async fn calls(&self) -> Result<Calls> {
        let EvalOptions { requests, url, token, limit, .. } = self.options;
        let (text, place) = match (requests, url) {
            (Some(file), _) => (journal::read(file)?, file.display().to_string()),
            (None, Some(url)) => (journal::fetch(url, self.app, *limit, token.as_deref()).await?, url.clone()),
            (None, None) => return Err(usage("name the recorded requests with --requests or --url")),
        };
        let calls = Calls::read(&text, &place, self.app.id, *limit, &*self.candidate);
        let calls = calls.map_err(|error| usage(error.to_string()))?;
        if calls.calls.is_empty() {
            let why = match calls.without_model {
                0 => "keep calls with analyst.keep_calls, such as 24h, and try again when windows were analysed".into(),
                some => format!("its {some} requests need no model, such as those of empty windows"),
            };
            return Err(usage(format!("{place} has no request to ask a model: {why}")));
        }
        Ok(calls)
    }

    /// Says what is going to happen, and refuses what may be expensive.
    fn announce(&self, calls: &Calls, all: &[Arc<dyn Question>]) -> Result<()> {
        let (most, model) = (most(all).cost_micros, &self.model);
        let prompts = [Some(&self.candidate), self.against.as_ref()];
        let endless = prompts.into_iter().flatten().find(|of| of.prompt().max_output_tokens.is_none());
        let reason = if self.is_free {
            let set = format!("--set analyst.model={model} --set analyst.price=0.30/2.50");
            Some(format!("the price of {model} is not known, give it with {set}"))
        } else if let Some(endless) = endless {
            Some(format!("{} has no max_output_tokens, so there is no upper bound of its cost", endless.prompt()))
        } else if most > self.options.ask_above {
            let limit = money(self.options.ask_above, &self.currency);
            Some(format!("they may cost {}, more than {limit} (--ask-above)", money(most, &self.currency)))
        } else {
            None
        };
        let count = match all.len() {
            1 => "one request".to_owned(),
            count => format!("{count} requests"),
        };
        let left_out = match calls.without_model {
            0 => String::new(),
            some => format!("; {some} that need no model are left out"),
        };
        let bound = if self.is_free || endless.is_some() {
            "the cost is not known".to_owned()
        } else {
            format!("they cost at most {}", money(most, &self.currency))
        };
        eprintln!("{count} to {model}: {bound}{left_out}");
        match reason {
            Some(reason) if !self.options.yes => Err(usage(format!("{count} to {model}: {reason}; or add --yes"))),
            _ => Ok(()),
        }
    }
}

/// Prints the result, and says with the exit code whether it is good enough.
fn tell(summary: &Summary, options: &EvalOptions) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if options.json {
        serde_json::to_writer_pretty(&mut out, summary)?;
        writeln!(out)?;
    } else {
        write!(out, "{summary}")?;
    }
    out.flush()?;
    if summary.interrupted {
        return Err(anyhow!("interrupted: {} of {} requests were asked", summary.asked, summary.requests));
    }
    let below = summary.below(options.min_valid, options.min_agreement);
    if below.is_empty() { Ok(()) } else { Err(anyhow!(below.join("; "))) }
}

fn style() -> ProgressStyle {
    let template = "{elapsed_precise} {wide_bar} {human_pos}/{human_len} answers, {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
