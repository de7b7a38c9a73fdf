//! A torrent, its driver, and everything that may happen to them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use wire::{
    BLOCK_LENGTH, Bitfield, Block, Config, Direction, ExtensionHandshake, ExtensionIds, Geometry,
    Handshake, Info, InfoBuilder, Input, Link, Message, MetadataMessage, PeerId, Reserved, Source,
    Torrent,
};

use crate::driver::{Connection, Driver, Told};

/// The ids under which peers take metadata messages: theirs, and ours.
const THEIR_METADATA_ID: u8 = 5;
const OUR_METADATA_ID: u8 = 1;

pub struct World {
    torrent: Torrent,
    driver: Driver,
    rng: Xoshiro256PlusPlus,
    deadline: Option<Duration>,
    /// What the torrent is, whether or not the engine knows.
    truth: Arc<Info>,
    next_link: u32,
}

impl World {
    pub fn new(script: &mut Unstructured<'_>) -> Result<Self> {
        let truth = Arc::new(info(script)?);
        let known = bool::arbitrary(script)?.then(|| Arc::clone(&truth));
        let config = Config {
            max_connections: script.int_in_range(1..=6)?,
            max_dials: script.int_in_range(1..=4)?,
            max_known_peers: script.int_in_range(1..=12)?,
            unchoke_slots: script.int_in_range(1..=3)?,
            max_outstanding: script.int_in_range(1..=40)?,
            max_queued_uploads: script.int_in_range(1..=10)?,
            dht_port: script.arbitrary()?,
            listen_port: script.arbitrary()?,
            ..Config::default()
        };
        Ok(Self {
            torrent: Torrent::new(truth.hash(), PeerId::from([0x80; 20]), known.clone()),
            driver: Driver {
                now: Duration::from_secs(1),
                config,
                info: known,
                started: false,
                pressure: false,
                finished: false,
                open: BTreeMap::new(),
                dialling: BTreeMap::new(),
                at_hand: None,
                stored: BTreeMap::new(),
                completed: BTreeSet::new(),
            },
            rng: Xoshiro256PlusPlus::seed_from_u64(script.arbitrary()?),
            deadline: None,
            truth,
            next_link: 0,
        })
    }

    fn handle(&mut self, input: Input<'_>) {
        let now = self.driver.now;
        let config = self.driver.config.clone();
        self.deadline = self
            .torrent
            .handle(&config, now, &mut self.rng, input, &mut self.driver);
        self.driver.at_hand = None;
        assert!(
            self.deadline.is_none_or(|deadline| deadline > now),
            "the deadline has passed"
        );
    }

    /// Whether the engine and its driver agree.
    fn check(&self) {
        for (&link, connection) in &self.driver.open {
            let expected: BTreeSet<_> = self.torrent.expected(link).collect();
            assert_eq!(
                expected, connection.requested,
                "what is expected is what was requested"
            );
        }
        if let Some(have) = self.torrent.have() {
            assert!(
                have.iter_ones().eq(self.driver.completed.iter().copied()),
                "pieces are what passed their check"
            );
        }
        let progress = self.torrent.progress(self.driver.now);
        assert!(progress.bytes_done <= progress.bytes && progress.pieces_done <= progress.pieces);
        assert_eq!(progress.connected, self.driver.open.len());
        assert_eq!(
            self.torrent.links(self.driver.now).count(),
            self.driver.open.len()
        );
    }

