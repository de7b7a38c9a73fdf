//! Datagrams that no DHT node should send: each costs its sender a datagram, and nobody else anything.

use std::net::UdpSocket;

use crate::support::{Desk, PATIENCE, noise};

/// A ping, as BEP 5 has it in "DHT Queries".
const PING: &[u8] = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";

/// Asks for a sign of life, and waits past answers to other things.
fn is_answered(socket: &UdpSocket, address: &str) -> bool {
    socket.send_to(PING, address).unwrap();
    let mut datagram = [0; 2048];
    while let Ok((length, _)) = socket.recv_from(&mut datagram) {
        let document = bencode::decode(&datagram[..length]).unwrap();
        let message = document.root().as_dict().unwrap();
        if message.bytes(b"t") == Some(b"aa") && message.str(b"y") == Some("r") {
            return true;
        }
    }
    false
}

#[test]
fn a_node_answers_after_any_datagram() {
    let desk = Desk::new();
    let mut node = desk.start(&["node"]);
    let address = node.address();
    let query = |arguments: &str, method: &str| {
        format!(
            "d1:ad2:id20:abcdefghij0123456789{arguments}e1:q{}:{method}1:t1:x1:y1:qe",
            method.len()
        )
    };
    let hostile: Vec<Vec<u8>> = vec![
        Vec::new(),
        vec![0; 1_500],
        noise(110, 60_000),
        b"l".repeat(60_000),
        [b"d1:a".repeat(10_000), b"e".repeat(10_000)].concat(),
        b"d1:ad2:id99999999999:abce1:q4:ping1:t1:x1:y1:qe".to_vec(),
        b"d1:ad2:id2:abe1:q4:ping1:t1:x1:y1:qe".to_vec(),
        b"d1:q4:ping1:t1:x1:y1:qe".to_vec(),
        b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re".to_vec(),
        b"d1:eli99999999999999999999e3:whye1:t2:aa1:y1:ee".to_vec(),
        query("9:info_hash3:abc", "get_peers").into_bytes(),
        query(
            "9:info_hash20:abcdefghij01234567894:porti-1e5:token3:abc",
            "announce_peer",
        )
        .into_bytes(),
        query(
            "9:info_hash20:abcdefghij01234567894:porti99999e5:token0:",
            "announce_peer",
        )
        .into_bytes(),
        query("", &"q".repeat(1_000)).into_bytes(),
    ];
    for datagram in hostile {
        // Each from a port of its own: a limit that one of them runs into is not the next one's.
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(&datagram, &address).unwrap();
        assert!(
            is_answered(&socket, &address),
            "after {:?}",
            String::from_utf8_lossy(&datagram)
        );
    }
    node.signal("TERM");
    let node = node.end();
    node.assert_code(0);
    assert!(!node.stderr.contains("panicked"), "{node}");
}

/// The longest payload of a UDP datagram over IPv4.
const LONGEST: usize = 65_507;

#[test]
fn a_malformed_query_is_refused_by_its_code_and_garbage_by_silence() {
    let desk = Desk::new();
    let mut node = desk.start(&["node"]);
    let address = node.address();
    let query = |arguments: &str, method: &str| {
        let id = "2:id20:abcdefghij0123456789";
        let method = format!("{}:{method}", method.len());
        format!("d1:ad{id}{arguments}e1:q{method}1:t1:x1:y1:qe").into_bytes()
    };
    let hash = "9:info_hash20:abcdefghij0123456789";
    let padding = format!("1:z{}:", LONGEST - 70);
    let cases: Vec<(Vec<u8>, Option<&str>)> = vec![
        (
            b"d1:ad2:id2:abe1:q4:ping1:t1:x1:y1:qe".to_vec(),
            Some("203"),
        ),
        (b"d1:q4:ping1:t1:x1:y1:qe".to_vec(), Some("203")),
        (query("", "find_node"), Some("203")),
        (
            query("9:info_hash19:abcdefghij012345678", "get_peers"),
            Some("203"),
        ),
        (
            query(&format!("{hash}4:porti1e"), "announce_peer"),
            Some("203"),
        ),
        (
            query(
                &format!("{hash}4:porti0e5:token8:abcdefgh"),
                "announce_peer",
            ),
            Some("203"),
        ),
        (
            query(
                &format!("{hash}4:porti1e5:token8:abcdefgh"),
                "announce_peer",
            ),
            Some("203"),
        ),
        (query("", "vote"), Some("204")),
        (
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:y1:qe".to_vec(),
            None,
        ),
        (b"d1:t1:x1:y1:ze".to_vec(), None),
        (b"hello".to_vec(), None),
        (noise(7, LONGEST), None),
        ([query("", "ping"), vec![b'x'; LONGEST - 60]].concat(), None),
        (
            [
                b"d".to_vec(),
                padding.into_bytes(),
                vec![b'x'; LONGEST - 70],
                b"e".to_vec(),
            ]
            .concat(),
            None,
        ),
    ];
    for (datagram, code) in cases {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.send_to(&datagram, &address).unwrap();
        socket.send_to(PING, &address).unwrap();
        let mut codes = Vec::new();
        loop {
            let mut answer = [0; 2048];
            let (length, _) = socket.recv_from(&mut answer).unwrap();
            let document = bencode::decode(&answer[..length]).unwrap();
            let message = document.root().as_dict().unwrap();
            if message.bytes(b"t") == Some(b"aa") {
                break;
            }
            let error = message.list(b"e").into_iter().flatten().next();
            codes.extend(
                error
                    .and_then(|code| code.as_integer())
                    .map(|code| code.to_string()),
            );
        }
        assert_eq!(
            codes.first().map(String::as_str),
            code,
            "{:?}",
            String::from_utf8_lossy(&datagram[..datagram.len().min(80)])
        );
    }
}
