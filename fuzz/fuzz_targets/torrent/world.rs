//! A torrent, its driver, and everything that may happen to them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use wire::{
    Allowance, Bitfield, Block, Config, Direction, ExtensionHandshake, ExtensionIds, Handshake,
    Info, Input, Link, Message, MetadataMessage, Order, PeerId, Priority, Reserved, Source,
    Torrent,
};

use crate::driver::{Connection, Driver, Told};
use crate::script::{address, block, extended, handshake, info, message, piece};

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
                priorities: Vec::new(),
                granted: None,
                arrived: 0,
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
                    self.handle(if script.ratio(1, 4)? {
                        Input::UploadFailed { link, block }
                    } else {
                        Input::Uploaded { link, block }
                    });
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
            _ => self.decide(script)?,
        }
        self.check();
        Ok(())
    }

    /// The driver says what it wants, and what its disk has.
    fn decide(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=10)? {
            0 => self.press(false),
            1 => self.press(true),
            2 => self.allow(Allowance::Unlimited),
            3 | 4 => self.allow(Allowance::More(script.int_in_range(0..=200_000)?)),
            5 => {
                let levels = [
                    Priority::Skip,
                    Priority::Low,
                    Priority::Normal,
                    Priority::High,
                ];
                let count = script.int_in_range(0..=13)?;
                let priorities = (0..count).map(|_| script.choose(&levels).copied());
                let priorities: Vec<_> = priorities.collect::<Result<_>>()?;
                self.prioritise(priorities);
            }
            6 => {
                let order = *script.choose(&[Order::RarestFirst, Order::Sequential])?;
                self.handle(Input::Order(order));
            }
            7 | 8 => {
                let piece = piece(script, self.truth.geometry())?;
                self.lose(piece, script.arbitrary()?);
            }
            9 => {
                let piece = piece(script, self.truth.geometry())?;
                self.handle(Input::PieceFound { piece });
            }
            _ => {
                let geometry = self.truth.geometry();
                let count = script.int_in_range(0..=3)?;
                let pieces = (0..count).map(|_| piece(script, geometry));
                let pieces: Vec<_> = pieces.collect::<Result<_>>()?;
                self.handle(Input::Urgent(&pieces));
            }
        }
        Ok(())
    }

    /// Whatever happened: once everything is wanted and allowed as soon as there is somebody to ask, everybody else has fallen silent and an honest seed
    /// comes, the download ends within 20 minutes.
    pub fn converge(&mut self) {
        self.press(false);
        self.prioritise(Vec::new());
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
            } else if self.driver.granted.is_some() && self.torrent.shortage() > 0 {
                self.sleep(Duration::from_millis(100));
                self.allow(Allowance::More(self.torrent.shortage()));
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

    fn press(&mut self, pressure: bool) {
        self.driver.pressure = pressure;
        self.handle(Input::Pressure(pressure));
    }

    fn allow(&mut self, allowance: Allowance) {
        self.driver.granted = match allowance {
            Allowance::Unlimited => None,
            Allowance::More(bytes) => {
                let before = self.driver.granted.unwrap_or_else(|| self.driver.spent());
                Some(before + bytes)
            }
        };
        self.handle(Input::Allowance(allowance));
    }

    fn lose(&mut self, piece: u32, fetch_again: bool) {
        if self.driver.completed.remove(&piece) {
            if !fetch_again {
                self.driver.skip(piece);
            }
            self.driver.finished &= self.driver.is_content();
        }
        self.handle(Input::PieceLost { piece, fetch_again });
        let mut uploads = self.driver.open.values().flat_map(|peer| &peer.uploads);
        assert!(
            uploads.all(|block| block.piece != piece),
            "serves what is lost"
        );
    }

    fn prioritise(&mut self, priorities: Vec<Priority>) {
        self.driver.priorities = priorities.clone();
        self.driver.finished &= self.driver.is_content();
        self.handle(Input::Prioritize(&priorities));
    }

    fn deliver(&mut self, link: Link, block: Block) {
        if let Some(connection) = self.driver.open.get_mut(&link)
            && connection.requested.remove(&block)
        {
            self.driver.arrived += u64::from(block.length);
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
