//! Many come at once.

use std::time::Duration;

use crate::{LEECHER, SEED, Sea, seconds};
use simulations::{Manner, PieceOrder, Policy, Role, Swarm, SwarmPlan, address, virtual_torrent};

/// Forty come within two seconds, and each learns of twenty that came before it, as the DHT would tell it.
fn crowd(swarm: Swarm<Sea>, role: impl Fn(u32) -> Role) -> Swarm<Sea> {
    let mut swarm = swarm;
    swarm.join(address(0), SEED);
    for number in 1..=40 {
        swarm.run_for(Duration::from_millis(50)).unwrap();
        swarm.join(address(number), role(number));
        let others: Vec<_> = (number.saturating_sub(20)..number).map(address).collect();
        swarm.introduce(address(number), &others);
    }
    swarm.run_for(seconds(120)).unwrap();
    swarm
}

fn empty() -> Swarm<Sea> {
    drawn_by(1)
}

fn drawn_by(seed: u64) -> Swarm<Sea> {
    Swarm::new(Sea::default(), seed, virtual_torrent(64 << 18, 1 << 18))
}

#[test]
fn a_flash_crowd_is_nearly_as_fast_as_can_be() {
    let found = crowd(empty(), |_| LEECHER).findings();
    assert_eq!(found.leechers, 40);
    assert_eq!(found.completions.len(), 40);
    // 40 × 16 MiB at 41 MB/s is 16.4 s, but the seed needs 16.8 s to send everything once.
    assert_eq!(found.bound, Duration::from_micros(16_777_216));
    let last = found.completions[39];
    assert!(last > found.bound, "nobody is faster than the bound");
    // So few are at the mercy of chance: the middle one of five such crowds.
    let mut lasts: Vec<_> = (1..=5)
        .map(|seed| crowd(drawn_by(seed), |_| LEECHER).findings().completions[39])
        .collect();
    lasts.sort_unstable();
    assert!(
        lasts[2] < found.bound * 19 / 10,
        "the last ones took {lasts:?}"
    );
    assert!(
        found
            .progress
            .is_sorted_by_key(|&(_, share)| share.to_bits())
    );
    assert_eq!(found.progress.last().map(|&(_, share)| share), Some(1.0));
    // What the seed did not send they gave one another.
    assert!(found.leecher_bytes > found.seed_bytes * 8, "{found:?}");
    assert!(found.leecher_bytes + found.seed_bytes >= (40 * 64) << 18);
}

/// A crowd that lives as a plan says.
fn crowd_of(plan: &SwarmPlan) -> simulations::SwarmFindings {
    crowd(empty().living_by(Policy::of(plan)), |_| LEECHER).findings()
}

#[test]
fn a_super_seed_sends_less_for_the_same_crowd() {
    let plain = crowd_of(&SwarmPlan::default());
    let sparing = crowd_of(&SwarmPlan {
        super_seeding: true,
        ..SwarmPlan::default()
    });
    assert_eq!(sparing.completions.len(), 40);
    assert!(
        sparing.seed_bytes < plain.seed_bytes,
        "{} of {}",
        sparing.seed_bytes,
        plain.seed_bytes
    );
}

#[test]
fn who_fetches_in_order_has_little_to_give_to_the_others() {
    let rarest = crowd_of(&SwarmPlan::default());
    let in_order = crowd_of(&SwarmPlan {
        order: PieceOrder::Sequential,
        ..SwarmPlan::default()
    });
    assert_eq!(in_order.completions.len(), 40);
    assert!(
        in_order.seed_bytes > rarest.seed_bytes,
        "{} and {}",
        in_order.seed_bytes,
        rarest.seed_bytes
    );
}

#[test]
fn a_run_is_the_same_whether_it_is_checked_or_not() {
    let mixed = |number| Role {
        manner: match number % 8 {
            3 => Manner::Liar,
            5 => Manner::Freeloader,
            _ => Manner::Honest,
        },
        leaves: number % 4 == 0,
        accepts: number % 3 > 0,
        ..LEECHER
    };
    let checked = crowd(empty(), mixed);
    let unchecked = crowd(empty().unchecked(), mixed);
    assert_eq!(checked.digest(), unchecked.digest());
    assert_eq!(checked.findings(), unchecked.findings());
}

#[test]
fn a_plan_draws_its_leechers_by_their_shares() {
    use rand::SeedableRng;
    let plan = SwarmPlan {
        liars: 0.1,
        freeloaders: 0.2,
        leave: 0.5,
        ..SwarmPlan::default()
    };
    let mut rng = rand_xoshiro::Xoroshiro64StarStar::seed_from_u64(1);
    let roles: Vec<_> = (0..1000).map(|_| Role::drawn(&plan, &mut rng)).collect();
    let count = |is_so: fn(&&Role) -> bool| roles.iter().filter(is_so).count();
    let liars = count(|role| role.manner == Manner::Liar);
    let freeloaders = count(|role| role.manner == Manner::Freeloader);
    let hasty = count(|role| role.leaves);
    assert!((70..130).contains(&liars), "{liars}");
    assert!((140..230).contains(&freeloaders), "{freeloaders}");
    assert!((450..550).contains(&hasty), "{hasty}");
    assert!(
        roles
            .iter()
            .all(|role| role.up == plan.up && role.down == plan.down)
    );
}
