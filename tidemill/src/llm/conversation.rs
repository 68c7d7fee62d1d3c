//! One attempt's talk with a model: tools, a second try for a wrong answer, and an account of what it consumed.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tracing::Instrument as _;

use super::{
    details::AnswerDetails,
    error::{ModelError, ModelErrorKind},
    fingerprint::{hex, sha256},
    http::Deadline,
    output::Flaws,
    reply::{Finish, ModelReply, TokenUsage},
    request::{ModelRequest, ModelTurn, ToolCall, ToolChoice, Turn},
    route::ModelRoute,
    span,
    step::{Chain, Keep},
    tool::ToolContext,
    toolbox::{Toolbox, failed},
};
use crate::async_op::CallError;

/// A provider that does not keep its time is left after this much more of it.
const GRACE: Duration = Duration::from_millis(500);

/// A turn that is longer is not kept. Brokers refuse such records, and then the call would be made again and again.
const LONGEST_STEP: usize = 512 << 10;
/// A turn that asks for more tools than this is not answered one by one.
const MOST_CALLS: usize = 32;
/// The most letters of a provider's name of a model or an answer.
const LONGEST_NAME: usize = 120;

/// Everything that a conversation begins with.
pub(super) struct Conversation<'a> {
    pub(super) route: &'a ModelRoute,
    pub(super) prompt_hash: &'a str,
    pub(super) system: String,
    pub(super) user: String,
    pub(super) schema: Option<Value>,
    pub(super) temperature: Option<f64>,
    pub(super) max_output_tokens: Option<u32>,
    pub(super) toolbox: &'a Toolbox,
    pub(super) context: ToolContext,
    pub(super) steps: &'a [Bytes],
    pub(super) keep: &'a dyn Keep,
    pub(super) attempt: u32,
    pub(super) deadline: Deadline,
}

/// What the conversation consumed and how it went, also if it failed.
#[derive(Default)]
pub(super) struct Account {
    pub(super) usage: TokenUsage,
    pub(super) details: AnswerDetails,
    /// The short name of the last failure, if there was one.
    pub(super) failure: Option<&'static str>,
}

impl Account {
    /// Notes why there is no answer.
    pub(super) fn fail(&mut self, name: &'static str, error: CallError) -> CallError {
        self.failure = Some(name);
        error
    }
}

/// What was said so far.
struct State {
    turns: Vec<Turn>,
    chain: Chain,
    /// Whether the model was told once that it used a tool wrongly.
    warned: bool,
    /// Whether the second try has begun.
    second: bool,
    /// The wrong answer and the request for a better one. They are no steps.
    repair: Vec<Turn>,
    max_output_tokens: Option<u32>,
}

