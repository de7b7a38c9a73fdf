//! What the engine costs: an item is a block or a message that went through `Torrent::handle`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use wire::{
    Bitfield, Block, CloseReason, Config, Direction, Event, Handshake, InfoBuilder, InfoHash,
    Input, Link, Message, Outbox, PeerId, Reserved, Torrent,
};

fn main() {
    divan::main();
}

/// 1 GiB in pieces of 1 MiB from one seed: what every block costs, with the requests, verdicts and the end.
#[divan::bench(sample_count = 20)]
fn gibibyte_from_one_seed(bencher: Bencher<'_, '_>) {
    let blocks = 65_536u64;
    bencher
        .counter(ItemsCount::new(blocks))
        .with_inputs(|| Bench::new(1024, 1 << 20, &[Bitfield::full(1024)]))
        .bench_local_values(|bench| bench.fetch(blocks));
}

/// Blocks from 200 peers that have each half of 100,000 pieces of 64 KiB.
#[divan::bench(sample_count = 20)]
fn blocks_from_200_peers_of_100_000_pieces(bencher: Bencher<'_, '_>) {
    let blocks = 20_000u64;
    bencher
        .counter(ItemsCount::new(blocks))
        .with_inputs(crowd)
        .bench_local_values(|bench| bench.fetch(blocks));
}

/// `have` messages from these 200 peers.
#[divan::bench(sample_count = 20)]
fn haves_from_200_peers_of_100_000_pieces(bencher: Bencher<'_, '_>) {
    let haves = 20_000u32;
    bencher
        .counter(ItemsCount::new(haves))
        .with_inputs(crowd)
        .bench_local_values(|mut bench| {
            for index in 0..haves {
                let link = Link(index % 200);
                bench.handle(Input::Received {
                    link,
                    message: Message::Have(index * 4999 % 100_000),
                });
            }
            bench
        });
}

/// A peer with half of 100,000 pieces comes.
#[divan::bench(sample_count = 20)]
fn bitfield_of_100_000_pieces(bencher: Bencher<'_, '_>) {
    let half = half(&mut Xoshiro256PlusPlus::seed_from_u64(99));
    bencher.with_inputs(crowd).bench_local_values(|mut bench| {
        bench.connect(Link(200), &half);
        bench
    });
}

fn crowd() -> Bench {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let peers: Vec<_> = (0..200).map(|_| half(&mut rng)).collect();
    Bench::new(100_000, 64 << 10, &peers)
}

fn half(rng: &mut Xoshiro256PlusPlus) -> Bitfield {
    let mut pieces = Bitfield::new(100_000);
    (0..100_000).filter(|_| rng.random()).for_each(|piece| {
        pieces.set(piece);
    });
    pieces
}

struct Bench {
    torrent: Torrent,
    config: Config,
    rng: Xoshiro256PlusPlus,
    now: Duration,
    links: u32,
    /// Blocks that each piece lacks.
    lacking: Vec<u32>,
    out: Completed,
}

impl Bench {
    fn new(pieces: u32, piece_length: u32, peers: &[Bitfield]) -> Self {
        let info = InfoBuilder::single_file("bench", u64::from(pieces) * u64::from(piece_length))
            .piece_length(piece_length)
            .build(&vec![[0; 20]; pieces as usize]);
        let info = Arc::new(info.expect("the torrent is well formed"));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
        let peer_id = PeerId::generate(&mut rng, *b"-TL0100-");
        let mut bench = Self {
            torrent: Torrent::new(info.hash(), peer_id, Some(Arc::clone(&info))),
            config: Config {
                max_connections: 300,
                ..Config::default()
            },
            rng,
            now: Duration::from_secs(1),
            lacking: (0..pieces)
                .map(|piece| info.geometry().blocks(piece))
                .collect(),

            links: peers.len() as u32,
            out: Completed::default(),
        };
        bench.handle(Input::Start {
            have: Bitfield::new(pieces),
        });
        for (link, pieces) in (0..).zip(peers) {
            bench.connect(Link(link), pieces);
        }
        bench
    }

    fn connect(&mut self, link: Link, pieces: &Bitfield) {
        let peer_id = PeerId::generate(&mut self.rng, *b"-XX0100-");
        let handshake = Handshake {
            reserved: Reserved::default().with_fast().with_extension(),
            info_hash: InfoHash::from([0; 20]),
            peer_id,
        };
        let address = SocketAddr::from(([10, 0, 0, 1], 1000 + link.0 as u16));
        self.handle(Input::Connected {
            link,
            address,
            direction: Direction::Incoming,
            handshake: &handshake,
        });
        self.handle(Input::Received {
            link,
            message: Message::Bitfield(pieces.as_bytes()),
        });
        self.handle(Input::Received {
            link,
            message: Message::Unchoke,
        });
    }

    fn handle(&mut self, input: Input<'_>) {
        let Self {
            torrent,
            config,
            now,
            rng,
            out,
            ..
        } = self;
        let _ = black_box(torrent.handle(config, *now, rng, input, out));
    }

    /// Delivers so many blocks, in turn from all peers, at 1 GB/s.
    fn fetch(mut self, blocks: u64) -> Self {
        for index in 0..blocks {
            self.now += Duration::from_micros(16);
            let link = Link((index % u64::from(self.links)) as u32);
            let Some(block) = self.torrent.expected(link).next() else {
                continue;
            };
            self.handle(Input::Block { link, block });
            let Some(stored) = self.out.stored.take() else {
                continue;
            };
            self.lacking[stored.piece as usize] -= 1;
            if self.lacking[stored.piece as usize] == 0 {
                self.handle(Input::PieceChecked {
                    piece: stored.piece,
                    valid: true,
                });
            }
        }
        self
    }
}

#[derive(Default)]
struct Completed {
    stored: Option<Block>,
}

impl Outbox for Completed {
    fn connect(&mut self, _: SocketAddr) {}
    fn send(&mut self, _: Link, message: Message<'_>) {
        black_box(message);
    }
    fn upload(&mut self, _: Link, _: Block) {}
    fn cancel_upload(&mut self, _: Link, _: Block, _: bool) {}
    fn store(&mut self, _: Link, block: Block) {
        self.stored = Some(block);
    }
    fn discard(&mut self, _: u32) {}
    fn close(&mut self, _: Link, _: &CloseReason) {}
    fn event(&mut self, _: Event) {}
}
