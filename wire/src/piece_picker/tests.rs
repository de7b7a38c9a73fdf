use std::collections::BTreeMap;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::BLOCK_LENGTH;

const PIECE_LENGTH: u64 = 4 * BLOCK_LENGTH as u64;

fn rng() -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(7)
}

fn geometry(pieces: u32) -> Geometry {
    // The last piece is one byte.
    Geometry::new(u64::from(pieces - 1) * PIECE_LENGTH + 1, PIECE_LENGTH)
        .expect("a sensible geometry")
}

fn picker(pieces: u32) -> PiecePicker {
    PiecePicker::new(geometry(pieces), Bitfield::new(pieces), &mut rng())
}

fn address(link: Link) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, link.0 as u8], 6881))
}

fn asker(link: u32, pieces: &Bitfield) -> Asker<'_> {
    Asker {
        link: Link(link),
        pieces,
        whole_pieces: true,
        alone: false,
    }
}

fn pick(
    picker: &mut PiecePicker,
    asker: Asker<'_>,
    current: &mut Option<u32>,
    wanted: usize,
) -> Vec<Block> {
    let mut chosen = Vec::new();
    picker.pick(asker, current, wanted, &mut rng(), &mut chosen);
    chosen
}

fn deliver(picker: &mut PiecePicker, blocks: &[Block], from: Link) {
    for &block in blocks {
        assert!(matches!(
            picker.received(block, from, address(from)),
            Receipt::Wanted { .. }
        ));
    }
}

#[test]
fn the_rarest_piece_comes_first_once_there_is_something_to_trade() {
    let mut have = Bitfield::new(20);
    (0..4).for_each(|piece| {
        have.set(piece);
    });
    let mut picker = PiecePicker::new(geometry(20), have, &mut rng());
    let all = Bitfield::full(20);
    let mut common = Bitfield::full(20);
    common.clear(13);
    picker.peer_joined(&all);
    picker.peer_joined(&common);
    assert_eq!(pick(&mut picker, asker(1, &all), &mut None, 1)[0].piece, 13);
}

#[test]
fn the_first_pieces_are_random() {
    let mut picker = picker(1000);
    let all = Bitfield::full(1000);
    picker.peer_joined(&all);
    let mut first = BTreeMap::new();
    for seed in 0..200 {
        let mut chosen = Vec::new();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        picker.pick(asker(1, &all), &mut None, 1, &mut rng, &mut chosen);
        *first.entry(chosen[0].piece).or_insert(0) += 1;
        picker.release(chosen[0], &mut rng);
    }
    assert!(first.len() > 150, "only {} different pieces", first.len());
}

#[test]
fn a_fast_peer_fetches_a_piece_for_itself_and_in_order() {
    let mut picker = picker(10);
    let all = Bitfield::full(10);
    picker.peer_joined(&all);
    let (mut one, mut other) = (None, None);
    let first = pick(&mut picker, asker(1, &all), &mut one, 2);
    let second = pick(&mut picker, asker(2, &all), &mut other, 2);
    assert_ne!(first[0].piece, second[0].piece);
    let rest = pick(&mut picker, asker(1, &all), &mut one, 2);
    let offsets: Vec<_> = first
        .iter()
        .chain(&rest)
        .map(|block| block.offset / BLOCK_LENGTH)
        .collect();
    assert_eq!(offsets, [0, 1, 2, 3]);
    assert!(rest.iter().all(|block| block.piece == first[0].piece));
}

/// The pieces that a peer with everything begins, one after the other.
fn begun_in_order(picker: &mut PiecePicker, count: usize) -> Vec<u32> {
    let all = Bitfield::full(picker.have().len());
    let blocks = pick(picker, asker(1, &all), &mut None, 4 * count);
    let mut pieces: Vec<_> = blocks.iter().map(|block| block.piece).collect();
    pieces.dedup();
    pieces
}

#[test]
fn what_is_wanted_more_comes_first_and_what_is_not_wanted_never() {
    let mut picker = picker(5);
    picker.peer_joined(&Bitfield::full(5));
    let priorities = [
        Priority::Low,
        Priority::Skip,
        Priority::High,
        Priority::Normal,
    ];
    picker.prioritise(&priorities, &mut rng());
    let order = begun_in_order(&mut picker, 5);
    assert_eq!(order.len(), 4);
    assert_eq!((order[0], order[3]), (2, 0));
    assert!(!order.contains(&1));
}