impl Conversation<'_> {
    /// Talks until `accept` takes an answer's text. A wrong answer or a cut one gets one second try.
    pub(super) async fn run<R>(
        &self,
        account: &mut Account,
        accept: &mut (dyn FnMut(&str) -> Result<R, Flaws> + Send),
    ) -> Result<R, CallError> {
        let mut state = self.begin();
        account.details.tool_calls =
            state.turns.iter().filter(|turn| matches!(turn, Turn::ToolResult(_))).count() as u32;
        loop {
            self.use_tools(&mut state, account).await?;
            let request = self.request(&state, account.details.tool_calls);
            let reply = self.ask(&request, account).await.map_err(|error| self.route.explained(&error))?;
            match &reply.finish {
                Finish::Blocked(reason) => {
                    let error = CallError::permanent(format!("the answer was blocked: {reason}"));
                    return Err(account.fail("blocked", error));
                }
                Finish::Other(reason) => {
                    let text = format!("the answer cannot be used: the model ended with {reason}");
                    return Err(account.fail("unusable", CallError::transient(text)));
                }
                Finish::Length => {
                    // An answer that is complete all the same is not paid twice.
                    if self.schema.is_some()
                        && let Ok(answer) = accept(&reply.text)
                    {
                        return Ok(answer);
                    }
                    try_longer(&mut state, account)?;
                }
                Finish::Stop | Finish::ToolCalls if !reply.calls.is_empty() => {
                    if account.details.tool_calls >= self.toolbox.most || reply.calls.len() > MOST_CALLS {
                        let text = format!("the model asked for more than {} uses of tools", self.toolbox.most);
                        return Err(account.fail("tools", CallError::permanent(text)));
                    }
                    let turn = Turn::Model(reply.turn());
                    self.keep(&mut state, turn).await?;
                }
                Finish::Stop | Finish::ToolCalls if reply.text.trim().is_empty() => {
                    return Err(account.fail("empty", CallError::transient("the answer is empty")));
                }
                Finish::Stop | Finish::ToolCalls => match accept(&reply.text) {
                    Ok(answer) => return Ok(answer),
                    Err(flaws) => try_again(&mut state, account, &reply, &flaws)?,
                },
            }
        }
    }

    /// Begins with what earlier attempts have kept.
    fn begin(&self) -> State {
        let mut chain = Chain::new(self.prompt_hash, &self.user);
        let mut turns = vec![Turn::user(&*self.user)];
        while let Some(turn) = chain.next(self.steps) {
            turns.push(turn);
        }
        let (repair, max_output_tokens) = (Vec::new(), self.max_output_tokens);
        State { turns, chain, warned: false, second: false, repair, max_output_tokens }
    }

    fn request(&self, state: &State, tool_calls: u32) -> ModelRequest {
        ModelRequest {
            model: self.route.model.clone(),
            system: self.system.clone(),
            turns: state.turns.iter().chain(&state.repair).cloned().collect(),
            schema: self.schema.clone(),
            tools: self.toolbox.specs(),
            tool_choice: if tool_calls < self.toolbox.most { ToolChoice::Auto } else { ToolChoice::None },
            temperature: self.temperature,
            max_output_tokens: state.max_output_tokens,
            stream: self.route.stream,
            // The request's own id contains its key, which is nobody else's business.
            id: hex(&sha256(&[&self.context.request])[..16]),
            timeout: self.deadline.left(),
        }
    }

    async fn ask(&self, request: &ModelRequest, account: &mut Account) -> Result<ModelReply, ModelError> {
        let provider = &*self.route.provider;
        let span = span::request(provider, request, self.attempt);
        let work = provider.ask(request).instrument(span.clone());
        let outcome = tokio::time::timeout(request.timeout + GRACE, work).await.unwrap_or_else(|_| {
            Err(ModelError::from(ModelErrorKind::Timeout).with_usage(TokenUsage::estimate(request.bytes(), 0)))
        });
        span::end(&span, &outcome);
        let (told, bytes) = match &outcome {
            Ok(reply) => {
                let details = &mut account.details;
                let told = Some(reply.model_version.as_str()).filter(|version| !version.is_empty());
                details.model = told.map_or_else(|| self.route.model.clone(), name);
                details.response_id = name(&reply.response_id);
                details.finish = reply.finish.label();
                (reply.usage, reply.text.len() as u64)
            }
            Err(error) => {
                account.failure = Some(error.kind.label());
                (error.usage, 0)
            }
        };
        let usage = if told.is_credible() { told } else { TokenUsage::estimate(request.bytes(), bytes) };
        let details = &mut account.details;
        details.estimated_usage |= usage.estimated;
        account.usage += usage;
        outcome
    }

    /// Uses the tools that the last turn asks for and that have no result yet.
    async fn use_tools(&self, state: &mut State, account: &mut Account) -> Result<(), CallError> {
        let Some(asked) = state.turns.iter().rposition(|turn| matches!(turn, Turn::Model(_))) else { return Ok(()) };
        let Turn::Model(ModelTurn { calls, .. }) = &state.turns[asked] else { return Ok(()) };
        let open: Vec<ToolCall> = calls.iter().skip(state.turns.len() - asked - 1).cloned().collect();
        let wrong = open.iter().any(|call| self.toolbox.mistake(call).is_some());
        if wrong && state.warned {
            let error = CallError::permanent("the model used tools wrongly, also after it was told");
            return Err(account.fail("tools", error));
        }
        state.warned |= wrong;
        for call in open {
            let result = if account.details.tool_calls >= self.toolbox.most {
                failed(&call, "no more tools can be used. Answer now")
            } else if let Some(mistake) = self.toolbox.mistake(&call) {
                failed(&call, mistake)
            } else {
                // The state of the conversation is the same after a crash, and so is this id.
                let context = ToolContext { id: state.chain.state().to_owned(), ..self.context.clone() };
                self.toolbox.run(&call, &context, self.deadline.left()).await
            };
            account.details.tool_calls += 1;
            self.keep(state, Turn::ToolResult(result)).await?;
        }
        Ok(())
    }

    /// Adds a turn, and goes on when it is safe.
    async fn keep(&self, state: &mut State, turn: Turn) -> Result<(), CallError> {
        let step = state.chain.step(&turn);
        if step.len() > LONGEST_STEP {
            return Err(CallError::permanent("a turn of the conversation is too long to be kept"));
        }
        state.turns.push(turn);
        match tokio::time::timeout(self.deadline.left(), self.keep.keep(step)).await {
            Ok(Ok(true)) => Ok(()),
            _ => Err(CallError::transient("the attempt was given up before its step was safe")),
        }
    }
}

/// A cut answer is asked for again with twice the room. The cut text is not repeated.
fn try_longer(state: &mut State, account: &mut Account) -> Result<(), CallError> {
    let longer = state.max_output_tokens.and_then(|most| most.checked_mul(2)).filter(|_| !state.second);
    let Some(longer) = longer else {
        let most = state.max_output_tokens.map_or("the model's limit".into(), |most| format!("{most} tokens"));
        return Err(account.fail("cut", CallError::of_route(format!("the answer was cut at {most}"))));
    };
    (state.max_output_tokens, state.second, account.details.repaired) = (Some(longer), true, true);
    Ok(())
}

/// A name that a provider tells. It goes into each report, so it is short, and no page or terminal obeys it.
fn name(told: &str) -> String {
    let visible = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
    told.chars().filter(visible).take(LONGEST_NAME).collect()
}

/// A wrong answer is asked for again, with the mistakes told.
fn try_again(state: &mut State, account: &mut Account, reply: &ModelReply, flaws: &Flaws) -> Result<(), CallError> {
    if state.second {
        let error = CallError::of_route(format!("the answer does not fit: {flaws}"));
        return Err(account.fail("unfit", error));
    }
    (state.second, account.details.repaired) = (true, true);
    let text = format!(
        "Your answer does not fit:\n{}\nAnswer again. Send the whole corrected answer, and nothing else.",
        flaws.for_model()
    );
    state.repair = vec![Turn::Model(reply.turn()), Turn::User { text }];
    Ok(())
}
