use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::message::Sample;

fn id_of(text: &[u8]) -> Id {
    text.try_into().unwrap()
}

pub(super) fn query(method: Method) -> Message {
    message(Body::Query(Query {
        id: id_of(b"abcdefghij0123456789"),
        read_only: false,
        method,
    }))
}

pub(super) fn message(body: Body) -> Message {
    Message {
        transaction: TransactionId::new(b"aa").unwrap(),
        version: None,
        external: None,
        body,
    }
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut buffer = Vec::new();
    encode(message, &mut buffer);
    buffer
}

/// The packets that BEP 5 prints, with what they say.
fn vectors() -> Vec<(&'static [u8], Message)> {
    let target = id_of(b"mnopqrstuvwxyz123456");
    let token = Token::new(b"aoeusnth");
    let peer = |text: &[u8]| socket_address(text).unwrap();
    vec![
        (b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", query(Method::Ping)),
        (
            b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re",
            message(Body::Response(Response::new(target))),
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
            query(Method::FindNode { target, want: Want::UNSAID }),
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
            query(Method::GetPeers { info_hash: target, want: Want::UNSAID, wishes: Wishes::NONE }),
        ),
        (
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
            message(Body::Response(Response {
                token: token.clone(),
                values: vec![peer(b"axje.u"), peer(b"idhtnm")],
                ..Response::new(id_of(b"abcdefghij0123456789"))
            })),
        ),
        (
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
            query(Method::AnnouncePeer {
                info_hash: target,
                port: AnnouncedPort::Implied(6881),
                token: token.unwrap(),
                seed: Flag(false),
            }),
        ),
        (
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
            message(Body::Error(KrpcError::new(KrpcError::GENERIC, "A Generic Error Ocurred"))),
        ),
    ]
}

#[test]
fn packets_of_bep_5_both_ways() {
    for (packet, message) in vectors() {
        assert_eq!(decode(packet).as_ref(), Ok(&message));
        assert_eq!(encoded(&message), packet);
        assert_eq!(encoded_length(&message), packet.len());
    }
}

#[test]
fn a_compact_list_with_a_broken_tail_keeps_its_whole_records() {
    // BEP 5's own example of a find_node response names nodes in 9 bytes.
    let packet = b"d1:rd2:id20:0123456789abcdefghij5:nodes9:def456...e1:t2:aa1:y1:re";
    let Body::Response(response) = decode(packet).unwrap().body else {
        panic!()
    };
    assert_eq!(response.nodes.unwrap().len(), 0);
    let packet = b"d1:rd2:id20:0123456789abcdefghij5:nodes29:abcdefghij0123456789\x7f\0\0\x01\x1a\xe1def6:valuesl3:abc6:axje.uee1:t2:aa1:y1:re";
    let Body::Response(response) = decode(packet).unwrap().body else {
        panic!()
    };
    assert_eq!(
        response.nodes.unwrap()[0].address,
        "127.0.0.1:6881".parse().unwrap()
    );
    assert_eq!(response.values.len(), 1);
}

#[test]
fn what_other_clients_get_away_with() {
    // Keys out of order, an unknown key, a port written as a string.
    let packet = b"d1:y1:q1:t2:aa1:q13:announce_peer1:ad5:token1:x4:port4:68814:name1:n9:info_hash20:mnopqrstuvwxyz1234562:id20:abcdefghij0123456789ee";
    let Body::Query(query) = decode(packet).unwrap().body else {
        panic!()
    };
    let Method::AnnouncePeer { port, .. } = query.method else {
        panic!()
    };
    assert_eq!(port, AnnouncedPort::Given(6881));
}

#[test]
fn an_unknown_method_keeps_what_is_looked_for() {
    let packet = b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q4:vote1:t2:aa1:y1:qe";
    let Body::Query(query) = decode(packet).unwrap().body else {
        panic!()
    };
    let Method::Other { name, target, .. } = query.method else {
        panic!()
    };
    assert_eq!(
        (name.as_slice(), target),
        (&b"vote"[..], Some(id_of(b"mnopqrstuvwxyz123456")))
    );
}

#[test]
fn a_malformed_query_can_be_answered_and_garbage_cannot() {
    for packet in [
        &b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe"[..],
        b"d1:q4:ping1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe",
        b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti65536e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe",
    ] {
        assert!(matches!(decode(packet), Err(DecodeError::Query { .. })), "{}", packet.escape_ascii());
    }
    for packet in [
        &b""[..],
        b"le",
        b"de",
        b"d1:t2:aa1:y1:xe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t21:aaaaaaaaaaaaaaaaaaaaa1:y1:qe",
        b"d1:rd2:id1:xe1:t2:aa1:y1:re",
        b"d1:e3:2011:t2:aa1:y1:ee",
    ] {
        assert!(
            matches!(
                decode(packet),
                Err(DecodeError::Bencode(_) | DecodeError::Envelope(_) | DecodeError::Answer(_))
            ),
            "{}",
            packet.escape_ascii()
        );
    }
}

#[test]
fn read_only_and_external_address_are_carried() {
    // BEP 43 prints the key as 2:roi1e.
    let mut asked = query(Method::Ping);
    let Body::Query(ping) = &mut asked.body else {
        panic!()
    };
    ping.read_only = true;
    let packet = encoded(&asked);
    assert!(packet.windows(7).any(|window| window == b"2:roi1e"));
    assert_eq!(decode(&packet), Ok(asked));
    let mut answer = message(Body::Response(Response::new(id_of(
        b"mnopqrstuvwxyz123456",
    ))));
    answer.external = Some("1.2.3.4:5".parse().unwrap());
    answer.version = Some(*b"TL01");
    assert_eq!(decode(&encoded(&answer)), Ok(answer));
}

/// The messages that BEP 51 describes, with what they say.
#[test]
fn packets_of_bep_51_both_ways() {
    let target = id_of(b"mnopqrstuvwxyz123456");
    let asked = query(Method::SampleInfohashes {
        target,
        want: Want::UNSAID,
    });
    let packet: &[u8] = b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q17:sample_infohashes1:t2:aa1:y1:qe";
    assert_eq!(decode(packet).as_ref(), Ok(&asked));
    assert_eq!(encoded(&asked), packet);
    let answer = message(Body::Response(Response {
        nodes: Some(Nodes::default()),
        sample: Sample {
            info_hashes: vec![target, id_of(b"0123456789abcdefghij")],
            total: 57,
            interval: 600,
        }
        .into(),
        ..Response::new(id_of(b"abcdefghij0123456789"))
    }));
    let packet: &[u8] = b"d1:rd2:id20:abcdefghij01234567898:intervali600e5:nodes0:3:numi57e7:samples40:mnopqrstuvwxyz1234560123456789abcdefghije1:t2:aa1:y1:re";
    assert_eq!(decode(packet).as_ref(), Ok(&answer));
    assert_eq!(encoded(&answer), packet);
}

#[test]
fn a_query_for_samples_without_a_target_is_malformed() {
    for target in [
        "",
        "6:targeti1e",
        "6:target19:nopqrstuvwxyz123456",
        "6:target21:amnopqrstuvwxyz123456",
        "9:info_hash20:mnopqrstuvwxyz123456",
    ] {
        let packet = format!(
            "d1:ad2:id20:abcdefghij0123456789{target}e1:q17:sample_infohashes1:t2:aa1:y1:qe"
        );
        assert!(
            matches!(decode(packet.as_bytes()), Err(DecodeError::Query { .. })),
            "{packet}"
        );
    }
}

#[test]
fn a_malformed_sample_is_read_as_far_as_it_goes() {
    let read = |fields: &str| {
        let packet = format!("d1:rd2:id20:abcdefghij0123456789{fields}e1:t2:aa1:y1:re");
        let Body::Response(response) = decode(packet.as_bytes()).unwrap().body else {
            panic!()
        };
        let sample = response.sample.get()?;
        Some((sample.info_hashes.len(), sample.total, sample.interval))
    };
    let one = "20:mnopqrstuvwxyz123456";
    // Who does not say `samples` does not know the method; who says that there are none does.
    for fields in ["", "8:intervali5e3:numi9e", "7:samplesi20e", "7:samplesle"] {
        assert_eq!(read(fields), None, "{fields}");
    }
    assert_eq!(read("8:intervali5e3:numi9e7:samples0:"), Some((0, 9, 5)));
    // A broken tail, and fewer stored than named.
    assert_eq!(
        read(&format!("8:intervali5e3:numi0e7:samples{one}")),
        Some((1, 1, 5))
    );
    assert_eq!(
        read("8:intervali5e3:numi7e7:samples21:mnopqrstuvwxyz1234567"),
        Some((1, 7, 5))
    );
    assert_eq!(
        read("8:intervali5e3:numi7e7:samples19:mnopqrstuvwxyz12345"),
        Some((0, 7, 5))
    );
    // No interval, or none that is allowed: the longest. No number, or none that can be: those that were named.
    for interval in [
        "",
        "8:intervali-1e",
        "8:intervali21601e",
        "8:intervali65536e",
        "8:interval3:600",
    ] {
        assert_eq!(
            read(&format!("{interval}7:samples{one}")),
            Some((1, 1, 21_600)),
            "{interval}"
        );
    }
    for num in ["", "3:numi-1e", "3:num1:9"] {
        assert_eq!(
            read(&format!("8:intervali0e{num}7:samples{one}")),
            Some((1, 1, 0)),
            "{num}"
        );
    }
    assert_eq!(
        read(&format!(
            "8:intervali21600e3:numi{}e7:samples{one}",
            i64::MAX
        )),
        Some((1, i64::MAX as u64, 21_600))
    );
}

/// The arguments that BEP 33 adds, at their places among those of BEP 5.
#[test]
fn packets_of_bep_33_both_ways() {
    let info_hash = id_of(b"mnopqrstuvwxyz123456");
    let get_peers = query(Method::GetPeers {
        info_hash,
        want: Want::UNSAID,
        wishes: Wishes {
            no_seeds: Flag(true),
            scrape: Flag(true),
        },
    });
    let packet: &[u8] = b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234566:noseedi1e6:scrapei1ee1:q9:get_peers1:t2:aa1:y1:qe";
    assert_eq!(decode(packet).as_ref(), Ok(&get_peers));
    assert_eq!(encoded(&get_peers), packet);
    let announce = query(Method::AnnouncePeer {
        info_hash,
        port: AnnouncedPort::Given(6881),
        token: Token::new(b"aoeusnth").unwrap(),
        seed: Flag(true),
    });
    let packet: &[u8] = b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e4:seedi1e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe";
    assert_eq!(decode(packet).as_ref(), Ok(&announce));
    assert_eq!(encoded(&announce), packet);
}

#[test]
fn a_flag_is_set_by_one_and_by_nothing_else() {
    for (value, expected) in [
        ("i1e", true),
        ("1:1", true),
        ("i0e", false),
        ("i2e", false),
        ("i-1e", false),
        ("3:yes", false),
        ("0:", false),
        ("le", false),
        ("de", false),
    ] {
        let packet = format!(
            "d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti1e4:seed{value}5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe"
        );
        let Body::Query(query) = decode(packet.as_bytes()).unwrap().body else {
            panic!()
        };
        let Method::AnnouncePeer { seed, .. } = query.method else {
            panic!()
        };
        assert_eq!(seed, Flag(expected), "{value}");
    }
}

#[test]
fn filters_are_two_of_256_bytes_or_none() {
    let scrape = |peers: Option<usize>, seeds: Option<usize>| {
        let mut packet = b"d1:rd".to_vec();
        for (key, length) in [("4:BFpe", peers), ("4:BFsd", seeds)] {
            if let Some(length) = length {
                packet.extend(format!("{key}{length}:").bytes());
                packet.extend(vec![7; length]);
            }
        }
        packet.extend(b"2:id20:abcdefghij0123456789e1:t2:aa1:y1:re");
        let Body::Response(response) = decode(&packet).unwrap().body else {
            panic!()
        };
        response.scrape.get().cloned()
    };
    let filter = BloomFilter::from([7; 256]);
    let expected = Scrape {
        seeds: filter.clone(),
        peers: filter,
    };
    assert_eq!(scrape(Some(256), Some(256)), Some(expected));
    for (peers, seeds) in [
        (None, None),
        (Some(256), None),
        (None, Some(256)),
        (Some(255), Some(256)),
        (Some(256), Some(257)),
        (Some(0), Some(0)),
    ] {
        assert_eq!(scrape(peers, seeds), None, "{peers:?} {seeds:?}");
    }
}

#[test]
fn an_error_text_that_is_no_utf_8_is_read_the_same_a_second_time() {
    let mut packet = b"d1:eli201e300:".to_vec();
    packet.extend([0xff; 300]);
    packet.extend(b"e1:t2:aa1:y1:ee");
    let first = decode(&packet).unwrap();
    let Body::Error(error) = &first.body else {
        panic!()
    };
    assert_eq!(error.message, "\u{fffd}".repeat(85));
    assert_eq!(decode(&encoded(&first)), Ok(first));
}

fn ids() -> impl Strategy<Value = Id> {
    any::<[u8; 20]>().prop_map(Id::new)
}

fn addresses_v4() -> impl Strategy<Value = SocketAddrV4> {
    any::<(u32, u16)>().prop_map(|(ip, port)| SocketAddrV4::new(ip.into(), port))
}

fn addresses_v6() -> impl Strategy<Value = SocketAddrV6> {
    any::<(u128, u16)>().prop_map(|(ip, port)| SocketAddrV6::new(ip.into(), port, 0, 0))
}

fn addresses() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        addresses_v4().prop_map(SocketAddr::V4),
        addresses_v6().prop_map(SocketAddr::V6)
    ]
}

