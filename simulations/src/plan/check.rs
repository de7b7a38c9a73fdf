//! Which numbers a plan may have, and which of them go together.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::units::{Rate, Size, Time};
use super::{
    DhtPlan, EnemyPlan, LatencyPlan, LifePlan, NetworkPlan, Plan, PlanError, SwarmPlan,
    WorkloadPlan,
};

type Checked = Result<(), PlanError>;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Nodes that are online at once.
const MAX_NODES: u32 = 4_000_000;
/// Nodes that there are addresses for, online or not.
const MAX_RESIDENTS: u64 = 8_000_000;
/// A NAT counts time in units that last so long.
const LONGEST_EXPIRY: Duration = Duration::from_secs(40 * 24 * 60 * 60);
/// A lookup that takes longer is held for one that never ends: see `Workload`.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

impl Plan {
    /// Whether the plan can be run: each number in its range, and all of them together.
    ///
    /// # Errors
    /// Says which one is wrong, and what to give instead.
    pub fn check(&self) -> Result<(), PlanError> {
        range("seed", &self.seed, &(0..=i64::MAX as u64))?;
        range("nodes", &self.nodes, &(2..=MAX_NODES))?;
        times("settle", self.settle, Duration::ZERO..=YEAR)?;
        times("duration", self.duration, SECOND..=YEAR)?;
        dht(&self.dht)?;
        network(&self.network, self.duration)?;
        shares(&[
            ("nat.share", self.nat.share),
            ("nat.read_only", self.nat.read_only),
        ])?;
        times("nat.expiry", self.nat.expiry, SECOND..=LONGEST_EXPIRY)?;
        life(&self.life, self)?;
        workload(&self.workload, self)?;
        enemies(&self.enemies, self.workload.info_hashes)?;
        swarm(&self.swarm, self)?;
        residents(self)
    }
}

fn residents(plan: &Plan) -> Checked {
    let residents = plan.residents();
    if residents <= MAX_RESIDENTS {
        return Ok(());
    }
    Err(PlanError::value(
        "nodes",
        format!("with those who are away, crowds and Sybils there are {residents} of them"),
        format!("give fewer, or less life.absence: {MAX_RESIDENTS} at most in all"),
    ))
}

fn dht(plan: &DhtPlan) -> Checked {
    range("dht.spares", &plan.spares, &(0..=1_000))?;
    range("dht.alpha", &plan.alpha, &(1..=256))?;
    range("dht.max_parallel", &plan.max_parallel, &(1..=256))?;
    let key = "dht.queries_per_response";
    range(key, &plan.queries_per_response, &(1..=256))?;
    range("dht.region", &plan.region, &(0..=1_000))?;
    if plan.max_parallel < plan.alpha {
        return Err(PlanError::value(
            "dht.max_parallel",
            format!("{} is below dht.alpha", plan.max_parallel),
            format!("give at least {}", plan.alpha),
        ));
    }
    let timeouts = MILLISECOND..=LONGEST_TIMEOUT;
    times("dht.min_stall", plan.min_stall, timeouts.clone())?;
    times("dht.query_timeout", plan.query_timeout, timeouts)?;
    let key = "dht.max_stall";
    times(key, plan.max_stall, plan.min_stall..=plan.query_timeout)?;
    for (key, time) in [
        ("dht.maintenance_interval", plan.maintenance_interval),
        ("dht.refresh_interval", plan.refresh_interval),
        ("dht.questionable_after", plan.questionable_after),
        ("dht.peer_lifetime", plan.peer_lifetime),
    ] {
        times(key, time, SECOND..=YEAR)?;
    }
    Ok(())
}

