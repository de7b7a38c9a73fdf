//! Who is online when: sessions, absences, crowds and the course of the day, each drawn from a hash of the seed, the node and the
//! number of its session, so that no draw depends on what else happened.
//!
//! Logarithms, powers and sines are those of `libm`, which are written in Rust: the standard library takes those of the system, whose
//! last bits differ from one to the next, and a run would not be the same everywhere.

use std::f64::consts::{LN_2, PI};
use std::time::Duration;

use rand::{Rng, RngExt, SeedableRng};
use rand_xoshiro::Xoroshiro64StarStar;

use crate::digest::hash_of;
use crate::{CrowdPlan, Plan, Start};

/// Whole microseconds since the start of the run.
type Micros = u64;

const DAY: f64 = 24.0 * 60.0 * 60.0 * 1e6;

/// One time online.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    /// When it begins.
    pub(crate) from: Micros,
    /// When it ends, always later than it begins; `None`: the node stays for good.
    pub(crate) until: Option<Micros>,
    /// Its number among those of the node, from 0.
    pub(crate) session: u32,
    /// The node comes with the table that it went with.
    pub(crate) keeps_table: bool,
}

/// The comings and goings of all residents: first the bootstrap nodes, which never go, then those that come and go, then the
/// crowds, which come and stay.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    seed: u64,
    bootstrap_nodes: u32,
    /// Those that come and go, and how; without that they only come.
    others: u32,
    churn: Option<Churn>,
    /// Within this time the nodes come that are there from the start.
    arrivals: f64,
    /// Each with when its first member comes at the earliest.
    crowds: Vec<(Micros, CrowdPlan)>,
}

/// How nodes come and go. Times are in microseconds.
#[derive(Clone, Copy, Debug)]
struct Churn {
    sessions: Weibull,
    mean_absence: f64,
    /// The share of the time that a node is online.
    availability: f64,
    stale: f64,
    diurnal: f64,
    regions: f64,
}

#[derive(Clone, Copy, Debug)]
struct Weibull {
    scale: f64,
    shape: f64,
}

impl Life {
    /// The life of a plan that was checked.
    pub(crate) fn new(plan: &Plan) -> Self {
        let life = &plan.life;
        let churn = (life.session > Duration::ZERO).then(|| Churn {
            sessions: Weibull::with_median(micros(life.session), life.shape),
            mean_absence: micros(life.absence) / LN_2,
            availability: life.availability(),
            stale: life.stale,
            diurnal: life.diurnal,
            regions: plan.network.regions.into(),
        });
        let measured_from = plan.settle.as_micros() as Micros;
        let crowd = |crowd: &CrowdPlan| {
            let from = measured_from + crowd.at.as_micros() as Micros;
            (from, crowd.clone())
        };
        Self {
            seed: plan.seed,
            bootstrap_nodes: life.bootstrap_nodes,
            others: plan.comers_and_goers() as u32,
            churn,
            arrivals: match plan.start {
                Start::Organic => micros(plan.settle) / 2.0,
                Start::Warm => 0.0,
            },
            crowds: life.crowds.iter().map(crowd).collect(),
        }
    }

    /// How many there are, online or not: so many that [`Plan::nodes`] are online on average, crowds not counted.
    pub(crate) fn residents(&self) -> u32 {
        let crowds = self.crowds.iter().map(|(_, crowd)| crowd.nodes).sum();
        let all = self.bootstrap_nodes.saturating_add(self.others);
        all.saturating_add(crowds)
    }

    /// The crowd that a node comes with, by its number in the plan.
    pub(crate) fn crowd(&self, node: u32) -> Option<usize> {
        self.place_in_crowd(node).map(|(crowd, _)| crowd)
    }

