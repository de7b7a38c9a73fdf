//! What a KRPC message costs: checked, read, written. `cargo bench -p trackless-bencode`

use bencode::{Encoder, decode};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const FIND_NODE: &[u8] =
    b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:v4:TR011:y1:qe";

/// A response with eight compact nodes and fifty peers, as a busy node sends it.
fn get_peers_response() -> Vec<u8> {
    let mut buffer = Vec::new();
    Encoder::new(&mut buffer).dict(|message| {
        message.bytes(b"ip", &[127, 0, 0, 1, 26, 225]);
        message.dict(b"r", |values| {
            values.bytes(b"id", &[7; 20]);
            values.bytes(b"nodes", &[9; 8 * 26]);
            values.bytes(b"token", &[3; 8]);
            values.list(b"values", |peers| {
                for peer in 0..50 {
                    peers.bytes(&[10, 0, 0, peer, 26, 225]);
                }
            });
        });
        message.bytes(b"t", b"aa");
        message.bytes(b"y", b"r");
    });
    buffer
}

#[divan::bench]
fn check_find_node(bencher: Bencher) {
    bencher.bench(|| decode(black_box(FIND_NODE)).is_ok());
}

#[divan::bench]
fn check_get_peers_response(bencher: Bencher) {
    let message = get_peers_response();
    bencher.bench(|| decode(black_box(&message)).is_ok());
}

/// What a KRPC codec takes from a query, in one pass over the entries.
#[divan::bench]
fn check_and_read_find_node(bencher: Bencher) {
    bencher.bench(|| {
        let mut arguments = (None, None);
        let mut message = (None, None, None);
        for (key, value) in decode(black_box(FIND_NODE)).ok()?.root().as_dict()? {
            match key {
                b"a" => {
                    for (key, value) in value.as_dict()? {
                        match key {
                            b"id" => arguments.0 = value.as_bytes(),
                            b"target" => arguments.1 = value.as_bytes(),
                            _ => {}
                        }
                    }
                }
                b"q" => message.0 = value.as_bytes(),
                b"t" => message.1 = value.as_bytes(),
                b"y" => message.2 = value.as_bytes(),
                _ => {}
            }
        }
        Some(black_box((arguments, message)))
    });
}

/// The same by name, which scans the message once a key.
#[divan::bench]
fn check_and_get_find_node(bencher: Bencher) {
    bencher.bench(|| {
        let message = decode(black_box(FIND_NODE)).ok()?.root().as_dict()?;
        let arguments = message.dict(b"a")?;
        black_box((
            message.bytes(b"t")?,
            message.bytes(b"y")?,
            message.bytes(b"q")?,
        ));
        black_box((arguments.bytes(b"id")?, arguments.bytes(b"target")?));
        Some(())
    });
}

#[divan::bench]
fn write_find_node(bencher: Bencher) {
    let mut buffer = Vec::with_capacity(FIND_NODE.len());
    bencher.bench_local(|| {
        buffer.clear();
        Encoder::new(&mut buffer).dict(|message| {
            message.dict(b"a", |arguments| {
                arguments.bytes(b"id", black_box(b"abcdefghij0123456789"));
                arguments.bytes(b"target", black_box(b"mnopqrstuvwxyz123456"));
            });
            message.bytes(b"q", b"find_node");
            message.bytes(b"t", b"aa");
            message.bytes(b"v", b"TR01");
            message.bytes(b"y", b"q");
        });
        black_box(buffer.len())
    });
}
