//! How many connections there may be at once, and whose.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::crowd::{Crowd, Ticket};

/// A number of places for connections. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    most: usize,
    taken: Arc<Mutex<Crowd<Arc<Notify>>>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    ticket: Ticket,
    lost: Arc<Notify>,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Places {
            most,
            taken: Arc::default(),
        }
    }

    /// A place for a connection with this address. If none is free, somebody of a host or network that has more of them loses his; if
    /// nobody has, there is none.
    pub(crate) fn take(&self, ip: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        if taken.len() >= self.most {
            let greediest = taken.greediest(ip)?;
            lose(&mut taken, greediest);
        }
        Some(self.enter(&mut taken, ip))
    }

    /// A place in any case: where nobody has more than others, the oldest one is lost.
    pub(crate) fn insist(&self, ip: IpAddr) -> Place {
        let mut taken = self.taken();
        if taken.len() >= self.most
            && let Some(loser) = taken.greediest(ip).or_else(|| taken.oldest())
        {
            lose(&mut taken, loser);
        }
        self.enter(&mut taken, ip)
    }

    fn enter(&self, taken: &mut Crowd<Arc<Notify>>, ip: IpAddr) -> Place {
        let lost = Arc::new(Notify::new());
        Place {
            places: self.clone(),
            ticket: taken.enter(ip, Arc::clone(&lost)),
            lost,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Crowd<Arc<Notify>>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place is free from now on; whoever has it hears of it.
fn lose(taken: &mut Crowd<Arc<Notify>>, loser: Ticket) {
    if let Some(lost) = taken.leave(loser) {
        lost.notify_one();
    }
}

impl Place {
    /// Waits until it is lost: the connection is to end at once.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().leave(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    #[tokio::test]
    async fn a_place_is_free_again_when_it_is_dropped_or_lost() {
        let places = Places::new(2);
        let first = places.take(ONE).expect("it is free");
        let second = places.take(ONE).expect("it is free");
        assert!(places.take(ONE).is_none());
        let third = places.take(OTHER).expect("the other host has too many");
        first.lost().await;
        assert!(places.take(OTHER).is_none(), "both hosts have as many");
        // It was lost before, and is not freed twice.
        drop(first);
        assert!(places.take(OTHER).is_none());
        drop(second);
        assert!(places.take(OTHER).is_some());
        drop(third);
    }

    #[tokio::test]
    async fn whoever_insists_is_let_in_before_the_oldest() {
        let places = Places::new(2);
        let (first, second) = (places.insist(ONE), places.insist(OTHER));
        let third = places.insist(OTHER);
        // Nobody has more of them than others.
        first.lost().await;
        drop((second, third));
    }
}
