//! What one peer does to an engine, message by message.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use wire::{
    BLOCK_LENGTH, Bitfield, BitfieldError, Block, CloseReason, Config, Direction, Event,
    ExtensionHandshake, Handshake, Info, InfoBuilder, Input, Link, Message, MetadataMessage,
    Outbox, PeerId, Reserved, Source, Torrent,
};

const PIECES: u32 = 20;
const PIECE_LENGTH: u32 = 4 * BLOCK_LENGTH;
const LINK: Link = Link(1);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Choke,
    Unchoke,
    Interested,
    NotInterested,
    KeepAlive,
    Have(u32),
    Bitfield,
    HaveAll,
    HaveNone,
    Request(Block),
    Cancel(Block),
    Reject(Block),
    AllowedFast(u32),
    Port(u16),
    Extended(u8, Vec<u8>),
    Upload(Block),
    CancelUpload(Block),
    Store(Block),
    Discard(u32),
    Close(CloseReason),
}

#[derive(Default)]
struct Record {
    said: Vec<(Link, Said)>,
    dialled: Vec<SocketAddr>,
    events: Vec<Event>,
}

impl Outbox for Record {
    fn connect(&mut self, to: SocketAddr) {
        self.dialled.push(to);
    }

    fn send(&mut self, link: Link, message: Message<'_>) {
        let said = match message {
            Message::Choke => Said::Choke,
            Message::Unchoke => Said::Unchoke,
            Message::Interested => Said::Interested,
            Message::NotInterested => Said::NotInterested,
            Message::KeepAlive => Said::KeepAlive,
            Message::Have(piece) => Said::Have(piece),
            Message::Bitfield(_) => Said::Bitfield,
            Message::HaveAll => Said::HaveAll,
            Message::HaveNone => Said::HaveNone,
            Message::Request(block) => Said::Request(block),
            Message::Cancel(block) => Said::Cancel(block),
            Message::Reject(block) => Said::Reject(block),
            Message::AllowedFast(piece) => Said::AllowedFast(piece),
            Message::Port(port) => Said::Port(port),
            Message::Extended { id, payload } => Said::Extended(id, payload.to_vec()),
            other => panic!("an engine never says {other:?}"),
        };
        self.said.push((link, said));
    }

    fn upload(&mut self, link: Link, block: Block) {
        self.said.push((link, Said::Upload(block)));
    }

    fn cancel_upload(&mut self, link: Link, block: Block) {
        self.said.push((link, Said::CancelUpload(block)));
    }

    fn store(&mut self, link: Link, block: Block) {
        self.said.push((link, Said::Store(block)));
    }

    fn discard(&mut self, piece: u32) {
        self.said.push((LINK, Said::Discard(piece)));
    }

    fn close(&mut self, link: Link, reason: &CloseReason) {
        self.said.push((link, Said::Close(reason.clone())));
    }

    fn event(&mut self, event: Event) {
        self.events.push(event);
    }
}

/// An engine and what it does.
struct Engine {
    torrent: Torrent,
    config: Config,
    rng: Xoshiro256PlusPlus,
    now: Duration,
    info: Arc<Info>,
    deadline: Option<Duration>,
    record: Record,
}

const PLAIN: Reserved = Reserved([0; 8]);
const FAST: Reserved = Reserved([0; 8]).with_fast();
const ALL: Reserved = Reserved([0; 8]).with_fast().with_extension().with_dht();

fn peer_id(name: u8) -> PeerId {
    PeerId::from([name; 20])
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, last], 6881))
}

fn block(piece: u32, index: u32) -> Block {
    Block {
        piece,
        offset: index * BLOCK_LENGTH,
        length: BLOCK_LENGTH,
    }
}

