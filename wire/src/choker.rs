//! Whom to serve: tit for tat while fetching, everyone in turn while seeding. BEP 3, "choking and optimistic unchoking".

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use rand::{Rng, RngExt};

use crate::{Host, Link};

/// Time between two decisions.
pub(crate) const ROUND: Duration = Duration::from_secs(10);
/// How long an optimistic unchoke lasts, and how long a peer is served by a seed before the next one's turn.
const TURN: Duration = Duration::from_secs(30);
/// A newly connected peer is this many times as likely to be unchoked optimistically. BEP 3.
const NEWCOMER_WEIGHT: u32 = 3;
/// The n-th fastest of those who are served has to take n times as many bytes a second for one more to be served: 4 peers at 1 MB/s in all, 8 at
/// 4 MB/s, 40 at 100 MB/s.
const SLOT_RATE: u64 = 64 << 10;

/// An interested peer, as the choker sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) link: Link,
    pub(crate) host: Host,
    pub(crate) unchoked: bool,
    /// When it was last choked or unchoked.
    pub(crate) since: Duration,
    /// Connected for less than three rounds.
    pub(crate) newcomer: bool,
    /// Bytes a second: received from it while fetching, sent to it while seeding.
    pub(crate) rate: u64,
}

impl Candidate {
    fn is_in_its_turn(&self, now: Duration) -> bool {
        self.unchoked && now.saturating_sub(self.since) < TURN
    }
}

/// How many to serve at once, from `least` to `most`, by what those who are served take: many slow ones where few leave a part of the way out unused,
/// few fast ones where it is shared by all.
pub(crate) fn slots(least: usize, most: usize, mut rates: Vec<u64>) -> usize {
    rates.sort_unstable_by_key(|&rate| Reverse(rate));
    let busy = (1..)
        .zip(&rates)
        .take_while(|&(slot, &rate)| rate >= slot * SLOT_RATE)
        .count();
    let slowest = rates.last().copied().unwrap_or_default();
    // So many would take n times the rate each if all took together what these do: there in a few rounds, and not beyond it.
    let shared = if busy == rates.len() {
        (busy as u64 * (slowest / SLOT_RATE)).isqrt() as usize
    } else {
        0
    };
    let one_more = busy + usize::from(busy > 0);
    one_more.max(shared).min(most).max(least)
}

/// The peers to serve from now on, at most `slots`, while fetching: the ones that give most, and at least one more as a chance.
///
/// Whoever gives nothing has no more than a chance, so that where most of the others have snubbed us many get one.
pub(crate) fn while_fetching(
    now: Duration,
    slots: usize,
    mut candidates: Vec<Candidate>,
    rng: &mut dyn Rng,
) -> Vec<Link> {
    candidates.sort_by_key(|candidate| (Reverse(candidate.rate), candidate.since, candidate.link));
    if candidates.len() <= slots {
        return candidates.iter().map(|candidate| candidate.link).collect();
    }
    let givers = candidates
        .iter()
        .take(slots.saturating_sub(1))
        .take_while(|candidate| candidate.rate > 0)
        .count();
    let others = candidates.split_off(givers);
    let chances = slots.saturating_sub(givers);
    let mut served: Vec<Link> = candidates.iter().map(|giver| giver.link).collect();
    served.extend(optimistic(now, chances, others, rng));
    served
}

/// The peers to serve from now on, at most `slots`, while seeding: those that take fastest, and in the last slot each its turn.
pub(crate) fn fastest_while_seeding(
    now: Duration,
    slots: usize,
    mut candidates: Vec<Candidate>,
) -> Vec<Link> {
    candidates.sort_by_key(|candidate| (Reverse(candidate.rate), candidate.since, candidate.link));
    let takers = candidates
        .iter()
        .take(slots.saturating_sub(1))
        .take_while(|candidate| candidate.unchoked && candidate.rate > 0)
        .count();
    let others = candidates.split_off(takers);
    let mut served: Vec<Link> = candidates.iter().map(|taker| taker.link).collect();
    served.extend(while_seeding(now, slots.saturating_sub(takers), others));
    served
}

/// The peers to serve from now on, at most `slots`, while seeding: each its turn, a second one of the same host after the first of all others, the one
/// that takes fastest first.
pub(crate) fn while_seeding(
    now: Duration,
    slots: usize,
    mut candidates: Vec<Candidate>,
) -> Vec<Link> {
    candidates.sort_by_key(|candidate| {
        (
            !candidate.is_in_its_turn(now),
            candidate.unchoked,
            candidate.since,
            Reverse(candidate.rate),
            candidate.link,
        )
    });
    let mut ranked: Vec<_> = ranks(&candidates).into_iter().zip(candidates).collect();
    ranked.sort_by_key(|(rank, candidate)| (!candidate.is_in_its_turn(now), *rank));
    let served = ranked.iter().take(slots);
    served.map(|(_, candidate)| candidate.link).collect()
}

