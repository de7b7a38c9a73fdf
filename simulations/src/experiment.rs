//! The course of a run.

use std::sync::Arc;
use std::time::Duration;

use crate::attacker::{Attacker, Harm, Parts, Scene as EnemyScene, rows};
use crate::fetch::Fetch;
use crate::findings::{AttackRow, Findings};
use crate::invariant::{self, Breach, Inspector};
use crate::life::Life;
use crate::network::{Matrix, Network};
use crate::population::Population;
use crate::survey::{self, Survey};
use crate::watch::{Sight, Watch};
use crate::workload::Workload;
use crate::world::{Census, Means, World};
use crate::{Digest, Micros, Plan, PlanError, Start};

const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
/// How finely a swarm and a world take turns.
const TURN: Micros = SECOND / 10;

/// One run of a plan, a simulated second at a time.
pub struct Experiment {
    plan: Plan,
    world: World,
    population: Population,
    workload: Workload,
    fetch: Option<Fetch>,
    enemies: Arc<EnemyScene>,
    survey: Survey,
    inspector: Option<Inspector>,
    /// Who could be found at the beginning of this minute.
    census: Census,
    minutes: Vec<Digest>,
    now: Micros,
    /// Something happened that never should.
    is_broken: bool,
}

/// What is looked at while a plan runs. It changes nothing of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads, and the form of messages.
    pub means: Means,
    /// Check what always holds.
    pub check: bool,
    /// What a node saw and did is kept for [`Experiment::take_sights`].
    pub watch: Option<Watch>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Simulated time.
    pub now: Duration,
    /// When it ends.
    pub end: Duration,
    /// Nodes online.
    pub online: u32,
    /// Things that happened.
    pub events: u64,
    /// There is nothing more to run.
    pub is_over: bool,
}

impl Experiment {
    /// The world of a plan at its beginning. `matrix` is what the file at [`LatencyPlan::matrix`](crate::LatencyPlan::matrix) says.
    ///
    /// # Errors
    /// If the plan is none: see [`Plan::check`].
    pub fn new(
        mut plan: Plan,
        matrix: Option<Matrix>,
        options: Options,
    ) -> Result<Self, PlanError> {
        if let Some(matrix) = &matrix {
            plan.network.regions = matrix.regions();
        }
        plan.check()?;
        let life = Life::new(&plan);
        let crowd = life.residents();
        let parts = Parts::new(&plan, crowd + Fetch::members(&plan));
        let network = Network::new(&plan, parts.residents(), matrix);
        let enemies = enemy_scene(&plan, &parts, &network);
        let mut world = World::on(network, &plan, parts.residents(), options.means);
        corrupt(&mut world, &plan, &parts, &enemies);
        let fetch = Fetch::new(&plan, world.network(), crowd, options.check);
        let population = Population::new(life, parts, Fetch::members(&plan), world.network());
        if options.check {
            let victim = enemies.victim();
            invariant::audit(&mut world, victim, |node| population.is_enemy(node));
        }
        if let Some(watch) = options.watch {
            world.watch(watch);
        }
        match plan.start {
            Start::Warm => world.establish(|node| population.is_online(node)),
            Start::Organic => {
                let first = (0..world.residents()).filter(|&node| population.is_online(node));
                first.for_each(|node| world.come(0, node));
            }
        }
        Ok(Self {
            workload: Workload::new(&plan),
            survey: Survey::default(),
            inspector: options.check.then(|| Inspector::new(&plan)),
            census: world.census(),
            minutes: Vec::new(),
            now: 0,
            is_broken: false,
            plan,
            world,
            population,
            fetch,
            enemies,
        })
    }

    fn end(&self) -> Micros {
        (self.plan.settle + self.plan.duration).as_micros() as Micros
    }

    /// Runs the next simulated second, or what is left.
    ///
    /// # Errors
    /// If something happened that never should. There is no going on after it.
    pub fn advance(&mut self) -> Result<Progress, Breach> {
        let advanced = self.live();
        self.is_broken |= advanced.is_err();
        advanced.map(|()| self.progress())
    }

    fn live(&mut self) -> Result<(), Breach> {
        let end = (self.now + SECOND).min(self.end());
        // Who is asked is online now; whether it still is when its turn comes, the world will see.
        self.workload
            .begin(&mut self.world, &self.population, self.now);
        for (at, node) in self.population.live(&mut self.world, end) {
            let crowd = self.population.crowd(node);
            if crowd.is_some_and(|crowd| self.plan.life.crowds[crowd].looks_up) {
                self.workload
                    .crowd_in(&mut self.world, &self.population, at, node);
            }
        }
        while self.now < end {
            let next = match &mut self.fetch {
                Some(fetch) => {
                    let next = (self.now + TURN).min(end);
                    fetch.begin(&mut self.world, &mut self.population, next)?;
                    next
                }
                None => end,
            };
            self.run_to(next)?;
        }
        if self.now.is_multiple_of(MINUTE) || self.now >= self.end() {
            self.end_minute()?;
        }
        Ok(())
    }

