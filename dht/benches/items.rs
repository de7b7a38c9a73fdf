//! What an item costs: to sign, to verify, to be put to a node that holds an older version, to be handed out again.

use std::net::SocketAddr;
use std::time::Duration;

use dht::{
    Body, Config, Event, Id, Input, Item, ItemValue, Message, Method, MutableItem, Node, Outbox,
    Put, Query, Salt, SecretKey, Token, TransactionId, Want,
};
use divan::{Bencher, black_box};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

fn main() {
    divan::main();
}

/// A value of 300 bytes.
fn version(seq: i64) -> MutableItem {
    let value = ItemValue::from_bytes(&[7; 296]).expect("it is short");
    MutableItem::sign(value, seq, &Salt::NONE, &SecretKey::from_seed(&[1; 32]))
}

#[divan::bench]
fn sign(bencher: Bencher<'_, '_>) {
    bencher.bench(|| version(black_box(1)));
}

#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let item = version(1);
    bencher.bench(|| black_box(&item).is_signed(&Salt::NONE));
}

/// A node to whom one asker puts and from whom he gets.
struct Desk {
    node: Node,
    config: Config,
    rng: Xoshiro256PlusPlus,
    now: Duration,
    answer: Option<Message>,
}

struct Tray<'a>(&'a mut Option<Message>);

impl Outbox for Tray<'_> {
    fn transmit(&mut self, _: SocketAddr, message: Message) {
        if !matches!(message.body, Body::Query(_)) {
            *self.0 = Some(message);
        }
    }
    fn event(&mut self, _: Event) {}
}

impl Desk {
    fn new() -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        Self {
            node: Node::new(None, &mut rng),
            config: Config::default(),
            rng,
            now: Duration::ZERO,
            answer: None,
        }
    }

    fn ask(&mut self, method: Method) {
        // As slowly as one network may have signatures verified.
        self.now += Duration::from_millis(10);
        let message = Message {
            transaction: TransactionId::from(1),
            version: None,
            external: None,
            body: Body::Query(Query {
                id: Id::new([9; 20]),
                read_only: true,
                method,
            }),
        };
        let from = SocketAddr::from(([11, 1, 1, 1], 6881));
        let input = Input::Receive {
            from,
            message: &message,
        };
        let mut out = Tray(&mut self.answer);
        let _ = self
            .node
            .handle(&self.config, self.now, &mut self.rng, input, &mut out);
    }

    fn get(&mut self, target: Id) {
        self.ask(Method::Get {
            target,
            newer_than: None,
            want: Want::UNSAID,
        });
    }

    fn token(&mut self, target: Id) -> Token {
        self.get(target);
        match self.answer.take().map(|answer| answer.body) {
            Some(Body::Response(response)) => response.token.expect("get is answered with a token"),
            _ => panic!("get is answered"),
        }
    }

    fn put(&mut self, seq: i64) {
        let item = version(seq);
        let token = self.token(item.key.target(&Salt::NONE));
        self.ask(Method::Put(Box::new(Put {
            item: Item::Mutable(item),
            salt: Salt::NONE,
            cas: None,
            token,
        })));
        let answer = self.answer.take().map(|answer| answer.body);
        assert!(matches!(answer, Some(Body::Response(_))), "{answer:?}");
    }
}

#[divan::bench]
fn get(bencher: Bencher<'_, '_>) {
    let mut desk = Desk::new();
    desk.put(1);
    let target = version(1).key.target(&Salt::NONE);
    bencher.bench_local(|| desk.get(target));
}

/// Signing and asking for the token included.
#[divan::bench]
fn sign_get_and_put(bencher: Bencher<'_, '_>) {
    let mut desk = Desk::new();
    let mut seq = 0;
    bencher.bench_local(|| {
        seq += 1;
        desk.put(seq);
    });
}
