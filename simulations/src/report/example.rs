//! Findings that nobody found, to try reports on.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::RngExt;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::findings::Traffic;

use super::manifest::{Circumstances, Manifest};
use crate::{
    AttackRow, BucketRow, Codec, CrowdPlan, Digest, Findings, Kind, LookupRow, MessageCount,
    NodeRow, PartitionPlan, Plan, Sample, Success, SwarmFindings,
};

const LOOKUPS: u32 = 6_000;

/// A run in which nothing was measured.
pub(super) fn nothing() -> Findings {
    Findings::nothing(Plan::default())
}

/// Five lookups: one of each way to go.
pub(super) fn by_hand() -> Findings {
    let row = |kind, success, is_attacked| LookupRow {
        at: Duration::from_millis(601_500),
        kind,
        node: 3,
        info_hash: (kind != Kind::FindNode).then_some(0),
        is_attacked,
        success,
        first_peers: None,
        elapsed: Some(Duration::from_micros(480_250)),
        hops: 3,
        asked: 10,
        answered: 8,
        stalled: 1,
        failed: 1,
        peers: 0,
        accuracy: None,
    };
    Findings {
        plan: Plan {
            seed: 7,
            ..Plan::default()
        },
        lookups: vec![
            LookupRow {
                first_peers: Some(Duration::from_millis(120)),
                ..row(Kind::GetPeers, Success::Yes, false)
            },
            row(Kind::FindNode, Success::Yes, false),
            row(Kind::GetPeers, Success::No, false),
            LookupRow {
                elapsed: None,
                ..row(Kind::GetPeers, Success::Void, false)
            },
            row(Kind::GetPeers, Success::No, true),
        ],
        ..nothing()
    }
}

/// A run with everything in it.
pub(super) fn findings() -> Findings {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut digest = Digest::default();
    let minutes = (0..40)
        .map(|minute| {
            digest.count(minute);
            digest
        })
        .collect();
    Findings {
        plan: plan(),
        is_finished: true,
        simulated: Duration::from_secs(40 * 60),
        digest,
        minutes,
        events: 51_234_567,
        lookups: (0..LOOKUPS)
            .map(|index| lookup(&mut random, index))
            .collect(),
        samples: (1..=30).map(|minute| sample(&mut random, minute)).collect(),
        nodes: (0..3_000).map(|index| node(&mut random, index)).collect(),
        buckets: (0..20).map(bucket).collect(),
        traffic: Traffic {
            sent: 24_812_345,
            duplicated: 12_345,
            delivered: 20_324_690,
            lost: 500_000,
            congested: 0,
            cut: 1_200_000,
            nobody: 200_000,
            offline: 1_500_000,
            filtered: 1_100_000,
            limited: 0,
            in_flight: 0,
        },
        messages: BTreeMap::from(
            [
                ("ping", 2_100_000, 58),
                ("find_node", 7_400_000, 97),
                ("get_peers", 1_900_000, 104),
                ("announce_peer", 98_000, 142),
                ("response", 13_200_000, 262),
                ("error", 12_345, 61),
            ]
            .map(|(name, messages, length)| {
                let bytes = messages * length;
                (name, MessageCount { messages, bytes })
            }),
        ),
        attacks: [
            (
                "sybil",
                640,
                "lookups of attacked info-hashes that found no honest peer",
                400,
                12,
            ),
            (
                "forger",
                100,
                "announces with made-up tokens that were stored",
                84_120,
                0,
            ),
            (
                "poisoner",
                200,
                "invented nodes that came into tables",
                1_912_000,
                3_204,
            ),
        ]
        .map(|(kind, enemies, what, tried, succeeded)| AttackRow {
            kind,
            enemies,
            what: what.to_owned(),
            tried,
            succeeded,
        })
        .to_vec(),
        swarm: Some(swarm(&mut random)),
    }
}

fn plan() -> Plan {
    let mut plan = Plan {
        about:
            "Half of the nodes are gone within the hour, and the world is cut in two for a while."
                .to_owned(),
        ..Plan::default()
    };
    plan.network.partitions.push(PartitionPlan {
        at: Duration::from_secs(600),
        lasts: Duration::from_secs(300),
        ..PartitionPlan::default()
    });
    plan.life.crowds.push(CrowdPlan {
        at: Duration::from_secs(1_500),
        within: Duration::from_secs(30),
        nodes: 3_000,
        ..CrowdPlan::default()
    });
    plan.enemies.targets = 4;
    plan.enemies.sybils = 0.2;
    plan
}