    fn run_to(&mut self, end: Micros) -> Result<(), Breach> {
        self.world.run_to(end);
        self.now = end;
        if let Some(breach) = self.world.breach() {
            return Err(breach.clone());
        }
        for note in self.world.take_notes() {
            self.workload
                .take(&self.world, &self.population, &self.census, &note)?;
            if let Some(fetch) = &mut self.fetch {
                fetch.take(&self.world, &note)?;
            }
        }
        if let Some(fetch) = &mut self.fetch {
            fetch.live_to(Duration::from_micros(end))?;
        }
        Ok(())
    }

    fn end_minute(&mut self) -> Result<(), Breach> {
        self.workload.close(&self.world, &self.population)?;
        if self.now.is_multiple_of(MINUTE) {
            self.minutes.push(self.digest());
        }
        if let Some(inspector) = &mut self.inspector {
            inspector.inspect(&self.world, self.workload.ended())?;
        }
        let settle = self.plan.settle.as_micros() as Micros;
        if self.now <= settle {
            self.survey.begin(&self.world);
        } else if self.now.is_multiple_of(MINUTE) {
            self.survey.take(&self.world, &self.population);
        }
        self.census = self.world.census();
        Ok(())
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            now: Duration::from_micros(self.now),
            end: Duration::from_micros(self.end()),
            online: self.population.online(),
            events: self.world.events(),
            is_over: self.now >= self.end(),
        }
    }

    /// What the watched node saw and did since this was called last.
    pub fn take_sights(&mut self) -> Vec<Sight> {
        self.world.take_sights()
    }

    fn digest(&self) -> Digest {
        let mut digest = self.world.digest();
        if let Some(fetch) = &self.fetch {
            digest.join(fetch.digest());
        }
        digest
    }

    /// What is known so far.
    pub fn findings(&self) -> Findings {
        let lookups = self.workload.rows();
        Findings {
            plan: self.plan.clone(),
            is_finished: self.now >= self.end() && !self.is_broken,
            simulated: Duration::from_micros(self.now),
            digest: self.digest(),
            minutes: self.minutes.clone(),
            events: self.world.events(),
            samples: self.survey.samples(&lookups),
            lookups,
            nodes: survey::nodes(&self.world, &self.population),
            buckets: survey::buckets(&self.world),
            traffic: self.world.traffic(),
            messages: self.world.messages().collect(),
            attacks: self.attacks(),
            swarm: self.fetch.as_ref().map(Fetch::findings),
        }
    }
}

impl Experiment {
    /// What enemies did, and what came of it.
    fn attacks(&self) -> Vec<AttackRow> {
        let world = &self.world;
        let all = 0..world.residents();
        let attackers: Vec<_> = all
            .clone()
            .filter_map(|node| world.attacker(node))
            .collect();
        let mut harm = Harm::default();
        if attackers.is_empty() {
            return Vec::new();
        }
        let (mut honest, mut received) = (0_u64, 0_u64);
        for node in all.filter(|&node| !self.population.is_enemy(node)) {
            let contacts = world.node(node).into_iter().flat_map(dht::Node::contacts);
            let invented = contacts.filter(|contact| self.enemies.is_invented(&contact.address));
            harm.invented_contacts += invented.count() as u64;
            honest += 1;
            received += u64::from(world.load(node).1);
        }
        harm.packets_to_nobody = world.traffic().nobody;
        if let Some(victim) = self.enemies.victim() {
            let ordinary = received / honest.max(1);
            harm.packets_to_victim = u64::from(world.load(victim).1).saturating_sub(ordinary);
        }
        rows(attackers, &harm)
    }
}

/// What enemies know together.
fn enemy_scene(plan: &Plan, parts: &Parts, network: &Network) -> Arc<EnemyScene> {
    let attacked = (0..plan.enemies.targets).map(|number| Workload::info_hash(plan.seed, number));
    let address = |node| network.address(node);
    let is_taken = |ip| network.resident(ip).is_some();
    Arc::new(EnemyScene::new(
        plan,
        parts,
        attacked.collect(),
        address,
        is_taken,
    ))
}

/// Makes enemies of those whose part it is.
fn corrupt(world: &mut World, plan: &Plan, parts: &Parts, scene: &Arc<EnemyScene>) {
    for node in 0..parts.residents() {
        let address = world.network().address(node);
        if let Some(attacker) = Attacker::new(parts.of(node), Arc::clone(scene), node, address) {
            world.corrupt(node, attacker);
        }
        if plan.enemies.limits {
            world.limit(node);
        }
    }
}