fn tokens() -> impl Strategy<Value = Token> {
    proptest::collection::vec(any::<u8>(), 0..=255).prop_map(|bytes| Token::new(&bytes).unwrap())
}

fn wants() -> impl Strategy<Value = Want> {
    any::<(bool, bool)>().prop_map(|(v4, v6)| Want { v4, v6 })
}

fn flags() -> impl Strategy<Value = Flag> {
    any::<bool>().prop_map(Flag)
}

fn wishes() -> impl Strategy<Value = Wishes> {
    (flags(), flags()).prop_map(|(no_seeds, scrape)| Wishes { no_seeds, scrape })
}

fn methods() -> impl Strategy<Value = Method> {
    let port = prop_oneof![
        (1u16..).prop_map(AnnouncedPort::Given),
        any::<u16>().prop_map(AnnouncedPort::Implied)
    ];
    prop_oneof![
        Just(Method::Ping),
        (ids(), wants()).prop_map(|(target, want)| Method::FindNode { target, want }),
        (ids(), wants(), wishes()).prop_map(|(info_hash, want, wishes)| Method::GetPeers {
            info_hash,
            want,
            wishes
        }),
        (ids(), port, tokens(), flags()).prop_map(|(info_hash, port, token, seed)| {
            Method::AnnouncePeer {
                info_hash,
                port,
                token,
                seed,
            }
        }),
        (ids(), wants()).prop_map(|(target, want)| Method::SampleInfohashes { target, want }),
        ("[a-z]{1,32}", option::of(ids()), wants())
            .prop_filter("a known method is not another one", |(name, ..)| {
                !["ping", "get", "put"].contains(&name.as_str())
            })
            .prop_map(|(name, target, want)| Method::Other {
                name: name.bytes().collect(),
                target,
                want
            }),
        (ids(), option::of(any::<i64>()), wants()).prop_map(|(target, newer_than, want)| {
            Method::Get {
                target,
                newer_than,
                want,
            }
        }),
        items::tests::puts(tokens()),
    ]
}