    /// One thing happens.
    pub fn step(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=13)? {
            0 => self.sleep(Duration::from_millis(script.int_in_range(0..=200_000)?)),
            1 => self.sleep_until_deadline(),
            2 => {
                let source = *script.choose(&[Source::User, Source::Magnet, Source::Dht])?;
                self.handle(Input::Candidates(
                    &[address(script)?, address(script)?],
                    source,
                ));
            }
            3 => {
                let from = address(script)?;
                self.connect(from, Direction::Incoming, handshake(script, &self.truth)?);
            }
            4 => {
                let Some(&to) = self.driver.dialling.keys().next() else {
                    return Ok(());
                };
                self.driver.dialling.remove(&to);
                if script.arbitrary()? {
                    self.connect(to, Direction::Outgoing, handshake(script, &self.truth)?);
                } else {
                    self.handle(Input::ConnectFailed { address: to });
                }
            }
            5..=7 => {
                let link = self.link(script)?;
                let bytes = script.bytes(script.len().min(12))?.to_vec();
                let message = message(script, self.truth.geometry(), &bytes)?;
                self.receive(link, message);
            }
            8 => {
                let link = self.link(script)?;
                let payload = extended(script, &self.truth)?;
                let id = *script.choose(&[0, OUR_METADATA_ID, 9])?;
                self.receive(
                    link,
                    Message::Extended {
                        id,
                        payload: &payload,
                    },
                );
            }
            9 => {
                let link = self.link(script)?;
                let nth = script.int_in_range(0..=3)?;
                let expected = self.torrent.expected(link).nth(nth);
                let block = expected.map_or_else(|| block(script, self.truth.geometry()), Ok)?;
                self.deliver(link, block);
            }
            10 => {
                let link = self.link(script)?;
                if let Some(block) = self
                    .driver
                    .open
                    .get_mut(&link)
                    .and_then(|connection| connection.uploads.pop_front())
                {
                    self.handle(Input::Uploaded { link, block });
                }
            }
            11 => {
                let link = self.link(script)?;
                self.driver.open.remove(&link);
                self.handle(Input::Closed { link });
            }
            12 => {
                if let Some(piece) = self.driver.waits_for_verdict() {
                    self.judge(piece, script.arbitrary()?);
                } else {
                    let bytes = script.bytes(script.len().min(3))?.to_vec();
                    self.start(&bytes);
                }
            }
            _ => {
                self.driver.pressure = script.arbitrary()?;
                self.handle(Input::Pressure(self.driver.pressure));
            }
        }
        self.check();
        Ok(())
    }

    /// Whatever happened: once everybody else has fallen silent and an honest seed comes, the download ends within 20 minutes.
    pub fn converge(&mut self) {
        self.driver.pressure = false;
        self.handle(Input::Pressure(false));
        let limit = self.driver.now + Duration::from_secs(20 * 60);
        // No connection of the script has this name.
        let mut seed = Link(u32::MAX);
        while !self.driver.finished {
            assert!(self.driver.now < limit, "stuck: {:?}", self.torrent);
            while let Some((address, _)) = self.driver.dialling.pop_first() {
                self.handle(Input::ConnectFailed { address });
            }
            if let Some(piece) = self.driver.waits_for_verdict() {
                self.judge(piece, true);
            } else if self.driver.info.is_some() && !self.driver.started {
                self.start(&[]);
            } else if !self.driver.open.contains_key(&seed) {
                self.sleep(Duration::from_secs(60));
                seed = self.connect_seed();
            } else if let Some(told) = self
                .driver
                .open
                .get_mut(&seed)
                .and_then(|seed| seed.told.pop_front())
            {
                self.answer(seed, told);
            } else {
                assert!(
                    self.deadline.is_some(),
                    "waits for nothing: {:?}",
                    self.torrent
                );
                self.sleep_until_deadline();
            }
        }
        self.check();
    }

    fn connect_seed(&mut self) -> Link {
        let handshake = Handshake {
            reserved: Reserved::default().with_fast().with_extension(),
            info_hash: self.truth.hash(),
            peer_id: PeerId::from([0x77; 20]),
        };
        let seed = self.connect(
            SocketAddr::from(([203, 0, 113, 77], 7777)),
            Direction::Incoming,
            handshake,
        );
        let greeting = ExtensionHandshake {
            ids: ExtensionIds {
                ut_metadata: Some(THEIR_METADATA_ID),
                ..ExtensionIds::default()
            },
            metadata_size: Some(self.truth.raw().len() as u32),
            ..ExtensionHandshake::default()
        };
        self.receive(
            seed,
            Message::Extended {
                id: 0,
                payload: &greeting.encode(),
            },
        );
        self.receive(seed, Message::HaveAll);
        seed
    }

    /// What an honest seed does.
    fn answer(&mut self, link: Link, told: Told) {
        match told {
            Told::Interested => self.receive(link, Message::Unchoke),
            Told::Request(block) => self.deliver(link, block),
            Told::Extended(THEIR_METADATA_ID, payload) => {
                let Ok(Some(MetadataMessage::Request { piece })) =
                    MetadataMessage::decode(&payload)
                else {
                    return;
                };
                let truth = Arc::clone(&self.truth);
                let data = wire::metadata_piece(truth.raw(), piece).expect("asks for what exists");
                let answer = MetadataMessage::Data {
                    piece,
                    total_size: truth.raw().len() as u32,
                    data,
                };
                self.receive(
                    link,
                    Message::Extended {
                        id: OUR_METADATA_ID,
                        payload: &answer.encode(),
                    },
                );
            }
            Told::Extended(..) => {}
        }
    }

    fn sleep(&mut self, time: Duration) {
        self.driver.now += time;
        if self
            .deadline
            .is_some_and(|deadline| deadline <= self.driver.now)
        {
            self.handle(Input::Timeout);
        }
    }

    fn sleep_until_deadline(&mut self) {
        if let Some(deadline) = self.deadline {
            self.driver.now = self.driver.now.max(deadline);
            self.handle(Input::Timeout);
        }
    }

    fn connect(&mut self, address: SocketAddr, direction: Direction, handshake: Handshake) -> Link {
        let link = Link(self.next_link);
        self.next_link += 1;
        let connection = Connection {
            reserved: handshake.reserved,
            requested: BTreeSet::new(),
            uploads: VecDeque::new(),
            told: VecDeque::new(),
        };
        self.driver.open.insert(link, connection);
        self.handle(Input::Connected {
            link,
            address,
            direction,
            handshake: &handshake,
        });
        link
    }

    fn receive(&mut self, link: Link, message: Message<'_>) {
        if let Some(connection) = self.driver.open.get_mut(&link) {
            match message {
                Message::Reject(block) if connection.reserved.fast() => {
                    connection.requested.remove(&block);
                }
                // BEP 3: what was requested is lost. BEP 6: each request is still answered.
                Message::Choke if !connection.reserved.fast() => connection.requested.clear(),
                _ => {}
            }
        }
        self.handle(Input::Received { link, message });
    }

    fn deliver(&mut self, link: Link, block: Block) {
        if let Some(connection) = self.driver.open.get_mut(&link) {
            connection.requested.remove(&block);
        }
        self.driver.at_hand = Some((link, block));
        self.handle(Input::Block { link, block });
    }

    fn judge(&mut self, piece: u32, valid: bool) {
        if valid {
            self.driver.stored.remove(&piece);
        }
        self.handle(Input::PieceChecked { piece, valid });
        assert_eq!(self.driver.completed.contains(&piece), valid);
    }

    fn start(&mut self, have: &[u8]) {
        let Some(info) = self.driver.info.clone().filter(|_| !self.driver.started) else {
            return;
        };
        let mut field = Bitfield::new(info.geometry().pieces());
        for piece in 0..info.geometry().pieces() {
            let byte = have
                .get(piece as usize / 8 % have.len().max(1))
                .copied()
                .unwrap_or(0);
            if byte >> (piece % 8) & 1 == 1 {
                field.set(piece);
            }
        }
        self.driver.started = true;
        self.driver.completed = field.iter_ones().collect();
        self.handle(Input::Start { have: field });
    }

    /// Mostly one that is open.
    fn link(&self, script: &mut Unstructured<'_>) -> Result<Link> {
        let open: Vec<_> = self.driver.open.keys().copied().collect();
        if open.is_empty() || script.ratio(1, 20)? {
            return Ok(Link(script.int_in_range(0..=9)?));
        }
        script.choose(&open).copied()
    }
}

