//! A node, its driver, and everything that may happen to them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use dht::{
    AnnouncedPort, BloomFilter, Body, Config, Flag, Id, Input, Item, ItemValue, KrpcError,
    LookupId, Message, Method, MutableItem, Node, NodeInfo, Outcome, PublicKey, Put, Query,
    Response, Salt, Sample, Scrape, Signature, Token, TransactionId, Want, Wishes,
};
use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::driver::Driver;
use crate::honest;

/// Where the node under test is seen.
const OWN_ADDRESS: ([u8; 4], u16) = ([84, 5, 6, 7], 6881);
const LATENCY: Duration = Duration::from_millis(50);
/// Queries that the script may still answer.
const MAX_OPEN_QUERIES: usize = 40;
/// The lookup that has to end well.
const LAST_LOOKUP: LookupId = LookupId(99);

pub struct World {
    node: Node,
    config: Config,
    driver: Driver,
    rng: Xoshiro256PlusPlus,
    now: Duration,
    deadline: Option<Duration>,
    /// Who has answered us.
    answered: BTreeSet<SocketAddr>,
}

impl World {
    pub fn new(script: &mut Unstructured<'_>) -> Result<Self> {
        let config = Config {
            read_only: script.ratio(1, 8)?,
            first_buckets: script.choose(&[&[][..], &[128, 64, 32, 16][..]])?,
            spares: script.int_in_range(0..=8)?,
            max_parallel: script.int_in_range(4..=10)?,
            max_in_flight: script.int_in_range(10..=60)?,
            max_info_hashes: script.int_in_range(1..=4)?,
            max_peers_per_info_hash: script.int_in_range(1..=4)?,
            max_peers_per_source: script.int_in_range(1..=4)?,
            ..Config::default()
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(script.arbitrary()?);
        let node = Node::new(
            script
                .arbitrary::<Option<u8>>()?
                .map(|byte| Id::new([byte; 20])),
            &mut rng,
        );
        Ok(Self {
            driver: Driver {
                id: node.id(),
                read_only: config.read_only,
                at_hand: None,
                queries: Vec::new(),
                lookups: BTreeMap::new(),
                ended: Vec::new(),
                tokens: Vec::new(),
            },
            node,
            config,
            rng,
            now: Duration::from_secs(1),
            deadline: None,
            answered: BTreeSet::new(),
        })
    }

    fn handle(&mut self, input: Input<'_>) {
        self.deadline = self.node.handle(
            &self.config,
            self.now,
            &mut self.rng,
            input,
            &mut self.driver,
        );
        self.driver.at_hand = None;
        assert!(
            self.deadline.is_none_or(|deadline| deadline > self.now),
            "the deadline has passed"
        );
        assert_eq!(self.node.id(), self.driver.id);
    }

    fn check(&self) {
        for contact in self.node.contacts() {
            assert!(
                self.answered.contains(&contact.address),
                "{} has never answered",
                contact.address
            );
            assert_ne!(contact.id, self.node.id());
        }
        let stats = self.node.stats();
        assert!(stats.info_hashes <= self.config.max_info_hashes);
        assert!(stats.peers <= 2 * stats.info_hashes * self.config.max_peers_per_info_hash);
        assert!(stats.lookups >= self.driver.lookups.len());
    }

    /// One thing happens.
    pub fn step(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=13)? {
            0 => self.sleep(Duration::from_millis(script.int_in_range(0..=1_000_000)?)),
            1 => self.sleep_until_deadline(),
            2 => self.handle(Input::Bootstrap(&[address(script)?])),
            3 => {
                let nodes = [self.node_info(script)?, self.node_info(script)?];
                self.handle(Input::Restore(&nodes));
            }
            4 | 5 => {
                let message = Message {
                    transaction: TransactionId::new(b"aa").expect("short enough"),
                    version: None,
                    external: None,
                    body: Body::Query(self.query(script)?),
                };
                self.receive(address(script)?, &message);
            }
            6..=8 => {
                let oldest = self.driver.queries.len().saturating_sub(MAX_OPEN_QUERIES);
                self.driver.queries.drain(..oldest);
                if self.driver.queries.is_empty() {
                    return Ok(());
                }
                let (from, query) = self
                    .driver
                    .queries
                    .remove(script.choose_index(self.driver.queries.len())?);
                let message = Message {
                    transaction: query.transaction,
                    version: None,
                    external: Option::<u8>::arbitrary(script)?
                        .map(|byte| ([byte, 5, 6, 7], 1).into()),
                    body: self.answer(script)?,
                };
                self.answered.insert(from);
                self.receive(from, &message);
            }
            9 => {
                let lookup = LookupId(script.int_in_range(0..=2)?);
                let key = self.id(script)?;
                let item = item(script)?;
                let input = match script.int_in_range(0..=6)? {
                    6 => Input::Scrape {
                        lookup,
                        info_hash: key,
                    },
                    5 => Input::Sample {
                        lookup,
                        target: key,
                    },
                    0 => Input::FindNode {
                        lookup,
                        target: key,
                    },
                    1 => Input::GetPeers {
                        lookup,
                        info_hash: key,
                    },
                    2 => Input::GetItem {
                        lookup,
                        target: item.target(&Salt::NONE),
                        salt: &Salt::NONE,
                        newer_than: script.arbitrary()?,
                    },
                    3 => Input::PutItem {
                        lookup,
                        item: &item,
                        salt: &Salt::NONE,
                        cas: None,
                    },
                    _ => Input::Announce {
                        lookup,
                        info_hash: key,
                        port: AnnouncedPort::Given(7),
                        seed: false,
                    },
                };
                self.look_up(lookup, input);
            }
            10 => {
                let lookup = LookupId(script.int_in_range(0..=2)?);
                self.handle(Input::Cancel { lookup });
                assert!(
                    !self.driver.lookups.contains_key(&lookup),
                    "cancelled lookups end"
                );
            }
            11 => self.handle(Input::Ping(address(script)?)),
            12 => self.handle(Input::NetworkChanged),
            _ => {
                let from = address(script)?;
                self.driver.at_hand = Some(from);
                self.handle(Input::Malformed {
                    from,
                    transaction: &TransactionId::default(),
                    code: KrpcError::PROTOCOL,
                });
            }
        }
        self.check();
        Ok(())
    }

