//! Arbitrary inputs in arbitrary order: no panic, no deadline in the past, nothing said to nobody, and books that agree with what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use wire::{
    Allowance, BLOCK_LENGTH, Bitfield, Block, CloseReason, Config, Direction, Event,
    ExtensionHandshake, Handshake, Info, InfoBuilder, Input, Link, Message, MetadataMessage, Order,
    Outbox, PeerId, Priority, Reserved, Source, Torrent,
};

const PIECES: u32 = 6;
const LINKS: u32 = 5;

#[derive(Debug, Clone)]
enum Step {
    Candidates(u8),
    ConnectFailed(u8),
    Connect {
        link: u32,
        outgoing: bool,
        peer: u8,
        reserved: u8,
    },
    Close(u32),
    Say {
        link: u32,
        words: Words,
    },
    /// The block that is expected next, or the one after it.
    Deliver {
        link: u32,
        second: bool,
    },
    Strange {
        link: u32,
        block: Block,
    },
    Uploaded {
        link: u32,
    },
    UploadFailed {
        link: u32,
    },
    Lose {
        piece: u32,
        fetch_again: bool,
    },
    Find(u32),
    Start(Vec<bool>),
    Check {
        piece: u32,
        valid: bool,
    },
    Pressure(bool),
    Allow(Option<u64>),
    Prioritize(Vec<Priority>),
    Order(bool),
    Urgent(Vec<u32>),
    Wait(u32),
}

#[derive(Debug, Clone)]
enum Words {
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    KeepAlive,
    Have(u32),
    Bitfield(Vec<u8>),
    HaveAll,
    HaveNone,
    Request(Block),
    Cancel(Block),
    Reject(Block),
    RejectExpected,
    AllowedFast(u32),
    Suggest(u32),
    Port(u16),
    Handshake {
        metadata: bool,
        requests: Option<u32>,
        upload_only: Option<bool>,
    },
    MetadataRequest(u32),
    Metadata {
        genuine: bool,
    },
    DontHave(u32),
    Extended(u8, Vec<u8>),
}

fn piece() -> impl Strategy<Value = u32> {
    prop_oneof![50 => 0..PIECES, 1 => PIECES..]
}

fn block() -> impl Strategy<Value = Block> {
    let offset =
        prop_oneof![8 => (0..3u32).prop_map(|index| index * BLOCK_LENGTH), 1 => any::<u32>()];
    let length = prop_oneof![50 => Just(BLOCK_LENGTH), 1 => any::<u32>(), 1 => Just(0)];
    (piece(), offset, length).prop_map(|(piece, offset, length)| Block {
        piece,
        offset,
        length,
    })
}

fn words() -> impl Strategy<Value = Words> {
    prop_oneof![
        1 => Just(Words::Choke),
        4 => Just(Words::Unchoke),
        2 => Just(Words::Interested),
        1 => Just(Words::NotInterested),
        1 => Just(Words::KeepAlive),
        3 => piece().prop_map(Words::Have),
        2 => prop::collection::vec(any::<u8>(), 0..3).prop_map(Words::Bitfield),
        1 => Just(Words::HaveAll),
        1 => Just(Words::HaveNone),
        3 => block().prop_map(Words::Request),
        1 => block().prop_map(Words::Cancel),
        1 => block().prop_map(Words::Reject),
        2 => Just(Words::RejectExpected),
        1 => piece().prop_map(Words::AllowedFast),
        1 => any::<u32>().prop_map(Words::Suggest),
        1 => any::<u16>().prop_map(Words::Port),
        3 => (any::<bool>(), prop::option::of(0..20u32), prop::option::of(prop::bool::weighted(0.1)))
            .prop_map(|(metadata, requests, upload_only)| Words::Handshake { metadata, requests, upload_only }),
        1 => (0..3u32).prop_map(Words::MetadataRequest),
        2 => prop::bool::weighted(0.8).prop_map(|genuine| Words::Metadata { genuine }),
        1 => piece().prop_map(Words::DontHave),
        1 => (0..3u8, prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(id, payload)| Words::Extended(id, payload)),
    ]
}

