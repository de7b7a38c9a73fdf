//! The same datagrams to a node of either kind: what both answer must be the same, and where they differ we say how.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bencode::{DictEncoder, Encoder};
use dht::{ItemValue, MutableItem, Salt, SecretKey};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::network::{address, our_node, their_node, within};

/// Silence so long is an answer too.
const SILENCE: Duration = Duration::from_millis(700);
const KEY: [u8; SecretKey::SEED_LENGTH] = [9; SecretKey::SEED_LENGTH];

/// What an answer amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    /// A response, and the keys in it beside `id`.
    Response(Vec<String>),
    /// An error, by its code.
    Refusal(i64),
    Silence,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(keys) => write!(f, "a response with {}", keys.join(", ")),
            Self::Refusal(code) => write!(f, "error {code}"),
            Self::Silence => write!(f, "silence"),
        }
    }
}

/// Asks one node, from a socket of its own.
struct Asker {
    socket: UdpSocket,
    token: Vec<u8>,
}

impl Asker {
    async fn new(of: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        socket.connect(of).await.unwrap();
        let token = Vec::new();
        Asker { socket, token }
    }

    /// Sends a query with these arguments, in order, and an id.
    async fn ask(&mut self, method: &str, arguments: impl FnOnce(&mut DictEncoder<'_>)) -> Answer {
        let mut datagram = Vec::new();
        Encoder::new(&mut datagram).dict(|query| {
            query.dict(b"a", arguments);
            query.bytes(b"q", method.as_bytes());
            query.integer(b"ro", 1);
            query.bytes(b"t", b"aaaa");
            query.bytes(b"y", b"q");
        });
        self.send(&datagram).await
    }

    async fn send(&mut self, datagram: &[u8]) -> Answer {
        self.socket.send(datagram).await.unwrap();
        let mut buffer = [0; 2048];
        let Ok(length) = timeout(SILENCE, self.socket.recv(&mut buffer)).await else {
            return Answer::Silence;
        };
        let document = bencode::decode(&buffer[..length.unwrap()]).unwrap();
        let answer = document.root().as_dict().unwrap();
        assert_eq!(answer.bytes(b"t"), Some(&b"aaaa"[..]));
        if let Some(error) = answer.list(b"e") {
            let code = error.iter().next().unwrap();
            return Answer::Refusal(code.as_integer().unwrap());
        }
        let response = answer.dict(b"r").unwrap();
        if let Some(token) = response.bytes(b"token") {
            token.clone_into(&mut self.token);
        }
        let keys = response
            .iter()
            .map(|(key, _)| key.escape_ascii().to_string());
        Answer::Response(keys.filter(|key| key != "id").collect())
    }

    /// A put of what the one key signs; `change` spoils it.
    async fn put(&mut self, seq: i64, cas: Option<i64>, change: impl FnOnce(&mut Put)) -> Answer {
        let key = SecretKey::from_seed(&KEY);
        let value = ItemValue::from_bytes(b"signed").unwrap();
        let signed = MutableItem::sign(value, seq, &Salt::NONE, &key);
        let mut put = Put {
            key: *signed.key.as_bytes(),
            salt: Vec::new(),
            signature: *signed.signature.as_bytes(),
            token: self.token.clone(),
            value: signed.value.as_bencode().to_owned(),
        };
        change(&mut put);
        self.ask("put", |a| {
            if let Some(cas) = cas {
                a.integer(b"cas", cas);
            }
            a.bytes(b"id", &[1; 20]);
            a.bytes(b"k", &put.key);
            if !put.salt.is_empty() {
                a.bytes(b"salt", &put.salt);
            }
            a.integer(b"seq", seq);
            a.bytes(b"sig", &put.signature);
            // BEP 44 has none; they want it.
            a.bytes(b"target", key.public().target(&Salt::NONE).as_bytes());
            a.bytes(b"token", &put.token);
            a.raw(b"v", &put.value);
        })
        .await
    }
}

struct Put {
    key: [u8; 32],
    salt: Vec<u8>,
    signature: [u8; 64],
    token: Vec<u8>,
    value: Vec<u8>,
}

/// All questions, and what the node answered.
async fn interview(of: SocketAddr) -> Vec<(&'static str, Answer)> {
    let mut asker = Asker::new(of).await;
    let mut answers = Vec::new();
    let id = |a: &mut DictEncoder<'_>| a.bytes(b"id", &[1; 20]);
    let mut note = |question, answer| answers.push((question, answer));

    note("ping", asker.ask("ping", id).await);
    note(
        "find_node",
        asker
            .ask("find_node", |a| {
                id(a);
                a.bytes(b"target", &[2; 20]);
            })
            .await,
    );
    let get_peers = |a: &mut DictEncoder<'_>| {
        id(a);
        a.bytes(b"info_hash", &[3; 20]);
    };
    note(
        "get_peers of nothing",
        asker.ask("get_peers", get_peers).await,
    );
    let token = asker.token.clone();
    let announce = |token: &[u8]| {
        let token = token.to_owned();
        move |a: &mut DictEncoder<'_>| {
            a.bytes(b"id", &[1; 20]);
            a.bytes(b"info_hash", &[3; 20]);
            a.integer(b"port", 7003);
            a.bytes(b"token", &token);
        }
    };
    note(
        "announce_peer with a wrong token",
        asker.ask("announce_peer", announce(b"wrong!!!")).await,
    );
    note(
        "announce_peer with the token",
        asker.ask("announce_peer", announce(&token)).await,
    );
    note(
        "get_peers of what was announced",
        asker.ask("get_peers", get_peers).await,
    );

    let key = SecretKey::from_seed(&KEY).public();
    let target = key.target(&Salt::NONE);
    let get = |a: &mut DictEncoder<'_>| {
        id(a);
        a.bytes(b"target", target.as_bytes());
    };
    note("get of nothing", asker.ask("get", get).await);
    note(
        "put with a wrong token",
        asker
            .put(5, None, |put| put.token = b"wrong!!!".to_vec())
            .await,
    );
    note(
        "put with a wrong signature",
        asker.put(5, None, |put| put.signature[7] ^= 1).await,
    );
    note(
        "put of more than 1,000 bytes",
        asker
            .put(5, None, |put| {
                put.value = [&b"1001:"[..], &[b'x'; 1001]].concat();
            })
            .await,
    );
    note(
        "put with a salt of more than 64 bytes",
        asker.put(5, None, |put| put.salt = vec![b's'; 65]).await,
    );
    note("put", asker.put(5, None, |_| {}).await);
    note("put of an older version", asker.put(4, None, |_| {}).await);
    note("put with another cas", asker.put(6, Some(3), |_| {}).await);
    note(
        "put with the right cas",
        asker.put(6, Some(5), |_| {}).await,
    );
    note("get", asker.ask("get", get).await);
    note(
        "get of what is newer than the newest",
        asker
            .ask("get", |a| {
                id(a);
                a.integer(b"seq", 6);
                a.bytes(b"target", target.as_bytes());
            })
            .await,
    );
    note("a method that nobody knows", asker.ask("vote", id).await);
    note(
        "get_peers without info_hash",
        asker.ask("get_peers", id).await,
    );
    note("find_node with a short target", {
        let short = |a: &mut DictEncoder<'_>| {
            id(a);
            a.bytes(b"target", &[2; 19]);
        };
        asker.ask("find_node", short).await
    });
    note("ping without id", asker.ask("ping", |_| {}).await);
    note("garbage", asker.send(b"d1:q4:ping").await);
    note("ping at the end", asker.ask("ping", id).await);
    answers
}

#[tokio::test]
async fn the_same_questions_get_the_same_answers() {
    let ours = our_node(None).await;
    let theirs = their_node(None);
    let we = within(interview(ours.local_address())).await;
    let they = within(interview(address(&theirs).await.into())).await;

    let differences: Vec<_> = (we.into_iter().zip(they))
        .filter(|((_, we), (_, they))| we != they)
        .map(|((question, we), (_, they))| (question, we.to_string(), they.to_string()))
        .collect();
    // They tell nobody what is wrong with a query that they do not understand.
    let expected = [
        ("a method that nobody knows", "error 204"),
        ("get_peers without info_hash", "error 203"),
        ("find_node with a short target", "error 203"),
        ("ping without id", "error 203"),
    ];
    let expected = expected.map(|(question, we)| (question, we.to_owned(), "silence".to_owned()));
    assert_eq!(differences, expected);
}
