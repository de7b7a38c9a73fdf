//! A seed that shows its peers one piece at a time. BEP 16.

use crate::support::{Desk, assert_same, noise};

#[test]
fn what_a_super_seed_has_is_fetched_by_several_who_know_each_other() {
    let desk = Desk::new();
    desk.write("share/film.mkv", noise(45, 2_000_000));
    let sample = desk.torrent("share/film.mkv");
    let mut seed = desk.start(&["seed", "film.mkv.torrent", "--data", "share", "--super"]);
    let mut first = desk.start(&[
        "get",
        &sample.info_hash(),
        "--peer",
        &seed.address(),
        "-o",
        "a",
        "--keep-seeding",
    ]);
    let others = ["--peer", &seed.address(), "--peer", &first.address()];
    let second = desk.run(&[&["get", &sample.info_hash(), "-o", "b"][..], &others].concat());
    second.assert_done();
    first.wait_for("done");
    assert_same(&desk.path("share"), &desk.path("a"));
    assert_same(&desk.path("share"), &desk.path("b"));
}
