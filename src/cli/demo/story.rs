//! What the demo says when it is over.

use std::net::SocketAddr;
use std::time::Duration;

use wire::InfoHash;

use crate::cli::style::{ACCENT, FAINT, STRONG, paint};
use crate::cli::units;

/// What happened, in figures.
#[derive(Debug)]
pub(super) struct Story {
    /// DHT nodes in the network, the one that fetched not counted.
    pub(super) nodes: usize,
    pub(super) info_hash: InfoHash,
    pub(super) seeder: SocketAddr,
    pub(super) fetcher: SocketAddr,
    /// The one address that the fetcher knew.
    pub(super) known: SocketAddr,
    /// DHT nodes that a newcomer asks, those of them that answer, and steps from the known one to the one that knew.
    pub(super) asked: usize,
    pub(super) answered: usize,
    pub(super) first_peer: Duration,
    pub(super) bytes: u64,
    pub(super) files: usize,
    pub(super) pieces: u32,
    pub(super) peers: usize,
    pub(super) download: Duration,
    pub(super) total: Duration,
}

impl Story {
    /// A picture of who spoke with whom, from the top down.
    pub(super) fn lines(&self) -> Vec<String> {
        let stop = |name: &str, who: String, what: String| {
            format!(
                "    {}  {:<21}  {what}",
                paint(ACCENT, format_args!("{name:<8}")),
                who
            )
        };
        let arrow =
            |what: String| format!("       {}     {}", paint(FAINT, "│"), paint(FAINT, what));
        vec![
            paint(STRONG, "  What happened").to_string(),
            String::new(),
            stop(
                "fetcher",
                self.fetcher.to_string(),
                format!("knew {} and the info-hash", self.known),
            ),
            arrow(self.info_hash.to_string()),
            stop(
                "DHT",
                units::count(self.nodes, "node"),
                format!(
                    "asked {}, {} answered, first peer after {}",
                    self.asked,
                    self.answered,
                    units::time(self.first_peer)
                ),
            ),
            arrow(format!("{} found", units::count(self.peers, "peer"))),
            stop(
                "seeder",
                self.seeder.to_string(),
                format!(
                    "sent {} in {}: {}",
                    units::bytes(self.bytes),
                    units::time(self.download),
                    units::rate(units::average(self.bytes, self.download))
                ),
            ),
            arrow(format!("{} pieces, each checked by its SHA-1", self.pieces)),
            stop(
                "fetcher",
                units::count(self.files, "file"),
                format!(
                    "the same as the original, byte for byte; {} in all",
                    units::time(self.total)
                ),
            ),
        ]
    }
}

/// Three commands for three terminals. `program` is how the user called this one.
pub(super) fn next_steps(program: &str) -> Vec<String> {
    let step = |command: String, why: &str| {
        [
            format!("    {}", paint(FAINT, why)),
            format!("    {command}"),
        ]
    };
    let mut lines = vec![
        paint(STRONG, "  Try next, in three terminals").to_string(),
        String::new(),
    ];
    lines.extend(step(
        format!("{program} node --listen 127.0.0.1:7001"),
        "a DHT node to start from",
    ));
    lines.extend(step(
        format!("{program} seed DIR --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:7002"),
        "share a directory; this prints its info-hash",
    ));
    lines.extend(step(
        format!("{program} get INFOHASH --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:0 -o copy"),
        "fetch it",
    ));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_has_the_figures_of_the_run() {
        let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let story = Story {
            nodes: 32,
            info_hash: [7; 20].into(),
            seeder: address(1),
            fetcher: address(2),
            known: address(3),
            asked: 9,
            answered: 8,
            first_peer: Duration::from_millis(4),
            bytes: 64 << 20,
            files: 8,
            pieces: 2048,
            peers: 1,
            download: Duration::from_millis(250),
            total: Duration::from_secs(1),
        };
        let text = story.lines().join("\n");
        let text = anstream::adapter::strip_str(&text).to_string();
        for figure in [
            "32 nodes",
            "asked 9, 8 answered",
            "256.0 MiB/s",
            "8 files",
            "1 peer found",
            "4.0 ms",
        ] {
            assert!(text.contains(figure), "{figure} is not in\n{text}");
        }
    }

    #[test]
    fn the_next_steps_call_the_program_as_the_user_did() {
        let commands = next_steps("target/release/trackless");
        assert_eq!(
            commands
                .iter()
                .filter(|line| line.contains("target/release/trackless "))
                .count(),
            3
        );
    }
}
