//! Where requests are answered: the schedule, the log and the quotas together.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use crate::asked::Asked;
use crate::delivery;
use crate::dialect::{Dialect, Envelope};
use crate::draw::Draw;
use crate::key;
use crate::ledger::{Book, Outcome};
use crate::model::{self, Asking};
use crate::refusal::Refusal;
use crate::reply::{Reply, Usage};
use crate::schedule::{Buckets, Fault, Room, Schedule};
use crate::visit::{Arrival, Visit};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Desk {
    started: Instant,
    schedule: Mutex<Arc<Schedule>>,
    book: Mutex<Book>,
    buckets: Mutex<Buckets>,
    connections: AtomicUsize,
}

/// A request before anything is known of it.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) dialect: Dialect,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The model in the path, if the protocol has it there.
    pub(crate) model: String,
    pub(crate) stream: bool,
    pub(crate) key_in_address: Option<String>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    pub(crate) fn new(schedule: Schedule) -> Self {
        Self {
            started: Instant::now(),
            schedule: Mutex::new(Arc::new(schedule)),
            book: Mutex::default(),
            buckets: Mutex::default(),
            connections: AtomicUsize::new(0),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    pub(crate) fn schedule(&self) -> Arc<Schedule> {
        lock(&self.schedule).clone()
    }

    pub(crate) fn set(&self, schedule: Schedule) {
        *lock(&self.schedule) = Arc::new(schedule);
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    pub(crate) fn connections(&self) -> &AtomicUsize {
        &self.connections
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Answers a request.
    pub(crate) async fn answer(self: Arc<Self>, request: Request) -> Response {
        let schedule = self.schedule();
        let dialect = request.dialect;
        let key = dialect.key(&request.headers, request.key_in_address.clone());
        let asked = dialect.read(&request.body, request.model.clone(), request.stream);
        let model = asked.as_ref().map_or(request.model.as_str(), |asked| &asked.model).to_owned();
        let id = id(&request, &model);
        let mut visit = Visit::begin(&self, &schedule, Arrival { id: &id, key: key.as_deref(), model, asked: &asked });

        let refuse = |visit: Visit, outcome, refusal: &Refusal| {
            let response = dialect.refusal(refusal);
            visit.settle(outcome, response.status());
            response
        };
        if schedule.outage_at(self.now_ms()).is_some() {
            return refuse(visit, Outcome::Outage, &Refusal::Unavailable);
        }
        let asked = match admitted(dialect, &schedule, key.as_deref(), asked) {
            Ok(asked) => asked,
            Err(refusal) => return refuse(visit, Outcome::Refused, &refusal),
        };

        let fault = schedule.fault(&id, visit.asking);
        let (reply, course) = model::reply(&asked, &schedule, fault, Asking { id: &id, number: visit.asking });
        let usage = match &reply {
            Reply::Answer(answer) => Some(answer.usage),
            Reply::Empty(usage) => Some(*usage),
            Reply::BlockedPrompt(usage) if dialect != Dialect::OpenAi => Some(*usage),
            _ => None,
        };
        if let Some(refusal) = self.over_quota(&schedule, key.as_deref(), usage, &visit, &id) {
            return refuse(visit, Outcome::OverQuota, &refusal);
        }
        visit.owes = usage;
        // Refusals for the number of requests and for the credit come at once: no model is asked.
        let at_once = matches!(&reply, Reply::Refused(Refusal::RateLimited { .. } | Refusal::OutOfCredit));
        if !at_once {
            let time = schedule.latency.time(&mut schedule.draw("latency", &id, visit.asking));
            if !time.is_zero() {
                tokio::time::sleep(time).await;
            }
        }
        visit.pay();

        let outcome = fault.map_or(Outcome::Answered, Outcome::Fault);
        let response_id = schedule.draw("response", &id, visit.asking).hex();
        let envelope = Envelope { id: &response_id, asked: &asked };
        let object = |visit: Visit, object: &serde_json::Value| {
            let response = delivery::object(dialect, asked.stream, object);
            visit.settle(outcome, response.status());
            response
        };
        match reply {
            Reply::Answer(answer) => {
                let outcome = match (fault, answer.calls.is_empty()) {
                    (None, false) => Outcome::AskedForTools,
                    // There was no call that it could strike.
                    (Some(Fault::MalformedCall | Fault::UnknownTool | Fault::StopDespiteCall), true) => {
                        Outcome::Answered
                    }
                    _ => outcome,
                };
                visit.note(outcome, StatusCode::OK);
                delivery::answer(dialect, envelope, &answer, course, visit)
            }
            Reply::BlockedPrompt(usage) => match dialect.blocked_prompt(envelope, usage) {
                Some(blocked) => object(visit, &blocked),
                None => refuse(visit, outcome, &Refusal::BlockedPrompt),
            },
            Reply::Empty(usage) => object(visit, &dialect.empty(envelope, usage)),
            Reply::OkError => object(visit, &dialect.ok_error()),
            Reply::Refused(refusal) => refuse(visit, outcome, &refusal),
            Reply::Silence => {
                self.book().note(visit.number, |call| call.outcome = outcome);
                match delivery::silence().await {}
            }
        }
    }

    fn over_quota(
        &self,
        schedule: &Schedule,
        key: Option<&str>,
        usage: Option<Usage>,
        visit: &Visit,
        id: &str,
    ) -> Option<Refusal> {
        let quota = schedule.quota.as_ref()?;
        let tokens = usage.map_or(0, |usage| usage.total());
        match lock(&self.buckets).take(quota, key.unwrap_or_default(), tokens, self.now_ms()) {
            Room::Enough => None,
            Room::After { ms, of } => {
                let mut draw = schedule.draw("retry", id, visit.asking);
                let hint = model::hint(schedule, &mut draw);
                Some(Refusal::RateLimited { after: Duration::from_millis(ms), hint, of })
            }
        }
    }
}

/// The request's id: a header, or a hash of the model and the body.
fn id(request: &Request, model: &str) -> String {
    let header = |name| key::header(&request.headers, name);
    header("x-request-id").or_else(|| header("idempotency-key")).unwrap_or_else(|| {
        let body = String::from_utf8_lossy(&request.body);
        format!("body-{}", Draw::of(0, &[model, &body]).hex())
    })
}

/// The question, if its key is right, its model exists and it is well formed.
fn admitted(
    dialect: Dialect,
    schedule: &Schedule,
    key: Option<&str>,
    asked: Result<Asked, String>,
) -> Result<Asked, Refusal> {
    match key {
        None if dialect.needs_key() || !schedule.keys.is_empty() => return Err(Refusal::NoKey),
        Some(key) if !schedule.keys.is_empty() && !schedule.keys.iter().any(|right| right == key) => {
            return Err(Refusal::BadKey);
        }
        _ => {}
    }
    let asked = asked.map_err(Refusal::BadRequest)?;
    if !schedule.models.is_empty() && !schedule.models.contains(&asked.model) {
        return Err(Refusal::NoModel(asked.model));
    }
    Ok(asked)
}
