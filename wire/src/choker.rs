//! Whom to serve: tit for tat while fetching, everyone in turn while seeding. BEP 3, "choking and optimistic unchoking".

use std::cmp::Reverse;
use std::time::Duration;

use rand::{Rng, RngExt};

use crate::Link;

/// Time between two decisions.
pub(crate) const ROUND: Duration = Duration::from_secs(10);
/// How long an optimistic unchoke lasts, and how long a peer is served by a seed before the next one's turn.
const TURN: Duration = Duration::from_secs(30);
/// A newly connected peer is this many times as likely to be unchoked optimistically. BEP 3.
const NEWCOMER_WEIGHT: u32 = 3;

/// An interested peer, as the choker sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) link: Link,
    pub(crate) unchoked: bool,
    /// When it was last choked or unchoked.
    pub(crate) since: Duration,
    /// Connected for less than three rounds.
    pub(crate) newcomer: bool,
    /// Bytes a second: received from it while fetching, sent to it while seeding.
    pub(crate) rate: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Choker {
    optimistic: Option<(Link, Duration)>,
}

impl Choker {
    /// The peers to serve from now on, at most `slots`, while fetching: the ones that give most, and one more as a chance.
    pub(crate) fn while_fetching(
        &mut self,
        now: Duration,
        slots: usize,
        mut candidates: Vec<Candidate>,
        rng: &mut dyn Rng,
    ) -> Vec<Link> {
        candidates
            .sort_by_key(|candidate| (Reverse(candidate.rate), candidate.since, candidate.link));
        if candidates.len() <= slots {
            return candidates.iter().map(|candidate| candidate.link).collect();
        }
        let optimistic = self.optimistic(now, &candidates, slots, rng);
        let regular = candidates
            .iter()
            .map(|candidate| candidate.link)
            .filter(|&link| Some(link) != optimistic);
        let mut served: Vec<Link> = regular
            .take(slots - usize::from(optimistic.is_some()))
            .collect();
        served.extend(optimistic);
        served
    }

    /// The peers to serve from now on, at most `slots`, while seeding: each its turn, the one that takes fastest first.
    pub(crate) fn while_seeding(
        now: Duration,
        slots: usize,
        mut candidates: Vec<Candidate>,
    ) -> Vec<Link> {
        candidates.sort_by_key(|candidate| {
            let in_its_turn = candidate.unchoked && now.saturating_sub(candidate.since) < TURN;
            (
                !in_its_turn,
                candidate.unchoked,
                candidate.since,
                Reverse(candidate.rate),
                candidate.link,
            )
        });
        candidates
            .iter()
            .take(slots)
            .map(|candidate| candidate.link)
            .collect()
    }

    /// The peer that is served as a chance: the same for half a minute, unless it earns its place.
    fn optimistic(
        &mut self,
        now: Duration,
        by_rate: &[Candidate],
        slots: usize,
        rng: &mut dyn Rng,
    ) -> Option<Link> {
        if slots == 0 {
            return None;
        }
        let others = by_rate.get(slots - 1..).unwrap_or_default();
        if let Some((link, since)) = self.optimistic {
            let valid =
                others.iter().any(|other| other.link == link) && now.saturating_sub(since) < TURN;
            if valid {
                return Some(link);
            }
        }
        let weight = |other: &Candidate| match (other.unchoked, other.newcomer) {
            (true, _) => 0,
            (false, true) => NEWCOMER_WEIGHT,
            (false, false) => 1,
        };
        let total: u32 = others.iter().map(weight).sum();
        let mut drawn = rng.random_range(0..total.max(1));
        let chosen = others.iter().find(|other| {
            let weight = weight(other);
            let hit = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            hit
        });
        let chosen = chosen.or(others.first())?.link;
        self.optimistic = Some((chosen, now));
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn candidate(link: u32, rate: u64) -> Candidate {
        Candidate {
            link: Link(link),
            unchoked: false,
            since: Duration::ZERO,
            newcomer: false,
            rate,
        }
    }

    #[test]
    fn those_who_give_most_are_served_and_everybody_gets_a_chance() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut choker = Choker::default();
        let mut chances = [0; 10];
        for round in 0..600 {
            let candidates: Vec<_> = (0..10)
                .map(|link| candidate(link, if link < 3 { 1000 } else { 0 }))
                .collect();
            let served = choker.while_fetching(ROUND * round, 4, candidates, &mut rng);
            assert_eq!(served.len(), 4);
            assert!(
                (0..3).all(|link| served.contains(&Link(link))),
                "a giver is not served: {served:?}"
            );
            chances[served[3].0 as usize] += 1;
        }
        assert!(
            chances[3..].iter().all(|&rounds| rounds >= 30),
            "somebody never got a chance: {chances:?}"
        );
    }

    #[test]
    fn an_optimistic_unchoke_lasts_three_rounds() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut choker = Choker::default();
        let candidates: Vec<_> = (0..50).map(|link| candidate(link, 0)).collect();
        let chances: Vec<_> = (0..3)
            .map(|round| choker.while_fetching(ROUND * round, 1, candidates.clone(), &mut rng))
            .collect();
        assert_eq!(chances[0], chances[1]);
        assert_eq!(chances[1], chances[2]);
    }

    #[test]
    fn a_seed_serves_everybody_in_turn() {
        let mut peers: Vec<_> = (0..9).map(|link| candidate(link, 0)).collect();
        let mut served_rounds = [0u32; 9];
        for round in 0..90 {
            let now = ROUND * round;
            let served = Choker::while_seeding(now, 3, peers.clone());
            for peer in &mut peers {
                let unchoked = served.contains(&peer.link);
                if unchoked != peer.unchoked {
                    (peer.unchoked, peer.since) = (unchoked, now);
                }
                served_rounds[peer.link.0 as usize] += u32::from(unchoked);
            }
        }
        assert!(
            served_rounds
                .iter()
                .all(|&rounds| (24..=36).contains(&rounds)),
            "unfair: {served_rounds:?}"
        );
    }
}