fn network(plan: &NetworkPlan, duration: Duration) -> Checked {
    range("network.regions", &plan.regions, &(1..=1_000))?;
    let key = "network.hosts_per_network";
    range(key, &plan.hosts_per_network, &(1..=200))?;
    latency(&plan.latency)?;
    shares(&[
        ("network.loss.random", plan.loss.random),
        ("network.loss.bursts", plan.loss.bursts),
        ("network.loss.burst_loss", plan.loss.burst_loss),
        ("network.duplication", plan.duplication),
        ("network.reordering", plan.reordering),
    ])?;
    let key = "network.loss.burst_length";
    times(key, plan.loss.burst_length, MILLISECOND..=HOUR)?;
    let key = "network.reordering_delay";
    times(key, plan.reordering_delay, Duration::ZERO..=HOUR)?;
    let bandwidth = &plan.bandwidth;
    for (key, rate) in [
        ("network.bandwidth.up", bandwidth.up),
        ("network.bandwidth.bootstrap_up", bandwidth.bootstrap_up),
    ] {
        // Below this a single packet takes longer than any queue.
        if (1..1_000).contains(&rate) {
            return Err(PlanError::value(
                key,
                format!("{} is too little for a packet", Rate::format(rate)),
                r#"give at least "1 kB/s", or "0 B/s" for no limit"#,
            ));
        }
    }
    let key = "network.bandwidth.queue";
    times(key, bandwidth.queue, MILLISECOND..=HOUR)?;
    for (partition, number) in plan.partitions.iter().zip(0..) {
        let key = |name: &str| format!("network.partitions.{number}.{name}");
        let missing = partition.regions.iter().find(|at| **at >= plan.regions);
        if let Some(region) = missing {
            return Err(PlanError::value(
                key("regions"),
                format!("there is no region {region}"),
                format!("give numbers from 0 to {}", plan.regions - 1),
            ));
        }
        shares(&[(&key("share"), partition.share)])?;
        times(&key("for"), partition.lasts, MILLISECOND..=YEAR)?;
        during(&key("at"), partition.at, duration)?;
    }
    Ok(())
}

fn latency(plan: &LatencyPlan) -> Checked {
    let shortest = MILLISECOND..=50 * MILLISECOND;
    times("network.latency.minimum", plan.minimum, shortest)?;
    times("network.latency.jitter", plan.jitter, Duration::ZERO..=HOUR)?;
    let key = "network.latency.median_round_trip";
    times(key, plan.median_round_trip, 3 * MILLISECOND..=HOUR)?;
    if plan.matrix.is_empty() && plan.minimum >= plan.median_round_trip / 2 {
        let half = plan.median_round_trip / 2;
        return Err(PlanError::value(
            "network.latency.minimum",
            format!(
                "{} is not below half the median round trip",
                Time::format(plan.minimum)
            ),
            format!("give less than {}", Time::format(half)),
        ));
    }
    Ok(())
}

fn life(life: &LifePlan, plan: &Plan) -> Checked {
    let key = "life.bootstrap_nodes";
    range(key, &life.bootstrap_nodes, &(1..=plan.nodes.min(64)))?;
    // Outside of this nearly all sessions would be nothing, or nearly all the same.
    range("life.shape", &life.shape, &(0.2..=10.0))?;
    if life.session > Duration::ZERO {
        times("life.session", life.session, SECOND..=YEAR)?;
        times("life.absence", life.absence, SECOND..=YEAR)?;
    }
    shares(&[("life.stale", life.stale), ("life.diurnal", life.diurnal)])?;
    for (crowd, number) in life.crowds.iter().zip(0..) {
        let key = |name: &str| format!("life.crowds.{number}.{name}");
        range(&key("nodes"), &crowd.nodes, &(1..=MAX_NODES))?;
        times(&key("within"), crowd.within, Duration::ZERO..=YEAR)?;
        during(&key("at"), crowd.at, plan.duration)?;
    }
    Ok(())
}

fn workload(workload: &WorkloadPlan, plan: &Plan) -> Checked {
    range(
        "workload.info_hashes",
        &workload.info_hashes,
        &(0..=1_000_000),
    )?;
    range(
        "workload.announcers",
        &workload.announcers,
        &(0..=plan.nodes),
    )?;
    let most = 60_000_000;
    let key = "workload.lookups_per_minute";
    range(key, &workload.lookups_per_minute, &(0..=most))?;
    let key = "workload.find_nodes_per_minute";
    range(key, &workload.find_nodes_per_minute, &(0..=most))?;
    let key = "workload.announces_per_minute";
    range(key, &workload.announces_per_minute, &(0..=most))?;
    if workload.reannounce > Duration::ZERO {
        times("workload.reannounce", workload.reannounce, SECOND..=YEAR)?;
    }
    if workload.announces_per_minute > 0 {
        during(
            "workload.recall_after",
            workload.recall_after,
            plan.duration,
        )?;
    }
    Ok(())
}