impl Engine {
    /// An engine that knows nothing but the info-hash.
    fn blank() -> Self {
        let hashes = vec![[0; 20]; PIECES as usize];
        let length = u64::from(PIECES * PIECE_LENGTH);
        let info = InfoBuilder::single_file("protocol", length)
            .piece_length(PIECE_LENGTH)
            .build(&hashes);
        let info = Arc::new(info.expect("the torrent is well formed"));
        Self {
            torrent: Torrent::new(info.hash(), peer_id(100), None),
            config: Config::default(),
            rng: Xoshiro256PlusPlus::seed_from_u64(3),
            now: Duration::from_secs(1),
            info,
            deadline: None,
            record: Record::default(),
        }
    }

    /// An engine that has these pieces.
    fn with(have: Bitfield) -> Self {
        let mut engine = Self::blank();
        engine.torrent = Torrent::new(
            engine.info.hash(),
            peer_id(100),
            Some(Arc::clone(&engine.info)),
        );
        engine.input(Input::Start { have });
        engine
    }

    fn leecher() -> Self {
        Self::with(Bitfield::new(PIECES))
    }

    fn seed() -> Self {
        Self::with(Bitfield::full(PIECES))
    }

    /// Gives an input and returns what the engine does about it.
    fn input(&mut self, input: Input<'_>) -> Vec<(Link, Said)> {
        self.deadline = self.torrent.handle(
            &self.config,
            self.now,
            &mut self.rng,
            input,
            &mut self.record,
        );
        assert!(
            self.deadline.is_none_or(|deadline| deadline > self.now),
            "a deadline in the past"
        );
        std::mem::take(&mut self.record.said)
    }

    fn connect(&mut self, link: Link, reserved: Reserved) -> Vec<Said> {
        let handshake = Handshake {
            reserved,
            info_hash: self.info.hash(),
            peer_id: peer_id(link.0 as u8),
        };
        let address = address(link.0 as u8);
        let input = Input::Connected {
            link,
            address,
            direction: Direction::Incoming,
            handshake: &handshake,
        };
        only(self.input(input))
    }

    fn hear(&mut self, message: Message<'_>) -> Vec<Said> {
        only(self.input(Input::Received {
            link: LINK,
            message,
        }))
    }

    fn block(&mut self, block: Block) -> Vec<Said> {
        only(self.input(Input::Block { link: LINK, block }))
    }

    /// Lets time pass, with all timeouts on the way.
    fn wait(&mut self, time: Duration) -> Vec<(Link, Said)> {
        let end = self.now + time;
        let mut said = Vec::new();
        while let Some(deadline) = self.deadline.filter(|&deadline| deadline <= end) {
            self.now = deadline;
            said.extend(self.input(Input::Timeout));
        }
        self.now = end;
        said
    }

    /// A leecher that a seed has unchoked, and what it requests.
    fn fetching(reserved: Reserved) -> (Self, Vec<Block>) {
        let mut engine = Self::leecher();
        engine.connect(LINK, reserved);
        let all = Bitfield::full(PIECES);
        assert_eq!(
            engine.hear(Message::Bitfield(all.as_bytes())),
            [Said::Interested]
        );
        let requests = requests(&engine.hear(Message::Unchoke));
        assert_eq!(requests.len(), 16);
        (engine, requests)
    }

    fn connected(&self) -> usize {
        self.torrent.progress(self.now).connected
    }
}

fn only(said: Vec<(Link, Said)>) -> Vec<Said> {
    said.into_iter().map(|(_, said)| said).collect()
}

