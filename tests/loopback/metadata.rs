//! Metadata from peers that lie. BEP 9.

use std::io;

use crate::support::{Conversation, Desk, FakePeer, Gate, Relay, Sample, assert_same, id, noise};

/// One who offers metadata of a length that it claims, and answers what it is asked with `raw`.
fn metadata_peer(claimed: usize, raw: Vec<u8>, asked: &Gate) -> FakePeer {
    let asked = asked.clone();
    FakePeer::start(move |conversation| {
        conversation.greet()?;
        conversation.offer_metadata(claimed)?;
        conversation.send(id::HAVE_ALL, &[])?;
        answer_all(conversation, &raw, &asked)
    })
}

fn answer_all(conversation: &mut Conversation, raw: &[u8], asked: &Gate) -> io::Result<()> {
    let mut handshake_seen = false;
    loop {
        let answered = match conversation.receive() {
            Ok((id::EXTENDED, payload)) => {
                let result = conversation.answer_metadata(&payload, raw);
                // The first is the handshake.
                result.map(|()| std::mem::replace(&mut handshake_seen, true))
            }
            Ok(_) => Ok(false),
            Err(error) => Err(error),
        };
        // Whoever hangs up has seen enough, too.
        if !matches!(answered, Ok(false)) {
            asked.open();
        }
        answered?;
    }
}

fn film(desk: &Desk) -> Sample {
    desk.write("share/film.mkv", noise(20, 300_000));
    desk.torrent("share/film.mkv")
}

#[test]
fn metadata_that_do_not_match_the_info_hash_are_not_believed() {
    let desk = Desk::new();
    let sample = film(&desk);
    let mut wrong = sample.info.raw().to_vec();
    let last = wrong.len() - 3;
    wrong[last] ^= 1;
    let asked = Gate::default();
    let liar = metadata_peer(wrong.len(), wrong, &asked);
    let get = desk.run(&[
        "get",
        &sample.info_hash(),
        "--peer",
        &liar.address(),
        "--timeout",
        "1",
        "-o",
        "out",
    ]);
    get.assert_refused(4, &["no metadata", &sample.info_hash()]);
    assert_eq!(get.event("banned")["peer"], liar.address());
    assert!(asked.pass());
    assert!(!desk.path("out").exists());
}

#[test]
fn a_liar_does_not_keep_an_honest_peer_from_giving_the_metadata() {
    const TOO_LONG: usize = 33 << 20;
    let desk = Desk::new();
    let sample = film(&desk);
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share"]);
    let address = seed.address();
    let length = sample.info.raw().len();
    for (claimed, raw) in [
        (length, vec![b'x'; length]),
        (40_000, vec![b'x'; 40_000]),
        (50_000, vec![b'x'; 10]),
        (usize::MAX / 2, b"de".to_vec()),
        (u32::MAX as usize, b"de".to_vec()),
        (TOO_LONG, b"de".to_vec()),
        (0, Vec::new()),
    ] {
        let asked = Gate::default();
        let liar = metadata_peer(claimed, raw, &asked);
        let honest = Relay::to(&address);
        let out = format!("out-{claimed}");
        let mut get = desk.start(&[
            "get",
            &sample.info_hash(),
            "--peer",
            &liar.address(),
            "--peer",
            &honest.address(),
            "-o",
            &out,
        ]);
        get.wait_for("connected");
        if (1..TOO_LONG).contains(&claimed) {
            assert!(asked.pass(), "{claimed} bytes are not asked for");
        }
        honest.open();
        get.end().assert_done();
        assert_same(&desk.path("share"), &desk.path(&out));
    }
}

/// The hash is right, so no other peer can help: no need to wait for the timeout.
#[test]
fn metadata_that_match_and_climb_end_the_download_at_once() {
    let desk = Desk::new();
    for (name, problem) in [
        ("..", "lead out"),
        (".", "lead out"),
        ("", "empty"),
        ("../../evil", "separator"),
        ("/tmp/evil", "separator"),
        ("a\0b", "NUL"),
    ] {
        let path = format!("{}:{name}4:evil", name.len());
        let pieces = "20:aaaaaaaaaaaaaaaaaaaa";
        let raw = format!(
            "d5:filesld6:lengthi1e4:pathl{path}eee4:name3:dir12:piece lengthi16384e6:pieces{pieces}e"
        );
        let info_hash = wire::InfoHash::of(raw.as_bytes()).to_string();
        let liar = metadata_peer(raw.len(), raw.into_bytes(), &Gate::default());
        let get = desk.get(&info_hash, &liar.address(), &[]);
        get.assert_refused(1, &[&info_hash, problem]);
        assert!(!desk.path("out").exists(), "{name}");
        assert!(!desk.path("evil").exists(), "{name}");
    }
}
