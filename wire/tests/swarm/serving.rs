use std::time::Duration;

use wire::{CloseReason, Config, SeedChoice};

use crate::network::{Joining, Swarm};

#[test]
fn a_seed_with_one_slot_serves_everybody_in_turn() {
    let mut swarm = Swarm::new(64, 1 << 20);
    let config = Config {
        unchoke_slots: 1,
        max_unchoke_slots: 1,
        ..Config::default()
    };
    let seed = swarm.join(Joining {
        bytes_per_second: 100e3,
        config,
        ..swarm.seed()
    });
    // They do not know each other.
    let leechers: Vec<_> = (0..4).map(|_| swarm.join(Joining::leecher())).collect();
    for &leecher in &leechers {
        swarm.introduce(leecher, &[seed]);
    }
    swarm.run_for(Duration::from_secs(480));
    let sent: Vec<_> = swarm.nodes[seed].sent_to.values().copied().collect();
    let (least, most) = (
        sent.iter().min().expect("some"),
        sent.iter().max().expect("some"),
    );
    assert_eq!(sent.len(), 4);
    assert!(least * 3 > most * 2, "unfair: {sent:?}");
}

#[test]
fn a_seed_that_prefers_the_fastest_serves_the_slow_too() {
    let mut swarm = Swarm::new(512, 1 << 20);
    let config = Config {
        unchoke_slots: 3,
        max_unchoke_slots: 3,
        seed_choice: SeedChoice::FastestUpload,
        ..Config::default()
    };
    let seed = swarm.join(Joining {
        bytes_per_second: 200e3,
        config,
        ..swarm.seed()
    });
    let leechers: Vec<_> = (0..8).map(|_| swarm.join(Joining::leecher())).collect();
    for &leecher in &leechers {
        swarm.introduce(leecher, &[seed]);
    }
    swarm.run_for(Duration::from_secs(600));
    let sent: Vec<_> = swarm.nodes[seed].sent_to.values().copied().collect();
    assert_eq!(sent.len(), 8, "somebody was never served: {sent:?}");
}

#[test]
fn two_who_dial_each_other_end_with_one_connection() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let pair = [(); 2].map(|()| swarm.join(Joining::leecher()));
    let seed = swarm.join(swarm.seed());
    for node in pair {
        swarm.introduce(node, &pair);
        swarm.introduce(node, &[seed]);
    }
    swarm.run_for(Duration::from_secs(2));
    for node in pair {
        assert!(swarm.is_finished(node));
    }
    let mut swarm = Swarm::new(16, 256 << 10);
    let pair = [(); 2].map(|()| swarm.join(Joining::leecher()));
    for node in pair {
        swarm.introduce(node, &pair);
    }
    swarm.run_for(Duration::from_secs(120));
    for node in pair {
        assert_eq!(swarm.nodes[node].torrent.progress(swarm.now).connected, 1);
    }
}

#[test]
fn a_choked_leecher_starts_with_its_allowed_fast_pieces() {
    let mut swarm = Swarm::new(256, 64 << 10);
    let config = Config {
        unchoke_slots: 1,
        max_unchoke_slots: 1,
        ..Config::default()
    };
    let seed = swarm.join(Joining {
        bytes_per_second: 1e6,
        config,
        ..swarm.seed()
    });
    let served = swarm.join(Joining::leecher());
    let choked = swarm.join(Joining::leecher());
    swarm.introduce(served, &[seed]);
    swarm.run_for(Duration::from_secs(1));
    swarm.introduce(choked, &[seed]);
    swarm.run_for(Duration::from_secs(4));
    let done = swarm.bytes_done(choked);
    assert!(done >= 10 * (64 << 10), "{done} bytes after four seconds");
    assert!(
        done <= 12 * (64 << 10),
        "{done} bytes are more than the allowed-fast set"
    );
}

#[test]
fn connections_are_bounded() {
    let mut swarm = Swarm::new(16, 64 << 10);
    let config = Config {
        max_connections: 5,
        ..Config::default()
    };
    let seed = swarm.join(Joining {
        bytes_per_second: 1e3,
        config,
        ..swarm.seed()
    });
    let leechers: Vec<_> = (0..20).map(|_| swarm.join(Joining::leecher())).collect();
    for &leecher in &leechers {
        swarm.introduce(leecher, &[seed]);
    }
    swarm.run_for(Duration::from_secs(5));
    assert_eq!(swarm.nodes[seed].torrent.progress(swarm.now).connected, 5);
}

#[test]
fn a_seed_that_nobody_can_reach_dials_the_leechers_that_it_finds() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(seed, &[leecher]);
    let time = swarm.run_until(Duration::from_secs(60), |swarm| swarm.is_finished(leecher));
    assert!(time < Duration::from_secs(1), "4 MiB took {time:?}");
}

#[test]
fn seeds_that_find_each_other_part_at_once_and_for_good() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let seeds = [(); 4].map(|()| swarm.join(swarm.seed()));
    for &seed in &seeds {
        swarm.introduce(seed, &seeds);
    }
    swarm.run_for(Duration::from_secs(3600));
    for &seed in &seeds {
        let node = &swarm.nodes[seed];
        assert_eq!(node.torrent.progress(swarm.now).connected, 0);
        let parted = node
            .closed
            .iter()
            .filter(|(_, reason)| *reason == CloseReason::NothingToExchange);
        // From each of the others once as the one who dials, and once as the one who is dialled; itself it meets, too.
        assert!(parted.count() <= 6, "{:?}", node.closed);
    }
}

/// Eight that know each other and fetch 16 MiB from a seed with 500 kB/s. Returns what that has sent, and how long all took.
fn initial_seeding(super_seeding: bool) -> (u64, Duration) {
    let mut swarm = Swarm::new(128, 128 << 10);
    let seed = swarm.join(Joining {
        bytes_per_second: 500e3,
        config: Config {
            super_seeding,
            ..Config::default()
        },
        ..swarm.seed()
    });
    let leechers: Vec<_> = (0..8)
        .map(|_| {
            swarm.join(Joining {
                bytes_per_second: 1e6,
                ..Joining::leecher()
            })
        })
        .collect();
    for &leecher in &leechers {
        swarm.introduce(leecher, &[seed]);
        swarm.introduce(leecher, &leechers);
    }
    let time = swarm.run_until(Duration::from_secs(600), |swarm| {
        leechers.iter().all(|&leecher| swarm.is_finished(leecher))
    });
    (swarm.nodes[seed].sent_to.values().sum(), time)
}

#[test]
fn a_super_seed_sends_every_piece_little_more_than_once() {
    let total = 16 << 20;
    let (sent, time) = initial_seeding(true);
    assert!(sent >= total);
    assert!(sent * 20 < total * 21, "it sent {sent} of {total} bytes");
    // Once over the seed's way out takes 34 s.
    assert!(time < Duration::from_secs(60), "it took {time:?}");
}

#[test]
fn a_super_seed_serves_a_single_peer_to_the_end() {
    let mut swarm = Swarm::new(32, 64 << 10);
    let seed = swarm.join(Joining {
        config: Config {
            super_seeding: true,
            ..Config::default()
        },
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[seed]);
    swarm.run_until(Duration::from_secs(30), |swarm| swarm.is_finished(leecher));
}
