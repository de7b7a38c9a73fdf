use proptest::prelude::*;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;
use crate::item::{ItemValue, MutableItem, Salt, SecretKey, Signature};
use crate::message::Token;

const HOUR: Duration = Duration::from_secs(60 * 60);

fn store() -> ItemStore {
    ItemStore::new(&mut Xoshiro256PlusPlus::seed_from_u64(5))
}

fn put_of(item: Item) -> Put {
    Put {
        item,
        salt: Salt::default(),
        cas: None,
        token: Token::from([0; 8]),
    }
}

fn immutable(number: u64, length: usize) -> Put {
    let mut content = vec![b'x'; length];
    content.extend(number.to_be_bytes());
    put_of(Item::Immutable(ItemValue::from_bytes(&content).unwrap()))
}

fn mutable(key: u8, seq: i64, text: &str) -> Put {
    let value = ItemValue::from_bytes(text.as_bytes()).unwrap();
    let key = SecretKey::from_seed(&[key; 32]);
    put_of(Item::Mutable(MutableItem::sign(
        value,
        seq,
        &Salt::default(),
        &key,
    )))
}

fn forged(put: &Put) -> Put {
    let Item::Mutable(item) = put.item.clone() else {
        panic!("what cannot change is not signed")
    };
    put_of(Item::Mutable(MutableItem {
        signature: Signature::new([9; 64]),
        ..item
    }))
}

/// Host number `host` of public network number `network`.
fn host(network: u8, host: u8) -> SocketAddr {
    SocketAddr::from(([11, 1, network, host], 6881))
}

impl ItemStore {
    /// The code of the refusal, if there is one.
    fn code(&mut self, put: &Put, from: SocketAddr, now: Duration, config: &Config) -> Option<i64> {
        let target = put.item.target(&put.salt);
        self.put(target, put, from, now, config)
            .err()
            .map(|error| error.code)
    }

    fn holds(&self, put: &Put, now: Duration) -> bool {
        let held = self.get(&put.item.target(&put.salt), None, now);
        held == Some(Holding::Item(put.item.clone()))
    }
}

#[test]
fn an_item_lives_two_hours_from_its_last_put() {
    let (mut store, config) = (store(), Config::default());
    let (renewed, left) = (mutable(1, 1, "renewed"), immutable(2, 10));
    for put in [&renewed, &left] {
        assert_eq!(store.code(put, host(1, 1), Duration::ZERO, &config), None);
    }
    assert_eq!(store.code(&renewed, host(2, 1), HOUR, &config), None);
    assert!(store.holds(&renewed, 2 * HOUR) && !store.holds(&left, 2 * HOUR));
    // It counts as his who put it first.
    store.expire(2 * HOUR);
    assert!(store.sources.keys().eq([&crate::address::host(host(1, 1))]));
    store.expire(3 * HOUR);
    assert!(store.len() == 0 && store.bytes == 0);
    assert!(store.sources.is_empty() && store.shares.bytes() == 0);
}

#[test]
fn only_a_newer_item_replaces_one() {
    let (mut store, config, now) = (store(), Config::default(), HOUR);
    let mut code = |put: &Put| store.code(put, host(1, 1), now, &config);
    assert_eq!(code(&mutable(1, 5, "five")), None);
    let too_low = Some(KrpcError::SEQUENCE_NUMBER_TOO_LOW);
    assert_eq!(code(&mutable(1, 4, "four")), too_low);
    assert_eq!(code(&mutable(1, 5, "another five")), too_low);
    assert_eq!(code(&mutable(1, 5, "five")), None);
    assert_eq!(code(&mutable(1, 6, "six")), None);
    assert_eq!(code(&mutable(1, i64::MIN, "old")), too_low);
    assert_eq!(code(&mutable(1, i64::MAX, "last")), None);
    assert!(store.holds(&mutable(1, i64::MAX, "last"), now));
    assert_eq!(store.len(), 1);
}

