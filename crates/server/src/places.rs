//! How many connections the node has, and how many of them are from one address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hub::Limit;

use crate::peer::PeerAddress;

/// The places for connections that a node has.
#[derive(Debug)]
pub(crate) struct Places {
    most: usize,
    /// How many one address may take; `None` for all there are, and then nobody is counted.
    most_per_address: Option<usize>,
    taken: AtomicUsize,
    /// By [`PeerAddress::network`]; who has no place is not in it.
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

/// A connection's place. It travels with the connection, and is free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    /// Boxed because few nodes count addresses, and every connection has a place.
    address: Option<Box<IpAddr>>,
}

impl Places {
    /// `most` places; and so many for one address, where that is limited.
    pub(crate) fn new(most: usize, most_per_address: Option<usize>) -> Arc<Self> {
        let (taken, addresses) = (AtomicUsize::new(0), Mutex::default());
        Arc::new(Self { most, most_per_address, taken, addresses })
    }

    /// Takes a place for a connection from `peer`, or says which limit there is none for.
    pub(crate) fn take(self: &Arc<Self>, peer: PeerAddress) -> Result<Place, Limit> {
        let one_more = |taken| (taken < self.most).then_some(taken + 1);
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
            .map_err(|_| Limit::Connections)?;
        // From here on the place is given back, whatever happens.
        let mut place = Place { places: Arc::clone(self), address: None };
        if let Some(most) = self.most_per_address {
            let address = peer.network();
            let mut addresses = self.addresses();
            let taken = addresses.entry(address).or_default();
            if *taken >= most {
                drop(addresses);
                return Err(Limit::ConnectionsPerAddress);
            }
            *taken += 1;
            place.address = Some(Box::new(address));
        }
        Ok(place)
    }

    /// How many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many there are.
    pub(crate) const fn most(&self) -> usize {
        self.most
    }

    fn addresses(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing under this lock can be left half done.
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(address) = self.address.take()
            && let Entry::Occupied(mut taken) = self.places.addresses().entry(*address)
        {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
        self.places.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn peer(text: &str) -> PeerAddress {
        PeerAddress::from(text.parse::<IpAddr>().expect("an address"))
    }

    #[test]
    fn a_place_is_free_again_when_its_connection_is_gone() {
        let places = Places::new(2, None);
        let one = places.take(peer("192.0.2.1")).expect("there is room");
        let _two = places.take(peer("192.0.2.1")).expect("there is room");
        assert_eq!(places.take(peer("192.0.2.2")).err(), Some(Limit::Connections));
        drop(one);
        assert!(places.take(peer("192.0.2.2")).is_ok());
        assert_eq!(places.taken(), 1);
    }

    #[test]
    fn an_address_has_its_own_limit_and_a_refusal_takes_no_place() {
        let places = Places::new(4, Some(2));
        let mut taken: Vec<_> = ["2001:db8::1", "2001:db8::2"]
            .map(|text| places.take(peer(text)).expect("there is room"))
            .into();
        for _ in 0..10 {
            let refused = places.take(peer("2001:db8::3")).err();
            assert_eq!(refused, Some(Limit::ConnectionsPerAddress));
        }
        taken.extend((0..2).map(|_| places.take(peer("192.0.2.1")).expect("there is room")));
        assert_eq!(places.take(peer("192.0.2.2")).err(), Some(Limit::Connections));
        drop(taken);
        assert_eq!((places.taken(), places.addresses().len()), (0, 0), "nobody is remembered");
    }

    #[test]
    fn many_threads_never_take_one_too_many() {
        let places = Places::new(5, Some(3));
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let places = Arc::clone(&places);
                thread::spawn(move || {
                    for _ in 0..10_000 {
                        let place = places.take(peer(&format!("192.0.2.{}", n % 2)));
                        assert!(places.taken() <= 5);
                        drop(place);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
        assert_eq!((places.taken(), places.addresses().len()), (0, 0));
    }
}
