//! Counts the connections of each address, so that one address cannot take all of them.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

/// The open connections of each address.
#[derive(Clone)]
pub(super) struct Addresses {
    /// The most connections of one address; 0 for any number.
    most: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection, which counts until this value is dropped.
pub(super) struct Place {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    pub(super) fn new(most: usize) -> Self {
        Self { most, open: Arc::default() }
    }

    /// Counts a connection; `None` if its address has too many.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if self.most > 0 && *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { addresses: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.addresses.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_as_many_connections_as_it_may_and_others_have_theirs() {
        let addresses = Addresses::new(2);
        let [one, other] = [[10, 0, 0, 1], [10, 0, 0, 2]].map(IpAddr::from);
        let places = [addresses.enter(one), addresses.enter(one)];
        assert!(places.iter().all(Option::is_some));
        assert!(addresses.enter(one).is_none());
        assert!(addresses.enter(other).is_some());
        drop(places);
        assert!(addresses.enter(one).is_some());
        assert!(addresses.open.lock().expect("nobody panicked").is_empty(), "no address is kept for ever");
        let any = Addresses::new(0);
        assert!((0..100).map(|_| any.enter(one)).all(|place| place.is_some()));
    }
}
