//! Parts of an owner's data that can be withdrawn.

/// Everything that can be withdrawn from an owner's data.
#[derive(Debug, Clone, Copy)]
pub struct Withdrawals {
    /// The topic of requests, keyed by owner; see [`Withdrawal`](crate::apps::Withdrawal).
    pub topic: &'static str,
    /// The parts.
    pub parts: &'static [Part],
}

/// A part that can be withdrawn, with `DELETE` of `/v1/<owners>/<id>/<path>/<the part's id>`.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// The word in the address, such as `chat`.
    pub path: &'static str,
    /// The word for one of these, such as `message`.
    pub word: &'static str,
    /// When and how a withdrawal takes effect, in a sentence for the sender.
    pub effect: &'static str,
}
