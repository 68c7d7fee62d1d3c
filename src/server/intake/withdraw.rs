//! Takes in withdrawals: requests to take back a part of an owner's data, such as a deleted message.

use std::sync::Arc;

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::json;
use tidemill::{Clock as _, SystemClock, state::Json};
use tidemill_schemas::{describe_errors, validate_id};

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
    validate_id(app.owner.field, &owner).map_err(|errors| Problem::not_valid("id", errors))?;
    validate_id(part.word, &id).map_err(|errors| Problem::not_valid("id", errors))?;
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
