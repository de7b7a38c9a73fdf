//! Nodes that want a part of a torrent.

use std::time::Duration;

use wire::{Bitfield, Event, Priority};

use super::network::{Joining, Swarm};

const LIMIT: Duration = Duration::from_secs(60);

fn pieces(swarm: &Swarm, node: usize) -> Vec<u32> {
    let have = swarm.nodes[node].torrent.have();
    have.map(Bitfield::iter_ones)
        .into_iter()
        .flatten()
        .collect()
}

/// Neither side has any use of the connection while the part is all that is wanted.
#[test]
fn the_seed_that_was_left_is_found_again_when_more_is_wanted() {
    let mut swarm = Swarm::new(40, 2 * wire::BLOCK_LENGTH);
    let seed = swarm.join(swarm.seed());
    let leecher = swarm.join(Joining {
        info: Some(swarm.info.clone()),
        ..Joining::leecher()
    });
    let mut priorities = [Priority::Skip; 40];
    priorities[10..20].fill(Priority::Normal);
    swarm.want(leecher, &priorities);
    swarm.introduce(leecher, &[seed]);
    swarm.run_until(LIMIT, |swarm| !pieces(swarm, leecher).is_empty());
    swarm.run_until(LIMIT, |swarm| !swarm.is_connected(leecher, seed));
    assert!(
        pieces(&swarm, leecher)
            .iter()
            .eq(&(10..20).collect::<Vec<_>>())
    );
    let finished = |swarm: &Swarm| {
        let events = swarm.nodes[leecher].events.iter();
        let finished = events.filter(|(_, event)| matches!(event, Event::Finished));
        finished.count()
    };
    assert_eq!(finished(&swarm), 1);

    swarm.want(leecher, &[]);
    let time = swarm.run_until(LIMIT, |swarm| swarm.is_finished(leecher));
    assert!(time < Duration::from_secs(2), "{time:?}");
    assert_eq!(finished(&swarm), 2);
}

#[test]
fn two_who_want_different_parts_make_up_the_whole_for_a_third() {
    let mut swarm = Swarm::new(40, 2 * wire::BLOCK_LENGTH);
    let part = |pieces: std::ops::Range<u32>| {
        let mut have = Bitfield::new(40);
        for piece in pieces {
            have.set(piece);
        }
        have
    };
    let mut sources = Vec::new();
    for have in [part(0..25), part(15..40)] {
        let mut priorities = [Priority::Skip; 40];
        for piece in have.iter_ones() {
            priorities[piece as usize] = Priority::Normal;
        }
        let source = swarm.join(Joining {
            have: Some(have),
            ..swarm.seed()
        });
        swarm.want(source, &priorities);
        sources.push(source);
    }
    let leecher = swarm.join(Joining::leecher());
    swarm.introduce(leecher, &sources);
    swarm.run_until(LIMIT, |swarm| swarm.is_finished(leecher));
    // The sources want nothing of each other's.
    assert_eq!(pieces(&swarm, sources[0]).len(), 25);
}