fn requests(said: &[Said]) -> Vec<Block> {
    said.iter()
        .filter_map(|said| {
            if let Said::Request(block) = said {
                Some(*block)
            } else {
                None
            }
        })
        .collect()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_connection_begins_with_the_extension_handshake_and_the_pieces() {
    let mut engine = Engine::seed();
    engine.config.dht_port = Some(6881);
    assert_eq!(engine.connect(Link(1), PLAIN), [Said::Bitfield]);
    assert_eq!(engine.connect(Link(2), FAST), [Said::HaveAll]);
    let said = engine.connect(Link(3), ALL);
    let [Said::Extended(0, payload), Said::HaveAll, Said::Port(6881)] = &said[..] else {
        panic!("{said:?}")
    };
    let handshake = ExtensionHandshake::decode(payload).expect("our own handshake is sound");
    assert_eq!(
        handshake.metadata_size,
        Some(engine.info.raw().len() as u32)
    );
    assert_eq!(handshake.request_queue, Some(1000));
    let mut engine = Engine::leecher();
    assert_eq!(engine.connect(Link(1), PLAIN), []);
    assert_eq!(engine.connect(Link(2), FAST), [Said::HaveNone]);
}

#[test]
fn wrong_bitfield() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    let said = engine.hear(Message::Bitfield(&[0xff; 4]));
    let reason = CloseReason::Bitfield(BitfieldError::Length {
        pieces: PIECES,
        bytes: 4,
    });
    assert_eq!(said, [Said::Close(reason)]);
    engine.connect(LINK, PLAIN);
    assert_eq!(
        engine.hear(Message::Bitfield(&[0xff; 3])),
        [Said::Close(CloseReason::Bitfield(BitfieldError::SpareBits))]
    );
}

#[test]
fn a_bitfield_that_is_not_first() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    engine.hear(Message::Have(3));
    assert_eq!(
        engine.hear(Message::Bitfield(&[0; 3])),
        [Said::Close(CloseReason::LateBitfield)]
    );
}

#[test]
fn pieces_that_do_not_exist() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, FAST);
    let reason = CloseReason::NoSuchPiece {
        piece: PIECES,
        pieces: PIECES,
    };
    assert_eq!(
        engine.hear(Message::Have(PIECES)),
        [Said::Close(reason.clone())]
    );
    engine.connect(LINK, FAST);
    assert_eq!(
        engine.hear(Message::AllowedFast(PIECES)),
        [Said::Close(reason)]
    );
}

#[test]
fn messages_of_extensions_that_were_not_agreed_on() {
    let mut engine = Engine::leecher();
    for message in [
        Message::HaveAll,
        Message::HaveNone,
        Message::Reject(block(0, 0)),
        Message::AllowedFast(0),
    ] {
        engine.connect(LINK, PLAIN);
        assert_eq!(
            engine.hear(message),
            [Said::Close(CloseReason::FastNotAgreed)]
        );
    }
    engine.connect(LINK, PLAIN);
    let extended = Message::Extended {
        id: 0,
        payload: b"de",
    };
    assert_eq!(
        engine.hear(extended),
        [Said::Close(CloseReason::ExtensionNotAgreed)]
    );
}

#[test]
fn request_out_of_range() {
    let bad = [
        Block {
            piece: PIECES,
            offset: 0,
            length: BLOCK_LENGTH,
        },
        Block {
            piece: 0,
            offset: PIECE_LENGTH,
            length: 1,
        },
        Block {
            piece: 0,
            offset: u32::MAX,
            length: u32::MAX,
        },
        Block {
            piece: 0,
            offset: 0,
            length: 0,
        },
        Block {
            piece: 0,
            offset: 0,
            length: BLOCK_LENGTH + 1,
        },
    ];
    let mut engine = Engine::seed();
    for block in bad {
        engine.connect(LINK, PLAIN);
        engine.hear(Message::Interested);
        assert_eq!(
            engine.hear(Message::Request(block)),
            [Said::Close(CloseReason::RequestOutOfRange(block))]
        );
    }
}

#[test]
fn an_interested_peer_is_unchoked_at_once_and_served() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    assert_eq!(engine.hear(Message::Interested), [Said::Unchoke]);
    assert_eq!(
        engine.hear(Message::Request(block(3, 1))),
        [Said::Upload(block(3, 1))]
    );
    let part = Block {
        piece: 3,
        offset: 5,
        length: 100,
    };
    assert_eq!(engine.hear(Message::Request(part)), [Said::Upload(part)]);
    engine.input(Input::Uploaded {
        link: LINK,
        block: block(3, 1),
    });
    assert_eq!(
        engine.torrent.progress(engine.now).uploaded,
        u64::from(BLOCK_LENGTH)
    );
}