fn priority(number: u8) -> Priority {
    match number {
        0 => Priority::Skip,
        1 => Priority::Low,
        2 => Priority::Normal,
        _ => Priority::High,
    }
}

fn step() -> impl Strategy<Value = Step> {
    let link = 0..LINKS;
    prop_oneof![
        1 => any::<u8>().prop_map(Step::Candidates),
        1 => any::<u8>().prop_map(Step::ConnectFailed),
        4 => (link.clone(), any::<bool>(), 0..8u8, prop_oneof![3 => Just(0xff), 1 => any::<u8>()])
            .prop_map(|(link, outgoing, peer, reserved)| Step::Connect { link, outgoing, peer, reserved }),
        1 => link.clone().prop_map(Step::Close),
        20 => (link.clone(), words()).prop_map(|(link, words)| Step::Say { link, words }),
        20 => (link.clone(), prop::bool::weighted(0.2)).prop_map(|(link, second)| Step::Deliver { link, second }),
        1 => (link.clone(), block()).prop_map(|(link, block)| Step::Strange { link, block }),
        3 => link.clone().prop_map(|link| Step::Uploaded { link }),
        1 => link.prop_map(|link| Step::UploadFailed { link }),
        2 => (piece(), any::<bool>()).prop_map(|(piece, fetch_again)| Step::Lose { piece, fetch_again }),
        1 => piece().prop_map(Step::Find),
        1 => prop::collection::vec(prop::bool::weighted(0.3), PIECES as usize).prop_map(Step::Start),
        5 => (0..=PIECES, prop::bool::weighted(0.8)).prop_map(|(piece, valid)| Step::Check { piece, valid }),
        1 => any::<bool>().prop_map(Step::Pressure),
        2 => prop::option::of(0..100_000u64).prop_map(Step::Allow),
        1 => prop::collection::vec((0..4u8).prop_map(priority), 0..=PIECES as usize)
            .prop_map(Step::Prioritize),
        1 => any::<bool>().prop_map(Step::Order),
        1 => prop::collection::vec(0..=PIECES, 0..3).prop_map(Step::Urgent),
        4 => (0..40_000u32).prop_map(Step::Wait),
    ]
}

/// What a driver would know from what the engine said.
#[derive(Default)]
struct Model {
    open: BTreeSet<Link>,
    /// The links with the fast extension.
    fast: BTreeSet<Link>,
    /// Requests that were neither answered nor taken back, in order.
    asked: BTreeMap<Link, Vec<Block>>,
    uploads: BTreeMap<Link, Vec<Block>>,
    have: Option<Bitfield>,
    arriving: Option<(Link, Block)>,
    stored: BTreeSet<Block>,
    dialling: BTreeSet<SocketAddr>,
}

impl Outbox for Model {
    fn connect(&mut self, to: SocketAddr) {
        assert!(self.dialling.insert(to), "{to} is dialled twice");
        assert!(self.dialling.len() <= 30);
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        assert!(self.open.contains(&link), "{message:?} is said to nobody");
        match message {
            Message::Piece { .. } => panic!("payload is the driver's"),
            Message::Request(block) => {
                let asked = self.asked.entry(link).or_default();
                assert!(!asked.contains(&block), "{block:?} is asked for twice");
                assert!(!self.stored.contains(&block), "{block:?} is there already");
                asked.push(block);
                assert!(asked.len() <= 512);
            }
            Message::Cancel(block) => self
                .asked
                .entry(link)
                .or_default()
                .retain(|&asked| asked != block),
            _ => {}
        }
    }

    fn upload(&mut self, link: Link, block: Block) {
        assert!(self.open.contains(&link));
        assert!(
            self.have.as_ref().is_some_and(|have| have.get(block.piece)),
            "{block:?} is not there"
        );
        self.uploads.entry(link).or_default().push(block);
    }