#[test]
fn a_piece_that_is_wanted_no_more_is_kept_and_goes_on_when_it_is_wanted_again() {
    let mut picker = picker(2);
    let all = Bitfield::full(2);
    picker.peer_joined(&all);
    picker.prioritise(&[Priority::Normal, Priority::Skip], &mut rng());
    let mut current = None;
    let blocks = pick(&mut picker, asker(1, &all), &mut current, 2);
    deliver(&mut picker, &blocks, Link(1));
    picker.prioritise(&[Priority::Skip, Priority::Skip], &mut rng());
    assert!(picker.is_finished() && picker.bytes_missing() == 0);
    assert_eq!(pick(&mut picker, asker(1, &all), &mut current, 2), []);
    picker.prioritise(&[Priority::High, Priority::Skip], &mut rng());
    let rest = pick(&mut picker, asker(1, &all), &mut current, 9);
    let offsets: Vec<_> = rest
        .iter()
        .map(|block| block.offset / BLOCK_LENGTH)
        .collect();
    assert_eq!(offsets, [2, 3]);
    deliver(&mut picker, &rest, Link(1));
    assert!(picker.verified(0).is_some() && picker.is_finished());
}

#[test]
fn in_sequence_the_first_piece_that_is_missing_comes_first() {
    let mut picker = picker(100);
    picker.peer_joined(&Bitfield::full(100));
    picker.set_order(Order::Sequential);
    assert_eq!(begun_in_order(&mut picker, 3), [0, 1, 2]);
    let block = picker.geometry.block(1, 0);
    for index in 0..4 {
        picker.release(
            Block {
                offset: index * BLOCK_LENGTH,
                ..block
            },
            &mut rng(),
        );
    }
    assert_eq!(begun_in_order(&mut picker, 3), [1, 3, 4]);
    let mut few = Bitfield::new(100);
    few.set(50);
    let blocks = pick(&mut picker, asker(2, &few), &mut None, 1);
    assert_eq!(blocks[0].piece, 50);
}

#[test]
fn what_is_urgent_comes_before_everything_and_from_several_peers() {
    let mut picker = picker(100);
    let all = Bitfield::full(100);
    picker.peer_joined(&all);
    let mut current = None;
    pick(&mut picker, asker(1, &all), &mut current, 1);
    picker.set_urgent(&[70, 30, 100]);
    let pieces =
        |blocks: &[Block]| -> Vec<u32> { blocks.iter().map(|block| block.piece).collect() };
    let first = pick(&mut picker, asker(1, &all), &mut current, 2);
    let second = pick(&mut picker, asker(2, &all), &mut None, 3);
    assert_eq!(pieces(&first), [70, 70]);
    assert_eq!(pieces(&second), [70, 70, 30]);
    picker.set_urgent(&[]);
    let rest = pick(&mut picker, asker(3, &all), &mut None, 1);
    assert!(![70, 30].contains(&rest[0].piece) || picker.partials[&rest[0].piece].open() > 0);
}

#[test]
fn slow_peers_share_a_piece() {
    let mut picker = picker(10);
    let all = Bitfield::full(10);
    picker.peer_joined(&all);
    let slow = |link| Asker {
        whole_pieces: false,
        ..asker(link, &all)
    };
    let first = pick(&mut picker, slow(1), &mut None, 2);
    let second = pick(&mut picker, slow(2), &mut None, 2);
    assert_eq!(first[0].piece, second[0].piece);
}

#[test]
fn blocks_are_asked_for_twice_only_in_the_endgame_and_of_idle_peers() {
    let mut picker = picker(3);
    let all = Bitfield::full(3);
    picker.peer_joined(&all);
    let mut again = Vec::new();
    let first = pick(&mut picker, asker(1, &all), &mut None, 8);
    picker.pick_again(asker(2, &all), 100, &mut again);
    assert!(again.is_empty(), "a block is open still");
    let rest = pick(&mut picker, asker(1, &all), &mut None, 8);
    assert_eq!(first.len() + rest.len(), 9);
    assert_eq!(picker.stage(), Stage::Endgame);
    picker.pick_again(asker(2, &all), 100, &mut again);
    assert_eq!(again.len(), 9);
    assert_eq!(
        picker.received(again[0], Link(2), address(Link(2))),
        Receipt::Wanted { asked: 2 }
    );
    assert_eq!(
        picker.received(again[0], Link(1), address(Link(1))),
        Receipt::Unwanted
    );
}