#[test]
fn a_cancelled_request_is_rejected() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    engine.hear(Message::Request(block(3, 1)));
    assert_eq!(
        engine.hear(Message::Cancel(block(3, 1))),
        [Said::CancelUpload(block(3, 1)), Said::Reject(block(3, 1))]
    );
    assert_eq!(engine.hear(Message::Cancel(block(3, 1))), []);
}

#[test]
fn request_while_choked() {
    let mut engine = Engine::seed();
    engine.config.unchoke_slots = 0;
    engine.connect(LINK, PLAIN);
    assert_eq!(engine.hear(Message::Request(block(0, 0))), []);
    engine.connect(LINK, FAST);
    assert_eq!(
        engine.hear(Message::Request(block(0, 0))),
        [Said::Reject(block(0, 0))]
    );
    let closed = (0..5000)
        .map(|_| engine.hear(Message::Request(block(0, 0))))
        .find(|said| said.contains(&Said::Close(CloseReason::RequestFlood)));
    assert!(
        closed.is_some(),
        "thousands of requests while choked are suffered"
    );
}

#[test]
fn the_queue_of_requests_is_bounded_as_advertised() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    for _ in 0..1000 {
        assert_eq!(
            engine.hear(Message::Request(block(0, 0))),
            [Said::Upload(block(0, 0))]
        );
    }
    assert_eq!(
        engine.hear(Message::Request(block(0, 0))),
        [Said::Reject(block(0, 0))]
    );
}

#[test]
fn a_choke_rejects_what_was_requested() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    engine.hear(Message::Request(block(0, 0)));
    let said = engine.hear(Message::NotInterested);
    assert_eq!(
        said,
        [
            Said::Choke,
            Said::CancelUpload(block(0, 0)),
            Said::Reject(block(0, 0))
        ]
    );
}

#[test]
fn a_piece_that_is_not_there_is_not_served() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, FAST);
    engine.hear(Message::Interested);
    assert_eq!(
        engine.hear(Message::Request(block(0, 0))),
        [Said::Reject(block(0, 0))]
    );
}

#[test]
fn blocks_are_expected_in_the_order_of_the_requests() {
    let (mut engine, requests) = Engine::fetching(FAST);
    assert_eq!(engine.torrent.expected(LINK).collect::<Vec<_>>(), requests);
    let said = engine.block(requests[1]);
    assert_eq!(said, [Said::Store(requests[1])]);
    let expected: Vec<_> = engine.torrent.expected(LINK).collect();
    assert_eq!(expected[..2], [requests[0], requests[2]]);
}

#[test]
fn nothing_is_requested_under_pressure() {
    let (mut engine, requested) = Engine::fetching(FAST);
    engine.input(Input::Pressure(true));
    for &block in &requested {
        assert_eq!(engine.block(block), [Said::Store(block)]);
    }
    let said = only(engine.input(Input::Pressure(false)));
    assert!(requests(&said).len() > 16, "{said:?}");
}

#[test]
fn no_more_is_requested_than_the_peer_takes() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, ALL);
    let shy = ExtensionHandshake {
        request_queue: Some(3),
        ..ExtensionHandshake::default()
    }
    .encode();
    engine.hear(Message::Extended {
        id: 0,
        payload: &shy,
    });
    engine.hear(Message::HaveAll);
    assert_eq!(requests(&engine.hear(Message::Unchoke)).len(), 3);
}

#[test]
fn unrequested_blocks_are_dropped_and_end_the_connection_when_they_go_on() {
    let (mut engine, requests) = Engine::fetching(FAST);
    let strange = Block {
        piece: requests[0].piece,
        offset: 1,
        length: 77,
    };
    assert_eq!(engine.block(strange), []);
    let closed = (0..200)
        .map(|_| engine.block(strange))
        .find(|said| !said.is_empty());
    assert_eq!(
        closed,
        Some(vec![Said::Close(CloseReason::UnrequestedBlocks)])
    );
}