    fn cancel_upload(&mut self, link: Link, block: Block, reject: bool) {
        assert_eq!(
            reject,
            self.fast.contains(&link),
            "BEP 6 is for those who speak it"
        );
        let uploads = self.uploads.entry(link).or_default();
        let index = uploads
            .iter()
            .position(|&upload| upload == block)
            .expect("what is cancelled was to be uploaded");
        uploads.remove(index);
    }

    fn store(&mut self, link: Link, block: Block) {
        assert_eq!(
            self.arriving,
            Some((link, block)),
            "only what has just come is stored"
        );
        assert!(self.stored.insert(block), "{block:?} is stored twice");
    }

    fn discard(&mut self, piece: u32) {
        self.stored.retain(|block| block.piece != piece);
    }

    fn close(&mut self, link: Link, _: &CloseReason) {
        assert!(self.open.remove(&link), "{link:?} is not open");
        self.asked.remove(&link);
        self.uploads.remove(&link);
    }

    fn event(&mut self, event: Event) {
        if let Event::PieceCompleted { piece } = event {
            let have = self
                .have
                .as_mut()
                .expect("pieces are completed after the start");
            assert!(have.set(piece), "a piece is completed twice");
            self.stored.retain(|block| block.piece != piece);
        }
    }
}

struct World {
    torrent: Torrent,
    info: Arc<Info>,
    config: Config,
    rng: Xoshiro256PlusPlus,
    now: Duration,
    model: Model,
}

impl World {
    fn new(knows_info: bool) -> Self {
        let length = u64::from(PIECES - 1) * u64::from(2 * BLOCK_LENGTH) + 1;
        let info = InfoBuilder::single_file("arbitrary", length)
            .piece_length(2 * BLOCK_LENGTH)
            .build(&[[0; 20]; PIECES as usize]);
        let info = Arc::new(info.expect("the torrent is well formed"));
        let known = knows_info.then(|| Arc::clone(&info));
        Self {
            torrent: Torrent::new(info.hash(), PeerId::from([0; 20]), known),
            info,
            config: Config {
                unchoke_slots: 2,
                max_connections: 4,
                ..Config::default()
            },
            rng: Xoshiro256PlusPlus::seed_from_u64(5),
            now: Duration::ZERO,
            model: Model::default(),
        }
    }

    fn input(&mut self, input: Input<'_>) {
        let deadline = self.torrent.handle(
            &self.config,
            self.now,
            &mut self.rng,
            input,
            &mut self.model,
        );
        assert!(
            deadline.is_none_or(|deadline| deadline > self.now),
            "a deadline in the past"
        );
        for link in (0..LINKS).map(Link) {
            let asked = self.model.asked.get(&link).cloned().unwrap_or_default();
            assert_eq!(
                self.torrent.expected(link).collect::<Vec<_>>(),
                asked,
                "what {link:?} is to send"
            );
        }
        assert_eq!(
            self.torrent.progress(self.now).connected,
            self.model.open.len()
        );
        assert_eq!(self.torrent.have(), self.model.have.as_ref());
    }

