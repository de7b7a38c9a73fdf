//! Who is online, and who comes and goes next.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Micros;
use crate::attacker::{Part, Parts};
use crate::life::{Life, Stay};
use crate::network::Network;
use crate::world::World;

/// All residents of a world, as the course of the run knows them.
///
/// They are those of whom [`Life`] tells; then guests, who come when it is time for them ([`welcome`](Population::welcome)) and stay; then
/// Sybils at targets, who are always there.
pub(crate) struct Population {
    life: Life,
    parts: Parts,
    /// How often each resident has come or gone: odd while it is online.
    turns: Vec<u32>,
    online: u32,
    agenda: BinaryHeap<Reverse<Turn>>,
}

/// Somebody comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    at: Micros,
    node: u32,
    /// The number of the stay that begins or ends.
    session: u32,
    /// When it ends, if it begins; `Micros::MAX` for good.
    until: Option<Micros>,
}

impl Turn {
    fn arrival(node: u32, stay: Stay) -> Self {
        Self {
            at: stay.from,
            node,
            session: stay.session,
            until: Some(stay.until.unwrap_or(Micros::MAX)),
        }
    }

    /// `None` if the stay is for good.
    fn departure(node: u32, session: u32, until: Micros) -> Option<Self> {
        (until < Micros::MAX).then_some(Self {
            at: until,
            node,
            session,
            until: None,
        })
    }
}

impl Population {
    /// Nobody is online but those who are there from the beginning.
    pub(crate) fn new(life: Life, parts: Parts, guests: u32, network: &Network) -> Self {
        let mut population = Self {
            turns: vec![0; parts.residents() as usize],
            online: 0,
            agenda: BinaryHeap::new(),
            parts,
            life,
        };
        for node in 0..population.life.residents() {
            let stay = population.life.first(node, network.region(node));
            if stay.from == 0 {
                population.turn(node);
                let until = stay.until.unwrap_or(Micros::MAX);
                let departure = Turn::departure(node, stay.session, until);
                population.agenda.extend(departure.map(Reverse));
            } else {
                population.agenda.push(Reverse(Turn::arrival(node, stay)));
            }
        }
        for node in population.life.residents() + guests..population.residents() {
            population.turn(node);
        }
        population
    }

    fn turn(&mut self, node: u32) {
        self.turns[node as usize] += 1;
        if self.is_online(node) {
            self.online += 1;
        } else {
            self.online -= 1;
        }
    }

    /// Lets those come and go who do before `end`. Returns who came.
    pub(crate) fn live(&mut self, world: &mut World, end: Micros) -> Vec<(Micros, u32)> {
        let mut come = Vec::new();
        while let Some(&Reverse(turn)) = self.agenda.peek().filter(|turn| turn.0.at < end) {
            self.agenda.pop();
            let Turn {
                at, node, session, ..
            } = turn;
            self.turn(node);
            if let Some(until) = turn.until {
                come.push((at, node));
                world.come(at, node);
                let departure = Turn::departure(node, session, until);
                self.agenda.extend(departure.map(Reverse));
            } else {
                let region = world.network().region(node);
                let next = self.life.next(node, region, session, at);
                world.go(at, node, next.is_some_and(|stay| stay.keeps_table));
                self.agenda
                    .extend(next.map(|stay| Reverse(Turn::arrival(node, stay))));
            }
        }
        come
    }

    /// A guest comes.
    pub(crate) fn welcome(&mut self, world: &mut World, at: Micros, node: u32) {
        world.come(at, node);
        self.turn(node);
    }

    /// The crowd of the plan that a node comes with.
    pub(crate) fn crowd(&self, node: u32) -> Option<usize> {
        self.life.crowd(node)
    }

    pub(crate) fn is_online(&self, node: u32) -> bool {
        self.turns[node as usize] % 2 == 1
    }

    pub(crate) fn is_enemy(&self, node: u32) -> bool {
        self.part(node).is_enemy()
    }

    pub(crate) fn part(&self, node: u32) -> Part {
        self.parts.of(node)
    }

    /// Tells one stay of a node from another.
    pub(crate) fn stay(&self, node: u32) -> u32 {
        self.turns[node as usize]
    }

    pub(crate) fn residents(&self) -> u32 {
        self.turns.len() as u32
    }

    /// How many are online.
    pub(crate) fn online(&self) -> u32 {
        self.online
    }
}