fn enemies(plan: &EnemyPlan, info_hashes: u32) -> Checked {
    let parts = [
        ("enemies.sybils", plan.sybils),
        ("enemies.poisoners", plan.poisoners),
        ("enemies.dead_namers", plan.dead_namers),
        ("enemies.innocent_namers", plan.innocent_namers),
        ("enemies.swallowers", plan.swallowers),
        ("enemies.forgers", plan.forgers),
        ("enemies.flooders", plan.flooders),
    ];
    shares(&parts)?;
    let all: f64 = parts.iter().map(|(_, share)| share).sum();
    // What is written as decimals need not add up to 1 in binary.
    if all > 1.0 + 1e-9 {
        return Err(PlanError::value(
            "enemies",
            format!("the shares add up to {all:.2}"),
            "give at most 1 in all",
        ));
    }
    range(
        "enemies.sybils_at_target",
        &plan.sybils_at_target,
        &(0..=10_000),
    )?;
    range("enemies.targets", &plan.targets, &(0..=info_hashes))?;
    if plan.sybils_at_target > 0 && plan.targets == 0 {
        return Err(PlanError::value(
            "enemies.targets",
            "0 leaves enemies.sybils_at_target without a target",
            "give at least 1",
        ));
    }
    let least = u32::from(plan.flooders > 0.0);
    range("enemies.flood_rate", &plan.flood_rate, &(least..=100_000))
}

fn swarm(swarm: &SwarmPlan, plan: &Plan) -> Checked {
    shares(&[
        ("swarm.liars", swarm.liars),
        ("swarm.freeloaders", swarm.freeloaders),
        ("swarm.leave", swarm.leave),
    ])?;
    let (least, most) = (16 << 10, 256 << 20);
    if !swarm.piece_length.is_power_of_two() || !(least..=most).contains(&swarm.piece_length) {
        return Err(PlanError::value(
            "swarm.piece_length",
            format!(
                "{} is no length of a piece",
                Size::format(swarm.piece_length)
            ),
            "give a power of two from 16 KiB to 256 MiB",
        ));
    }
    if swarm.leechers == 0 {
        return Ok(());
    }
    let pieces = swarm.length.div_ceil(swarm.piece_length);
    if !(1..=1 << 21).contains(&pieces) {
        return Err(PlanError::value(
            "swarm.length",
            format!("{} makes {pieces} pieces", Size::format(swarm.length)),
            "give a length of 1 to 2097152 pieces",
        ));
    }
    range("swarm.seeds", &swarm.seeds, &(1..=plan.nodes))?;
    let key = "swarm.leechers";
    range(key, &swarm.leechers, &(1..=MAX_NODES - swarm.seeds))?;
    for (key, rate) in [
        ("swarm.seed_up", swarm.seed_up),
        ("swarm.up", swarm.up),
        ("swarm.down", swarm.down),
    ] {
        if rate < 1_000 {
            return Err(PlanError::value(
                key,
                format!("{} is too little for a torrent", Rate::format(rate)),
                r#"give at least "1 kB/s""#,
            ));
        }
    }
    times("swarm.within", swarm.within, Duration::ZERO..=YEAR)?;
    during("swarm.at", swarm.at, plan.duration)
}

fn range<T: PartialOrd + Display>(key: &str, value: &T, range: &RangeInclusive<T>) -> Checked {
    if range.contains(value) {
        return Ok(());
    }
    let advice = format!("give {} to {}", range.start(), range.end());
    Err(PlanError::value(
        key,
        format!("{value} is out of range"),
        advice,
    ))
}

/// Such ranges as are not met by what was written as a share, but by what was put together in a program.
fn shares(shares: &[(&str, f64)]) -> Checked {
    shares.iter().try_for_each(|(key, share)| {
        if (0.0..=1.0).contains(share) {
            return Ok(());
        }
        let problem = format!("{share} is not a share");
        Err(PlanError::value(*key, problem, "give a number from 0 to 1"))
    })
}