    /// Three peers, one of them a plain one without extensions, that serve us and want to be served.
    fn prepare(&mut self) {
        self.take(Step::Start(vec![true, true, true, false, false, false]));
        for (link, reserved) in [(0, 0xff), (1, 0xff), (2, 0)] {
            self.connect(Link(link), false, link as u8, reserved);
            let pieces = Words::Bitfield(vec![0b1111_1000 | (link as u8 & 1) << 2]);
            for words in [pieces, Words::Unchoke, Words::Interested] {
                self.say(Link(link), &words);
            }
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Candidates(last) => {
                let addresses = [
                    address(last),
                    address(last / 2),
                    SocketAddr::from(([10, 0, 0, 1], 0)),
                ];
                self.input(Input::Candidates(&addresses, Source::Dht));
            }
            Step::ConnectFailed(last) => {
                self.model.dialling.remove(&address(last));
                self.input(Input::ConnectFailed {
                    address: address(last),
                });
            }
            Step::Connect {
                link,
                outgoing,
                peer,
                reserved,
            } => self.connect(Link(link), outgoing, peer, reserved),
            Step::Close(link) => {
                let link = Link(link);
                self.model.open.remove(&link);
                self.model.asked.remove(&link);
                self.model.uploads.remove(&link);
                self.input(Input::Closed { link });
            }
            Step::Say { link, words } => self.say(Link(link), &words),
            Step::Deliver { link, second } => {
                let link = Link(link);
                let block = self.torrent.expected(link).nth(usize::from(second));
                if let Some(block) = block {
                    self.block(link, block);
                }
            }
            Step::Strange { link, block } => self.block(Link(link), block),
            Step::Uploaded { link } => {
                let link = Link(link);
                let uploads = self.model.uploads.entry(link).or_default();
                if !uploads.is_empty() {
                    let block = uploads.remove(0);
                    self.input(Input::Uploaded { link, block });
                }
            }
            Step::UploadFailed { link } => {
                let link = Link(link);
                let uploads = self.model.uploads.entry(link).or_default();
                if !uploads.is_empty() {
                    let block = uploads.remove(0);
                    self.input(Input::UploadFailed { link, block });
                }
            }
            Step::Lose { piece, fetch_again } => {
                if let Some(have) = &mut self.model.have {
                    have.clear(piece);
                }
                self.input(Input::PieceLost { piece, fetch_again });
                let mut uploads = self.model.uploads.values().flatten();
                assert!(uploads.all(|block| block.piece != piece), "{piece} is gone");
            }
            Step::Find(piece) => self.input(Input::PieceFound { piece }),
            Step::Start(bits) => {
                let mut have = Bitfield::new(PIECES);
                for (piece, _) in (0..).zip(bits).filter(|&(_, bit)| bit) {
                    have.set(piece);
                }
                if self.torrent.info().is_some() && self.model.have.is_none() {
                    self.model.have = Some(have.clone());
                }
                self.input(Input::Start { have });
            }
            Step::Check { piece, valid } => self.input(Input::PieceChecked { piece, valid }),
            Step::Pressure(pressure) => self.input(Input::Pressure(pressure)),
            Step::Allow(bytes) => self.input(Input::Allowance(
                bytes.map_or(Allowance::Unlimited, Allowance::More),
            )),
            Step::Prioritize(priorities) => self.input(Input::Prioritize(&priorities)),
            Step::Order(in_sequence) => self.input(Input::Order(if in_sequence {
                Order::Sequential
            } else {
                Order::RarestFirst
            })),
            Step::Urgent(pieces) => self.input(Input::Urgent(&pieces)),
            Step::Wait(milliseconds) => {
                self.now += Duration::from_millis(milliseconds.into());
                // A driver answers every dial within some time.
                for address in std::mem::take(&mut self.model.dialling) {
                    self.input(Input::ConnectFailed { address });
                }
                self.input(Input::Timeout);
            }
        }
    }

    fn connect(&mut self, link: Link, outgoing: bool, peer: u8, reserved: u8) {
        if self.model.open.contains(&link) {
            return;
        }
        let direction = if outgoing {
            Direction::Outgoing
        } else {
            Direction::Incoming
        };
        let address = address(peer);
        if outgoing {
            self.model.dialling.remove(&address);
        }
        let handshake = Handshake {
            reserved: Reserved([0, 0, 0, 0, 0, reserved & 0x10, 0, reserved & 0x05]),
            info_hash: self.info.hash(),
            peer_id: PeerId::from([peer; 20]),
        };
        self.model.open.insert(link);
        if handshake.reserved.fast() {
            self.model.fast.insert(link);
        } else {
            self.model.fast.remove(&link);
        }
        self.input(Input::Connected {
            link,
            address,
            direction,
            handshake: &handshake,
        });
    }

