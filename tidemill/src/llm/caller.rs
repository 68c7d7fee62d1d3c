//! Answers the requests of an asynchronous step with language models.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{
    batch,
    conversation::{Account, Conversation},
    details::AnswerDetails,
    fingerprint::{canonical, sha256},
    http::Deadline,
    output::Flaws,
    reservation::{self, Tools},
    route::ModelRoute,
    step::Keep,
    task::ModelTask,
    tool::ToolContext,
    toolbox::{Toolbox, key_bytes},
    trial::{Trial, Unkept},
};
use crate::async_op::{CallError, CallRequest, Caller, Reply, Retry, Usage};

/// Uses of tools for a request, if the caller is not told otherwise.
const MAX_TOOL_CALLS: u32 = 4;

/// Answers requests with language models. It is a [`Caller`]: a [`CallExecutor`](crate::CallExecutor) runs it.
///
/// Routes have the names that the policy's routes have ([`CallPolicy::routes`](crate::CallPolicy::routes)). A route is
/// a model, or *offline*: the task answers itself.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use serde_json::{Value, json};
/// # use tidemill::{AsyncCall, CallExecutor, CallPolicy, StreamsBuilder, SystemClock, testing::TopologyTestDriver};
/// # use tidemill::llm::{ModelFuture, ModelReply, ModelRequest, Provider};
/// # #[derive(Debug)]
/// # struct Model;
/// # impl Provider for Model {
/// #     fn name(&self) -> &str {
/// #         "test"
/// #     }
/// #     fn ask<'a>(&'a self, _: &'a ModelRequest) -> ModelFuture<'a> {
/// #         Box::pin(async { Ok(ModelReply { text: r#"{"grade": 7}"#.into(), ..ModelReply::default() }) })
/// #     }
/// # }
/// use tidemill::llm::{AnswerDetails, ModelCaller, ModelRoute, ModelTask, Price, Prompt};
///
/// struct Grading(Prompt);
///
/// impl ModelTask<u64, String, i64> for Grading {
///     fn prompt(&self) -> &Prompt {
///         &self.0
///     }
///     fn data(&self, _student: &u64, essay: &String) -> Value {
///         json!({ "essay": essay })
///     }
///     fn without_model(&self, essay: &String) -> Option<i64> {
///         essay.is_empty().then_some(0)
///     }
///     fn answer(&self, _essay: &String, output: Value, _model: &str) -> Result<i64, String> {
///         output["grade"].as_i64().ok_or_else(|| "grade: a whole number is missing".to_owned())
///     }
/// }
///
/// # let prompt = Prompt::parse(
/// #     "name = 'grading'\nversion = 1\nsystem = 'You are a teacher.'\ntask = 'Grade the essay.'\n[output]\ntype = 'object'",
/// # )?;
/// # let provider = Arc::new(Model);
/// # let runtime = tokio::runtime::Runtime::new()?;
/// let flash = ModelRoute::new(provider, "gemini-2.5-flash").price(Price::per_million(300_000, 2_500_000));
/// let mut caller = ModelCaller::new(Grading(prompt), runtime.handle().clone()).route("default", flash);
///
/// # let builder = StreamsBuilder::new();
/// let call = AsyncCall::<u64, String, i64>::named("grade");
/// let answers = builder.stream::<u64, String>("essays").map_async(&call);
/// answers.map_values(|it| {
///     let model = AnswerDetails::parse(&it.report.details).unwrap_or_default().model;
///     format!("{} by {model}", it.outcome.unwrap_or(-1))
/// }).to("grades");
/// # let driver = TopologyTestDriver::new(&builder.build()?)?;
/// # driver.input::<u64, String>("essays").pipe(1, "To be".into(), 0)?;
/// # let log = Arc::new(driver.log().clone());
/// # let mut executor = CallExecutor::open(&call, "test", log, CallPolicy::default(), Arc::new(SystemClock))?;
/// # let mut grades = Vec::new();
/// # while grades.is_empty() {
/// #     executor.step(&mut caller, Duration::from_millis(10))?;
/// #     grades = driver.output::<u64, String>("grades").read_values()?;
/// # }
/// # assert!(grades[0].starts_with("7 by"), "{grades:?}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ModelCaller<K, V, R> {
    work: Work<K, V, R>,
    runtime: Handle,
}