fn info(script: &mut Unstructured<'_>) -> Result<Info> {
    let piece_length: u32 = *script.choose(&[BLOCK_LENGTH, 3 * BLOCK_LENGTH, 20_000, 16])?;
    // Metadata of more than one piece needs many hashes.
    let full_pieces: u32 = if script.ratio(15, 16)? {
        script.int_in_range(0..=12)?
    } else {
        900
    };
    let last = script.int_in_range(1..=piece_length)?;
    let builder = InfoBuilder::single_file("file", u64::from(full_pieces * piece_length + last))
        .piece_length(piece_length);
    Ok(builder
        .build(&vec![[7; 20]; full_pieces as usize + 1])
        .expect("the torrent is a good one"))
}

/// Few, so that some come again; public ones, which are banned as hosts, and private ones.
fn address(script: &mut Unstructured<'_>) -> Result<SocketAddr> {
    let host = script.int_in_range(1..=6)?;
    let port = script.int_in_range(0..=3)?;
    Ok(match script.int_in_range(0..=2)? {
        0 => ([198, 51, 100, host], port).into(),
        1 => ([10, 0, 0, host], port).into(),
        _ => ([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(host)], port).into(),
    })
}

fn handshake(script: &mut Unstructured<'_>, truth: &Info) -> Result<Handshake> {
    let mut reserved = Reserved::default();
    if !script.ratio(1, 4)? {
        reserved = reserved.with_fast();
    }
    if !script.ratio(1, 4)? {
        reserved = reserved.with_extension();
    }
    if script.arbitrary()? {
        reserved = reserved.with_dht();
    }
    Ok(Handshake {
        reserved,
        info_hash: truth.hash(),
        peer_id: PeerId::from([*script.choose(&[1, 2, 3, 4, 0x7f, 0x80, 0xf0])?; 20]),
    })
}

