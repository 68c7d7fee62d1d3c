//! The comparison of two sides.

use serde::Serialize;
use serde_json::Value;

use super::{
    agreement::{FieldAgreement, distance, fields, of_field, overall},
    side::{Answer, Side},
};

/// The most requests whose answers are shown.
const SHOWN: usize = 10;

/// Both answers to a request.
#[derive(Debug, Clone)]
pub struct Compared {
    /// The id of the recorded call.
    pub id: String,
    /// The answer of the prompt or the model that is tried.
    pub candidate: Answer,
    /// The answer that it is compared with.
    pub against: Answer,
}

/// Two answers that differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The id of the recorded call.
    pub id: String,
    /// How far the answers are from each other, from 0 to 1.
    pub distance: f64,
    /// The answer of the candidate.
    pub candidate: Value,
    /// The answer that it is compared with.
    pub against: Value,
}

/// A request without a good answer of the candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The id of the recorded call.
    pub id: String,
    /// The failure's short name.
    pub kind: String,
    /// What is wrong.
    pub message: String,
}

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The application's id.
    pub application: String,
    /// How many requests were to be asked.
    pub requests: usize,
    /// How many were asked.
    pub asked: usize,
    /// Whether the evaluation was interrupted.
    pub interrupted: bool,
    /// The currency of all costs.
    pub currency: String,
    /// The candidate's answers.
    pub candidate: Side,
    /// The answers that they are compared with.
    pub against: Side,
    /// The share of the candidate's requests whose answers fit.
    pub valid: f64,
    /// The first requests without a good answer of the candidate.
    pub failed: Vec<Failed>,
    /// How many requests have two answers.
    pub compared: usize,
    /// The mean agreement of all fields but free texts. `None` if nothing could be compared.
    pub agreement: Option<f64>,
    /// The agreement of each field.
    pub fields: Vec<FieldAgreement>,
    /// The requests whose answers differ most, the largest difference first.
    pub differences: Vec<Difference>,
}

impl Summary {
    /// Compares answers. `schema` is that of the candidate's prompt; `tolerance` is the share of a number's range that
    /// counts as agreement.
    pub fn of(names: [&str; 2], all: &[Compared], schema: Option<&Value>, tolerance: f64) -> Self {
        let candidate = Side::of(names[0], all.iter().map(|both| &both.candidate));
        let against = Side::of(names[1], all.iter().map(|both| &both.against));
        let pairs: Vec<_> = all
            .iter()
            .filter_map(|both| {
                let (one, other) = (both.candidate.outcome.as_ref().ok()?, both.against.outcome.as_ref().ok()?);
                Some((&both.id, one, other))
            })
            .collect();
        let failed = all.iter().filter_map(|both| {
            let (kind, message) = both.candidate.outcome.as_ref().err()?.clone();
            Some(Failed { id: both.id.clone(), kind, message })
        });
        let fields = fields(pairs.iter().flat_map(|(_, one, other)| [*one, *other]), schema, tolerance);
        let values: Vec<_> = pairs.iter().map(|(_, one, other)| (*one, *other)).collect();
        let agreements: Vec<_> = fields.iter().map(|field| of_field(field, &values)).collect();
        let mut differences: Vec<_> = pairs
            .iter()
            .map(|(id, one, other)| {
                let distance = distance(&fields, one, other);
                Difference { id: (*id).clone(), distance, candidate: (*one).clone(), against: (*other).clone() }
            })
            .filter(|difference| difference.distance > 0.0)
            .collect();
        differences.sort_by(|one, other| other.distance.total_cmp(&one.distance));
        differences.truncate(SHOWN);
        Self {
            application: String::new(),
            requests: all.len(),
            asked: all.len(),
            interrupted: false,
            currency: String::new(),
            valid: candidate.valid(),
            candidate,
            against,
            failed: failed.take(SHOWN).collect(),
            compared: pairs.len(),
            agreement: overall(&agreements),
            fields: agreements,
            differences,
        }
    }

    /// What falls below the least validity or the least agreement, in sentences.
    pub fn below(&self, min_valid: f64, min_agreement: Option<f64>) -> Vec<String> {
        let mut below = Vec::new();
        if self.valid < min_valid {
            below.push(format!("{:.3} of the answers fit the schema, less than {min_valid}", self.valid));
        }
        match (self.agreement, min_agreement) {
            (Some(agreement), Some(least)) if agreement < least => {
                below.push(format!("the agreement is {agreement:.3}, less than {least}"));
            }
            (None, Some(_)) => below.push("no request has two answers, so there is no agreement".to_owned()),
            _ => {}
        }
        below
    }
}
