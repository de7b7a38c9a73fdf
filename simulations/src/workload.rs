//! What is looked up and announced, by whom, and how that went.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dht::{Event, Id, LookupReport};
use rand::{RngExt, SeedableRng};

use crate::digest::hash_of;
use crate::findings::{Kind, LookupRow, Success};
use crate::invariant::{Breach, longest_lookup};
use crate::network::Generator;
use crate::population::Population;
use crate::world::{Census, Goal, Note, World};
use crate::{Micros, Plan, WorkloadPlan};

const SECOND: Micros = 1_000_000;
/// An announce that was acknowledged a little later than it was stored.
const SLACK: Duration = Duration::from_secs(30);

fn generator(seed: u64, thing: impl Hash) -> Generator {
    Generator::seed_from_u64(hash_of((seed, thing)))
}

/// Everything that is asked of a world, and what is known to be true.
pub(crate) struct Workload {
    seed: u64,
    plan: WorkloadPlan,
    /// Info-hashes that are attacked, from the first.
    attacked: u32,
    peer_lifetime: Duration,
    longest_lookup: Duration,
    /// When measuring begins.
    begins: Micros,
    /// Announces yet to be made: when, by whom, of what.
    announces: BTreeSet<(Micros, u32, u32)>,
    /// Announces yet to be looked for.
    recalls: BTreeSet<(Micros, u32, u32)>,
    /// Who announced what, and when it was last acknowledged.
    announced: Announced,
    /// The same of those who left before anybody acknowledged it: some may have stored it.
    perhaps_announced: Announced,
    pending: BTreeMap<u64, Pending>,
    /// Draws so far.
    draws: u64,
    /// Info-hashes so far.
    info_hashes: u32,
    rows: Vec<LookupRow>,
}

/// For each info-hash, by its number, who announced it when.
type Announced = BTreeMap<u32, BTreeMap<IpAddr, Duration>>;

/// What is asked of a node.
#[derive(Clone, Copy)]
struct Question {
    kind: Kind,
    target: Id,
    /// The number of the info-hash, if the target is one.
    info_hash: Option<u32>,
    /// The peer that it is to find, if it is to find a certain one.
    wanted: Option<IpAddr>,
}

struct Pending {
    row: LookupRow,
    target: Id,
    /// The peer that it is to find, if it is to find a certain one.
    wanted: Option<IpAddr>,
    is_measured: bool,
    has_found: bool,
    /// The stay of the asker, to know whether it left.
    stay: u32,
}

/// Takes note that somebody announced an info-hash.
fn announces(announced: &mut Announced, number: u32, who: IpAddr, at: Duration) {
    announced.entry(number).or_default().insert(who, at);
}