fn message<'a>(
    script: &mut Unstructured<'_>,
    geometry: Geometry,
    bytes: &'a [u8],
) -> Result<Message<'a>> {
    Ok(match script.int_in_range(0..=19)? {
        0 => Message::Choke,
        1..=3 => Message::Unchoke,
        4 => Message::Interested,
        5 => Message::NotInterested,
        6 | 7 => Message::Have(piece(script, geometry)?),
        8 => Message::Bitfield(bytes),
        9 | 10 => Message::HaveAll,
        11 => Message::HaveNone,
        12 => Message::Request(block(script, geometry)?),
        13 => Message::Cancel(block(script, geometry)?),
        14 => Message::Reject(block(script, geometry)?),
        15 => Message::AllowedFast(piece(script, geometry)?),
        16 => Message::Suggest(piece(script, geometry)?),
        17 => Message::Port(script.arbitrary()?),
        18 => Message::KeepAlive,
        _ => Message::Unknown { id: 99 },
    })
}

fn piece(script: &mut Unstructured<'_>, geometry: Geometry) -> Result<u32> {
    if script.ratio(1, 16)? {
        u32::arbitrary(script)
    } else {
        script.int_in_range(0..=geometry.pieces())
    }
}

fn block(script: &mut Unstructured<'_>, geometry: Geometry) -> Result<Block> {
    if script.ratio(1, 8)? {
        let (piece, offset, length) = script.arbitrary()?;
        return Ok(Block {
            piece,
            offset,
            length,
        });
    }
    Ok(geometry.block(piece(script, geometry)?, script.int_in_range(0..=2)?))
}

/// The payload of an extended message that speaks of the metadata, rightly or not.
fn extended(script: &mut Unstructured<'_>, truth: &Info) -> Result<Vec<u8>> {
    let size = truth.raw().len() as u32;
    let size = if script.ratio(1, 6)? {
        script.int_in_range(0..=40_000_000)?
    } else {
        size
    };
    let piece = script.int_in_range(0..=2)?;
    Ok(match script.int_in_range(0..=4)? {
        0 | 1 => ExtensionHandshake {
            ids: ExtensionIds {
                ut_metadata: script.arbitrary()?,
                ..ExtensionIds::default()
            },
            metadata_size: Some(size),
            request_queue: script.arbitrary()?,
            upload_only: script.arbitrary()?,
            ..ExtensionHandshake::default()
        }
        .encode(),
        2 => {
            let mut data = wire::metadata_piece(truth.raw(), piece)
                .unwrap_or_default()
                .to_vec();
            if let Some(first) = data.first_mut()
                && script.ratio(1, 3)?
            {
                *first ^= 1;
            }
            MetadataMessage::Data {
                piece,
                total_size: size,
                data: &data,
            }
            .encode()
        }
        3 => MetadataMessage::Request { piece }.encode(),
        _ => MetadataMessage::Reject { piece }.encode(),
    })
}
