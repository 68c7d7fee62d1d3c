//! Whether the limits leave room for an attempt, and if not, when to ask again.

use std::{fmt, sync::Arc};

use super::{
    super::Usage,
    limit::{Limit, Period},
    tally::{Amounts, HourSums, Tally, Totals},
    time::{DAY_HOURS, HOUR_MS, MINUTE_MS, minute},
};

/// Why an attempt may not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The limit that leaves no room. If several do, the one that lasts longest.
    pub(crate) limit: Limit,
    /// When it makes sense to ask again.
    pub(crate) again: Again,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, again } = self;
        match again {
            Again::Never => write!(f, "the request alone is larger than the limit: {limit}"),
            Again::At(_) | Again::WhenOneEnds => write!(f, "the limit is exhausted: {limit}"),
        }
    }
}

/// When it makes sense to ask again. A later variant waits longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Again {
    /// When some attempt ends and leaves room. It may also be that a member died, which no record tells, so ask again
    /// after some seconds too.
    WhenOneEnds,
    /// At this time: a period ends.
    At(i64),
    /// Never: the attempt alone is larger than the limit.
    Never,
}

/// An attempt that asks.
pub(super) struct Asking<'a> {
    pub(super) tenant: &'a Arc<str>,
    pub(super) route: &'a Arc<str>,
    pub(super) most: &'a Usage,
    /// The hour and the minute in which it starts.
    pub(super) hour: i64,
    pub(super) minute_of_hour: u8,
    /// The time at which it asks.
    pub(super) at_ms: i64,
}

impl Asking<'_> {
    /// Whether all limits leave room beside what the totals hold.
    pub(super) fn check(
        &self,
        limits: &[Limit],
        totals: &[&Totals],
        alive: impl Fn(&str) -> bool,
    ) -> Result<(), Refusal> {
        let refusals = limits.iter().filter(|limit| limit.covers(self.tenant, self.route)).filter_map(|limit| {
            let tallies: Vec<_> = totals.iter().filter_map(|totals| totals.of(limit, self.tenant)).collect();
            self.room(limit, &tallies, &alive).err().map(|again| Refusal { limit: limit.clone(), again })
        });
        refusals.max_by_key(|refusal| refusal.again).map_or(Ok(()), Err)
    }

    fn room(&self, limit: &Limit, tallies: &[&Tally], alive: impl Fn(&str) -> bool) -> Result<(), Again> {
        let (need, most) = (limit.quantity.of(self.most), limit.most);
        if need > most {
            return Err(Again::Never);
        }
        let room = i128::from(most - need);
        let get = |amounts: &Amounts| amounts.get(limit.quantity);
        // What stays in the hours, and what may still become less.
        let sum = |hours: &mut dyn Iterator<Item = &HourSums>| {
            let (mut stays, mut runs) = (0, 0);
            for sums in hours {
                stays += get(&sums.settled);
                for (member, amounts) in &sums.open {
                    *if alive(member) { &mut runs } else { &mut stays } += get(amounts);
                }
            }
            (stays, runs)
        };
        let budget = |first: i64, hours: i64| {
            let end = first + hours;
            match sum(&mut tallies.iter().flat_map(|tally| tally.hours.range(first..end)).map(|(_, sums)| sums)) {
                (stays, runs) if stays + runs <= room => Ok(()),
                (stays, _) if stays <= room => Err(Again::WhenOneEnds),
                _ => Err(Again::At(end.saturating_mul(HOUR_MS))),
            }
        };
        match limit.period {
            Period::Now => match sum(&mut tallies.iter().flat_map(|tally| tally.hours.values())) {
                (_, runs) if runs <= room => Ok(()),
                _ => Err(Again::WhenOneEnds),
            },
            Period::Hour => budget(self.hour, 1),
            Period::Day => budget(self.hour.div_euclid(DAY_HOURS) * DAY_HOURS, DAY_HOURS),
            Period::Minute => {
                let minute = minute(self.hour, self.minute_of_hour);
                let last = tallies.iter().filter_map(|tally| tally.minutes.get(&(minute - 1))).map(get).sum();
                // A member whose clock is ahead already counts the next minute.
                let current = tallies.iter().flat_map(|tally| tally.minutes.range(minute..)).map(|it| get(it.1)).sum();
                sliding(self.at_ms, minute * MINUTE_MS, last, current, room)
            }
        }
    }
}

/// Whether a weighted part of the last minute and the current minute leave room.
fn sliding(at_ms: i64, start_ms: i64, last: i128, current: i128, room: i128) -> Result<(), Again> {
    const WHOLE: i128 = MINUTE_MS as i128;
    let left = WHOLE - i128::from(at_ms - start_ms).clamp(0, WHOLE);
    if last * left + current * WHOLE <= room * WHOLE {
        return Ok(());
    }
    // The part of a minute that may be left when `amount` of it fits into `room`.
    let fits = |amount: i128, room: i128| (room * WHOLE / amount.max(1)).clamp(0, WHOLE) as i64;
    Err(Again::At(if current <= room {
        start_ms + MINUTE_MS - fits(last, room - current)
    } else {
        start_ms + 2 * MINUTE_MS - fits(current, room)
    }))
}