fn nodes<A: std::fmt::Debug>(
    addresses: impl Strategy<Value = A>,
) -> impl Strategy<Value = Nodes<A>> {
    let node = (ids(), addresses).prop_map(|(id, address)| NodeInfo { id, address });
    proptest::collection::vec(node, 0..=MAX_NODES).prop_map(|nodes| nodes.into_iter().collect())
}

fn samples() -> impl Strategy<Value = Sample> {
    let info_hashes = proptest::collection::vec(ids(), 0..50);
    (
        info_hashes,
        0..i64::MAX as u64 - 50,
        0..=Sample::MAX_INTERVAL,
    )
        .prop_map(|(info_hashes, more, interval)| Sample {
            total: info_hashes.len() as u64 + more,
            info_hashes,
            interval,
        })
}

fn filters() -> impl Strategy<Value = BloomFilter> {
    proptest::collection::vec(any::<u32>(), 0..50).prop_map(|ips| {
        ips.into_iter()
            .map(|ip| Ipv4Addr::from(ip).into())
            .collect()
    })
}

fn scrapes() -> impl Strategy<Value = Scrape> {
    (filters(), filters()).prop_map(|(seeds, peers)| Scrape { seeds, peers })
}

fn bodies() -> impl Strategy<Value = Body> {
    let nodes6 = nodes(addresses_v6()).prop_map(Box::new);
    let values = proptest::collection::vec(addresses(), 0..100);
    let response = (
        ids(),
        option::of(nodes(addresses_v4())),
        option::of(nodes6),
        option::of(tokens()),
        values,
        option::of(items::tests::holdings()),
        option::of(samples()),
        option::of(scrapes()),
    );
    prop_oneof![
        (ids(), any::<bool>(), methods()).prop_map(|(id, read_only, method)| Body::Query(Query {
            id,
            read_only,
            method
        })),
        response.prop_map(|(id, nodes, nodes6, token, values, item, sample, scrape)| {
            Body::Response(Response {
                id,
                nodes,
                nodes6,
                token,
                values,
                item: item.into(),
                sample: sample.into(),
                scrape: scrape.into(),
            })
        }),
        (any::<i64>(), "[ -~]{0,200}").prop_map(|(code, text)| Body::Error(KrpcError {
            code,
            message: text.into()
        })),
    ]
}

fn messages() -> impl Strategy<Value = Message> {
    let transaction = proptest::collection::vec(any::<u8>(), 0..=20)
        .prop_map(|bytes| TransactionId::new(&bytes).unwrap());
    (
        transaction,
        option::of(any::<[u8; 4]>()),
        option::of(addresses()),
        bodies(),
    )
        .prop_map(|(transaction, version, external, body)| Message {
            transaction,
            version,
            external,
            body,
        })
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(message in messages()) {
        let packet = encoded(&message);
        prop_assert!(bencode::decode(&packet).unwrap().is_canonical());
        prop_assert_eq!(encoded_length(&message), packet.len());
        prop_assert_eq!(decode(&packet), Ok(message));
    }

    #[test]
    fn damaged_packets_never_panic_and_never_grow(
        message in messages(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        length in any::<prop::sample::Index>(),
    ) {
        let mut packet = encoded(&message);
        for (place, byte) in damage {
            let place = place.index(packet.len());
            packet[place] = byte;
        }
        packet.truncate(length.index(packet.len() + 1));
        if let Ok(message) = decode(&packet) {
            // What was understood can be said again, in not much more room than it took.
            prop_assert!(encoded(&message).len() <= packet.len() + 1024);
        }
    }
}
