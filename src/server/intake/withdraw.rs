//! Takes in withdrawals: requests to take back a part of an owner's data, such as a deleted message.

use std::sync::Arc;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tidemill::{Clock as _, SystemClock, state::Json};
use tidemill_schemas::{MAX_ID_BYTES, describe_errors};

use super::write::Intake;
use crate::{
    apps::{App, Incoming, Part, Withdrawal, Withdrawals},
    server::{access::Visitor, problem::Problem},
};

/// The ids in the address of a withdrawal.
#[derive(Debug, serde::Deserialize)]
pub(in crate::server) struct Named {
    /// The owner's id.
    id: String,
    /// The id of what is withdrawn.
    part_id: String,
}

/// `DELETE` of a part of an owner's data. The topology applies it a moment later.
pub(in crate::server) async fn withdraw(
    intake: Arc<Intake>,
    app: App,
    withdrawals: &'static Withdrawals,
    part: &'static Part,
    Named { id: owner, part_id: id }: Named,
    visitor: Visitor,
) -> Result<Response, Problem> {
    intake.engine.app(app)?;
    visitor.may(app, &owner)?;
    if id.trim().is_empty() || id.len() > MAX_ID_BYTES {
        let (word, bytes) = (part.word, id.len());
        let fix = format!("send the id as the events have it: at most {MAX_ID_BYTES} bytes");
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("the {word} id is empty or too long: {bytes} bytes"),
            fix,
        ));
    }
    let requested_ms = SystemClock.now_ms();
    let withdrawal = Withdrawal { part: part.path.to_owned(), id, requested_ms };
    let record = Incoming::new(&Json::<Withdrawal>::default(), &owner, &withdrawal, requested_ms)
        .map_err(|errors| Problem::internal(&describe_errors(&errors)))?;
    let admitted = intake.pressure.admit(app, 1)?;
    visitor.take(1)?;
    intake.write(withdrawals.topic, vec![record]).await?;
    admitted.written();
    Ok((StatusCode::ACCEPTED, axum::Json(json!({ "accepted": 1, "effect": part.effect }))).into_response())
}