/// What an attempt needs.
struct Work<K, V, R> {
    task: Arc<dyn ModelTask<K, V, R>>,
    routes: Arc<BTreeMap<Arc<str>, Target>>,
    toolbox: Arc<Toolbox>,
}

#[derive(Clone)]
enum Target {
    Model(ModelRoute),
    Offline,
}

impl<K, V, R> Clone for Work<K, V, R> {
    fn clone(&self) -> Self {
        Self { task: self.task.clone(), routes: self.routes.clone(), toolbox: self.toolbox.clone() }
    }
}

impl<K, V, R> ModelCaller<K, V, R> {
    /// A caller without routes, whose attempts run on this runtime. See the example of [`ModelCaller`].
    ///
    /// # Panics
    /// If the parameters of a tool are no JSON schema.
    pub fn new(task: impl ModelTask<K, V, R>, runtime: Handle) -> Self {
        let toolbox = Arc::new(Toolbox::new(task.tools(), MAX_TOOL_CALLS));
        Self { work: Work { task: Arc::new(task), routes: Arc::default(), toolbox }, runtime }
    }

    /// Adds a route to a model. See the example of [`ModelCaller`].
    #[must_use]
    pub fn route(self, name: impl Into<Arc<str>>, route: ModelRoute) -> Self {
        self.with(name.into(), Target::Model(route))
    }

    /// Adds a route that [`ModelTask::offline`] answers. See the example of the module.
    #[must_use]
    pub fn offline(self, name: impl Into<Arc<str>>) -> Self {
        self.with(name.into(), Target::Offline)
    }

    /// How often the model may use tools for a request. The default is 4.
    #[must_use]
    pub fn max_tool_calls(mut self, most: u32) -> Self {
        Arc::make_mut(&mut self.work.toolbox).most = most;
        self
    }

    /// What the caller does for an application.
    pub fn task(&self) -> &dyn ModelTask<K, V, R> {
        &*self.work.task
    }

    fn with(mut self, name: Arc<str>, target: Target) -> Self {
        Arc::make_mut(&mut self.work.routes).insert(name, target);
        self
    }
}

impl<K, V, R> ModelCaller<K, V, R>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    R: Send + 'static,
{
    /// Makes one attempt without an executor, for programs that try prompts and models. Its steps are not kept. See the
    /// example of [`Trial`].
    pub async fn attempt(&self, request: &CallRequest<K, V>, timeout: Duration) -> Trial<R> {
        let (outcome, usage, account) = self.work.outcome((request, &Unkept), Deadline::after(timeout)).await;
        let failure = account.failure.filter(|_| outcome.is_err());
        Trial { outcome, failure, usage, details: account.details }
    }
}

impl<K, V, R> Caller<K, V, R> for ModelCaller<K, V, R>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    R: Send + 'static,
{
    fn call(&mut self, request: CallRequest<K, V>, reply: Reply<R>) {
        // A caller around this one may not ask what is known.
        if let Some(answer) = self.known(&request) {
            return reply.with_usage(Usage::default()).send(Ok(answer));
        }
        let deadline = Deadline::after(reply.timeout());
        self.runtime.spawn(self.work.clone().answer(request, reply, deadline));
    }

    /// Requests of one tenant and one route share a prompt. Requests with tools or with kept steps are asked alone: a
    /// tool sees what its request's key may see, and each turn is a step of one request.
    fn call_batch(&mut self, batch: Vec<(CallRequest<K, V>, Reply<R>)>) {
        let mut groups: BTreeMap<(Arc<str>, Arc<str>), Vec<_>> = BTreeMap::new();
        for (request, reply) in batch {
            if self.work.shares(&request) && self.known(&request).is_none() {
                let group = (request.route.clone(), self.work.task.tenant(&request.key));
                groups.entry(group).or_default().push((request, reply));
            } else {
                self.call(request, reply);
            }
        }
        for mut group in groups.into_values() {
            match (group.len(), group.pop()) {
                (1, Some((request, reply))) => self.call(request, reply),
                (_, None) => {}
                (_, Some(last)) => {
                    let mut deadline = Deadline::after(last.1.timeout());
                    group.push(last);
                    for (_, reply) in &group {
                        deadline = deadline.min(Deadline::after(reply.timeout()));
                    }
                    self.runtime.spawn(self.work.clone().answer_group(group, deadline));
                }
            }
        }
    }

