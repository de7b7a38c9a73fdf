//! More queries than anybody needs.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{Id, Message, Method, Node, Want, Wishes};
use rand::seq::IteratorRandom;
use rand::{Rng, RngExt};

use super::errand::Errand;

/// Queries go out in volleys, so that a flood is no burden to the clock as well.
const VOLLEY: Duration = Duration::from_millis(50);
/// How long one node is flooded before the next one is.
const SIEGE: Duration = Duration::from_secs(10);
/// How long it waits for somebody whom it could flood.
const LONELY: Duration = Duration::from_secs(1);

/// What a flooder is at: one contact after the other.
#[derive(Debug, Default)]
pub(super) struct Flood {
    /// When the next query is due.
    next: Duration,
    besieged: Option<SocketAddr>,
    until: Duration,
}

impl Flood {
    /// Sends what is due at `rate` queries a second, a million at most. Returns how many that were, and when it is time again; never at a rate of 0.
    pub(super) fn act(
        &mut self,
        now: Duration,
        node: &Node,
        rate: u32,
        rng: &mut impl Rng,
        out: &mut impl FnMut(SocketAddr, Message),
    ) -> (u64, Option<Duration>) {
        let Some(pause) = Duration::from_secs(1).checked_div(rate) else {
            return (0, None);
        };
        let pause = pause.max(Duration::from_micros(1));
        if self.besieged.is_none() || self.until <= now {
            self.until = now + SIEGE;
            self.besieged = node.contacts().choose(rng).map(|node| node.address);
        }
        let Some(to) = self.besieged else {
            return (0, Some(now + LONELY));
        };
        // Who was away does not make up for it.
        self.next = self.next.max(now.saturating_sub(VOLLEY));
        let mut sent = 0;
        while self.next <= now {
            self.next += pause;
            sent += 1;
            let (target, want) = (Id::random(rng), Want::UNSAID);
            let method = if rng.random() {
                Method::FindNode { target, want }
            } else {
                let info_hash = target;
                Method::GetPeers {
                    info_hash,
                    want,
                    wishes: Wishes::NONE,
                }
            };
            out(to, Errand::Flood.query(node.id(), method, rng));
        }
        (sent, Some(self.next.max(now + VOLLEY)))
    }
}