    /// Whatever happened: once there is an honest network, an announce finds the peer there is and is held by somebody within an hour.
    pub fn converge(&mut self) {
        self.driver.queries.clear();
        self.handle(Input::Bootstrap(&[honest::entrance()]));
        self.look_up(
            LAST_LOOKUP,
            Input::Announce {
                lookup: LAST_LOOKUP,
                info_hash: honest::INFO_HASH,
                port: AnnouncedPort::Implied(0),
                seed: false,
            },
        );
        let limit = self.now + Duration::from_secs(60 * 60);
        let mut arriving = VecDeque::new();
        let mut steps = 0;
        while self.driver.lookups.contains_key(&LAST_LOOKUP) {
            assert!(
                self.now < limit,
                "the lookup does not end: {:?}",
                self.node.stats()
            );
            steps += 1;
            assert!(steps < 100_000, "the node never sleeps");
            for (to, query) in self.driver.queries.split_off(0) {
                if let Some(answer) = honest::answer(to, OWN_ADDRESS.into(), &query) {
                    arriving.push_back((self.now + LATENCY, to, answer));
                }
            }
            match (arriving.front(), self.deadline) {
                (Some(&(at, ..)), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                    self.now = self.now.max(at);
                    if let Some((_, from, answer)) = arriving.pop_front() {
                        self.answered.insert(from);
                        self.receive(from, &answer);
                    }
                }
                (_, Some(_)) => self.sleep_until_deadline(),
                (_, None) => panic!("waits for nothing: {:?}", self.node.stats()),
            }
        }
        let (_, peers, report) = self
            .driver
            .ended
            .iter()
            .find(|(lookup, ..)| *lookup == LAST_LOOKUP)
            .expect("it has ended");
        assert_eq!(report.outcome, Outcome::Converged);
        assert!(
            peers.contains(&honest::peer()) && report.announced_to > 0,
            "{report:?}"
        );
        self.check();
    }

    fn sleep(&mut self, time: Duration) {
        self.now += time;
        if self.deadline.is_some_and(|deadline| deadline <= self.now) {
            self.handle(Input::Timeout);
        }
    }

    fn sleep_until_deadline(&mut self) {
        if let Some(deadline) = self.deadline {
            self.now = self.now.max(deadline);
            self.handle(Input::Timeout);
        }
    }

    fn receive(&mut self, from: SocketAddr, message: &Message) {
        self.driver.at_hand = matches!(message.body, Body::Query(_)).then_some(from);
        self.handle(Input::Receive { from, message });
    }

    fn look_up(&mut self, lookup: LookupId, input: Input<'_>) {
        // A lookup of the same name ends first, in the same call; the driver's books are made so that it may.
        self.handle(Input::Cancel { lookup });
        self.driver.lookups.insert(lookup, BTreeSet::new());
        self.handle(input);
    }

    fn query(&mut self, script: &mut Unstructured<'_>) -> Result<Query> {
        let want = Want {
            v4: script.arbitrary()?,
            v6: script.arbitrary()?,
        };
        let key = self.id(script)?;
        let item = item(script)?;
        let method = match script.int_in_range(0..=7)? {
            7 => Method::SampleInfohashes { target: key, want },
            0 => Method::Ping,
            1 => Method::FindNode { target: key, want },
            2 => Method::GetPeers {
                info_hash: key,
                want,
                wishes: Wishes {
                    no_seeds: Flag(script.arbitrary()?),
                    scrape: Flag(script.arbitrary()?),
                },
            },
            3 => Method::AnnouncePeer {
                info_hash: key,
                port: if script.arbitrary()? {
                    AnnouncedPort::Given(script.int_in_range(1..=3)?)
                } else {
                    AnnouncedPort::Implied(0)
                },
                token: if self.driver.tokens.is_empty() {
                    Token::from([0; 8])
                } else {
                    script.choose(&self.driver.tokens)?.clone()
                },
                seed: Flag(script.arbitrary()?),
            },
            4 => Method::Get {
                target: item.target(&Salt::NONE),
                newer_than: script.arbitrary()?,
                want,
            },
            5 => Method::Put(Box::new(Put {
                item,
                salt: Salt::NONE,
                cas: script.arbitrary()?,
                token: if self.driver.tokens.is_empty() {
                    Token::from([0; 8])
                } else {
                    script.choose(&self.driver.tokens)?.clone()
                },
            })),
            _ => Method::Other {
                name: b"vote".iter().copied().collect(),
                target: script.arbitrary::<bool>()?.then_some(key),
                want,
            },
        };
        Ok(Query {
            id: self.id(script)?,
            read_only: script.ratio(1, 8)?,
            method,
        })
    }