    /// A token for every three bytes that are sent, and the most tokens of the answer, for each turn that the attempt
    /// may take: the first try, the second one with twice the room, and a turn for each use of a tool. The results of
    /// tools are not counted. A prompt without `max_output_tokens` has no bound of its output.
    fn most(&self, request: &CallRequest<K, V>) -> Usage {
        let Work { task, toolbox, .. } = &self.work;
        let Some(Target::Model(route)) = self.work.routes.get(&request.route) else { return Usage::default() };
        if self.known(request).is_some() {
            return Usage::default();
        }
        let tools = Tools {
            bytes: toolbox.specs().iter().map(|tool| format!("{tool:?}").len()).sum(),
            uses: if toolbox.is_empty() { 0 } else { toolbox.most },
        };
        reservation::most(&route.price, task.prompt(), &task.data(&request.key, &request.value), tools)
    }

    /// A hash of the prompt and of [`ModelTask::content`]. Answers with tools are not shared, because tools see more
    /// than the data.
    fn content(&self, request: &CallRequest<K, V>) -> Option<Bytes> {
        let task = &self.work.task;
        if !self.work.toolbox.is_empty() || self.known(request).is_some() {
            return None;
        }
        let content = task.content(&request.value, task.data(&request.key, &request.value))?;
        let hash = sha256(&[task.prompt().hash().as_bytes(), canonical(&content).as_bytes()]);
        Some(Bytes::copy_from_slice(&hash))
    }

    /// What the task answers without a model.
    fn known(&self, request: &CallRequest<K, V>) -> Option<R> {
        self.work.task.without_model(&request.value)
    }

    fn tenant(&self, key: &K) -> Arc<str> {
        self.work.task.tenant(key)
    }
}

