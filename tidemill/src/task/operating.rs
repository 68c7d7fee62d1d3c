//! The operators of a running task. They are closed when the task ends, however it ends.

use std::{
    ops::Deref,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{error::panic_text, operators::Lifecycles};

/// Operators that are closed with the task.
pub(super) struct Operating(Lifecycles);

impl Operating {
    pub(super) fn new(operators: Lifecycles) -> Self {
        Self(operators)
    }
}

impl Deref for Operating {
    type Target = Lifecycles;

    fn deref(&self) -> &Lifecycles {
        &self.0
    }
}

impl Drop for Operating {
    fn drop(&mut self) {
        for operator in self.0.values() {
            // An operator that panicked may still be borrowed by the call that panicked, if this drop is part of the
            // unwinding.
            let Ok(mut operator) = operator.try_borrow_mut() else { continue };
            // The close runs user code. The task is over already, so an error could stop nothing.
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| operator.end())) {
                tracing::error!(panic = %panic_text(panic.as_ref()), "a processor panicked while it was closed");
            }
        }
    }
}