impl Workload {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            seed: plan.seed,
            plan: plan.workload.clone(),
            attacked: plan.enemies.targets,
            peer_lifetime: plan.dht.peer_lifetime,
            longest_lookup: longest_lookup(plan.dht.max_stall),
            begins: plan.settle.as_micros() as Micros,
            announces: BTreeSet::new(),
            recalls: BTreeSet::new(),
            announced: BTreeMap::new(),
            perhaps_announced: BTreeMap::new(),
            pending: BTreeMap::new(),
            draws: 0,
            info_hashes: plan.workload.info_hashes,
            rows: Vec::new(),
        }
    }

    /// The `number`-th info-hash of a world.
    pub(crate) fn info_hash(seed: u64, number: u32) -> Id {
        Id::random(&mut generator(seed, ("info-hash", number)))
    }

    /// What is asked about the `number`-th.
    fn about(&self, kind: Kind, number: u32) -> Question {
        Question {
            kind,
            target: Self::info_hash(self.seed, number),
            info_hash: Some(number),
            wanted: None,
        }
    }

    /// Begins what is begun in the second from `now` on.
    pub(crate) fn begin(&mut self, world: &mut World, population: &Population, now: Micros) {
        if now == self.begins / 2 / SECOND * SECOND {
            self.plan_announces(population);
        }
        let end = now + SECOND;
        while let Some(&(at, node, number)) = self.announces.first().filter(|(at, ..)| *at < end) {
            self.announces.pop_first();
            if population.is_online(node) {
                let question = self.about(Kind::Announce, number);
                self.ask(world, population, at, node, question);
                if !self.plan.reannounce.is_zero() {
                    let again = at + self.plan.reannounce.as_micros() as Micros;
                    self.announces.insert((again, node, number));
                }
            }
        }
        if now < self.begins {
            return;
        }
        for at in self.times(self.plan.lookups_per_minute, now) {
            let number = self.draw().random_range(0..self.plan.info_hashes.max(1));
            if let Some(node) = self.somebody(population) {
                let question = self.about(Kind::GetPeers, number);
                self.ask(world, population, at, node, question);
            }
        }
        for at in self.times(self.plan.find_nodes_per_minute, now) {
            let target = Id::random(&mut self.draw());
            if let Some(node) = self.somebody(population) {
                let question = Question {
                    kind: Kind::FindNode,
                    target,
                    info_hash: None,
                    wanted: None,
                };
                self.ask(world, population, at, node, question);
            }
        }
        for at in self.times(self.plan.announces_per_minute, now) {
            if let Some(node) = self.somebody(population) {
                let number = self.info_hashes;
                self.info_hashes += 1;
                let question = self.about(Kind::Announce, number);
                self.ask(world, population, at, node, question);
                let later = at + self.plan.recall_after.as_micros() as Micros;
                self.recalls.insert((later, node, number));
            }
        }
        while let Some(&(at, announcer, number)) = self.recalls.first().filter(|(at, ..)| *at < end)
        {
            self.recalls.pop_first();
            if let Some(node) = self.somebody(population).filter(|node| *node != announcer) {
                let question = Question {
                    wanted: Some(world.address(announcer).ip()),
                    ..self.about(Kind::Recall, number)
                };
                self.ask(world, population, at, node, question);
            }
        }
    }

    /// A newcomer of a crowd looks for what everybody looks for.
    pub(crate) fn crowd_in(
        &mut self,
        world: &mut World,
        population: &Population,
        at: Micros,
        node: u32,
    ) {
        let question = self.about(Kind::GetPeers, 0);
        self.ask(world, population, at, node, question);
    }

    /// Distributes the announces of the info-hashes over the second half of the settling time.
    fn plan_announces(&mut self, population: &Population) {
        for number in 0..self.plan.info_hashes {
            for _ in 0..self.plan.announcers {
                let at = self
                    .draw()
                    .random_range(self.begins / 2..=self.begins * 19 / 20);
                if let Some(node) = self.somebody(population) {
                    self.announces.insert((at, node, number));
                }
            }
        }
    }

    fn ask(
        &mut self,
        world: &mut World,
        population: &Population,
        at: Micros,
        node: u32,
        question: Question,
    ) {
        let Question {
            kind,
            target,
            info_hash,
            wanted,
        } = question;
        let goal = match kind {
            Kind::FindNode => Goal::FindNode(target),
            Kind::GetPeers | Kind::Recall => Goal::GetPeers(target),
            Kind::Announce => Goal::Announce(target),
        };
        let lookup = world.begin_at(at, node, goal);
        let row = LookupRow {
            at: Duration::from_micros(at),
            kind,
            node,
            info_hash,
            is_attacked: info_hash.is_some_and(|number| number < self.attacked),
            success: Success::Void,
            first_peers: None,
            elapsed: None,
            hops: 0,
            asked: 0,
            answered: 0,
            stalled: 0,
            failed: 0,
            peers: 0,
            accuracy: None,
        };
        let pending = Pending {
            row,
            target,
            wanted,
            is_measured: at >= self.begins,
            has_found: false,
            stay: population.stay(node),
        };
        self.pending.insert(lookup.0, pending);
    }

    /// Takes in what nodes reported.
    pub(crate) fn take(
        &mut self,
        world: &World,
        population: &Population,
        census: &Census,
        note: &Note,
    ) -> Result<(), Breach> {
        match &note.event {
            Event::Peers { lookup, peers, .. } => self.found(lookup.0, peers, note)?,
            Event::Announced { lookup, .. } => {
                if let Some(Pending { row, .. }) = self.pending.get(&lookup.0)
                    && let Some(number) = row.info_hash
                {
                    let own = world.address(note.node).ip();
                    announces(&mut self.announced, number, own, note.at);
                }
            }
            Event::LookupEnded { lookup, report } => {
                if let Some(pending) = self.pending.remove(&lookup.0) {
                    // Somebody may hold it whose acknowledgement got lost.
                    if let (Kind::Announce, Some(number)) =
                        (pending.row.kind, pending.row.info_hash)
                    {
                        let own = world.address(note.node).ip();
                        announces(&mut self.announced, number, own, note.at);
                    }
                    self.end(pending, world, population, census, report);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn found(&mut self, lookup: u64, peers: &[SocketAddr], note: &Note) -> Result<(), Breach> {
        let Some(pending) = self.pending.get_mut(&lookup) else {
            return Ok(());
        };
        let number = pending.row.info_hash.unwrap_or_default();
        let announced = self.announced.get(&number);
        for peer in peers {
            let last = announced.and_then(|announced| announced.get(&peer.ip()));
            let perhaps = self.perhaps_announced.get(&number);
            let perhaps = perhaps.and_then(|announced| announced.get(&peer.ip()));
            let is_wanted = pending.wanted.is_none_or(|wanted| wanted == peer.ip());
            if let Some(&last) = last {
                let last = perhaps.map_or(last, |&perhaps| last.max(perhaps));
                if note.at > last + self.peer_lifetime + SLACK {
                    return Err(Breach {
                        invariant: "peers whose time is over are not returned",
                        at: note.at,
                        node: Some(note.node),
                        what: format!(
                            "it was told of {peer}, which was announced last after {last:?}"
                        ),
                    });
                }
                if is_wanted && !pending.has_found {
                    pending.has_found = true;
                    pending.row.first_peers = Some(note.at.saturating_sub(pending.row.at));
                }
            }
        }
        Ok(())
    }

    fn end(
        &mut self,
        pending: Pending,
        world: &World,
        population: &Population,
        census: &Census,
        report: &LookupReport,
    ) {
        let Pending {
            mut row,
            target,
            has_found,
            is_measured,
            ..
        } = pending;
        if !is_measured {
            return;
        }
        row.elapsed = Some(report.elapsed);
        row.hops = report.hops;
        row.asked = report.asked as u32;
        row.answered = report.answered as u32;
        row.stalled = report.stalled as u32;
        row.failed = report.failed as u32;
        row.peers = report.peers as u32;
        let succeeded = match row.kind {
            Kind::FindNode => {
                let is_there = |node: &dht::NodeInfo| {
                    world
                        .number(node.address)
                        .is_some_and(|number| number != row.node && population.is_online(number))
                };
                let nearest = census.nearest(&target, dht::Config::K, is_there);
                let met = nearest
                    .iter()
                    .filter(|node| report.closest.contains(node))
                    .count();
                row.accuracy = Some(met as u8);
                nearest
                    .first()
                    .is_none_or(|first| report.closest.contains(first))
            }
            Kind::GetPeers | Kind::Recall => has_found,
            Kind::Announce => report.announced_to > 0,
        };
        row.success = match succeeded {
            true => Success::Yes,
            // Whoever announced it did so too long ago: there was nothing to be found.
            false if row.kind == Kind::GetPeers && !self.is_announced(&row) => Success::Void,
            false => Success::No,
        };
        self.rows.push(row);
    }

    /// Whether there was a peer for a lookup that began then.
    fn is_announced(&self, row: &LookupRow) -> bool {
        let number = row.info_hash.unwrap_or_default();
        let mut times = self.announced.get(&number).into_iter().flatten();
        times.any(|(_, last)| row.at < *last + self.peer_lifetime)
    }

    /// Closes the lookups whose askers left, and looks for those that never end.
    pub(crate) fn close(&mut self, world: &World, population: &Population) -> Result<(), Breach> {
        let now = world.now();
        let mut breach = None;
        let longest = self.longest_lookup;
        let (rows, perhaps) = (&mut self.rows, &mut self.perhaps_announced);
        self.pending.retain(|_, pending| {
            let has_left = !population.is_online(pending.row.node)
                || population.stay(pending.row.node) != pending.stay;
            if has_left && pending.is_measured {
                rows.push(pending.row.clone());
            }
            if let (true, Kind::Announce, Some(number)) =
                (has_left, pending.row.kind, pending.row.info_hash)
            {
                announces(perhaps, number, world.address(pending.row.node).ip(), now);
            }
            if !has_left && now > pending.row.at + longest {
                breach = Some(Breach {
                    invariant: "every lookup ends",
                    at: now,
                    node: Some(pending.row.node),
                    what: format!(
                        "the {:?} begun after {:?} has not ended",
                        pending.row.kind, pending.row.at
                    ),
                });
            }
            !has_left
        });
        breach.map_or(Ok(()), Err)
    }

    /// The measured lookups that ended so far, in no order.
    pub(crate) fn ended(&self) -> &[LookupRow] {
        &self.rows
    }

    /// The lookups so far, by the time at which they began. Of those that have not ended nobody knows what will become of them.
    pub(crate) fn rows(&self) -> Vec<LookupRow> {
        let pending = self.pending.values();
        let measured = pending.filter(|pending| pending.is_measured);
        let mut rows = self.rows.clone();
        rows.extend(measured.map(|pending| pending.row.clone()));
        rows.sort_by_key(|row| (row.at, row.node));
        rows
    }

    /// Times within the second from `now` on at which one of so many a minute begins.
    fn times(&mut self, per_minute: u32, now: Micros) -> Vec<Micros> {
        let second = now / SECOND % 60;
        let (per_minute, second) = (u64::from(per_minute), second);
        let count = per_minute * (second + 1) / 60 - per_minute * second / 60;
        (0..count)
            .map(|_| now + self.draw().random_range(0..SECOND))
            .collect()
    }

    fn somebody(&mut self, population: &Population) -> Option<u32> {
        let mut draw = self.draw();
        // Among so many draws one is online, unless hardly anybody is.
        (0..200)
            .map(|_| draw.random_range(0..population.residents()))
            .find(|&node| population.is_online(node) && !population.is_enemy(node))
    }

    fn draw(&mut self) -> Generator {
        self.draws += 1;
        generator(self.seed, ("workload", hash_of(self.draws)))
    }
}
