//! The steps of a driver: each runs the application until no work is left.

use std::time::Duration;

use super::Core;
use crate::{
    error::TaskError,
    names::ThreadName,
    runtime::{GlobalThread, StreamThread},
};

impl Core {
    /// Runs the thread's loop until no work is left, and commits after each turn. A punctuation may produce input for
    /// another subtopology. A note of idle time closes that subtopology's windows at its next punctuation.
    pub(in crate::testing) fn run(&self) -> Result<(), TaskError> {
        if !self.follow_globals()? {
            return Ok(());
        }
        self.with_thread(|thread| {
            let mut last = None;
            loop {
                let mut quiet = 0;
                while quiet < 2 {
                    if !self.follow_globals()? {
                        return Ok(());
                    }
                    let done = thread.step(Duration::ZERO)?;
                    thread.commit_now()?;
                    quiet = if done == 0 && thread.is_idle() { quiet + 1 } else { 0 };
                }
                if last.replace(thread.status.commits) == Some(thread.status.commits) {
                    return Ok(());
                }
                thread.tick_now()?;
                thread.commit_now()?;
            }
        })
    }

    /// Global stores take up all updates that wait. `false` if one waits for something else, and tasks with it.
    fn follow_globals(&self) -> Result<bool, TaskError> {
        let mut slot = self.globals.borrow_mut();
        let globals = match &mut *slot {
            Some(globals) => globals,
            none => none.insert(GlobalThread::start_all(&self.app)?),
        };
        let followed = globals.iter_mut().try_for_each(|global| {
            let mut quiet = false;
            while !quiet {
                quiet = global.step(Duration::ZERO)? == 0 && (global.is_whole() || global.waits());
            }
            Ok(())
        });
        if followed.is_err() {
            *slot = None;
        }
        followed.map(|()| self.app.settings.globals.are_whole())
    }

    pub(super) fn with_thread<R>(
        &self,
        run: impl FnOnce(&mut StreamThread) -> Result<R, TaskError>,
    ) -> Result<R, TaskError> {
        let mut slot = self.thread.borrow_mut();
        let thread = match &mut *slot {
            Some(thread) => thread,
            empty => empty.insert(StreamThread::start(self.app.clone(), ThreadName::new("driver", 0))?),
        };
        let done = run(thread);
        if done.is_err() {
            *slot = None;
        }
        done
    }
}