    /// The first time online of a node.
    pub(crate) fn first(&self, node: u32, region: u16) -> Stay {
        let draw = &mut self.draw(node, 0);
        let stay = |from: f64, until: Option<f64>| Stay::new(from, until, 0, false);
        if node < self.bootstrap_nodes {
            return stay(0.0, None);
        }
        if let Some((crowd, member)) = self.place_in_crowd(node) {
            let (from, crowd) = &self.crowds[crowd];
            let part = (f64::from(member) + draw.random::<f64>()) / f64::from(crowd.nodes);
            return stay(*from as f64 + part * micros(crowd.within), None);
        }
        let from = self.arrivals * draw.random::<f64>();
        match self.churn {
            None => stay(from, None),
            Some(churn) if draw.random::<f64>() < churn.availability => {
                stay(from, Some(from + churn.sessions.rest(draw)))
            }
            // Absences have no memory: the rest of one is as long as a fresh one.
            Some(churn) => {
                let from = churn.back(0.0, region, draw);
                stay(from, Some(from + churn.sessions.sample(draw)))
            }
        }
    }

    /// The next time online of a node that comes and goes and went at `now`, at the end of its stay number `session`.
    pub(crate) fn next(&self, node: u32, region: u16, session: u32, now: Micros) -> Option<Stay> {
        let churn = self.churn?;
        let session = session + 1;
        let draw = &mut self.draw(node, session);
        let keeps_table = draw.random::<f64>() < churn.stale;
        let from = churn.back(now as f64, region, draw);
        let until = from + churn.sessions.sample(draw);
        Some(Stay::new(from, Some(until), session, keeps_table))
    }

    fn place_in_crowd(&self, node: u32) -> Option<(usize, u32)> {
        let mut place = node.checked_sub(self.bootstrap_nodes + self.others)?;
        for (number, (_, crowd)) in self.crowds.iter().enumerate() {
            match place.checked_sub(crowd.nodes) {
                None => return Some((number, place)),
                Some(further) => place = further,
            }
        }
        None
    }

    fn draw(&self, node: u32, session: u32) -> Xoroshiro64StarStar {
        Xoroshiro64StarStar::seed_from_u64(hash_of((self.seed, "life", node, session)))
    }
}

impl Stay {
    fn new(from: f64, until: Option<f64>, session: u32, keeps_table: bool) -> Self {
        let from = from as Micros;
        Self {
            from,
            until: until.map(|until| (until as Micros).max(from + 1)),
            session,
            keeps_table,
        }
    }
}

impl Churn {
    /// When somebody comes back who was away at `now`. The pace at which people do is `1 + diurnal · cos`, so the time is found at which
    /// as much of it has gone by as an exponential draw says.
    fn back(&self, now: f64, region: u16, draw: &mut impl Rng) -> f64 {
        let due = exponential(draw) * self.mean_absence;
        if self.diurnal == 0.0 {
            return now + due;
        }
        let swing = self.diurnal * DAY / (2.0 * PI);
        let noon = DAY * f64::from(region) / self.regions;
        let passed = |at: f64| at + swing * libm::sin(2.0 * PI * (at - noon) / DAY);
        let goal = passed(now) + due;
        let (mut early, mut late) = (now.max(goal - swing), goal + swing);
        // To less than a microsecond.
        while late - early > 0.5 {
            let middle = f64::midpoint(early, late);
            if passed(middle) < goal {
                early = middle;
            } else {
                late = middle;
            }
        }
        late
    }
}

impl Weibull {
    fn with_median(median: f64, shape: f64) -> Self {
        let scale = median / libm::pow(LN_2, 1.0 / shape);
        Self { scale, shape }
    }

    fn sample(&self, draw: &mut impl Rng) -> f64 {
        self.scale * libm::pow(exponential(draw), 1.0 / self.shape)
    }

    /// How long those still stay who are found online at any one time. They are more often in a long session than in a short one; the
    /// density is that of not having gone yet, `exp(-(x / scale)^shape)`, which makes `(x / scale)^shape` gamma-distributed.
    fn rest(&self, draw: &mut impl Rng) -> f64 {
        self.scale * libm::pow(gamma(1.0 / self.shape, draw), 1.0 / self.shape)
    }
}

fn micros(time: Duration) -> f64 {
    time.as_micros() as f64
}

/// Exponentially distributed with mean 1.
fn exponential(draw: &mut impl Rng) -> f64 {
    -libm::log(positive(draw))
}

/// Uniformly distributed above 0, up to 1.
fn positive(draw: &mut impl Rng) -> f64 {
    1.0 - draw.random::<f64>()
}

