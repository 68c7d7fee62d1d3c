//! Which faults there are, and how often each strikes.

use serde::{Deserialize, Serialize};

macro_rules! faults {
    ($($(#[doc = $doc:literal])+ $fault:ident $rate:ident,)+) => {
        /// What goes wrong with a call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Fault {
            $($(#[doc = $doc])+ $fault,)+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$fault,)+];

            /// Its name in JSON and on the command line.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$fault => stringify!($rate),)+ }
            }
        }

        /// How often each fault strikes: shares of all calls, together at most 1. One call has one fault at most.
        #[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Rates {
            $($(#[doc = $doc])+ pub $rate: f64,)+
        }

        impl Rates {
            /// The share of a fault.
            pub fn get(&self, fault: Fault) -> f64 {
                match fault { $(Fault::$fault => self.$rate,)+ }
            }

            /// Sets the share of a fault.
            pub fn set(&mut self, fault: Fault, share: f64) {
                match fault { $(Fault::$fault => self.$rate = share,)+ }
            }
        }
    };
}

faults! {
    /// Too many requests (429): says when to come back. Not billed.
    RateLimited rate_limited,
    /// The account has no credit, or its quota of the day is used up (429): coming back soon does not help. Not billed.
    OutOfCredit out_of_credit,
    /// An internal error (500). Not billed.
    InternalError internal_error,
    /// Overloaded (503). Not billed.
    Unavailable unavailable,
    /// A gateway before the provider answers with a page of HTML (502). Not billed.
    GatewayPage gateway_page,
    /// Status 200 with an error object in the place of the answer, or in the middle of a stream. Billed in a stream.
    OkError ok_error,
    /// The answer ends too early: `MAX_TOKENS`, `length`. JSON is cut.
    Truncated truncated,
    /// All tokens went into thoughts: `MAX_TOKENS`, `length`, and no text.
    ThoughtOnly thought_only,
    /// The same words again and again until no tokens are left, or 4,096 are used: `MAX_TOKENS`, `length`. It is costly.
    Repeats repeats,
    /// JSON that cannot be parsed, although the answer ended as it should.
    Malformed malformed,
    /// Valid JSON that does not fit the schema.
    WrongSchema wrong_schema,
    /// JSON within a fence of Markdown, after a sentence.
    Fenced fenced,
    /// Thoughts before the answer: a part with `thought`, or `<think>` within the text.
    ThinksAloud thinks_aloud,
    /// The prompt is refused: `promptFeedback.blockReason`, or status 400 with the code `content_filter`.
    BlockedPrompt blocked_prompt,
    /// The answer is withheld: `SAFETY`, `content_filter`.
    BlockedAnswer blocked_answer,
    /// No candidates, no choices.
    Empty empty,
    /// An answer that ended as it should, without any text.
    EmptyText empty_text,
    /// A call of a tool that cannot be parsed: `MALFORMED_FUNCTION_CALL` without content, or arguments that are not JSON.
    /// Strikes only where tools are declared.
    MalformedCall malformed_call,
    /// A call of a tool that was not declared. Strikes only where tools are declared.
    UnknownTool unknown_tool,
    /// A call of a tool that ends with `stop` in the place of `tool_calls`. Gemini always does so. Strikes only where tools
    /// are declared.
    StopDespiteCall stop_despite_call,
    /// The answer does not say what it used. It is billed.
    NoUsage no_usage,
    /// Never answers, until the client leaves. Not billed.
    Hang hang,
    /// The connection closes in the middle of the answer. Billed.
    Cut cut,
    /// A stream ends in the middle as if it were complete: no finish reason, no `[DONE]`. Billed. Without streaming: JSON
    /// that ends in the middle.
    Unfinished unfinished,
    /// Each piece comes after a pause, in a stream and without. A stream has comments between.
    SlowStream slow_stream,
}

impl Rates {
    /// Every call has this fault.
    pub fn always(fault: Fault) -> Self {
        let mut rates = Self::default();
        rates.set(fault, 1.0);
        rates
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        for &fault in Fault::ALL {
            let share = self.get(fault);
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("The rate {} is {share}. Give a share from 0 to 1.", fault.name()));
            }
        }
        let sum: f64 = Fault::ALL.iter().map(|&fault| self.get(fault)).sum();
        if sum > 1.0 + 1e-9 {
            return Err(format!("The rates of all faults sum to {sum}. Lower them to 1 together."));
        }
        Ok(())
    }

    /// The fault at this place between 0 and 1.
    pub(crate) fn strike(&self, place: f64) -> Option<Fault> {
        let mut end = 0.0;
        Fault::ALL.iter().copied().find(|&fault| {
            end += self.get(fault);
            place < end
        })
    }
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|fault| fault.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|fault| fault.name()).collect();
            format!("There is no fault '{name}'. Write one of: {}.", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, Rates};

    #[test]
    fn names_are_those_of_json() {
        for &fault in Fault::ALL {
            assert_eq!(serde_json::to_value(fault).expect("a name"), fault.name());
        }
    }

    #[test]
    fn rates_beyond_their_bounds_are_refused() {
        assert!(Rates { cut: 1.5, ..Rates::default() }.check().is_err());
        assert!(Rates { cut: 0.6, hang: 0.6, ..Rates::default() }.check().is_err());
        assert!(Rates { cut: 0.6, hang: 0.4, ..Rates::default() }.check().is_ok());
    }
}