    fn block(&mut self, link: Link, block: Block) {
        self.model.arriving = Some((link, block));
        if let Some(asked) = self.model.asked.get_mut(&link) {
            asked.retain(|&asked| asked != block);
        }
        self.input(Input::Block { link, block });
        self.model.arriving = None;
    }

    fn say(&mut self, link: Link, words: &Words) {
        let info = Arc::clone(&self.info);
        let payload;
        let message = match words {
            Words::Choke => Message::Choke,
            Words::Unchoke => Message::Unchoke,
            Words::Interested => Message::Interested,
            Words::NotInterested => Message::NotInterested,
            Words::KeepAlive => Message::KeepAlive,
            &Words::Have(piece) => Message::Have(piece),
            Words::Bitfield(bits) => Message::Bitfield(bits),
            Words::HaveAll => Message::HaveAll,
            Words::HaveNone => Message::HaveNone,
            &Words::Request(block) => Message::Request(block),
            &Words::Cancel(block) => Message::Cancel(block),
            &Words::Reject(block) => Message::Reject(block),
            Words::RejectExpected => match self.torrent.expected(link).next() {
                Some(block) => Message::Reject(block),
                None => return,
            },
            &Words::AllowedFast(piece) => Message::AllowedFast(piece),
            &Words::Suggest(piece) => Message::Suggest(piece),
            &Words::Port(port) => Message::Port(port),
            &Words::Handshake {
                metadata,
                requests,
                upload_only,
            } => {
                let mut handshake = ExtensionHandshake {
                    metadata_size: metadata.then_some(info.raw().len() as u32),
                    request_queue: requests,
                    upload_only,
                    ..ExtensionHandshake::default()
                };
                handshake.ids.ut_metadata = Some(3);
                handshake.ids.lt_donthave = requests.map(|requests| requests as u8);
                payload = handshake.encode();
                Message::Extended {
                    id: 0,
                    payload: &payload,
                }
            }
            &Words::MetadataRequest(piece) => {
                payload = MetadataMessage::Request { piece }.encode();
                Message::Extended {
                    id: 1,
                    payload: &payload,
                }
            }
            &Words::Metadata { genuine } => {
                let mut data = info.raw().to_vec();
                data[0] ^= u8::from(!genuine);
                let total_size = data.len() as u32;
                payload = MetadataMessage::Data {
                    piece: 0,
                    total_size,
                    data: &data,
                }
                .encode();
                Message::Extended {
                    id: 1,
                    payload: &payload,
                }
            }
            Words::DontHave(piece) => {
                payload = piece.to_be_bytes().to_vec();
                Message::Extended {
                    id: 3,
                    payload: &payload,
                }
            }
            Words::Extended(id, payload) => Message::Extended { id: *id, payload },
        };
        let asked = self.model.asked.entry(link).or_default();
        match message {
            // Without the fast extension, a choke takes all requests back.
            Message::Choke if !self.model.fast.contains(&link) => asked.clear(),
            Message::Reject(block) => asked.retain(|&asked| asked != block),
            // And so does the loss of a piece, of all requests for that.
            Message::Extended { id: 3, payload } if !self.model.fast.contains(&link) => {
                asked.retain(|asked| asked.piece.to_be_bytes() != payload);
            }
            _ => {}
        }
        self.input(Input::Received { link, message });
    }
}

fn address(last: u8) -> SocketAddr {
    // Some share an IP on a private network, some are public.
    if last.is_multiple_of(2) {
        SocketAddr::from(([127, 0, 0, 1], 1000 + u16::from(last)))
    } else {
        SocketAddr::from(([203, 0, 113, last], 6881))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_input_breaks_the_engine(knows_info: bool, is_prepared: bool, steps in prop::collection::vec(step(), 1..400)) {
        let mut world = World::new(knows_info || is_prepared);
        if is_prepared {
            world.prepare();
        }
        for step in steps {
            world.take(step);
        }
    }
}
