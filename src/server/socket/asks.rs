//! What a page may ask. Each ask is one row of the table.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{Value, json};
use tidemill::{Clock as _, SystemClock};

use super::{
    messages::{Answer, Asked},
    sockets::Sockets,
};
use crate::{
    apps::{App, Parameters},
    server::{access::Visitor, clips, problem::Problem, results},
};

/// An answer that may take its time.
pub(super) type Answering = BoxFuture<'static, Result<Answer, Problem>>;

/// Changes what is pushed, and answers.
type Ask = fn(&mut Chosen, &Arc<Asker>, &Asked) -> Result<Answering, Problem>;

/// The asks, each with its word.
pub(super) const ASKS: &[(&str, Ask)] = &[
    ("frame", frame),
    ("live", live),
    ("outlook", |_, asker, asked| view(asker, "prediction", asked.parameters()?)),
    ("past", |_, asker, asked| view(asker, "past", asked.parameters()?)),
    ("source", source),
    ("clip", clip),
    ("filter", filter),
    ("ping", |_, _, _| now(Answer::of(&json!({ "time_ms": SystemClock.now_ms() })))),
];

/// The pushes beside the application's results.
const SOURCE: &str = "source";
const FRAME: &str = "frame";

/// Whose page asks, and what answers.
pub(super) struct Asker {
    pub(super) sockets: Arc<Sockets>,
    pub(super) app: App,
    pub(super) key: String,
    pub(super) visitor: Visitor,
}

/// What is pushed.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The time frame that is pushed anew when a window of it closes.
    pub(super) frame: Option<Parameters>,
    /// Counts the choices of frames, so that one that was asked for before the last choice is not pushed after it.
    pub(super) frames: u64,
    /// The only kinds that are pushed; `None` for all.
    only: Option<BTreeSet<String>>,
}

impl Chosen {
    /// Whether a kind is pushed.
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(kind))
    }

    fn choose(&mut self, frame: Option<Parameters>) {
        self.frame = frame;
        self.frames += 1;
    }
}

/// Does what a message asks.
pub(super) fn take(chosen: &mut Chosen, asker: &Arc<Asker>, asked: &Asked) -> Result<Answering, Problem> {
    let ask = ASKS.iter().find(|(word, _)| *word == asked.ask);
    let (_, ask) = ask.ok_or_else(|| {
        let words = ASKS.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let asked: String = asked.ask.chars().take(40).collect();
        Problem::wrong(format!("there is no ask '{asked}'"), format!("ask one of: {words}"))
    })?;
    ask(chosen, asker, asked)
}

/// `{"ask":"frame","last":"15m"}` or with `from` and `to`: answers, and from now on pushes it anew.
fn frame(chosen: &mut Chosen, asker: &Arc<Asker>, asked: &Asked) -> Result<Answering, Problem> {
    let parameters = asked.parameters()?;
    let answering = view(asker, FRAME, parameters.clone())?;
    chosen.choose(Some(parameters));
    Ok(answering)
}

/// The chosen frame as it is now.
pub(super) fn frame_anew(asker: &Arc<Asker>, parameters: &Parameters) -> Result<Answering, Problem> {
    view(asker, FRAME, parameters.clone())
}

/// `{"ask":"live"}`: no frame is pushed any more.
fn live(chosen: &mut Chosen, _: &Arc<Asker>, _: &Asked) -> Result<Answering, Problem> {
    chosen.choose(None);
    now(Answer::of(&json!({})))
}

/// `{"ask":"filter","push":["alert"]}`: only these kinds are pushed; without `push`, all.
fn filter(chosen: &mut Chosen, asker: &Arc<Asker>, asked: &Asked) -> Result<Answering, Problem> {
    let kinds: Vec<_> =
        asker.app.results.iter().map(|results| results.event).chain([SOURCE, FRAME, clips::NEWS]).collect();
    let wrong = |error: String| Problem::wrong(error, format!("send a list of: {}", kinds.join(", ")));
    let only = match asked.fields.get("push") {
        None | Some(Value::Null) => None,
        Some(Value::Array(named)) => {
            let named =
                named.iter().map(|name| name.as_str().filter(|name| kinds.contains(name)).map(ToOwned::to_owned));
            Some(
                named
                    .collect::<Option<BTreeSet<_>>>()
                    .ok_or_else(|| wrong("'push' names what is never pushed".to_owned()))?,
            )
        }
        Some(_) => return Err(wrong("'push' is not a list".to_owned())),
    };
    let answer = Answer::of(&json!({ "push": only.as_ref().map_or_else(|| json!(kinds), |only| json!(only)) }));
    chosen.only = only;
    now(answer)
}

/// `{"ask":"source"}`: what is read of the stream.
fn source(_: &mut Chosen, asker: &Arc<Asker>, _: &Asked) -> Result<Answering, Problem> {
    now(Answer::of(&json!({ "source": asker.sockets.sources.of(asker.app, &asker.key) })))
}

/// `{"ask":"clip","start_ms":…,"end_ms":…}`: asks for a clip, as `POST …/clips` does. Its progress is pushed.
fn clip(_: &mut Chosen, asker: &Arc<Asker>, asked: &Asked) -> Result<Answering, Problem> {
    let wish = clips::wish(asked.fields.clone().into())?;
    let asker = asker.clone();
    Ok(async move { Answer::of(&asker.sockets.clips.ask(&asker.visitor, &asker.key, wish).await?) }.boxed())
}

fn view(asker: &Arc<Asker>, name: &str, asked: Parameters) -> Result<Answering, Problem> {
    let known = asker.app.views.iter().find(|view| view.name == name);
    let view = known.ok_or_else(|| Problem::not_found("such view of this application", "leave this ask out"))?;
    // What is wrong in the question is told before anything is chosen or read.
    results::question(view, &asker.key, &asked)?;
    let asker = asker.clone();
    Ok(async move {
        asker.visitor.may(asker.app, &asker.key)?;
        let (views, key) = (&asker.sockets.views, asker.key.clone());
        let (shown, left_out) = views.make(asker.app, view, key, Some(&asker.visitor), &asked).await?;
        Answer::of_json(shown.body, left_out)
    }
    .boxed())
}

#[expect(clippy::unnecessary_wraps, reason = "the end of an ask that takes no time")]
fn now(answer: Result<Answer, Problem>) -> Result<Answering, Problem> {
    Ok(ready(answer).boxed())
}
