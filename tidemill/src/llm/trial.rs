//! One attempt outside an executor, for programs that try prompts and models.

use bytes::Bytes;
use tokio::sync::oneshot;

use super::{details::AnswerDetails, step::Keep};
use crate::async_op::{CallError, Usage};

/// How an attempt of [`ModelCaller::attempt`](super::ModelCaller::attempt) ended.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use bytes::Bytes;
/// # use serde_json::{Value, json};
/// # use tidemill::{CallRequest, Usage};
/// # use tidemill::llm::{ModelCaller, ModelFuture, ModelReply, ModelRequest, ModelRoute, ModelTask, Prompt, Provider};
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
/// # struct Grading(Prompt);
/// # impl ModelTask<u64, String, i64> for Grading {
/// #     fn prompt(&self) -> &Prompt {
/// #         &self.0
/// #     }
/// #     fn data(&self, _: &u64, essay: &String) -> Value {
/// #         json!(essay)
/// #     }
/// #     fn answer(&self, _: &String, output: Value, _: &str) -> Result<i64, String> {
/// #         output["grade"].as_i64().ok_or_else(|| "grade: a whole number is missing".to_owned())
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let prompt = "name = 'grading'\nversion = 2\nsystem = 'You teach.'\ntask = 'Grade.'\n[output]\ntype = 'object'";
/// # let prompt = Prompt::parse(prompt)?;
/// let caller = ModelCaller::new(Grading(prompt), tokio::runtime::Handle::current())
///     .route("flash", ModelRoute::new(Arc::new(Model), "gemini-2.5-flash"));
/// let request = CallRequest {
///     key: 7,
///     value: "To be".to_owned(),
///     timestamp: 0,
///     attempt: 1,
///     id: Bytes::from("essay-7"),
///     route: "flash".into(),
///     steps: Vec::new(),
/// };
/// let trial = caller.attempt(&request, Duration::from_secs(30)).await;
/// assert_eq!((trial.outcome?, trial.failure, trial.details.version), (7, None, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Trial<R> {
    /// The answer.
    pub outcome: Result<R, CallError>,
    /// A short name of the failure, the same as in spans (`rate_limited`, `timeout`, …), or what was wrong with the
    /// answer: `unfit`, `cut`, `empty`, `blocked`, `unusable`, `tools`. `unfit_data` if the data does not fit the prompt.
    pub failure: Option<&'static str>,
    /// What the attempt consumed, also if it failed.
    pub usage: Usage,
    /// How the model came to its answer.
    pub details: AnswerDetails,
}

/// Forgets steps. An attempt without an executor is never continued.
pub(super) struct Unkept;

impl Keep for Unkept {
    fn keep(&self, _: Bytes) -> oneshot::Receiver<bool> {
        let (sender, receiver) = oneshot::channel();
        // The receiver is still there.
        let _ = sender.send(true);
        receiver
    }
}
