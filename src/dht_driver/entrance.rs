use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

/// What is known of the way into the network.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entrance {
    /// Somebody has answered.
    pub(crate) ready: bool,
    /// The neighbourhood of our id was found.
    pub(crate) settled: bool,
    /// Contacts in the routing tables, as of a moment ago.
    pub(crate) contacts: usize,
    /// Our addresses as others see them, at most one a family for each of those that we listen on.
    pub(crate) external: Vec<IpAddr>,
    /// Hosts that were named.
    pub(super) hosts: usize,
    /// Those of them that have not resolved in at least one try.
    pub(super) unresolved: usize,
    /// The last such host, and why.
    pub(super) failure: Option<(String, Arc<io::Error>)>,
}

impl Entrance {
    /// The host that failed last and why, if not one of those that were named resolves.
    pub(crate) fn closed(&self) -> Option<&(String, Arc<io::Error>)> {
        self.failure
            .as_ref()
            .filter(|_| !self.ready && self.unresolved == self.hosts)
    }
}

/// The way into the network by any of several addresses.
pub(super) fn merge(mut entrances: Vec<watch::Receiver<Entrance>>) -> watch::Receiver<Entrance> {
    if entrances.len() == 1
        && let Some(only) = entrances.pop()
    {
        return only;
    }
    let (sender, merged) = watch::channel(sum(&entrances));
    for entrance in &entrances {
        let (mut entrance, all, sender) = (entrance.clone(), entrances.clone(), sender.clone());
        tokio::spawn(async move {
            while entrance.changed().await.is_ok() {
                sender.send_modify(|merged| *merged = sum(&all));
            }
        });
    }
    merged
}

fn sum(entrances: &[watch::Receiver<Entrance>]) -> Entrance {
    let mut sum = Entrance::default();
    for entrance in entrances {
        let one = entrance.borrow();
        sum.ready |= one.ready;
        sum.settled |= one.settled;
        sum.contacts += one.contacts;
        sum.external.extend(&one.external);
        sum.hosts += one.hosts;
        sum.unresolved += one.unresolved;
        sum.failure = sum.failure.or_else(|| one.failure.clone());
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(hosts: usize, unresolved: usize, ready: bool) -> Entrance {
        Entrance {
            ready,
            hosts,
            unresolved,
            failure: (unresolved > 0).then(|| {
                let error = io::Error::other("no such name");
                ("nowhere.invalid:1".to_owned(), Arc::new(error))
            }),
            ..Entrance::default()
        }
    }

    #[test]
    fn the_way_in_is_closed_only_if_no_host_resolves_and_nobody_answers() {
        assert!(entrance(2, 2, false).closed().is_some());
        assert!(entrance(2, 1, false).closed().is_none());
        assert!(
            entrance(2, 2, true).closed().is_none(),
            "a saved node answered"
        );
        assert!(
            entrance(0, 0, false).closed().is_none(),
            "others may come to us"
        );
    }
}