#[test]
fn who_names_the_wrong_predecessor_replaces_nothing() {
    let (mut store, config, now) = (store(), Config::default(), HOUR);
    let with_cas = |put: Put, cas| Put {
        cas: Some(cas),
        ..put
    };
    // Without a predecessor there is nothing to compare.
    let first = with_cas(mutable(1, 5, "five"), 3);
    assert_eq!(store.code(&first, host(1, 1), now, &config), None);
    let wrong = with_cas(mutable(1, 6, "six"), 4);
    let mismatch = Some(KrpcError::CAS_MISMATCH);
    assert_eq!(store.code(&wrong, host(1, 1), now, &config), mismatch);
    assert!(store.holds(&first, now));
    let right = with_cas(mutable(1, 6, "six"), 5);
    assert_eq!(store.code(&right, host(1, 1), now, &config), None);
    assert!(store.holds(&right, now));
}

#[test]
fn a_wrong_signature_enters_nothing_and_replaces_nothing() {
    let (mut store, config, now) = (store(), Config::default(), HOUR);
    let invalid = Some(KrpcError::INVALID_SIGNATURE);
    let (old, new) = (mutable(1, 1, "old"), mutable(1, 2, "new"));
    assert_eq!(store.code(&forged(&old), host(1, 1), now, &config), invalid);
    assert!(store.len() == 0 && store.bytes == 0);
    assert_eq!(store.code(&old, host(1, 1), now, &config), None);
    assert_eq!(store.code(&forged(&new), host(1, 1), now, &config), invalid);
    // Nor does one renew what it does not fit.
    assert_eq!(store.code(&forged(&old), host(1, 1), now, &config), invalid);
    assert!(store.holds(&old, now));
    assert!(!store.holds(&old, now + 2 * HOUR));
}

#[test]
fn who_knows_the_current_number_gets_no_value() {
    let (mut store, config, now) = (store(), Config::default(), HOUR);
    let (changing, fixed) = (mutable(1, 5, "five"), immutable(1, 10));
    for put in [&changing, &fixed] {
        assert_eq!(store.code(put, host(1, 1), now, &config), None);
    }
    let get = |put: &Put, known| store.get(&put.item.target(&put.salt), Some(known), now);
    assert_eq!(
        get(&changing, 4),
        Some(Holding::Item(changing.item.clone()))
    );
    assert_eq!(get(&changing, 5), Some(Holding::Seq(5)));
    assert_eq!(get(&changing, 6), Some(Holding::Seq(5)));
    assert_eq!(get(&fixed, 5), Some(Holding::Item(fixed.item.clone())));
}

#[test]
fn neither_a_source_nor_a_network_can_fill_the_store() {
    let mut store = store();
    let config = Config {
        max_items_per_source: 3,
        max_items_per_network: 8,
        ..Config::default()
    };
    let mut number = 0;
    let mut stored = |from| {
        let mut fresh = || {
            number += 1;
            immutable(number, 10)
        };
        let puts = (0..10).filter(|_| store.code(&fresh(), from, HOUR, &config).is_none());
        puts.count()
    };
    assert_eq!(
        [1, 2, 3, 4].map(|number| stored(host(1, number))),
        [3, 3, 2, 0]
    );
    assert_eq!(stored(host(2, 1)), 3);
    // One network prefix has everybody who sits at one desk.
    let desk = |port| SocketAddr::from(([127, 0, 0, 1], port));
    assert_eq!([1, 2, 3, 4].map(|port| stored(desk(port))), [3; 4]);
}

/// A host in a /64 of a /48.
fn v6(site: u16, network: u16, host: u16) -> SocketAddr {
    SocketAddr::from(([0x2a00, 1, site, network, 0, 0, 0, host], 6881))
}

#[test]
fn in_ipv6_a_source_is_a_64_and_a_network_a_48() {
    let (mut store, config) = (store(), Config::default());
    let mut stored = |from: &dyn Fn(u16) -> SocketAddr, first: u64| {
        let puts = (0..1000u16).filter(|&number| {
            let put = immutable(first + u64::from(number), 10);
            let (target, from) = (put.item.target(&put.salt), from(number));
            let accepts = store.accepts(&target, from, &config);
            let stores = store.code(&put, from, HOUR, &config).is_none();
            assert_eq!(accepts, stores, "a token is worth something");
            stores
        });
        puts.count()
    };
    assert_eq!(stored(&|number| v6(1, 1, number), 0), 128);
    assert_eq!(stored(&|number| v6(1, 2 + number, 1), 10_000), 512 - 128);
    assert_eq!(stored(&|number| v6(2 + number, 1, 1), 20_000), 1000);
}

