use std::sync::Arc;
use std::time::Duration;

use wire::{Bitfield, CloseReason, Config, Event};

use crate::network::{Joining, Manner, Swarm};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn banned(swarm: &Swarm, node: usize) -> Vec<std::net::SocketAddr> {
    let events = swarm.nodes[node].events.iter();
    events
        .filter_map(|(_, event)| match event {
            Event::PeerBanned { address, .. } => Some(*address),
            _ => None,
        })
        .collect()
}

#[test]
fn liar_is_banned_while_the_download_goes_on() {
    let mut swarm = Swarm::new(32, 1 << 20);
    let honest = [swarm.join(swarm.seed()), swarm.join(swarm.seed())];
    let liar = swarm.join(Joining {
        manner: Manner::Liar,
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[liar, honest[0], honest[1]]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(
        time < seconds(4),
        "32 MiB from two honest seeds took {time:?}"
    );
    assert_eq!(banned(&swarm, leecher), [swarm.nodes[liar].address]);
    assert!(!swarm.is_connected(leecher, liar));
}

#[test]
fn swarm_with_a_liar_whose_blocks_are_mixed_with_others() {
    // All are slow, so that pieces are shared and the blame is unclear at first.
    let mut swarm = Swarm::new(8, 4 << 20);
    let slow = |swarm: &Swarm, manner| Joining {
        bytes_per_second: 300e3,
        manner,
        ..swarm.seed()
    };
    let honest: Vec<_> = (0..4)
        .map(|_| swarm.join(slow(&swarm, Manner::Honest)))
        .collect();
    let liar = swarm.join(slow(&swarm, Manner::Liar));
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &honest);
    swarm.introduce(leecher, &[liar]);
    swarm.run_until(seconds(600), |swarm| swarm.is_finished(leecher));
    assert_eq!(
        banned(&swarm, leecher),
        [swarm.nodes[liar].address],
        "the liar alone is banned"
    );
    let failed = swarm.nodes[leecher].failed;
    assert!((1..=3).contains(&failed), "one liar cost {failed} pieces");
}

#[test]
fn one_who_spoils_pieces_and_breaks_off_costs_few() {
    // All are slow, so that pieces are shared.
    let mut swarm = Swarm::new(24, 1 << 20);
    let slow = |swarm: &Swarm, manner| Joining {
        bytes_per_second: 100e3,
        manner,
        ..swarm.seed()
    };
    let honest: Vec<_> = (0..3)
        .map(|_| swarm.join(slow(&swarm, Manner::Honest)))
        .collect();
    let spoiler = swarm.join(slow(&swarm, Manner::Spoiler));
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[spoiler]);
    swarm.introduce(leecher, &honest);
    swarm.run_until(seconds(600), |swarm| swarm.is_finished(leecher));
    let failed = swarm.nodes[leecher].failed;
    assert!((1..=2).contains(&failed), "it cost {failed} pieces");
}

#[test]
fn with_nobody_but_liars_the_download_waits_for_an_honest_peer() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let liars: Vec<_> = (0..3)
        .map(|_| {
            swarm.join(Joining {
                manner: Manner::Liar,
                ..swarm.seed()
            })
        })
        .collect();
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &liars);
    swarm.run_for(seconds(60));
    assert_eq!(swarm.bytes_done(leecher), 0);
    assert_eq!(banned(&swarm, leecher).len(), 3);
    let honest = swarm.join(swarm.seed());
    swarm.introduce(leecher, &[honest]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(time < seconds(1), "4 MiB took {time:?}");
}

#[test]
fn peer_that_sends_nothing() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let mute = swarm.join(Joining {
        manner: Manner::Mute,
        ..swarm.seed()
    });
    let seed = swarm.join(Joining {
        bytes_per_second: 10e3,
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[mute, seed]);
    swarm.run_for(seconds(200));
    let mute = swarm.nodes[mute].address;
    let reasons: Vec<_> = swarm.nodes[leecher]
        .closed
        .iter()
        .filter(|(address, _)| *address == mute)
        .collect();
    assert_eq!(reasons, [&(mute, CloseReason::Silent { seconds: 180 })]);
    swarm.run_until(seconds(600), |swarm| swarm.is_finished(leecher));
}

#[test]
fn a_peer_that_never_unchokes_does_not_stop_the_others() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let config = Config {
        unchoke_slots: 0,
        ..Config::default()
    };
    let stingy = swarm.join(Joining {
        config,
        ..swarm.seed()
    });
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[stingy, seed]);
    let time = swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
    assert!(time < seconds(1), "4 MiB took {time:?}");
}

#[test]
fn leecher_that_never_uploads_is_choked() {
    let mut swarm = Swarm::new(1024, 64 << 10);
    let half = |wanted: u32| {
        let mut have = Bitfield::new(1024);
        (0..1024)
            .filter(|piece| piece % 2 == wanted)
            .for_each(|piece| {
                have.set(piece);
            });
        Some(have)
    };
    let config = |unchoke_slots| Config {
        unchoke_slots,
        ..Config::default()
    };
    let leecher = |have, slots| Joining {
        bytes_per_second: 100e3,
        info: Some(Arc::clone(&swarm.info)),
        have,
        config: config(slots),
        ..Joining::leecher()
    };
    let (even, odd, stingy) = (leecher(half(0), 4), leecher(half(1), 4), leecher(None, 0));
    // Slowly enough that the merchant does not become a seed, which serves everybody.
    let traders: Vec<_> = (0..10)
        .map(|_| Joining {
            bytes_per_second: 15e3,
            ..odd.clone()
        })
        .collect();
    let merchant = swarm.join(even);
    let freeloader = swarm.join(stingy);
    let traders: Vec<_> = traders
        .into_iter()
        .map(|trader| swarm.join(trader))
        .collect();
    swarm.introduce(merchant, &traders);
    swarm.introduce(merchant, &[freeloader]);
    swarm.run_for(seconds(200));
    assert!(!swarm.is_finished(merchant));
    let given = |to: usize| {
        swarm.nodes[merchant]
            .sent_to
            .get(&swarm.nodes[to].address)
            .copied()
            .unwrap_or(0)
    };
    let to_traders = traders.iter().map(|&trader| given(trader)).sum::<u64>() / 10;
    let to_freeloader = given(freeloader);
    assert!(to_freeloader > 0, "nobody gets no chance at all");
    assert!(
        to_freeloader * 2 < to_traders,
        "a freeloader was given {to_freeloader} bytes, a trader {to_traders}"
    );
}