/// Gamma-distributed with this shape and scale 1: Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
fn gamma(shape: f64, draw: &mut impl Rng) -> f64 {
    if shape < 1.0 {
        return gamma(shape + 1.0, draw) * libm::pow(positive(draw), 1.0 / shape);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / libm::sqrt(9.0 * d);
    loop {
        // Box and Muller 1958.
        let normal = libm::sqrt(2.0 * exponential(draw)) * libm::cos(2.0 * PI * positive(draw));
        let root = 1.0 + c * normal;
        let v = root * root * root;
        if v > 0.0 && -exponential(draw) < 0.5 * normal * normal + d - d * v + d * libm::log(v) {
            return d * v;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000;
    const HOUR: u64 = 60 * MINUTE;

    /// Sessions of a median hour, absences of a median of half an hour.
    fn churning(nodes: u32) -> Plan {
        let mut plan = Plan {
            nodes,
            ..Plan::default()
        };
        plan.network.regions = 1;
        plan.life.session = Duration::from_secs(60 * 60);
        plan.life.absence = Duration::from_secs(30 * 60);
        plan
    }

    /// All stays of a node that begin before `end`.
    fn stays(life: &Life, node: u32, end: Micros) -> impl Iterator<Item = Stay> {
        let next = move |stay: &Stay| life.next(node, 0, stay.session, stay.until?);
        let all = std::iter::successors(Some(life.first(node, 0)), next);
        all.take_while(move |stay| stay.from < end)
    }

    fn median(mut times: Vec<u64>) -> f64 {
        times.sort_unstable();
        times[times.len() / 2] as f64 / MINUTE as f64
    }

    #[test]
    fn sessions_and_absences_have_the_planned_medians() {
        for shape in [0.6, 1.0, 2.0] {
            let mut plan = churning(1_000);
            plan.life.shape = shape;
            let life = Life::new(&plan);
            let now = 77 * HOUR;
            let nexts = (0..200_000).map(|node| life.next(node, 0, 3, now).expect("all come back"));
            let (sessions, absences) = nexts
                .map(|stay| (stay.until.expect("all go") - stay.from, stay.from - now))
                .unzip();
            let (session, absence) = (median(sessions), median(absences));
            assert!((58.8..61.2).contains(&session), "{shape}: {session}");
            assert!((29.4..30.6).contains(&absence), "{shape}: {absence}");
        }
    }

    /// From the first minute on, since those that are there at the start are in the middle of their sessions.
    #[test]
    fn as_many_are_online_all_day_as_planned() {
        for shape in [0.4, 0.6, 1.0, 3.0] {
            let mut plan = churning(20_000);
            plan.life.shape = shape;
            let life = Life::new(&plan);
            let mut online = [0_u32; 48];
            for node in 0..life.residents() {
                for stay in stays(&life, node, 24 * HOUR) {
                    for (slot, time) in online.iter_mut().zip((0..).map(|n| n * HOUR / 2)) {
                        let is_there = stay.from <= time && stay.until.is_none_or(|at| time < at);
                        *slot += u32::from(is_there);
                    }
                }
            }
            let planned = 19_400..=20_600;
            assert!(
                online.iter().all(|count| planned.contains(count)),
                "{shape}: {online:?}"
            );
        }
    }

    #[test]
    fn the_day_makes_the_planned_wave() {
        let mut plan = churning(20_000);
        plan.life.diurnal = 0.5;
        let life = Life::new(&plan);
        let mut came = [0_f64; 24];
        let mut away = [0_f64; 24];
        for node in 0..life.residents() {
            let mut gone = 0;
            // A second day, so that absences at the end of the first count as well.
            for stay in stays(&life, node, 48 * HOUR) {
                for (hour, away) in (0..).zip(&mut away) {
                    let (from, to) = (gone.max(hour * HOUR), stay.from.min((hour + 1) * HOUR));
                    *away += to.saturating_sub(from) as f64 / HOUR as f64;
                }
                if let (1.., Some(came)) = (stay.from, came.get_mut((stay.from / HOUR) as usize)) {
                    *came += 1.0;
                }
                gone = stay.until.unwrap_or(Micros::MAX);
            }
        }
        for hour in 0..24 {
            let pace = came[hour] / away[hour] * (0.5 / LN_2);
            let angle = 2.0 * PI * (hour as f64 + 0.5) / 24.0;
            let planned = 1.0 + 0.5 * libm::cos(angle);
            assert!(
                (pace - planned).abs() < 0.06,
                "{hour}: {pace} for {planned}"
            );
        }
    }

    #[test]
    fn noon_goes_round_the_world() {
        let mut plan = churning(1_000);
        plan.network.regions = 4;
        plan.life.diurnal = 1.0;
        let life = Life::new(&plan);
        let absence = |region, now| {
            let back =
                (0..2_000).map(|node| life.next(node, region, 0, now).expect("all come back"));
            median(back.map(|stay| stay.from - now).collect())
        };
        assert!(absence(1, 6 * HOUR) * 3.0 < absence(3, 6 * HOUR));
        assert!(absence(3, 18 * HOUR) * 3.0 < absence(1, 18 * HOUR));
    }

    #[test]
    fn bootstrap_nodes_stay_for_good() {
        let life = Life::new(&churning(1_000));
        for node in 0..8 {
            let stay = life.first(node, 0);
            assert_eq!((stay.from, stay.until), (0, None));
        }
    }

    #[test]
    fn nobody_goes_without_churn() {
        let life = Life::new(&Plan::default());
        assert_eq!(life.residents(), 10_000);
        assert!((0..10_000).all(|node| life.first(node, 0).until.is_none()));
        assert_eq!(life.next(9, 0, 0, HOUR), None);
    }

    #[test]
    fn an_organic_world_comes_together_over_half_of_the_settling_time() {
        let plan = Plan {
            start: Start::Organic,
            ..Plan::default()
        };
        let life = Life::new(&plan);
        let arrivals: Vec<_> = (8..10_000).map(|node| life.first(node, 0).from).collect();
        assert!(arrivals.iter().all(|at| *at < 5 * MINUTE));
        let middle = median(arrivals);
        assert!((2.4..2.6).contains(&middle), "{middle}");
    }

    #[test]
    fn crowds_come_when_they_should_and_stay() {
        let mut plan = churning(1_000);
        let crowd = |nodes, at| CrowdPlan {
            nodes,
            at: Duration::from_secs(at),
            within: Duration::from_secs(10),
            looks_up: true,
        };
        plan.life.crowds = vec![crowd(300, 60), crowd(200, 120)];
        let life = Life::new(&plan);
        let first = life.residents() - 500;
        assert_eq!(life.crowd(first - 1), None);
        assert_eq!(life.crowd(first + 299), Some(0));
        assert_eq!(life.crowd(first + 300), Some(1));
        assert_eq!(life.crowd(first + 500), None);
        for node in first..first + 500 {
            let stay = life.first(node, 0);
            let begin = if node < first + 300 {
                11 * MINUTE
            } else {
                12 * MINUTE
            };
            assert!((begin..begin + 10_000_000).contains(&stay.from), "{stay:?}");
            assert_eq!(stay.until, None);
        }
    }

    #[test]
    fn the_planned_share_comes_back_with_its_old_table() {
        let mut plan = churning(1_000);
        plan.life.stale = 0.3;
        let life = Life::new(&plan);
        let keep = |node: &u32| {
            life.next(*node, 0, 0, 0)
                .is_some_and(|stay| stay.keeps_table)
        };
        let keeping = (0..10_000).filter(keep).count();
        assert!((2_850..3_150).contains(&keeping), "{keeping}");
    }

    /// Written down once: a change of any of these numbers is a change of all runs.
    #[test]
    fn a_life_is_the_same_on_every_machine() {
        let mut plan = churning(1_000);
        plan.life.diurnal = 0.5;
        let life = Life::new(&plan);
        let lives: Vec<_> = (8..1_000)
            .flat_map(|node| stays(&life, node, 48 * HOUR))
            .collect();
        let until = |stay: &Stay| (stay.from, stay.until);
        assert_eq!(
            hash_of(lives.iter().map(until).collect::<Vec<_>>()),
            2_866_109_240_268_012_256
        );
        plan.seed = 2;
        assert_ne!(Life::new(&plan).first(8, 0), life.first(8, 0));
    }
}