fn lookup(random: &mut Xoshiro256PlusPlus, index: u32) -> LookupRow {
    let kind = match index % 10 {
        0..=4 => Kind::GetPeers,
        5..=6 => Kind::FindNode,
        7..=8 => Kind::Announce,
        _ => Kind::Recall,
    };
    // A sum of exponential times, with a long tail now and then.
    let hop = |random: &mut Xoshiro256PlusPlus| 40.0 - 45.0 * (1.0 - random.random::<f64>()).ln();
    let hops = 1 + (random.random::<f64>() * 3.4) as u8;
    let mut first: f64 = (0..hops).map(|_| hop(random)).sum();
    if random.random::<f64>() < 0.02 {
        first += 400.0 + hop(random) * 6.0;
    }
    let end = first + 150.0 + hop(random) * 3.0;
    let at = Duration::from_secs(600) + Duration::from_millis(300) * index;
    let is_cut = (1_200..1_500).contains(&at.as_secs());
    let success = match random.random::<f64>() {
        draw if draw < 0.004 || (is_cut && draw < 0.25) => Success::No,
        draw if draw > 0.995 => Success::Void,
        _ => Success::Yes,
    };
    let finds_peers = matches!(kind, Kind::GetPeers | Kind::Recall) && success == Success::Yes;
    let millis = |time: f64| Duration::from_micros((time * 1_000.0) as u64);
    LookupRow {
        at,
        kind,
        node: random.random::<u32>() % 10_000,
        info_hash: (kind != Kind::FindNode).then_some(index % 100),
        is_attacked: kind == Kind::GetPeers && index % 100 < 4,
        success,
        first_peers: finds_peers.then(|| millis(first)),
        elapsed: (success != Success::Void).then(|| millis(end)),
        hops,
        asked: 9 + u32::from(hops) * 2,
        answered: 7 + u32::from(hops) * 2,
        stalled: u32::from(random.random::<f64>() < 0.4),
        failed: 1,
        peers: if finds_peers { 10 } else { 0 },
        accuracy: index
            .is_multiple_of(7)
            .then_some(if index.is_multiple_of(3) { 7 } else { 8 }),
    }
}

fn sample(random: &mut Xoshiro256PlusPlus, minute: u32) -> Sample {
    let crowd = if minute > 25 { 3_000 } else { 0 };
    let online = 9_900 + crowd + random.random::<u32>() % 200;
    let lookups = 180;
    let is_cut = (11..=15).contains(&minute);
    let failed = if is_cut {
        40
    } else {
        random.random::<u32>() % 2
    };
    let sent = u64::from(online) * 41 + u64::from(random.random::<u32>() % 9_000);
    Sample {
        at: Duration::from_secs(u64::from(600 + minute * 60)),
        online,
        lookups_succeeded: lookups - failed,
        lookups,
        recalls_succeeded: if is_cut { 15 } else { 20 },
        recalls: 20,
        sent,
        delivered: sent * if is_cut { 62 } else { 83 } / 100,
        bytes: sent * 180,
        contacts: 341.0 + f64::from(minute) / 10.0,
        dead_contacts: 0.08 + if is_cut { 0.03 } else { 0.0 } + random.random::<f64>() / 200.0,
    }
}

fn node(random: &mut Xoshiro256PlusPlus, index: u32) -> NodeRow {
    let is_bootstrap = index < 8;
    let factor = if is_bootstrap {
        9.0
    } else {
        0.6 - random.random::<f64>().ln() / 3.0
    };
    NodeRow {
        node: index,
        address: SocketAddr::from((Ipv4Addr::from(0x0b00_0000 + index), 6881)),
        part: if is_bootstrap { "bootstrap" } else { "honest" },
        is_behind_nat: index % 3 == 1,
        is_online: index % 17 != 16,
        sent: (2_100.0 * (0.7 + factor / 3.0)) as u32,
        received: (1_900.0 * factor) as u32,
        contacts: 300 + random.random::<u32>() % 90,
        peers: random.random::<u32>() % 12,
    }
}

fn bucket(shared_bits: u8) -> BucketRow {
    let capacity = [128, 64, 32, 16]
        .get(usize::from(shared_bits))
        .copied()
        .unwrap_or(8);
    let nodes = 10_000.0 / 2_f64.powi(i32::from(shared_bits) + 1);
    let fill = 1.0 - 1.0 / (1.5 + nodes / f64::from(capacity)).powf(1.4);
    BucketRow {
        shared_bits,
        contacts: (f64::from(capacity) * fill).min(nodes),
        capacity,
    }
}

fn swarm(random: &mut Xoshiro256PlusPlus) -> SwarmFindings {
    let mut completions: Vec<Duration> = (0..300)
        .map(|_| Duration::from_secs_f64(71.0 + 22.0 * random.random::<f64>().sqrt()))
        .collect();
    completions.sort();
    SwarmFindings {
        leechers: 300,
        completions,
        bound: Duration::from_millis(64_300),
        progress: (0..=50)
            .map(|step| {
                let time = f64::from(step) * 2.0;
                (
                    Duration::from_secs_f64(time),
                    (time / 90.0).powf(1.3).min(0.998),
                )
            })
            .collect(),
        seed_bytes: 310 << 20,
        leecher_bytes: 18_900 << 20,
    }
}

pub(super) fn circumstances() -> Circumstances {
    Circumstances {
        name: "churn".to_owned(),
        commit: Some("0123abc".to_owned()),
        command: "trackless simulate churn --nodes 10000 --seed 1".to_owned(),
        assignment: BTreeMap::new(),
        wall: Duration::from_millis(23_400),
        threads: 2,
        codec: Codec::Structured,
        memory: Some(131_000_000),
    }
}

pub(super) fn manifest() -> Manifest {
    manifest_of(&findings())
}

pub(super) fn manifest_of(findings: &Findings) -> Manifest {
    Manifest::new(findings, &circumstances())
}
