use std::time::Duration;

use wire::{CloseReason, Event};

use crate::network::{Joining, Manner, Swarm, torrent};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn metadata_after(swarm: &mut Swarm, node: usize) -> Duration {
    swarm.run_until(seconds(120), |swarm| {
        swarm.nodes[node].torrent.info().is_some()
    })
}

/// 400 KiB of metadata: 25 pieces.
fn large() -> Swarm {
    Swarm::new(20_000, 16 << 10)
}

#[test]
fn metadata_comes_from_several_peers_at_once() {
    let mut swarm = large();
    let seeds: Vec<_> = (0..4)
        .map(|_| {
            swarm.join(Joining {
                bytes_per_second: 100e3,
                ..swarm.seed()
            })
        })
        .collect();
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &seeds);
    let time = metadata_after(&mut swarm, leecher);
    assert!(
        time < Duration::from_millis(1500),
        "400 kB from four peers of 100 kB/s each took {time:?}"
    );
}

#[test]
fn metadata_from_a_peer_that_lies() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let length = swarm.info.total_length();
    let other = torrent("other", length, 256 << 10);
    let liar = swarm.join(Joining {
        info: Some(other),
        ..swarm.seed()
    });
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[liar]);
    swarm.run_for(seconds(5));
    assert!(swarm.nodes[leecher].torrent.info().is_none());
    let liar = swarm.nodes[liar].address;
    assert!(
        swarm.nodes[leecher]
            .closed
            .contains(&(liar, CloseReason::BadMetadata))
    );
    let seed = swarm.join(swarm.seed());
    swarm.introduce(leecher, &[seed]);
    swarm.run_until(seconds(60), |swarm| swarm.is_finished(leecher));
}

#[test]
fn metadata_is_put_together_in_spite_of_liars_of_the_same_size() {
    let mut swarm = large();
    let length = swarm.info.total_length();
    let other = torrent("swarn", length, 16 << 10);
    let liars: Vec<_> = (0..3)
        .map(|_| {
            swarm.join(Joining {
                info: Some(other.clone()),
                ..swarm.seed()
            })
        })
        .collect();
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &liars);
    swarm.introduce(leecher, &[seed]);
    let time = metadata_after(&mut swarm, leecher);
    assert!(time < seconds(60), "{time:?}");
    assert!(!swarm.nodes[leecher].events.iter().any(|(_, event)| {
        matches!(event, Event::PeerBanned { address, .. } if *address == swarm.nodes[seed].address)
    }));
}

#[test]
fn metadata_passes_on_from_one_leecher_to_the_next() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let seed = swarm.join(swarm.seed());
    let first = swarm.join(Joining::leecher());
    let second = swarm.join(Joining::leecher());
    swarm.introduce(second, &[first]);
    swarm.run_for(seconds(1));
    swarm.introduce(first, &[seed]);
    swarm.run_until(seconds(60), |swarm| {
        swarm.is_finished(first) && swarm.is_finished(second)
    });
    assert_eq!(
        swarm.nodes[seed].sent_to.len(),
        1,
        "the second never knew the seed"
    );
}

#[test]
fn a_peer_that_does_not_answer_delays_metadata_by_seconds_only() {
    let mut swarm = Swarm::new(16, 256 << 10);
    let mute = swarm.join(Joining {
        manner: Manner::Mute,
        ..swarm.seed()
    });
    let vanishing = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &[mute, vanishing]);
    // Long enough for the extension handshake, too short for the metadata.
    swarm.run_for(Duration::from_millis(65));
    swarm.vanish(vanishing);
    let seed = swarm.join(swarm.seed());
    swarm.introduce(leecher, &[seed]);
    let time = metadata_after(&mut swarm, leecher);
    assert!(time < seconds(4), "{time:?}");
}