fn times(key: &str, time: Duration, range: RangeInclusive<Duration>) -> Checked {
    if range.contains(&time) {
        return Ok(());
    }
    let (least, most) = (Time::format(*range.start()), Time::format(*range.end()));
    Err(PlanError::value(
        key,
        format!("{} is out of range", Time::format(time)),
        format!("give {least} to {most}"),
    ))
}

/// Something that has to happen before the end.
fn during(key: &str, at: Duration, duration: Duration) -> Checked {
    if at < duration {
        return Ok(());
    }
    Err(PlanError::value(
        key,
        format!("{} is not before the end", Time::format(at)),
        format!("give less than {}, the duration", Time::format(duration)),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What people are told of a plan with these overrides.
    fn complaint(overrides: &[(&str, &str)]) -> String {
        let mut plan = Plan::default();
        for (key, value) in overrides {
            plan.set(key, value).unwrap();
        }
        plan.check().expect_err("this cannot be run").to_string()
    }

    #[test]
    fn the_default_can_be_run() {
        assert_eq!(Plan::default().check(), Ok(()));
    }

    #[test]
    fn numbers_out_of_their_range_are_refused_with_it() {
        for (key, value, range) in [
            ("nodes", "1", "2 to 4000000"),
            ("nodes", "4000001", "2 to 4000000"),
            ("dht.alpha", "0", "1 to 256"),
            ("network.hosts_per_network", "201", "1 to 200"),
            ("network.latency.minimum", "51ms", "1ms to 50ms"),
            ("life.bootstrap_nodes", "65", "1 to 64"),
            ("life.shape", "0.1", "0.2 to 10"),
            ("dht.max_stall", "100ms", "150ms to 10s"),
        ] {
            assert_eq!(
                complaint(&[(key, value)]),
                format!("{key}: {value} is out of range; give {range}")
            );
        }
        let absent = complaint(&[("life.session", "1min"), ("life.absence", "30d")]);
        assert!(absent.contains("8000000 at most in all"), "{absent}");
        assert_eq!(
            complaint(&[("nodes", "5")]),
            "life.bootstrap_nodes: 8 is out of range; give 1 to 5"
        );
    }

    #[test]
    fn numbers_that_do_not_go_together_are_refused() {
        assert_eq!(
            complaint(&[("dht.max_parallel", "3")]),
            "dht.max_parallel: 3 is below dht.alpha; give at least 4"
        );
        assert_eq!(
            complaint(&[("network.latency.minimum", "40ms")]),
            "network.latency.minimum: 40ms is not below half the median round trip; give less than 40ms"
        );
        assert_eq!(
            complaint(&[("network.partitions.0.regions", "[5, 6]")]),
            "network.partitions.0.regions: there is no region 6; give numbers from 0 to 5"
        );
        assert_eq!(
            complaint(&[("network.partitions.0.at", "30min")]),
            "network.partitions.0.at: 30m is not before the end; give less than 30m, the duration"
        );
        assert_eq!(
            complaint(&[("enemies.sybils", "0.7"), ("enemies.forgers", "0.5")]),
            "enemies: the shares add up to 1.20; give at most 1 in all"
        );
        assert_eq!(
            complaint(&[("enemies.sybils_at_target", "64")]),
            "enemies.targets: 0 leaves enemies.sybils_at_target without a target; give at least 1"
        );
        assert_eq!(
            complaint(&[("swarm.piece_length", "100 KiB")]),
            "swarm.piece_length: 100 KiB is no length of a piece; give a power of two from 16 KiB to 256 MiB"
        );
        assert_eq!(
            complaint(&[("network.bandwidth.up", "10 B/s")]),
            "network.bandwidth.up: 10 B/s is too little for a packet; give at least \"1 kB/s\", or \"0 B/s\" for no limit"
        );
        assert_eq!(
            complaint(&[("swarm.leechers", "5"), ("swarm.down", "0 B/s")]),
            "swarm.down: 0 B/s is too little for a torrent; give at least \"1 kB/s\""
        );
    }

    #[test]
    fn shares_that_are_written_as_tenths_may_add_up_to_one() {
        let mut plan = Plan::default();
        plan.enemies.sybils = 0.1;
        plan.enemies.forgers = 0.2;
        plan.enemies.poisoners = 0.7;
        assert_eq!(plan.check(), Ok(()));
    }
}
