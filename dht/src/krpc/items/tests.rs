use proptest::option;
use proptest::prelude::*;

use crate::id::Id;
use crate::item::{Item, ItemValue, MutableItem, PublicKey, Salt, Signature};
use crate::krpc::tests::{message, query};
use crate::krpc::{DecodeError, decode, encode, encoded_length};
use crate::message::{Body, Holding, KrpcError, Message, Method, Put, Response, Token, Want};

const K: [u8; 32] = [b'k'; 32];
const SIG: [u8; 64] = [b's'; 64];

fn hello() -> ItemValue {
    ItemValue::from_bytes(b"Hello World!").unwrap()
}

fn signed() -> Item {
    Item::Mutable(MutableItem {
        key: PublicKey::new(K),
        seq: 4,
        signature: Signature::new(SIG),
        value: hello(),
    })
}

/// The datagram of a put with these arguments between the id and the end.
fn put(arguments: &[u8]) -> Vec<u8> {
    [
        b"d1:ad2:id20:abcdefghij0123456789",
        arguments,
        b"e1:q3:put1:t2:aa1:y1:qe",
    ]
    .concat()
}

fn answer(values: &[u8]) -> Vec<u8> {
    [
        b"d1:rd2:id20:abcdefghij0123456789",
        values,
        b"e1:t2:aa1:y1:re",
    ]
    .concat()
}

/// The code with which a datagram is refused, if it is a query that cannot be served.
fn code(datagram: &[u8]) -> Option<i64> {
    match decode(datagram) {
        Err(DecodeError::Query { code, .. }) => Some(code),
        _ => None,
    }
}

fn held(datagram: &[u8]) -> Option<Holding> {
    let Ok(Message {
        body: Body::Response(response),
        ..
    }) = decode(datagram)
    else {
        panic!("a response: {}", datagram.escape_ascii())
    };
    response.item.get().cloned()
}

fn proof() -> Vec<u8> {
    [b"1:k32:", &K[..], b"3:seqi4e3:sig64:", &SIG].concat()
}

#[test]
fn messages_of_bep_44_both_ways() {
    let target = Id::new(*b"mnopqrstuvwxyz123456");
    let get = |newer_than| {
        query(Method::Get {
            target,
            newer_than,
            want: Want::UNSAID,
        })
    };
    let token = Token::new(b"aoeusnth");
    let put_of = |item, salt: &[u8], cas| {
        query(Method::Put(Box::new(Put {
            item,
            salt: Salt::new(salt).unwrap(),
            cas,
            token: token.clone().unwrap(),
        })))
    };
    let answer_of = |item: Holding| {
        message(Body::Response(Response {
            token: token.clone(),
            item: item.into(),
            ..Response::new(Id::new(*b"abcdefghij0123456789"))
        }))
    };
    let put_mutable = [
        b"d1:ad3:casi3e2:id20:abcdefghij01234567891:k32:",
        &K[..],
        b"4:salt6:foobar3:seqi4e3:sig64:",
        &SIG,
        b"6:target20:",
        signed().target(&Salt::new(b"foobar").unwrap()).as_bytes(),
        b"5:token8:aoeusnth1:v12:Hello World!e1:q3:put1:t2:aa1:y1:qe",
    ]
    .concat();
    let target = hello().target();
    let put_immutable = put(&[
        b"6:target20:",
        &target.as_bytes()[..],
        b"5:token8:aoeusnth1:v12:Hello World!",
    ]
    .concat());
    let mutable = answer(&[&proof()[..], b"5:token8:aoeusnth1:v12:Hello World!"].concat());
    let packets: [(&[u8], Message); 7] = [
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q3:get1:t2:aa1:y1:qe",
            get(None),
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567893:seqi7e6:target20:mnopqrstuvwxyz123456e1:q3:get1:t2:aa1:y1:qe",
            get(Some(7)),
        ),
        (
            &put_immutable,
            put_of(Item::Immutable(hello()), b"", None),
        ),
        (&put_mutable, put_of(signed(), b"foobar", Some(3))),
        (
            &answer(b"5:token8:aoeusnth1:v12:Hello World!"),
            answer_of(Holding::Item(Item::Immutable(hello()))),
        ),
        (&mutable, answer_of(Holding::Item(signed()))),
        (&answer(b"3:seqi4e5:token8:aoeusnth"), answer_of(Holding::Seq(4))),
    ];
    for (packet, message) in packets {
        assert_eq!(decode(packet).as_ref(), Ok(&message));
        let mut encoded = Vec::new();
        encode(&message, &mut encoded);
        assert_eq!(
            encoded.escape_ascii().to_string(),
            packet.escape_ascii().to_string()
        );
        assert_eq!(encoded_length(&message), packet.len());
    }
}

#[test]
fn an_item_of_a_thousand_bytes_passes_and_a_larger_one_is_refused_as_too_big() {
    let value = |length: usize| {
        let content = b"x".repeat(length - 4);
        [
            b"5:token1:t1:v",
            content.len().to_string().as_bytes(),
            b":",
            &content,
        ]
        .concat()
    };
    assert!(decode(&put(&value(1000))).is_ok());
    for length in [1001, 3000] {
        assert_eq!(code(&put(&value(length))), Some(KrpcError::VALUE_TOO_BIG));
        assert_eq!(held(&answer(&value(length))), None);
    }
}