#[test]
fn a_block_that_was_on_its_way_when_the_peer_choked_is_kept() {
    let (mut engine, requests) = Engine::fetching(PLAIN);
    engine.hear(Message::Choke);
    assert_eq!(engine.torrent.expected(LINK).count(), 0);
    // The piece has been begun by the first block.
    let (mut begun, requested) = Engine::fetching(PLAIN);
    begun.block(requested[0]);
    begun.hear(Message::Choke);
    assert_eq!(begun.block(requested[1]), [Said::Store(requested[1])]);
    assert_eq!(
        engine.block(requests[0]),
        [],
        "a piece that nobody has begun is not begun by chance"
    );
}

#[test]
fn a_rejected_request_is_not_repeated_at_once() {
    let (mut engine, requested) = Engine::fetching(FAST);
    let said: Vec<_> = requested
        .iter()
        .flat_map(|&block| engine.hear(Message::Reject(block)))
        .collect();
    assert_eq!(said, []);
    let said = only(engine.wait(seconds(3)));
    assert!(!requests(&said).is_empty(), "it never tries again");
}

#[test]
fn a_choked_peer_requests_what_it_is_allowed() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, FAST);
    engine.hear(Message::HaveAll);
    let said = engine.hear(Message::AllowedFast(7));
    assert_eq!(
        requests(&said),
        [block(7, 0), block(7, 1), block(7, 2), block(7, 3)]
    );
}

#[test]
fn a_silent_connection_is_kept_alive_and_then_ended() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    assert_eq!(only(engine.wait(seconds(115))), [Said::KeepAlive]);
    engine.hear(Message::KeepAlive);
    assert!(
        engine
            .wait(seconds(179))
            .iter()
            .all(|(_, said)| *said == Said::KeepAlive)
    );
    let said = only(engine.wait(seconds(2)));
    assert_eq!(said, [Said::Close(CloseReason::Silent { seconds: 180 })]);
}

#[test]
fn a_request_that_is_not_answered_goes_to_others() {
    let (mut engine, requested) = Engine::fetching(FAST);
    let said = only(engine.wait(seconds(21)));
    let cancelled: Vec<_> = requested[1..]
        .iter()
        .map(|&block| Said::Cancel(block))
        .collect();
    assert_eq!(said, cancelled, "all but the oldest are taken back");
    let (other, all) = (Link(2), Bitfield::full(PIECES));
    engine.connect(other, PLAIN);
    engine.input(Input::Received {
        link: other,
        message: Message::Bitfield(all.as_bytes()),
    });
    let said = only(engine.input(Input::Received {
        link: other,
        message: Message::Unchoke,
    }));
    assert!(requests(&said).contains(&requested[1]), "{said:?}");
}

#[test]
fn in_the_endgame_the_first_to_deliver_wins_and_the_other_need_not() {
    let mut have = Bitfield::full(PIECES);
    have.clear(7);
    let mut engine = Engine::with(have);
    let all = Bitfield::full(PIECES);
    let mut asked = Vec::new();
    for link in [LINK, Link(2)] {
        engine.connect(link, PLAIN);
        let message = Message::Bitfield(all.as_bytes());
        engine.input(Input::Received { link, message });
        let said = only(engine.input(Input::Received {
            link,
            message: Message::Unchoke,
        }));
        asked.push(requests(&said));
    }
    asked[1].sort_unstable();
    assert_eq!(asked[0], asked[1], "both are asked for the last piece");
    let said = engine.input(Input::Block {
        link: Link(2),
        block: block(7, 3),
    });
    assert_eq!(
        said,
        [
            (Link(2), Said::Store(block(7, 3))),
            (LINK, Said::Cancel(block(7, 3)))
        ]
    );
    assert_eq!(
        engine.block(block(7, 3)),
        [],
        "it came nevertheless and is dropped"
    );
}