    fn answer(&mut self, script: &mut Unstructured<'_>) -> Result<Body> {
        if script.ratio(1, 10)? {
            return Ok(Body::Error(KrpcError {
                code: script.arbitrary()?,
                message: "no".into(),
            }));
        }
        let mut response = Response::new(self.id(script)?);
        let named = script.int_in_range(0..=8)?;
        for _ in 0..named {
            let node = self.node_info(script)?;
            match node.address {
                SocketAddr::V4(address) => {
                    let node = NodeInfo::<SocketAddrV4> {
                        id: node.id,
                        address,
                    };
                    response.nodes.get_or_insert_default().push(node);
                }
                SocketAddr::V6(address) => {
                    let node = NodeInfo::<SocketAddrV6> {
                        id: node.id,
                        address,
                    };
                    response.nodes6.get_or_insert_default().push(node);
                }
            }
        }
        if script.arbitrary()? {
            response.token = Token::new(&vec![1; script.int_in_range(0..=255)?]);
        }
        for _ in 0..script.int_in_range(0..=3)? {
            response.values.push(address(script)?);
        }
        if script.arbitrary()? {
            response.scrape = Scrape {
                seeds: BloomFilter::from([script.arbitrary()?; BloomFilter::LENGTH]),
                peers: BloomFilter::from([script.arbitrary()?; BloomFilter::LENGTH]),
            }
            .into();
        }
        if script.arbitrary()? {
            response.sample = Sample {
                info_hashes: vec![honest::INFO_HASH; script.int_in_range(0..=40)?],
                total: script.arbitrary()?,
                interval: script.int_in_range(0..=Sample::MAX_INTERVAL)?,
            }
            .into();
        }
        Ok(Body::Response(response))
    }

    fn node_info(&self, script: &mut Unstructured<'_>) -> Result<NodeInfo> {
        Ok(NodeInfo {
            id: self.id(script)?,
            address: address(script)?,
        })
    }

    /// Near to us, near to the torrent, or anywhere.
    fn id(&self, script: &mut Unstructured<'_>) -> Result<Id> {
        let base = *script.choose(&[self.node.id(), honest::INFO_HASH, Id::new([0; 20])])?;
        let mut bytes = *base.as_bytes();
        if let Some(byte) = bytes.get_mut(script.int_in_range(0..=23)?) {
            *byte ^= script.arbitrary::<u8>()?;
        }
        Ok(Id::new(bytes))
    }
}

/// Of every kind there is, few of each, none of them an honest node's.
fn address(script: &mut Unstructured<'_>) -> Result<SocketAddr> {
    let low: u8 = script.arbitrary()?;
    let (host, port) = (low & 0x0f, u16::from(low >> 4 & 3));
    let wide = u16::from(host);
    Ok(match script.int_in_range(0..=7)? {
        0 => ([127, 0, 0, 1], 7000 + wide).into(),
        1 => ([10, 0, 0, host], port).into(),
        2 => ([198, 51, 100 + port as u8, host], port).into(),
        3..=5 => ([20 + host, port as u8, 1, 1], 6881).into(),
        6 => ([0x2001, 0xdb8, 0, wide, 0, 0, 0, 1], 6881).into(),
        _ => *script.choose(&[
            ([0, 0, 0, 0], 1).into(),
            ([255, 255, 255, 255], 1).into(),
            ([224, 0, 0, 1], 1).into(),
            ([0, 0, 0, 0, 0, 0xffff, 0x0a00, 1], 1).into(),
            ([0xff02, 0, 0, 0, 0, 0, 0, 1], 1).into(),
            ([0xfe80, 0, 0, 0, 0, 0, 0, 1], 1).into(),
        ])?,
    })
}

/// One of few items: small ones, large ones, and some that nobody signed.
fn item(script: &mut Unstructured<'_>) -> Result<Item> {
    let byte = script.int_in_range(0..=3)?;
    let length = if script.ratio(1, 4)? { 996 } else { 3 };
    let value = ItemValue::from_bytes(&vec![byte; length]).expect("it is not too long");
    if script.ratio(1, 2)? {
        return Ok(Item::Immutable(value));
    }
    Ok(Item::Mutable(MutableItem {
        key: PublicKey::new([byte; 32]),
        seq: script.arbitrary()?,
        signature: Signature::new([byte; 64]),
        value,
    }))
}