/// How many of the same host each of them has before it.
fn ranks(candidates: &[Candidate]) -> Vec<usize> {
    let mut hosts: BTreeMap<Host, usize> = BTreeMap::new();
    let rank = |candidate: &Candidate| {
        let before = hosts.entry(candidate.host).or_default();
        *before += 1;
        *before - 1
    };
    candidates.iter().map(rank).collect()
}

/// The peers that are served as a chance: each for half a minute, unless it earns its place meanwhile. The next one is drawn, one of each host taking
/// part.
fn optimistic(
    now: Duration,
    places: usize,
    candidates: Vec<Candidate>,
    rng: &mut dyn Rng,
) -> Vec<Link> {
    let (in_turn, others): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|candidate| candidate.is_in_its_turn(now));
    let (over, mut waiting): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|candidate| candidate.unchoked);
    let mut served: Vec<Link> = in_turn.iter().map(|candidate| candidate.link).collect();
    while served.len() < places && !waiting.is_empty() {
        let chosen = waiting.swap_remove(draw(&waiting, rng));
        served.push(chosen.link);
    }
    served.extend(over.iter().map(|candidate| candidate.link));
    served.truncate(places);
    served
}

/// The index of one of them, which are some, newcomers more likely than others, and of each host only the first.
fn draw(waiting: &[Candidate], rng: &mut dyn Rng) -> usize {
    let weights: Vec<u32> = waiting
        .iter()
        .zip(ranks(waiting))
        .map(|(candidate, rank)| match (rank, candidate.newcomer) {
            (0, true) => NEWCOMER_WEIGHT,
            (0, false) => 1,
            _ => 0,
        })
        .collect();
    let total: u32 = weights.iter().sum();
    let mut drawn = rng.random_range(0..total.max(1));
    let hit = weights.iter().position(|&weight| {
        let is_hit = drawn < weight;
        drawn = drawn.saturating_sub(weight);
        is_hit
    });
    hit.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn candidate(link: u32, rate: u64) -> Candidate {
        Candidate {
            link: Link(link),
            host: Host::of(IpAddr::from([10, 0, 0, link as u8])),
            unchoked: false,
            since: Duration::ZERO,
            newcomer: false,
            rate,
        }
    }

    /// Serves these and nobody else from `now` on.
    fn serve(now: Duration, candidates: &mut [Candidate], served: &[Link]) {
        for candidate in candidates {
            let unchoked = served.contains(&candidate.link);
            if unchoked != candidate.unchoked {
                (candidate.unchoked, candidate.since) = (unchoked, now);
            }
        }
    }

    /// How many rounds of `rounds` each of them is served in.
    fn rounds_served(rounds: u32, slots: usize, candidates: &mut [Candidate]) -> Vec<u32> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut served_rounds = vec![0; candidates.len()];
        for round in 0..rounds {
            let now = ROUND * round;
            let served = while_fetching(now, slots, candidates.to_vec(), &mut rng);
            assert_eq!(served.len(), slots);
            serve(now, candidates, &served);
            for link in served {
                served_rounds[link.0 as usize] += 1;
            }
        }
        served_rounds
    }

    #[test]
    fn those_who_give_most_are_served_and_everybody_gets_a_chance() {
        let mut peers: Vec<_> = (0..10)
            .map(|link| candidate(link, if link < 3 { 1000 } else { 0 }))
            .collect();
        let rounds = rounds_served(600, 4, &mut peers);
        assert!(
            rounds[..3].iter().all(|&rounds| rounds == 600),
            "a giver is not always served: {rounds:?}"
        );
        assert!(
            rounds[3..].iter().all(|&rounds| rounds >= 30),
            "somebody never got a chance: {rounds:?}"
        );
    }

    #[test]
    fn who_is_snubbed_by_most_gives_several_a_chance_and_none_a_place_for_good() {
        let mut peers: Vec<_> = (0..16).map(|link| candidate(link, 0)).collect();
        peers[0].rate = 1000;
        let rounds = rounds_served(600, 4, &mut peers);
        assert_eq!(rounds[0], 600);
        assert!(
            rounds[1..]
                .iter()
                .all(|&rounds| (60..=180).contains(&rounds)),
            "three chances for fifteen: {rounds:?}"
        );
    }

    #[test]
    fn an_optimistic_unchoke_lasts_three_rounds() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut peers: Vec<_> = (0..50).map(|link| candidate(link, 0)).collect();
        let chances: Vec<_> = (0..4)
            .map(|round| {
                let now = ROUND * round;
                let served = while_fetching(now, 1, peers.clone(), &mut rng);
                serve(now, &mut peers, &served);
                served
            })
            .collect();
        assert_eq!(chances[0], chances[1]);
        assert_eq!(chances[1], chances[2]);
        assert_ne!(chances[2], chances[3]);
    }

    #[test]
    fn a_newcomer_is_three_times_as_likely_to_get_a_chance() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut peers: Vec<_> = (0..4).map(|link| candidate(link, 0)).collect();
        peers[3].newcomer = true;
        let hits = (0..3000)
            .filter(|_| while_fetching(ROUND, 1, peers.clone(), &mut rng) == [Link(3)])
            .count();
        assert!((1350..1650).contains(&hits), "{hits} of 3000, not half");
    }

    #[test]
    fn a_seed_serves_everybody_in_turn() {
        let mut peers: Vec<_> = (0..9).map(|link| candidate(link, 0)).collect();
        let mut served_rounds = [0u32; 9];
        for round in 0..90 {
            let now = ROUND * round;
            let served = while_seeding(now, 3, peers.clone());
            serve(now, &mut peers, &served);
            for link in served {
                served_rounds[link.0 as usize] += 1;
            }
        }
        assert!(
            served_rounds
                .iter()
                .all(|&rounds| (24..=36).contains(&rounds)),
            "unfair: {served_rounds:?}"
        );
    }

    #[test]
    fn a_seed_that_prefers_the_fastest_keeps_them_and_gives_everybody_a_turn() {
        let mut peers: Vec<_> = (0..9).map(|link| candidate(link, 0)).collect();
        let mut served_rounds = [0u32; 9];
        for round in 0..90 {
            let now = ROUND * round;
            let served = fastest_while_seeding(now, 3, peers.clone());
            assert_eq!(served.len(), 3);
            serve(now, &mut peers, &served);
            for peer in &mut peers {
                peer.rate = match (peer.unchoked, peer.link.0) {
                    (false, _) => 0,
                    (true, 0 | 1) => 1_000_000,
                    (true, _) => 10_000,
                };
            }
            for link in served {
                served_rounds[link.0 as usize] += 1;
            }
        }
        assert!(
            served_rounds[..2].iter().all(|&rounds| rounds > 80),
            "{served_rounds:?}"
        );
        assert!(
            served_rounds[2..].iter().all(|&rounds| rounds >= 9),
            "{served_rounds:?}"
        );
    }

    /// Twenty of one host, and one of another who came last.
    fn crowd_and_one() -> Vec<Candidate> {
        let mut peers: Vec<_> = (0..21).map(|link| candidate(link, 0)).collect();
        for peer in &mut peers[..20] {
            peer.host = Host::of(IpAddr::from([10, 1, 0, 1]));
        }
        peers[20].since = ROUND;
        peers
    }

    #[test]
    fn a_host_with_many_connections_has_no_more_turns_than_others() {
        let mut peers = crowd_and_one();
        let mut rounds = 0;
        for round in 1..=60 {
            let now = ROUND * round;
            let served = while_seeding(now, 2, peers.clone());
            serve(now, &mut peers, &served);
            rounds += u32::from(served.contains(&Link(20)));
        }
        assert_eq!(rounds, 60, "one of two slots is its own");

        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        let peers = crowd_and_one();
        let chances = (0..1000)
            .filter(|_| while_fetching(ROUND, 1, peers.clone(), &mut rng) == [Link(20)])
            .count();
        assert!((400..600).contains(&chances), "{chances} of 1000");
    }

    #[test]
    fn slots_open_while_those_who_are_served_take_much_and_close_again() {
        let shared = |capacity: u64, peers: u64| vec![capacity / peers; peers as usize];
        assert_eq!(slots(8, 64, Vec::new()), 8);
        assert_eq!(slots(8, 64, shared(100_000, 8)), 8);
        assert_eq!(slots(4, 64, shared(1_000_000, 4)), 4);
        assert_eq!(slots(4, 64, shared(4_000_000, 4)), 7);
        assert_eq!(slots(4, 64, shared(4_000_000, 7)), 8);
        assert_eq!(slots(4, 64, shared(4_000_000, 8)), 8);
        assert_eq!(slots(8, 64, shared(100_000_000, 8)), 38);
        assert_eq!(slots(8, 64, shared(100_000_000, 39)), 40);
        assert_eq!(slots(8, 64, shared(100_000_000, 60)), 26);
        assert_eq!(slots(8, 64, shared(10_000_000_000, 64)), 64);
        assert_eq!(slots(0, 64, Vec::new()), 0);
    }
}
