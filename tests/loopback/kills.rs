//! A download that is ended again and again, at random moments: what was verified is never lost.

use std::env;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{Block, Desk, Ended, FakePeer, Sample, assert_same, noise};

/// How often, unless `TRACKLESS_KILLS` says otherwise.
const KILLS: u64 = 8;
/// The moments follow from it, or from `TRACKLESS_SEED`.
const SEED: u64 = 5;

const PIECE: u64 = 64 * 1024;
/// What a kill may cost: pieces that were begun.
const IN_FLIGHT: u64 = 4 * PIECE;

/// Draws the moments.
struct Dice(u64);

impl Dice {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Three films in one torrent, a megabyte for each kill.
fn films(desk: &Desk, kills: u64) -> Sample {
    for seed in 0..3 {
        let length = usize::try_from(kills << 20).unwrap() / 3 + 12_345;
        desk.write(format!("share/films/{seed}"), noise(seed, length));
    }
    desk.run(&["create", "share/films", "--piece-length", "64K"])
        .assert_code(0);
    Sample::read(&desk.path("films.torrent"), &desk.path("share/films"))
}

/// An honest seed that takes its time for each block, and counts the bytes that it has sent.
fn counting_seed(sample: &Sample, served: &Arc<AtomicU64>, pause: Duration) -> FakePeer {
    let (content, served) = (sample.clone(), Arc::clone(served));
    FakePeer::seeding(sample, move |conversation, block: Block| {
        thread::sleep(pause);
        conversation.serve(&content, block)?;
        served.fetch_add(block.length.into(), Ordering::Relaxed);
        Ok(())
    })
}

/// The most bytes that a run said were verified on the disk.
fn most_done(run: &Ended) -> u64 {
    let done = run.events.iter().filter_map(|event| event["done"].as_u64());
    done.max().unwrap_or(0)
}

/// With `--nocapture` it says what it came to; `TRACKLESS_KILLS=50` is the long form.
#[test]
fn whenever_a_download_is_killed_the_next_one_goes_on_where_it_was() {
    let kills = number("TRACKLESS_KILLS").unwrap_or(KILLS);
    let seed = number("TRACKLESS_SEED").unwrap_or(SEED);
    let mut dice = Dice(seed);
    let desk = Desk::new();
    let sample = films(&desk, kills);
    let total = sample.bytes.len() as u64;
    let served = Arc::new(AtomicU64::new(0));
    let peer = counting_seed(&sample, &served, Duration::from_millis(2));
    let get = |peer: &FakePeer| {
        let get = ["get", "films.torrent", "-o", "out", "--state-dir", "state"];
        desk.start(&[&get[..], &["--peer", &peer.address()]].concat())
    };

    let mut done = 0;
    for kill in 0..kills {
        // Now and then it may tidy up, so that there is a record for the next ones to distrust.
        let signal = if dice.below(4) == 0 { "INT" } else { "KILL" };
        let mut running = get(&peer);
        let moment = if dice.below(2) == 0 {
            dice.below(200)
        } else {
            running.wait_until("the download", |event| event["phase"] == "download");
            dice.below(100)
        };
        thread::sleep(Duration::from_millis(moment));
        running.signal(signal);
        let run = running.end();
        assert_ne!(
            run.code,
            Some(0),
            "it is complete before kill {kill}: {run}"
        );
        assert!(!run.stderr.contains("panicked"), "{run}");
        done = done.max(most_done(&run));
    }

    let fetched = served.load(Ordering::Relaxed);
    let honest = FakePeer::honest(&sample);
    let last = get(&honest).end();
    last.assert_done();
    assert_same(&desk.path("share"), &desk.path("out"));
    desk.run(&["verify", "films.torrent", "out"]).assert_code(0);

    let kept = total - last.downloaded();
    let again = fetched.saturating_sub(kept);
    println!(
        "{kills} kills (seed {seed}): {fetched} bytes of {total} had been sent, {kept} were kept; \
         {} bytes lost a kill",
        again / kills
    );
    assert!(kept >= done, "{done} bytes were verified, {kept} are left");
    assert!(
        again <= kills * IN_FLIGHT,
        "{again} bytes were fetched again after {kills} kills"
    );
}
