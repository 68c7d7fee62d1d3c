//! All clips of a stream: its best candidates, now or when it has ended.

use std::sync::Arc;

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{CANDIDATES, Clipping};
use crate::{
    apps::Parameters,
    clips::{All, Asked, ClipView, When},
    server::{access::Visitor, intake::Request, problem::Problem},
};

/// What a view of candidates answers.
#[derive(Debug, Deserialize)]
struct Candidates {
    candidates: Vec<Candidate>,
}

#[derive(Debug, Deserialize)]
struct Candidate {
    start_ms: i64,
    end_ms: i64,
    reasons: Vec<String>,
}

/// What became of a wish for all clips.
pub(super) struct Made {
    pub(super) clips: Vec<ClipView>,
    /// Candidates that could not be asked for, each with the reason.
    pub(super) refused: Vec<Problem>,
}

/// `POST /v1/streams/{id}/clips/all`: asks for clips of the best candidates, at once or when the stream has ended.
pub(in crate::server) async fn all(clipping: Arc<Clipping>, id: String, request: Request) -> Result<Response, Problem> {
    let fix = "send {} or any of most, shape, captions and when (now, end, never)";
    let (visitor, all): (Visitor, All) = clipping.read(&id, request, fix).await?;
    all.check()?;
    visitor.take(1)?;
    clipping.sources.seen(&id)?;
    match all.when {
        When::Now => {
            let Made { clips, refused } = clipping.make_all(&id, &all, Some(&visitor)).await?;
            let shown = json!({ "clips": clips, "refused": refused, "all": clipping.desk.wished(&id) });
            Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
        }
        When::End => clipping.wish(&id, Some(all)),
        When::Never => clipping.wish(&id, None),
    }
}

impl Clipping {
    fn wish(&self, id: &str, wish: Option<All>) -> Result<Response, Problem> {
        self.desk.wish(id, wish)?;
        let shown = json!({ "clips": [], "refused": [], "all": self.desk.wished(id) });
        Ok((StatusCode::ACCEPTED, Json(shown)).into_response())
    }

    /// Asks for clips of the best candidates of a stream.
    pub(super) async fn make_all(&self, id: &str, all: &All, visitor: Option<&Visitor>) -> Result<Made, Problem> {
        let found = self.candidates(id, all.most, visitor).await?;
        let longest = self.desk.settings().longest_asked().as_millis() as i64;
        let (mut clips, mut refused) = (Vec::new(), Vec::new());
        for Candidate { start_ms, end_ms, reasons } in found.candidates {
            let asked = Asked {
                start_ms,
                end_ms: end_ms.min(start_ms.saturating_add(longest)),
                reason: Some(short(&reasons.join("; "))),
                shape: all.shape,
                captions: all.captions,
            };
            match self.submit(id, asked).await {
                Ok(clip) => clips.push(clip),
                Err(problem) => refused.push(problem),
            }
        }
        Ok(Made { clips, refused })
    }

    async fn candidates(&self, id: &str, most: usize, visitor: Option<&Visitor>) -> Result<Candidates, Problem> {
        let view = self.app.views.iter().find(|view| view.name == CANDIDATES);
        let view = view.ok_or_else(|| Problem::not_found("ranking of moments", "ask for clips one by one"))?;
        let asked = Parameters::from([("most".to_owned(), most.to_string())]);
        let (shown, _) = self.views.make(self.app, view, id.to_owned(), visitor, &asked).await?;
        serde_json::from_slice(&shown.body).map_err(|error| Problem::internal(&error))
    }
}

/// A text that fits into a reason.
fn short(text: &str) -> String {
    text.chars().take(120).collect()
}