#[test]
fn a_failed_piece_is_fetched_by_one_peer_alone() {
    let mut picker = picker(3);
    let all = Bitfield::full(3);
    picker.peer_joined(&all);
    let mut failing = Bitfield::new(3);
    failing.set(0);
    let blocks = pick(&mut picker, asker(1, &failing), &mut None, 5);
    deliver(&mut picker, &blocks[..2], Link(1));
    deliver(&mut picker, &blocks[2..], Link(2));
    assert_eq!(
        picker.failed(0),
        Some(vec![address(Link(1)), address(Link(2))])
    );
    let retry = pick(&mut picker, asker(1, &all), &mut None, 1);
    assert_eq!(retry[0].piece, 0);
    let others = pick(&mut picker, asker(2, &failing), &mut None, 1);
    assert!(others.is_empty(), "somebody else takes part");
    // Not even when there is nothing else to do.
    assert_eq!(pick(&mut picker, asker(3, &all), &mut None, 6).len(), 5);
    let others = pick(&mut picker, asker(2, &all), &mut None, 1);
    assert!(others.is_empty(), "somebody else takes part in the end");
    let (thief, owner) = (Link(2), Link(1));
    assert_eq!(
        picker.received(retry[0], thief, address(thief)),
        Receipt::Unwanted,
        "somebody else's block is taken"
    );
    deliver(&mut picker, &retry, owner);
    let rest = pick(&mut picker, asker(1, &all), &mut None, 5);
    deliver(&mut picker, &rest, owner);
    assert_eq!(picker.failed(0), Some(vec![address(owner)]));
}

#[test]
fn what_is_begun_is_bounded_however_many_peers_there_are() {
    let length = 16 << 20;
    let geometry = Geometry::new(100 * length, length).expect("a sensible geometry");
    let mut picker = PiecePicker::new(geometry, Bitfield::new(100), &mut rng());
    let all = Bitfield::full(100);
    picker.peer_joined(&all);
    let mut begun = BTreeSet::new();
    for link in 0..200 {
        let blocks = pick(&mut picker, asker(link, &all), &mut None, 4);
        begun.extend(blocks.iter().map(|block| block.piece));
    }
    assert!(
        begun.len() <= 5,
        "{} pieces of 16 MiB are begun at once",
        begun.len()
    );
}

#[test]
fn a_verdict_nobody_waits_for_changes_nothing() {
    let mut picker = picker(2);
    assert_eq!(picker.verified(0), None);
    assert_eq!(picker.failed(7), None);
    assert_eq!(picker.bytes_left(), geometry(2).total());
}

#[derive(Debug, Clone)]
enum Step {
    Have {
        peer: usize,
        piece: u32,
    },
    Pick {
        peer: usize,
        wanted: usize,
        whole_pieces: bool,
        alone: bool,
    },
    Deliver {
        peer: usize,
        nth: usize,
    },
    Release {
        peer: usize,
        nth: usize,
    },
    Check {
        nth: usize,
        valid: bool,
    },
    Rejoin {
        peer: usize,
        pieces: Vec<bool>,
    },
    Lose {
        piece: u32,
        fetch_again: bool,
    },
    Find {
        piece: u32,
    },
    Prioritise(Vec<Priority>),
    Order(Order),
    Urgent(Vec<u32>),
}

const PEERS: usize = 4;
const PIECES: u32 = 12;

fn step() -> impl Strategy<Value = Step> {
    let peer = 0..PEERS;
    prop_oneof![
        2 => (peer.clone(), 0..PIECES).prop_map(|(peer, piece)| Step::Have { peer, piece }),
        4 => (peer.clone(), 1..12usize, any::<bool>(), prop::bool::weighted(0.2))
            .prop_map(|(peer, wanted, whole_pieces, alone)| Step::Pick { peer, wanted, whole_pieces, alone }),
        6 => (peer.clone(), any::<usize>()).prop_map(|(peer, nth)| Step::Deliver { peer, nth }),
        2 => (peer.clone(), any::<usize>()).prop_map(|(peer, nth)| Step::Release { peer, nth }),
        3 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(nth, valid)| Step::Check { nth, valid }),
        2 => (0..=PIECES, any::<bool>())
            .prop_map(|(piece, fetch_again)| Step::Lose { piece, fetch_again }),
        1 => (0..=PIECES).prop_map(|piece| Step::Find { piece }),
        1 => prop::collection::vec(prop::sample::select(&ALL_PRIORITIES[..]), 0..=PIECES as usize)
            .prop_map(Step::Prioritise),
        1 => any::<bool>().prop_map(|in_order| {
            Step::Order(if in_order { Order::Sequential } else { Order::RarestFirst })
        }),
        1 => prop::collection::vec(0..PIECES + 1, 0..4).prop_map(Step::Urgent),
        1 => (peer, prop::collection::vec(any::<bool>(), PIECES as usize))
            .prop_map(|(peer, pieces)| Step::Rejoin { peer, pieces }),
    ]
}