impl<K, V, R> Work<K, V, R>
where
    K: Send + Sync + 'static,
    V: Send + Sync + 'static,
    R: Send + 'static,
{
    /// Whether a request can share a prompt with others.
    fn shares(&self, request: &CallRequest<K, V>) -> bool {
        matches!(self.routes.get(&request.route), Some(Target::Model(_)))
            && self.toolbox.is_empty()
            && request.steps.is_empty()
    }

    fn details(&self) -> AnswerDetails {
        let prompt = self.task.prompt();
        let (name, version, hash) = (prompt.name.clone(), prompt.version, prompt.hash()[..12].to_owned());
        AnswerDetails { prompt: name, version, hash, ..AnswerDetails::default() }
    }

    async fn answer(self, request: CallRequest<K, V>, reply: Reply<R>, deadline: Deadline) {
        let (outcome, usage, account) = self.outcome((&request, &reply), deadline).await;
        reply.with_usage(usage).with_details(account.details.to_json()).send(outcome);
    }

    async fn outcome(
        &self,
        (request, keep): (&CallRequest<K, V>, &dyn Keep),
        deadline: Deadline,
    ) -> (Result<R, CallError>, Usage, Account) {
        let mut account = Account { details: self.details(), ..Account::default() };
        let (outcome, usage) = match self.routes.get(&request.route) {
            _ if let Some(answer) = self.task.without_model(&request.value) => (Ok(answer), Usage::default()),
            None => {
                let text = format!("the caller has no route named {}", request.route);
                (Err(CallError::permanent(text)), Usage::default())
            }
            Some(Target::Offline) => {
                account.details.model = "offline".into();
                let answer = self.task.offline(&request.value);
                (answer.ok_or_else(|| CallError::permanent("there is no answer offline")), Usage::default())
            }
            Some(Target::Model(route)) => {
                account.details.currency.clone_from(&route.currency);
                let outcome = self.ask(route, (request, keep), deadline, &mut account).await;
                (outcome, route.price.usage(&account.usage))
            }
        };
        (outcome, usage, account)
    }

    async fn ask(
        &self,
        route: &ModelRoute,
        (request, keep): (&CallRequest<K, V>, &dyn Keep),
        deadline: Deadline,
        account: &mut Account,
    ) -> Result<R, CallError> {
        let prompt = self.task.prompt();
        let data = self.task.data(&request.key, &request.value);
        prompt.check_input(&data).map_err(|flaws| account.fail("unfit_data", unfit(&flaws)))?;
        let conversation = Conversation {
            user: prompt.user_turn(&data),
            schema: prompt.schema().cloned(),
            max_output_tokens: prompt.max_output_tokens,
            ..self.conversation(route, (request, keep), deadline)
        };
        let mut accept = |text: &str| {
            let output = prompt.check_output(text)?;
            self.task.answer(&request.value, output, &route.model).map_err(Flaws::new)
        };
        conversation.run(account, &mut accept).await
    }

    fn conversation<'a>(
        &'a self,
        route: &'a ModelRoute,
        (request, keep): (&'a CallRequest<K, V>, &'a dyn Keep),
        deadline: Deadline,
    ) -> Conversation<'a> {
        let prompt = self.task.prompt();
        let (key, id) = (key_bytes(&request.id), String::new());
        Conversation {
            route,
            prompt_hash: prompt.hash(),
            system: prompt.system.clone(),
            user: String::new(),
            schema: None,
            temperature: prompt.temperature,
            max_output_tokens: None,
            toolbox: &self.toolbox,
            context: ToolContext { key, request: request.id.clone(), timestamp: request.timestamp, id },
            steps: &request.steps,
            keep,
            attempt: request.attempt,
            deadline,
        }
    }

    /// Asks for several requests at once. Those without a good answer are asked alone.
    async fn answer_group(self, group: Vec<(CallRequest<K, V>, Reply<R>)>, deadline: Deadline) {
        let prompt = self.task.prompt();
        let (mut fit, mut items) = (Vec::new(), Vec::new());
        for (request, reply) in group {
            let data = self.task.data(&request.key, &request.value);
            match prompt.check_input(&data) {
                Ok(()) => {
                    fit.push((request, reply));
                    items.push(data);
                }
                Err(flaws) => reply.with_details(self.details().to_json()).send(Err(unfit(&flaws))),
            }
        }
        let Some((first, reply)) = fit.first() else { return };
        let Some(Target::Model(route)) = self.routes.get(&first.route) else { return };
        let requests = fit.len();
        let mut account = Account { details: self.details(), ..Account::default() };
        account.details.batch = requests as u32;
        account.details.currency.clone_from(&route.currency);
        let conversation = Conversation {
            user: batch::user_turn(prompt, &items),
            schema: Some(batch::schema(prompt)),
            max_output_tokens: prompt.max_output_tokens.map(|most| most.saturating_mul(requests as u32)),
            ..self.conversation(route, (first, reply), deadline)
        };
        let mut accept = |text: &str| batch::answers(prompt, text, requests);
        let outcome = conversation.run(&mut account, &mut accept).await;
        drop(conversation);
        let (usage, details) = (route.price.usage(&account.usage), account.details.to_json());
        let (mut answers, error) = match outcome {
            Ok(answers) => (answers, None),
            // One bad item may have spoilt the prompt for all.
            Err(error) if matches!(error.retry, Retry::Never | Retry::OtherRoute) => (BTreeMap::new(), None),
            Err(error) => (BTreeMap::new(), Some(error)),
        };
        for (index, (request, reply)) in fit.into_iter().enumerate() {
            let reply = reply.with_usage(batch::share(usage, index, requests));
            let answer =
                answers.remove(&index).and_then(|output| self.task.answer(&request.value, output, &route.model).ok());
            match (answer, &error) {
                (Some(answer), _) => reply.with_details(details.clone()).send(Ok(answer)),
                (None, Some(error)) => reply.with_details(details.clone()).send(Err(error.clone())),
                (None, None) => drop(tokio::spawn(self.clone().answer(request, reply, deadline))),
            }
        }
    }
}

/// The data is the program's own. Another attempt would send the same.
fn unfit(flaws: &Flaws) -> CallError {
    CallError::permanent(format!("the data does not fit the prompt's input: {flaws}"))
}