#[test]
fn what_a_peer_has_is_remembered_until_the_metadata_comes() {
    let mut engine = Engine::blank();
    engine.connect(LINK, ALL);
    let mut some = Bitfield::new(PIECES);
    some.set(3);
    // Whatever it has, we want it.
    assert_eq!(
        engine.hear(Message::Bitfield(some.as_bytes())),
        [Said::Interested]
    );
    engine.hear(Message::Have(5));
    fetch_metadata(&mut engine);
    assert_eq!(
        engine.input(Input::Start {
            have: Bitfield::new(PIECES)
        }),
        []
    );
    let mut pieces: Vec<_> = requests(&engine.hear(Message::Unchoke))
        .iter()
        .map(|block| block.piece)
        .collect();
    pieces.sort_unstable();
    assert_eq!(pieces, [3, 3, 3, 3, 5, 5, 5, 5]);
}

#[test]
fn claims_that_do_not_fit_the_metadata_end_the_connection() {
    let mut engine = Engine::blank();
    engine.connect(LINK, ALL);
    engine.hear(Message::Have(PIECES + 1));
    let said = fetch_metadata(&mut engine);
    let reason = CloseReason::NoSuchPiece {
        piece: PIECES + 1,
        pieces: PIECES,
    };
    assert_eq!(said, [Said::Close(reason)]);
}

/// The peer offers the metadata and answers the request for it.
fn fetch_metadata(engine: &mut Engine) -> Vec<Said> {
    let mut handshake = ExtensionHandshake {
        metadata_size: Some(engine.info.raw().len() as u32),
        ..Default::default()
    };
    handshake.ids.ut_metadata = Some(9);
    let said = engine.hear(Message::Extended {
        id: 0,
        payload: &handshake.encode(),
    });
    let request = MetadataMessage::Request { piece: 0 }.encode();
    assert_eq!(said, [Said::Extended(9, request)]);
    let info = Arc::clone(&engine.info);
    let data = MetadataMessage::Data {
        piece: 0,
        total_size: info.raw().len() as u32,
        data: info.raw(),
    }
    .encode();
    let said = engine.hear(Message::Extended {
        id: 1,
        payload: &data,
    });
    assert!(
        engine
            .record
            .events
            .iter()
            .any(|event| matches!(event, Event::Metadata(_)))
    );
    said
}

#[test]
fn metadata_is_served_and_not_endlessly() {
    let mut engine = Engine::seed();
    engine.connect(LINK, ALL);
    let mut handshake = ExtensionHandshake::default();
    handshake.ids.ut_metadata = Some(9);
    engine.hear(Message::Extended {
        id: 0,
        payload: &handshake.encode(),
    });
    let request = MetadataMessage::Request { piece: 0 }.encode();
    let mut answers = Vec::new();
    while answers.len() < 5000 {
        let said = engine.hear(Message::Extended {
            id: 1,
            payload: &request,
        });
        let Said::Extended(9, payload) = &said[0] else {
            assert_eq!(said, [Said::Close(CloseReason::MetadataFlood)]);
            break;
        };
        let answer = MetadataMessage::decode(payload).expect("our own answer is sound");
        answers.push(matches!(answer, Some(MetadataMessage::Data { .. })));
    }
    assert!(answers[0]);
    assert!(
        !answers[answers.len() - 1],
        "the same peer is served for ever"
    );
    assert!(answers.len() < 5000, "the connection is never ended");
}

#[test]
fn metadata_that_we_lack_is_refused() {
    let mut engine = Engine::blank();
    engine.connect(LINK, ALL);
    let mut handshake = ExtensionHandshake::default();
    handshake.ids.ut_metadata = Some(9);
    engine.hear(Message::Extended {
        id: 0,
        payload: &handshake.encode(),
    });
    let request = MetadataMessage::Request { piece: 0 }.encode();
    let reject = MetadataMessage::Reject { piece: 0 }.encode();
    assert_eq!(
        engine.hear(Message::Extended {
            id: 1,
            payload: &request
        }),
        [Said::Extended(9, reject)]
    );
}

