//! `trackless demo`: the whole program on one desk.

mod content;
mod place;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task;
use trackless::{CreateOptions, Event, GetOptions, LookupEvent, Node, Phase, Source, Torrent};
use wire::{InfoHash, Metainfo};

use super::create;
use super::failure::Failure;
use super::interrupt::Interrupt;
use super::narrator::{Narrator, Step};
use super::network;
use super::output::Output;
use super::report::Report;
use super::style::{FAINT, GOOD, STRONG, paint};
use super::units;
use place::Place;
use story::Story;

/// Any free port of this machine, for nobody else.
const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Nothing on loopback takes so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// See it work: a DHT on this machine, somebody who shares, somebody who fetches.
///
/// Starts a network of DHT nodes on 127.0.0.1, shares 64 MiB from one of them, and fetches it on another that knows
/// the address of one node and the 20 bytes of the info-hash; no tracker, no internet, all real sockets. Ends by itself
/// and leaves nothing behind.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless demo
  trackless demo --nodes 200 --size 512
  trackless demo --keep /tmp/demo             (to look at what was shared and what arrived)")]
pub(crate) struct Arguments {
    /// DHT nodes to start.
    #[arg(long, value_name = "N", env = "TRACKLESS_NODES", hide_env_values = true, default_value = "32", value_parser = clap::value_parser!(u16).range(3..=1000))]
    nodes: u16,
    /// MiB to share.
    #[arg(long, value_name = "MIB", env = "TRACKLESS_SIZE", hide_env_values = true, default_value = "64", value_parser = clap::value_parser!(u64).range(1..=65536))]
    size: u64,
    /// Work in this directory, and leave there what was shared and what arrived.
    #[arg(
        long,
        value_name = "DIR",
        env = "TRACKLESS_KEEP",
        hide_env_values = true
    )]
    keep: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let interrupt = Interrupt::listen()?;
    let place = Place::open(arguments.keep.as_deref())?;
    let demo = Demo {
        nodes: arguments.nodes.into(),
        bytes: arguments.size << 20,
        place: &place,
        output,
        start: Instant::now(),
    };
    interrupt.clone().or(demo.run(interrupt)).await?
}

struct Demo<'a> {
    nodes: usize,
    bytes: u64,
    place: &'a Place,
    output: &'a Output,
    start: Instant,
}

