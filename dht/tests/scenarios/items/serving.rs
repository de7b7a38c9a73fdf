//! What a node says to strangers who ask for items and put them.

use dht::{DecodeError, Put, Token, TransactionId, Want, decode, encode};

use super::*;
use crate::world::public;
use crate::{ask, message};

fn get_query(target: Id, newer_than: Option<i64>) -> Message {
    let want = Want::UNSAID;
    message(
        hash(50),
        Method::Get {
            target,
            newer_than,
            want,
        },
    )
}

fn put_query(item: &Item, cas: Option<i64>, token: Token) -> Message {
    message(
        hash(50),
        Method::Put(Box::new(Put {
            item: item.clone(),
            salt: Salt::NONE,
            cas,
            token,
        })),
    )
}

/// What a node answers to a stranger who asks for an item.
fn asked(
    world: &mut World,
    who: SocketAddr,
    stranger: SocketAddr,
    target: Id,
    newer_than: Option<i64>,
) -> Response {
    match ask(world, who, stranger, &get_query(target, newer_than)).map(|answer| answer.body) {
        Some(Body::Response(response)) => response,
        other => panic!("get is answered: {other:?}"),
    }
}

/// The code with which a node refuses what a stranger puts, if it does.
fn refused(
    world: &mut World,
    who: SocketAddr,
    stranger: SocketAddr,
    item: &Item,
    cas: Option<i64>,
) -> Option<i64> {
    let response = asked(world, who, stranger, item.target(&NONE), None);
    let token = response.token.expect("get is answered with a token");
    let answer = ask(world, who, stranger, &put_query(item, cas, token)).unwrap();
    match answer.body {
        Body::Error(error) => Some(error.code),
        _ => None,
    }
}

#[test]
fn a_put_is_refused_with_the_codes_of_bep_44() {
    let mut world = World::of(3, public, 48);
    let (node, owner, thief) = (public(0), public(50), public(51));
    let current = version(5);
    let target = current.target(&NONE);
    let token = asked(&mut world, node, owner, target, None).token.unwrap();
    let stolen = ask(&mut world, node, thief, &put_query(&current, None, token));
    assert!(matches!(
        stolen.unwrap().body,
        Body::Error(KrpcError {
            code: KrpcError::PROTOCOL,
            ..
        })
    ));
    let mut code = |item: &Item, cas| refused(&mut world, node, owner, item, cas);
    assert_eq!(
        code(&forged(&current), None),
        Some(KrpcError::INVALID_SIGNATURE)
    );
    assert_eq!(code(&current, Some(3)), None);
    assert_eq!(
        code(&version(4), None),
        Some(KrpcError::SEQUENCE_NUMBER_TOO_LOW)
    );
    assert_eq!(code(&version(6), Some(4)), Some(KrpcError::CAS_MISMATCH));
    assert_eq!(
        code(&forged(&version(6)), Some(5)),
        Some(KrpcError::INVALID_SIGNATURE)
    );
    assert_eq!(code(&version(6), Some(5)), None);
    assert_eq!(code(&immutable("anything"), None), None);
    assert_eq!(world.nodes[&node].node.stats().items, 2);
}

#[test]
fn what_is_too_big_is_refused_by_its_own_code() {
    let mut world = World::of(2, local, 49);
    let arguments = |salt: usize, value: usize| {
        [
            b"d1:ad2:id20:abcdefghij01234567891:k32:",
            &[b'k'; 32][..],
            format!("4:salt{salt}:").as_bytes(),
            &vec![b's'; salt],
            b"3:seqi1e3:sig64:",
            &[b's'; 64],
            format!("5:token1:t1:v{value}:").as_bytes(),
            &vec![b'v'; value],
            b"e1:q3:put1:t2:zz1:y1:qe",
        ]
        .concat()
    };
    for (datagram, expected) in [
        (arguments(65, 10), KrpcError::SALT_TOO_BIG),
        (arguments(64, 997), KrpcError::VALUE_TOO_BIG),
    ] {
        let Err(DecodeError::Query {
            transaction, code, ..
        }) = decode(&datagram)
        else {
            panic!("it cannot be served")
        };
        let from = local(50);
        let transaction = &transaction;
        world.input(
            local(0),
            Input::Malformed {
                from,
                transaction,
                code,
            },
        );
        let (_, to, refusal) = world.nodes[&local(0)].sent.last().unwrap();
        assert_eq!(
            (*to, &refusal.transaction),
            (from, &TransactionId::new(b"zz").unwrap())
        );
        let Body::Error(error) = &refusal.body else {
            panic!("a refusal")
        };
        assert_eq!(error.code, expected);
    }
}

#[test]
fn who_knows_the_current_number_is_spared_the_value() {
    let mut world = World::of(3, local, 51);
    let item = version(5);
    let target = item.target(&NONE);
    assert_eq!(refused(&mut world, local(0), local(50), &item, None), None);
    let mut held = |newer_than| {
        asked(&mut world, local(0), local(51), target, newer_than)
            .item
            .get()
            .cloned()
    };
    assert_eq!(held(Some(4)), Some(Holding::Item(item)));
    assert_eq!(held(Some(5)), Some(Holding::Seq(5)));
}

#[test]
fn the_largest_item_fits_a_datagram_and_leaves_room_for_nodes() {
    let mut world = World::of(12, local, 52);
    let text = "x".repeat(ItemValue::MAX_LENGTH - 4);
    let long = Salt::new(&[b's'; Salt::MAX_LENGTH]).unwrap();
    let item = signed(i64::MAX, &text, &long);
    let report = put_salted(&mut world, local(1), &item, &long, None);
    assert_eq!(report.announced_to, 8);
    let target = item.target(&long);
    let holder = receipts(&world, local(1))[0];
    let query = message(
        hash(50),
        Method::Get {
            target,
            newer_than: None,
            want: Want::BOTH,
        },
    );
    let answer = ask(&mut world, holder, local(50), &query).unwrap();
    let mut datagram = Vec::new();
    encode(&answer, &mut datagram);
    assert!(
        (1300..=1400).contains(&datagram.len()),
        "{} bytes",
        datagram.len()
    );
    let question = dht::encoded_length(&query);
    assert!(datagram.len() <= 15 * question, "{question} bytes asked");
    let Body::Response(response) = answer.body else {
        panic!("get is answered")
    };
    assert!(response.nodes.is_some_and(|nodes| nodes.len() >= 4));
    assert_eq!(get(&mut world, local(2), target, &long).1, [item]);
}