#[test]
fn a_seed_does_not_keep_seeds() {
    let mut engine = Engine::seed();
    engine.connect(LINK, FAST);
    assert_eq!(
        engine.hear(Message::HaveAll),
        [Said::Close(CloseReason::NothingToExchange)]
    );
    engine.connect(LINK, ALL);
    let upload_only = ExtensionHandshake {
        upload_only: Some(true),
        ..Default::default()
    }
    .encode();
    let said = engine.hear(Message::Extended {
        id: 0,
        payload: &upload_only,
    });
    assert_eq!(said, [Said::Close(CloseReason::NothingToExchange)]);
}

#[test]
fn a_second_connection_to_a_peer_is_ended_and_one_to_ourselves() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, PLAIN);
    let handshake = |name| Handshake {
        reserved: PLAIN,
        info_hash: [0; 20].into(),
        peer_id: peer_id(name),
    };
    let mut connect = |link, name| {
        let handshake = handshake(name);
        let input = Input::Connected {
            link,
            address: address(9),
            direction: Direction::Incoming,
            handshake: &handshake,
        };
        only(engine.input(input))
    };
    assert_eq!(connect(Link(5), 1), [Said::Close(CloseReason::Duplicate)]);
    assert_eq!(connect(Link(6), 100), [Said::Close(CloseReason::Ourselves)]);
    assert_eq!(engine.connected(), 1);
}

#[test]
fn an_address_that_leads_back_to_us_is_dialled_once() {
    let mut engine = Engine::leecher();
    engine.input(Input::Candidates(&[address(9)], Source::Dht));
    assert_eq!(std::mem::take(&mut engine.record.dialled), [address(9)]);
    let handshake = Handshake {
        reserved: PLAIN,
        info_hash: engine.info.hash(),
        peer_id: peer_id(100),
    };
    engine.input(Input::Connected {
        link: LINK,
        address: address(9),
        direction: Direction::Outgoing,
        handshake: &handshake,
    });
    engine.input(Input::Candidates(&[address(9)], Source::Dht));
    engine.wait(seconds(3600));
    assert_eq!(engine.record.dialled, []);
}

#[test]
fn many_are_dialled_at_once_but_not_all() {
    let mut engine = Engine::leecher();
    let addresses: Vec<_> = (1..=200).map(address).collect();
    engine.input(Input::Candidates(&addresses, Source::Dht));
    assert_eq!(engine.record.dialled.len(), 30);
    engine.input(Input::ConnectFailed {
        address: address(1),
    });
    assert_eq!(engine.record.dialled.len(), 31);
}

#[test]
fn the_peers_dht_node_is_told_to_the_driver() {
    let mut engine = Engine::leecher();
    engine.connect(LINK, ALL);
    engine.hear(Message::Port(4000));
    let expected = SocketAddr::from(([203, 0, 113, 1], 4000));
    assert!(
        engine
            .record
            .events
            .iter()
            .any(|event| matches!(event, Event::DhtNode { address } if *address == expected))
    );
}

#[test]
fn an_empty_torrent_is_finished_when_it_starts() {
    let info = Arc::new(
        InfoBuilder::single_file("empty", 0)
            .build(&[])
            .expect("an empty file is a torrent"),
    );
    let mut engine = Engine::blank();
    engine.torrent = Torrent::new(info.hash(), peer_id(100), Some(Arc::clone(&info)));
    engine.input(Input::Start {
        have: Bitfield::new(0),
    });
    assert!(
        engine
            .record
            .events
            .iter()
            .any(|event| matches!(event, Event::Finished))
    );
    assert_eq!(engine.connect(LINK, FAST), [Said::HaveNone]);
}

#[test]
fn inputs_about_links_that_are_not_open_are_ignored() {
    let mut engine = Engine::seed();
    assert_eq!(engine.hear(Message::Interested), []);
    assert_eq!(engine.block(block(0, 0)), []);
    assert_eq!(engine.input(Input::Closed { link: LINK }), []);
    assert_eq!(
        engine.input(Input::Uploaded {
            link: LINK,
            block: block(0, 0)
        }),
        []
    );
}