impl Demo<'_> {
    async fn run(&self, mut interrupt: Interrupt) -> Result<(), Failure> {
        self.output.note(paint(
            STRONG,
            "trackless demo: a BitTorrent network on this machine, and no tracker in it",
        ));
        self.output.note("");
        let network = self.network().await?;
        let (Some(seeder), Some(known)) = (network.last(), network.get(self.nodes / 2)) else {
            return Err(trackless::Error::ShutDown.into());
        };
        let metainfo = self.content().await?;
        let _seed = self.seed(seeder, &metainfo).await?;

        let lookup = self
            .ask(known.local_address(), metainfo.info.hash())
            .await?;

        let fetcher = Node::builder()
            .listen(LOOPBACK)
            .bootstrap(known.local_address().to_string())
            .start()
            .await?;
        let download = self
            .fetch(&fetcher, metainfo.info.hash(), &mut interrupt)
            .await?;
        self.compare(metainfo.info.files().len()).await?;

        let story = Story {
            nodes: self.nodes,
            info_hash: metainfo.info.hash(),
            seeder: seeder.local_address(),
            fetcher: fetcher.local_address(),
            known: known.local_address(),
            asked: lookup.nodes,
            answered: lookup.answered,
            first_peer: lookup.first_peer,
            bytes: self.bytes,
            files: metainfo.info.files().len(),
            pieces: metainfo.info.geometry().pieces(),
            peers: lookup.peers,
            download,
            total: self.start.elapsed(),
        };
        self.tell(&story);
        Ok(())
    }

    /// Starts the nodes, and waits until each has heard from another.
    async fn network(&self) -> Result<Vec<Node>, Failure> {
        let step = Instant::now();
        let first = Node::builder().listen(LOOPBACK).start().await?;
        self.output.event(&network::listening(&first));
        let way_in = first.local_address().to_string();
        let mut nodes = vec![first];
        while nodes.len() < self.nodes {
            nodes.push(
                Node::builder()
                    .listen(LOOPBACK)
                    .bootstrap(way_in.clone())
                    .start()
                    .await?,
            );
        }
        for node in &nodes {
            node.bootstrapped(PATIENCE).await?;
        }
        self.step(
            "network",
            format_args!(
                "{} DHT nodes on 127.0.0.1, each started from the first",
                self.nodes
            ),
            step.elapsed(),
        );
        Ok(nodes)
    }

    /// Writes the files and makes the torrent.
    async fn content(&self) -> Result<Metainfo, Failure> {
        let step = Instant::now();
        let (shared, bytes) = (self.place.shared(), self.bytes);
        let root = blocking(move || {
            content::write(&shared, bytes).map_err(|source| Failure::Write {
                path: shared,
                source,
            })
        })
        .await?;
        let files = content::files(self.bytes).len();
        self.step(
            "content",
            format_args!(
                "{} of random bytes in {files} files",
                units::bytes(self.bytes)
            ),
            step.elapsed(),
        );

        let step = Instant::now();
        let output = self.output.clone();
        let metainfo =
            blocking(move || create::hash(&root, &CreateOptions::default(), &output)).await?;
        let pieces = metainfo.info.geometry().pieces();
        self.step(
            "torrent",
            format_args!("{pieces} pieces hashed: {}", metainfo.info.hash()),
            step.elapsed(),
        );
        Ok(metainfo)
    }

    /// Shares the content, and waits until the DHT knows.
    async fn seed(&self, node: &Node, metainfo: &Metainfo) -> Result<Torrent, Failure> {
        let step = Instant::now();
        let shared = self.place.shared().join(content::NAME);
        let mut torrent = node.seed_unchecked(metainfo, &shared).await?;
        while let Some(event) = torrent.next().await {
            if let Event::Announced { nodes } = event {
                self.step(
                    "announce",
                    format_args!("{} remember who has it", units::count(nodes, "node")),
                    step.elapsed(),
                );
                return Ok(torrent);
            }
        }
        torrent.finished().await?;
        Err(trackless::Error::ShutDown.into())
    }

    /// Fetches by info-hash alone, and returns how long the bytes took.
    async fn fetch(
        &self,
        node: &Node,
        info_hash: InfoHash,
        interrupt: &mut Interrupt,
    ) -> Result<Duration, Failure> {
        let options = GetOptions {
            directory: self.place.arrived(),
            timeout: Some(PATIENCE),
            peers: Vec::new(),
            ..GetOptions::default()
        };
        let mut torrent = node.get(Source::InfoHash(info_hash), options).await?;
        let mut narrator = Narrator::new(self.output, Instant::now());
        let mut phase: Option<(Phase, Duration)> = None;
        loop {
            let step = narrator.follow(&mut torrent, interrupt).await;
            if let Step::Announced(_) = step {
                continue;
            }
            let now = narrator.elapsed();
            if let Some((phase, entered)) = phase.take()
                && let Some(what) = what(phase, self.bytes)
            {
                self.step(phase.name(), what, now.saturating_sub(entered));
            }
            match step {
                Step::Phase(next) => phase = Some((next, now)),
                Step::Metadata(_) | Step::Announced(_) => {}
                Step::Done(_) => {
                    let spent = narrator.times().spent(now);
                    let download = spent
                        .into_iter()
                        .find(|(phase, _)| *phase == Phase::Download);
                    return Ok(download.map_or(now, |(_, time)| time));
                }
                Step::Ended => {
                    torrent.finished().await?;
                    return Err(trackless::Error::ShutDown.into());
                }
                Step::Signalled(_) => return Err(Failure::Interrupted("")),
            }
        }
    }

    /// Compares what arrived with what was shared.
    async fn compare(&self, files: usize) -> Result<(), Failure> {
        let step = Instant::now();
        let (shared, arrived, bytes) = (self.place.shared(), self.place.arrived(), self.bytes);
        let difference = blocking(move || {
            let (shared, arrived) = (shared.join(content::NAME), arrived.join(content::NAME));
            content::first_difference(&shared, &arrived, bytes).map_err(|source| Failure::Read {
                path: arrived,
                source,
            })
        })
        .await?;
        if let Some(file) = difference {
            return Err(Failure::Different {
                file: file.to_owned(),
            });
        }
        self.step(
            "compare",
            format_args!("{files} files, byte for byte the same"),
            step.elapsed(),
        );
        Ok(())
    }

    /// One who is as new as the fetcher asks the same question before it, to count the steps.
    async fn ask(&self, known: SocketAddr, info_hash: InfoHash) -> Result<Asked, Failure> {
        let node = Node::builder()
            .listen(LOOPBACK)
            .bootstrap(known.to_string())
            .read_only()
            .start()
            .await?;
        node.bootstrapped(PATIENCE).await?;
        let start = Instant::now();
        let mut first_peer = None;
        let mut lookup = node.lookup(info_hash);
        while let Some(event) = lookup.next().await {
            match event {
                LookupEvent::Peers { .. } => first_peer = first_peer.or(Some(start.elapsed())),
                LookupEvent::Ended {
                    queried,
                    responded,
                    peers,
                    elapsed,
                    ..
                } => {
                    let first_peer = first_peer.unwrap_or(elapsed);
                    return Ok(Asked {
                        nodes: queried,
                        answered: responded,
                        peers,
                        first_peer,
                    });
                }
                _ => {}
            }
        }
        Err(trackless::Error::ShutDown.into())
    }

    fn step(&self, step: &'static str, what: impl std::fmt::Display, time: Duration) {
        let time = format!("{:>9}", units::time(time));
        self.output.note(format_args!(
            "  {} {step:<10} {}  {what}",
            paint(GOOD, "✓"),
            paint(FAINT, time)
        ));
        self.output.event(&Report::Demo {
            step,
            seconds: self.start.elapsed().as_secs_f64(),
        });
    }

    fn tell(&self, story: &Story) {
        let program = std::env::args()
            .next()
            .unwrap_or_else(|| "trackless".to_owned());
        self.output.result("");
        for line in story
            .lines()
            .into_iter()
            .chain([String::new()])
            .chain(story::next_steps(&program))
        {
            self.output.result(line);
        }
        if let Some(path) = self.place.kept() {
            self.output.result(format_args!(
                "\n  What was shared and what arrived is in {}.",
                path.display()
            ));
        }
    }
}

/// What a lookup took.
struct Asked {
    nodes: usize,
    answered: usize,
    peers: usize,
    first_peer: Duration,
}

/// What a phase of the download was about, for somebody who sees it for the first time; nobody waits for the last.
fn what(phase: Phase, bytes: u64) -> Option<String> {
    let fixed = match phase {
        Phase::Bootstrap => "the fetching node knows one address; it answers",
        Phase::Lookup => "the DHT names somebody who has the 20 bytes",
        Phase::Connect => "a peer is there",
        Phase::Metadata => "names, lengths and hashes come from the peer and match the info-hash",
        Phase::Verify => "nothing is here yet",
        Phase::Download => {
            return Some(format!(
                "{} fetched, each piece verified",
                units::bytes(bytes)
            ));
        }
        Phase::Seed => return None,
    };
    Some(fixed.to_owned())
}

/// Work for the disk and the hash, beside the sockets.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    task::spawn_blocking(work)
        .await
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}