const ALL_PRIORITIES: [Priority; 4] = [
    Priority::Skip,
    Priority::Low,
    Priority::Normal,
    Priority::High,
];

struct Peer {
    pieces: Bitfield,
    is_seed: bool,
    current: Option<u32>,
    asked: Vec<Block>,
}

proptest! {
    /// Whatever happens, the books agree with a recount.
    #[test]
    fn the_books_are_right(steps in prop::collection::vec(step(), 1..300)) {
        let mut rng = rng();
        let geometry = geometry(PIECES);
        let mut picker = picker(PIECES);
        let mut peers: Vec<_> = (0..PEERS)
            .map(|_| Peer { pieces: Bitfield::new(PIECES), is_seed: false, current: None, asked: Vec::new() })
            .collect();
        for peer in &mut peers {
            peer.is_seed = picker.peer_joined(&peer.pieces);
        }
        let mut received: BTreeMap<u32, Vec<Block>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Have { peer, piece } => {
                    if peers[peer].pieces.set(piece) {
                        picker.peer_has(piece);
                    }
                }
                Step::Pick { peer, wanted, whole_pieces, alone } => {
                    let others: Vec<_> = peers.iter().flat_map(|peer| peer.asked.clone()).collect();
                    let Peer { pieces, current, asked, .. } = &mut peers[peer];
                    let asker = Asker { link: Link(peer as u32), pieces, whole_pieces, alone };
                    let mut chosen = Vec::new();
                    picker.pick(asker, current, wanted, &mut rng, &mut chosen);
                    prop_assert!(chosen.len() <= wanted);
                    prop_assert!(chosen.iter().all(|block| !others.contains(block)), "asked for twice before the endgame");
                    if chosen.is_empty() && asked.is_empty() {
                        picker.pick_again(asker, wanted, &mut chosen);
                    }
                    for block in chosen {
                        prop_assert!(pieces.get(block.piece), "the peer lacks {block:?}");
                        prop_assert!(picker.is_missing(block.piece), "nobody wants {block:?}");
                        prop_assert!(!picker.have().get(block.piece), "{block:?} is there");
                        prop_assert!(!received.get(&block.piece).is_some_and(|blocks| blocks.contains(&block)));
                        prop_assert!(!asked.contains(&block), "asked for twice of one peer");
                        asked.push(block);
                    }
                }
                Step::Deliver { peer, nth } => {
                    let asked = &mut peers[peer].asked;
                    if asked.is_empty() {
                        continue;
                    }
                    let block = asked.swap_remove(nth % asked.len());
                    let is_new = !received.get(&block.piece).is_some_and(|blocks| blocks.contains(&block))
                        && !picker.have().get(block.piece);
                    let receipt = picker.received(block, Link(peer as u32), address(Link(peer as u32)));
                    prop_assert_eq!(is_new, matches!(receipt, Receipt::Wanted { .. }));
                    if is_new {
                        received.entry(block.piece).or_default().push(block);
                        for other in &mut peers {
                            other.asked.retain(|&asked| asked != block);
                        }
                    }
                }
                Step::Release { peer, nth } => {
                    let asked = &mut peers[peer].asked;
                    if !asked.is_empty() {
                        let block = asked.swap_remove(nth % asked.len());
                        picker.release(block, &mut rng);
                    }
                }
                Step::Check { nth, valid } => {
                    let complete: Vec<_> = received
                        .iter()
                        .filter(|(piece, blocks)| blocks.len() == geometry.blocks(**piece) as usize)
                        .map(|(&piece, _)| piece)
                        .collect();
                    if complete.is_empty() {
                        continue;
                    }
                    let piece = complete[nth % complete.len()];
                    received.remove(&piece);
                    let contributors = if valid { picker.verified(piece) } else { picker.failed(piece) };
                    prop_assert!(contributors.is_some_and(|contributors| !contributors.is_empty()));
                }
                Step::Lose { piece, fetch_again } => {
                    let was_there = picker.have().get(piece);
                    prop_assert_eq!(picker.lost(piece, fetch_again, &mut rng), was_there);
                    prop_assert!(!was_there || fetch_again || !picker.is_missing(piece));
                }
                Step::Find { piece } => {
                    let is_news = piece < PIECES && !picker.have().get(piece) && !picker.partials.contains_key(&piece);
                    prop_assert_eq!(picker.found(piece), is_news);
                }
                Step::Prioritise(priorities) => picker.prioritise(&priorities, &mut rng),
                Step::Order(order) => picker.set_order(order),
                Step::Urgent(pieces) => picker.set_urgent(&pieces),
                Step::Rejoin { peer, pieces } => {
                    let leaving = &mut peers[peer];
                    for block in leaving.asked.drain(..) {
                        picker.release(block, &mut rng);
                    }
                    for piece in picker.disown(Link(peer as u32), true) {
                        prop_assert!(false, "piece {} is dropped", piece);
                    }
                    picker.peer_left(&leaving.pieces, leaving.is_seed);
                    leaving.current = None;
                    leaving.pieces = Bitfield::new(PIECES);
                    (0..PIECES).zip(pieces).filter(|(_, has)| *has).for_each(|(piece, _)| { leaving.pieces.set(piece); });
                    leaving.is_seed = picker.peer_joined(&leaving.pieces);
                }
            }
            picker.availability.assert_consistent();
            let missing: Vec<_> = (0..PIECES).filter(|&piece| picker.is_missing(piece)).collect();
            prop_assert_eq!(picker.missing as usize, missing.len());
            let bytes = missing.iter().map(|&piece| u64::from(geometry.piece_length(piece)));
            prop_assert_eq!(picker.bytes_missing(), bytes.sum::<u64>());
            for piece in 0..PIECES {
                let count = peers.iter().filter(|peer| peer.pieces.get(piece)).count();
                prop_assert_eq!(picker.availability.count(piece) as usize, count);
                let begun = picker.partials.contains_key(&piece);
                let states = [picker.have().get(piece), begun, picker.availability.is_pooled(piece)];
                let priority = picker.availability.priority(piece);
                let skipped = priority == Priority::Skip && states == [false; 3];
                let count = states.iter().filter(|&&state| state).count();
                prop_assert_eq!(count, usize::from(!skipped), "piece {} is {:?}", piece, states);
                let open = picker.partials.get(&piece).is_some_and(|partial| partial.open() > 0);
                for (level, pieces) in LEVELS.into_iter().zip(&picker.open) {
                    prop_assert_eq!(pieces.contains(&piece), open && level == priority);
                }
            }
            let done: u64 = picker.have().iter_ones().map(|piece| u64::from(geometry.piece_length(piece))).sum();
            prop_assert_eq!(picker.bytes_left() + done, geometry.total());
        }
    }

    /// A swarm with at least one seed always gets to the end: nothing is ever lost track of.
    #[test]
    fn with_a_seed_everything_is_fetched_in_the_end(order in prop::collection::vec(any::<(bool, usize)>(), 100)) {
        let mut rng = rng();
        let mut picker = picker(PIECES);
        let all = Bitfield::full(PIECES);
        picker.peer_joined(&all);
        let mut asked = Vec::new();
        let mut order = order.into_iter().cycle();
        let mut rounds = 0;
        while !picker.is_finished() {
            rounds += 1;
            prop_assert!(rounds < 10_000, "stuck");
            if asked.is_empty() {
                picker.pick(asker(1, &all), &mut None, 5, &mut rng, &mut asked);
            }
            let Some((deliver, nth)) = order.next() else { break };
            if asked.is_empty() {
                continue;
            }
            let block = asked.swap_remove(nth % asked.len());
            if deliver || rounds > 1000 {
                picker.received(block, Link(1), address(Link(1)));
                picker.verified(block.piece);
            } else {
                picker.release(block, &mut rng);
            }
        }
        prop_assert_eq!(picker.bytes_left(), 0);
    }
}