#[test]
fn whoever_fills_the_store_presses_out_what_is_his_own() {
    let mut store = store();
    let config = Config {
        max_item_bytes: 200_000,
        ..Config::default()
    };
    let honest: Vec<_> = (0..20).map(|number| immutable(number, 10)).collect();
    for (put, network) in honest.iter().zip(1..) {
        assert_eq!(store.code(put, host(network, 1), HOUR, &config), None);
    }
    // Three networks put as many as they may, and more than there is room for.
    for number in 100..2000 {
        let network = 200 + (number % 3) as u8;
        let from = host(network, (number / 3 % 250) as u8);
        store.code(&immutable(number, 900), from, HOUR, &config);
    }
    assert!(honest.iter().all(|put| store.holds(put, HOUR)));
    assert!(store.len() > 100);
}

#[test]
fn a_flood_of_forgeries_costs_a_bounded_number_of_verifications() {
    let (mut store, config) = (store(), Config::default());
    let forgery = forged(&mutable(1, 1, "forged"));
    let mut looked_at = |network, at| {
        (0..400)
            .filter(|&number: &u16| {
                let from = host(network, number as u8);
                let code = store.code(&forgery, from, at, &config);
                assert!(code.is_some());
                code == Some(KrpcError::INVALID_SIGNATURE)
            })
            .count()
    };
    let of_one = looked_at(1, HOUR);
    assert!((125..=126).contains(&of_one), "{of_one}");
    let of_all: usize = of_one
        + (2..20)
            .map(|network| looked_at(network, HOUR))
            .sum::<usize>();
    assert!((1000..=1001).contains(&of_all), "{of_all}");
    assert!(looked_at(1, HOUR + Duration::from_secs(1)) > 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stays_within_its_bounds_and_keeps_its_books(
        puts in proptest::collection::vec((0u64..40, 0usize..900, 0u8..6, 0u8..6, 0u64..600), 1..300),
    ) {
        let config = Config {
            max_items_per_source: 4, max_items_per_network: 10, max_item_bytes: 20_000, ..Config::default()
        };
        let mut store = store();
        let mut now = Duration::ZERO;
        for (number, length, network, number_of_host, seconds) in puts {
            now += Duration::from_secs(seconds);
            let put = immutable(number, length);
            let is_stored = store.code(&put, host(network, number_of_host), now, &config).is_none();
            prop_assert!(!is_stored || store.holds(&put, now));
            prop_assert!(store.bytes + store.shares.bytes() <= 20_000);
            prop_assert!(store.sources.values().all(|&items| 0 < items && items <= 4));
            let items = store.len();
            prop_assert_eq!(store.sources.values().map(|&items| items as usize).sum::<usize>(), items);
            let of_networks = (0..6).map(|network| store.shares.of(origin(&host(network, 0))));
            prop_assert!(of_networks.clone().all(|items| items <= 10));
            prop_assert_eq!(of_networks.sum::<u32>() as usize, items);
            let values: usize = store.items.iter().map(|(_, stored)| stored.bytes()).sum();
            prop_assert_eq!(store.bytes, values + store.sources.len() * SOURCE_BYTES);
        }
        store.expire(now + config.item_lifetime);
        prop_assert_eq!((store.len(), store.bytes), (0, 0));
        prop_assert!(store.sources.is_empty() && store.shares.bytes() == 0);
    }

    #[test]
    fn the_number_of_an_item_never_falls(
        puts in proptest::collection::vec((-3i64..12, "[ab]", proptest::option::of(-3i64..12)), 1..40),
    ) {
        let (mut store, config) = (store(), Config::default());
        let mut current: Option<(i64, String)> = None;
        for (seq, text, cas) in puts {
            let put = Put { cas, ..mutable(1, seq, &text) };
            let code = store.code(&put, host(1, 1), HOUR, &config);
            let expected = match &current {
                Some((held, _)) if cas.is_some_and(|cas| cas != *held) => Some(KrpcError::CAS_MISMATCH),
                Some((held, value)) if seq < *held || (seq == *held && *value != text) => {
                    Some(KrpcError::SEQUENCE_NUMBER_TOO_LOW)
                }
                _ => None,
            };
            prop_assert_eq!(code, expected);
            if code.is_none() {
                current = Some((seq, text));
            }
        }
    }
}
