//! Wrong tokens: after a few, the address that sends them has to wait. So nobody can try tokens fast.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The most addresses that are remembered. When there are more, those whose time is over are forgotten first.
const ADDRESSES_MAX: usize = 10_000;
const MINUTE: Duration = Duration::from_mins(1);

/// The wrong tokens of each address in its current minute.
#[derive(Debug)]
pub(super) struct Guesses {
    /// How many wrong tokens an address may send in a minute; 0 for any number.
    per_minute: u32,
    addresses: Mutex<HashMap<IpAddr, Minute>>,
}

#[derive(Debug, Clone, Copy)]
struct Minute {
    began: Instant,
    wrong: u32,
}

impl Guesses {
    pub(super) fn new(per_minute: u32) -> Self {
        Self { per_minute, addresses: Mutex::default() }
    }

    /// Seconds until the address may send a token again; `None` if it may.
    pub(super) fn wait_s(&self, address: IpAddr, now: Instant) -> Option<u64> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = addresses.get(&address)?;
        let left = MINUTE.checked_sub(now.duration_since(minute.began))?;
        (self.per_minute > 0 && minute.wrong >= self.per_minute).then(|| left.as_secs() + 1)
    }

    /// Notes a wrong token.
    pub(super) fn note(&self, address: IpAddr, now: Instant) {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |minute: &Minute| now.duration_since(minute.began) >= MINUTE;
        if addresses.len() >= ADDRESSES_MAX && !addresses.contains_key(&address) {
            addresses.retain(|_, minute| !is_over(minute));
            if addresses.len() >= ADDRESSES_MAX {
                addresses.clear();
            }
        }
        let minute = addresses.entry(address).or_insert(Minute { began: now, wrong: 0 });
        if is_over(minute) {
            *minute = Minute { began: now, wrong: 0 };
        }
        minute.wrong += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_guesses_waits_for_the_rest_of_its_minute_and_no_other_does() {
        let (guesses, began) = (Guesses::new(3), Instant::now());
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        for _ in 0..3 {
            assert_eq!(guesses.wait_s(one, began), None);
            guesses.note(one, began);
        }
        assert_eq!(guesses.wait_s(one, began + Duration::from_secs(20)), Some(41));
        assert_eq!(guesses.wait_s(other, began), None);
        assert_eq!(guesses.wait_s(one, began + Duration::from_secs(61)), None);
    }

    #[test]
    fn many_addresses_are_not_remembered_for_ever() {
        let (guesses, began) = (Guesses::new(1), Instant::now());
        for number in 0..ADDRESSES_MAX as u32 + 10 {
            guesses.note(IpAddr::from(number.to_be_bytes()), began);
        }
        assert!(guesses.addresses.lock().expect("nobody panicked").len() <= ADDRESSES_MAX);
    }
}