#[test]
fn a_salt_of_64_bytes_passes_and_a_longer_one_is_refused_as_too_big() {
    let salted = |length: usize| {
        let (salt, digits) = (b"x".repeat(length), length.to_string());
        let arguments = [
            b"1:k32:",
            &K[..],
            b"4:salt",
            digits.as_bytes(),
            b":",
            &salt,
            b"3:seqi4e3:sig64:",
            &SIG,
            b"5:token1:t1:v1:x",
        ];
        put(&arguments.concat())
    };
    assert!(decode(&salted(64)).is_ok());
    assert_eq!(code(&salted(65)), Some(KrpcError::SALT_TOO_BIG));
    assert_eq!(code(&salted(900)), Some(KrpcError::SALT_TOO_BIG));
}

#[test]
fn a_put_that_is_not_whole_is_refused() {
    let proof = proof();
    let mutable = |change: &dyn Fn(&[u8]) -> Vec<u8>| {
        put(&change(&[&proof[..], b"5:token1:t1:v1:x"].concat()))
    };
    assert!(decode(&mutable(&|arguments| arguments.to_vec())).is_ok());
    let without = |gone: &[u8]| {
        mutable(&|arguments| {
            let place = arguments
                .windows(gone.len())
                .position(|window| window == gone)
                .unwrap();
            [&arguments[..place], &arguments[place + gone.len()..]].concat()
        })
    };
    let key = [b"1:k32:", &K[..]].concat();
    let signature = [b"3:sig64:", &SIG[..]].concat();
    for gone in [&key[..], b"3:seqi4e", &signature, b"5:token1:t", b"1:v1:x"] {
        assert_eq!(
            code(&without(gone)),
            Some(KrpcError::PROTOCOL),
            "{}",
            gone.escape_ascii()
        );
    }
    for wrong in [
        &b"1:k3:abc3:seqi1e3:sig2:ab5:token1:t1:v1:x"[..],
        b"1:ki7e5:token1:t1:v1:x",
        b"3:seq1:15:token1:t1:v1:x",
        b"3:cas3:one5:token1:t1:v1:x",
        b"4:salti1e5:token1:t1:v1:x",
        b"5:tokeni1e1:v1:x",
        // Not canonical: it would not be what was signed or hashed when it is written again.
        b"5:token1:t1:vi007e",
        b"5:token1:t1:vd1:bi1e1:ai1ee",
    ] {
        assert_eq!(
            code(&put(wrong)),
            Some(KrpcError::PROTOCOL),
            "{}",
            wrong.escape_ascii()
        );
    }
    // A number beyond 64 bits, and one with a broken end: nothing of it is read at all.
    for garbage in [
        &b"3:seqi9223372036854775808e5:token1:t1:v1:x"[..],
        b"5:token1:t1:v9999:x",
    ] {
        assert!(matches!(
            decode(&put(garbage)),
            Err(DecodeError::Bencode(_))
        ));
    }
}

#[test]
fn an_answer_with_a_broken_item_is_one_without() {
    for (values, expected) in [
        (
            &b"1:v1:x"[..],
            Some(Holding::Item(Item::Immutable(
                ItemValue::from_bytes(b"x").unwrap(),
            ))),
        ),
        (b"1:k3:abc3:seqi1e3:sig1:x1:v1:x", None),
        (b"3:seqi1e1:v1:x", None),
        (b"1:vi01e", None),
        (b"3:seq1:5", None),
        (b"3:seqi5e", Some(Holding::Seq(5))),
    ] {
        assert_eq!(held(&answer(values)), expected, "{}", values.escape_ascii());
    }
}

fn values() -> impl Strategy<Value = ItemValue> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..=996)
            .prop_map(|content| ItemValue::from_bytes(&content).unwrap()),
        any::<i64>().prop_map(|n| ItemValue::from_bencode(format!("i{n}e").as_bytes()).unwrap()),
        Just(ItemValue::from_bencode(b"d1:al1:bi3eee").unwrap()),
    ]
}

fn items() -> impl Strategy<Value = Item> {
    let mutable = (
        any::<[u8; 32]>(),
        any::<i64>(),
        any::<([u8; 32], [u8; 32])>(),
        values(),
    );
    prop_oneof![
        values().prop_map(Item::Immutable),
        mutable.prop_map(|(key, seq, (r, s), value)| Item::Mutable(MutableItem {
            key: PublicKey::new(key),
            seq,
            signature: Signature::new([r, s].concat().try_into().unwrap()),
            value,
        })),
    ]
}

pub(in crate::krpc) fn holdings() -> impl Strategy<Value = Holding> {
    prop_oneof![
        items().prop_map(Holding::Item),
        any::<i64>().prop_map(Holding::Seq)
    ]
}

pub(in crate::krpc) fn puts(tokens: impl Strategy<Value = Token>) -> impl Strategy<Value = Method> {
    let salts =
        proptest::collection::vec(any::<u8>(), 0..=64).prop_map(|salt| Salt::new(&salt).unwrap());
    (items(), salts, option::of(any::<i64>()), tokens).prop_map(|(item, salt, cas, token)| {
        Method::Put(Box::new(Put {
            item,
            salt,
            cas,
            token,
        }))
    })
}
