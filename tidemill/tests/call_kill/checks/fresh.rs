//! An executor that starts now reads the same sums from the ledger's topic.

use std::{sync::Arc, time::Duration};

use tidemill::{CallExecutor, CallRequest, Clock, Reply, SystemClock, Usage, Windowed};

use crate::{
    Tested,
    run::Evidence,
    spent::Spent,
    time::Fast,
    work::{self, APP, ROUTES},
};

pub(super) fn check(evidence: &Evidence, spent: &Spent) -> Tested {
    let run = &evidence.run;
    let clock: Arc<dyn Clock> = match run.plan.speed {
        1 => Arc::new(SystemClock),
        speed => Arc::new(Fast::new(run.began_real_ms, speed)),
    };
    // It shows the present day.
    let today = clock.now_ms().div_euclid(86_400_000);
    if spent.entries.keys().any(|owner| owner.hour.div_euclid(24) != today) {
        return Ok(());
    }
    if run.plan.speed > 1 {
        // Members count as dead after a minute of silence.
        std::thread::sleep(Duration::from_secs(62) / run.plan.speed);
    }
    let mut executor = CallExecutor::open(&work::call(), APP, run.site.open()?, run.plan.policy(), clock)?;
    let mut none = |_: CallRequest<Windowed<String>, Vec<String>>, _: Reply<String>| ();
    for _ in 0..100 {
        executor.step(&mut none, Duration::from_millis(10))?;
    }
    let shown = executor.snapshot();
    for route in ROUTES {
        let read = spent.sum(|owner| owner.route == route);
        let rows: Vec<_> = shown.spending.iter().filter(|row| row.route == route).map(|row| row.day).collect();
        let sum = |of: &dyn Fn(&tidemill::Spent) -> Usage| rows.iter().map(of).sum::<Usage>();
        let calls: u64 = rows.iter().map(|day| day.calls).sum();
        let (unknown, open) =
            (rows.iter().map(|day| day.unknown_calls).sum::<u64>(), rows.iter().map(|day| day.open_calls).sum::<u64>());
        let same = calls == read.calls
            && sum(&|day| day.usage) == read.used
            && unknown == read.open.len() as u64
            && open == 0
            && sum(&|day| day.unknown) == read.open.iter().map(|(_, most)| *most).sum();
        if !same {
            return Err(format!(
                "{route}: a fresh executor reads {calls} calls, {unknown} unknown, {open} open, and the topic has {} \
                 calls and {} open",
                read.calls,
                read.open.len()
            )
            .into());
        }
    }
    Ok(())
}
