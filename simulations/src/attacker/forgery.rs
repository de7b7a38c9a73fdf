//! Announces with tokens that were not given for them.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{AnnouncedPort, Flag, Id, Message, Method, Node, Token, Want, Wishes};
use rand::seq::IteratorRandom;
use rand::{Rng, RngExt};

use super::errand::Errand;
use super::scene::Scene;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(300);

/// What a forger is at. It makes tokens up, and it shows those that it was given for one info-hash as if they were for another.
#[derive(Debug, Default)]
pub(super) struct Forgery {
    next: Duration,
    /// A token that somebody gave for an info-hash that is of no interest.
    given: Option<(SocketAddr, Token)>,
}

impl Forgery {
    /// A bait was answered.
    pub(super) fn take_token(&mut self, from: SocketAddr, token: Option<Token>) {
        self.given = token.map(|token| (from, token));
    }

    /// Announces, if it is time. Returns how many announces were sent, and when it is time again.
    pub(super) fn act(
        &mut self,
        now: Duration,
        node: &Node,
        scene: &Scene,
        rng: &mut impl Rng,
        out: &mut impl FnMut(SocketAddr, Message),
    ) -> (u64, Duration) {
        if now < self.next {
            return (0, self.next);
        }
        self.next = now + PAUSE;
        let own = node.id();
        let (to, token) = if let Some(given) = self.given.take() {
            given
        } else {
            let Some(anybody) = node.contacts().choose(rng) else {
                return (0, self.next);
            };
            let bait = Method::GetPeers {
                info_hash: Id::random(rng),
                want: Want::UNSAID,
                wishes: Wishes::NONE,
            };
            out(anybody.address, Errand::Bait.query(own, bait, rng));
            (anybody.address, Token::from(rng.random::<[u8; 8]>()))
        };
        let announce = Method::AnnouncePeer {
            info_hash: scene.any_attacked(rng).unwrap_or_else(|| Id::random(rng)),
            port: AnnouncedPort::Given(rng.random_range(1..=u16::MAX)),
            token,
            seed: Flag(false),
        };
        out(to, Errand::Forgery.query(own, announce, rng));
        (1, self.next)
    }
}
