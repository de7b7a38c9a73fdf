//! `trackless get`: what the program is for.

mod ask;
mod choice;
mod follow;
mod listing;
mod play;
mod stream;
mod wish;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use trackless::{Following, GetOptions, Node, Publication, Publisher, Source, Torrent};
use wire::{HostPort, InfoHash, Order};

pub(crate) use listing::ListedFile;
use play::Prefetch;
use wish::{Wish, WishArguments};

use super::check::CheckArguments;
use super::failure::Failure;
use super::flag;
use super::interrupt::Interrupt;
use super::narrator::{Narrator, Step};
use super::network::{self, NetworkArguments, Role};
use super::output::{Output, printable};
use super::report::Report;
use super::source::{self, Wanted};
use super::standard_output;
use super::style::{GOOD, paint};
use super::timeout::Timeout;
use super::transfer::TransferArguments;

/// What Ctrl-C leaves.
const KEPT: &str = "; what was fetched is kept, the same command resumes";

/// Fetch a torrent: find its peers in the DHT, download it, verify it.
///
/// The content goes to DIR/NAME, NAME being the torrent's. What is there already is kept: the same command
/// resumes a download that was interrupted. Files that look as the last run left them are not read again, all others are
/// checked. On the way the phases are shown with their figures: bootstrap (a DHT node
/// answers), lookup (who has it), connect, metadata (name and hashes come from a peer), verify (what is on the disk
/// already), download.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless get 0123456789abcdef0123456789abcdef01234567
  trackless get 'magnet:?xt=urn:btih:…' -o ~/Downloads
  trackless get debian.torrent --keep-seeding
  trackless get 'magnet:?xt=urn:btih:…' --list                              (what is in it, with numbers)
  trackless get 'magnet:?xt=urn:btih:…' --select 1-5,8                      (these files only)
  trackless get album.torrent --select '*.flac,notes/'                      (those of these names; more of them another time)
  trackless get 'magnet:?xt=urn:btih:…' --select film.mkv -o - | mpv -      (watch it while it comes; nothing is kept)
  trackless get 'magnet:?xt=urn:btih:…' --play                              (says when a player can open it)
  trackless get 'magnet:?xs=urn:btpk:…'                                     (what that publisher has published last)
  trackless get 'magnet:?xs=urn:btpk:…' --follow                            (and whatever he publishes from now on)
  trackless get HASH --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:7003     (a local network)
  trackless get HASH --peer 192.168.1.7:6881 --bootstrap none               (no DHT at all)

Exit code 3: nobody has it. 4: peers, but none gave the metadata. 5: no DHT node answered. 6: disk.
7: stopped half way. In each case the same command goes on where this one ended.")]
pub(crate) struct Arguments {
    /// 40 hex or 32 base32 characters, a magnet link in quotes (of a torrent or of a publisher), or a .torrent file.
    #[arg(value_name = "INFOHASH|MAGNET|FILE.torrent")]
    torrent: String,
    /// Put the content below this directory; `-` writes one file to standard output, in order, while it is fetched, and keeps nothing. [default: the
    /// current one]
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "TRACKLESS_OUTPUT",
        hide_env_values = true,
        default_value = ".",
        hide_default_value = true
    )]
    output: PathBuf,
    #[command(flatten)]
    wish: WishArguments,
    /// Fetch in order, the beginning and the end of the largest file first, and say when a player can open it.
    #[arg(long, env = "TRACKLESS_PLAY", hide_env_values = true, value_parser = flag::parse)]
    play: bool,
    /// A peer to ask besides those that the DHT names; give it once for each.
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "TRACKLESS_PEER",
        hide_env_values = true,
        value_delimiter = ','
    )]
    peer: Vec<HostPort>,
    /// Give up when nothing moves for so long; 0 for never.
    #[arg(
        long,
        value_name = "SECS",
        env = "TRACKLESS_GET_TIMEOUT",
        hide_env_values = true,
        default_value = "120",
        allow_negative_numbers = true
    )]
    timeout: Timeout,
    #[command(flatten)]
    check: CheckArguments,
    /// Go on serving the content when it is complete, until Ctrl-C.
    #[arg(long, env = "TRACKLESS_KEEP_SEEDING", hide_env_values = true, value_parser = flag::parse)]
    keep_seeding: bool,
    /// Of a publisher's link: stay, and fetch each newer version when it is published; serve the newest, until Ctrl-C.
    #[arg(long, env = "TRACKLESS_FOLLOW", hide_env_values = true, value_parser = flag::parse)]
    follow: bool,
    /// With --follow, look for a newer version about so often.
    #[arg(
        long,
        value_name = "SECS",
        env = "TRACKLESS_EVERY",
        hide_env_values = true,
        default_value = "300",
        allow_negative_numbers = true
    )]
    every: Timeout,
    #[command(flatten)]
    transfer: TransferArguments,
    #[command(flatten)]
    network: NetworkArguments,
}

pub(crate) async fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let start = Instant::now();
    let wanted = source::wanted(&arguments.torrent)?;
    let wish = arguments.wish.read()?;
    if let (Wish::List(_), Wanted::Torrent(Source::Metainfo(metainfo))) = (&wish, &wanted) {
        listing::show(&metainfo.info, None, output);
        return Ok(());
    }
    if arguments.follow && !matches!(wanted, Wanted::Newest(_)) {
        return Err(Failure::Usage(
            "only a publisher can be followed: magnet:?xs=urn:btpk:…; a torrent does not change"
                .to_owned(),
        ));
    }
    // What is only listed needs no place.
    let is_list = matches!(wish, Wish::List(_));
    let place = match arguments.output.to_str() {
        Some("-") if is_list => None,
        Some("-") if arguments.follow || arguments.keep_seeding || arguments.play => {
            return Err(Failure::Usage(
                "-o - keeps nothing: leave out --keep-seeding, --follow and --play".to_owned(),
            ));
        }
        Some("-") => {
            standard_output::takes_bytes(output.is_json(), "… -o - | mpv -")?;
            Some(stream::place()?)
        }
        _ => None,
    };
    let mut interrupt = Interrupt::listen()?;
    let nodes = match &wanted {
        Wanted::Torrent(Source::Metainfo(metainfo)) => metainfo.nodes.clone(),
        Wanted::Torrent(_) | Wanted::Newest(_) => Vec::new(),
    };
    let builder = arguments.network.builder(&nodes, Role::Participant);
    let node = network::start(arguments.transfer.limit(builder), output).await?;
    let options = GetOptions {
        directory: place
            .as_ref()
            .map_or(arguments.output, stream::Place::content),
        order: if arguments.play {
            Order::Sequential
        } else {
            Order::default()
        },
        peers: interrupt.or(addresses(&arguments.peer, output)).await?,
        timeout: arguments.timeout.limit(),
        ..GetOptions::default()
    };
    let fetching = Fetching {
        node: &node,
        output,
        start,
        wish,
        play: arguments.play,
        keep_seeding: arguments.keep_seeding || arguments.follow,
        check: arguments.check,
    };
    let result = match wanted {
        Wanted::Newest(publisher) if arguments.follow => {
            let every = arguments.every;
            follow::follow(&fetching, publisher, every, options, &mut interrupt).await
        }
        wanted => {
            let source = fetching.source(wanted, options.timeout, &mut interrupt);
            match (source.await, &place) {
                (Err(failure), _) => Err(failure),
                (Ok(source), Some(_)) => fetching.stream(source, options, &mut interrupt).await,
                (Ok(source), None) => {
                    let fetched = fetching.fetch(source, options, None, &mut interrupt);
                    fetched.await.map(drop)
                }
            }
        }
    };
    node.shutdown().await;
    result
}

/// How a download ended well.
enum End {
    Finished,
    /// Its publisher has published something newer.
    Replaced(Publication),
}

struct Fetching<'a> {
    node: &'a Node,
    output: &'a Output,
    start: Instant,
    wish: Wish,
    play: bool,
    keep_seeding: bool,
    check: CheckArguments,
}

impl Fetching<'_> {
    /// The torrent that is wanted: of a publisher his newest.
    async fn source(
        &self,
        wanted: Wanted,
        patience: Option<Duration>,
        interrupt: &mut Interrupt,
    ) -> Result<Source, Failure> {
        match wanted {
            Wanted::Torrent(source) => Ok(source),
            Wanted::Newest(publisher) => {
                let newest = self.newest(&publisher, patience);
                interrupt.or(newest).await?
            }
        }
    }

    /// Fetches a torrent, and serves it if that is wanted; until its publisher has something newer, if he is followed.
    async fn fetch(
        &self,
        source: Source,
        mut options: GetOptions,
        mut following: Option<&mut Following>,
        interrupt: &mut Interrupt,
    ) -> Result<End, Failure> {
        let wish = self.wish.clone().or_linked(&source);
        options.selection = wish.selection();
        let directory = options.directory.clone();
        let mut wanted = None;
        let mut prefetch: Option<Prefetch> = None;
        self.check.apply(self.node, source.info_hash()).await;
        let mut torrent = interrupt.or(self.node.get(source, options)).await??;
        let mut narrator = Narrator::new(self.output, self.start);
        let mut done = false;
        loop {
            let step = tokio::select! {
                step = narrator.follow(&mut torrent, interrupt) => step,
                newer = next(following.as_deref_mut()) => {
                    torrent.stop().await;
                    return newer.map(End::Replaced);
                }
                path = ready(prefetch.as_mut()) => {
                    self.playable(&path);
                    continue;
                }
            };
            match step {
                Step::Phase(_) | Step::Announced(_) => {}
                Step::Metadata(info) => {
                    narrator.hush();
                    wanted = wish.of(&info, self.output, interrupt).await?;
                    let Some(wanted) = &wanted else {
                        torrent.stop().await;
                        return Ok(End::Finished);
                    };
                    match torrent.select(wanted.files.clone()).await {
                        // It has ended, and says why.
                        Err(trackless::Error::ShutDown) => continue,
                        chosen => chosen?,
                    }
                    prefetch = self
                        .play
                        .then(|| wanted.largest(&directory))
                        .flatten()
                        .map(|(file, path)| Prefetch::start(&torrent, file, path));
                }
                Step::Done(complete) => {
                    done = true;
                    if let Some(path) = prefetch.take().and_then(Prefetch::untold) {
                        self.playable(&path);
                    }
                    let files = wanted
                        .as_ref()
                        .and_then(|wanted| wanted.paths(&complete.path));
                    narrator.done(&complete, files.as_deref());
                    for path in files.unwrap_or_else(|| vec![complete.path]) {
                        self.output.result(path.display());
                    }
                    self.output
                        .note(paint(GOOD, narrator.outcome(&torrent.progress())));
                    self.summary(&narrator, &torrent);
                    if !self.keep_seeding {
                        torrent.stop().await;
                        return Ok(End::Finished);
                    }
                    self.output.note("serving it to others until Ctrl-C");
                }
                Step::Signalled(signal) => {
                    torrent.stop().await;
                    return if done {
                        signal.end_of_service().map(|()| End::Finished)
                    } else {
                        Err(Failure::Interrupted(KEPT))
                    };
                }
                Step::Ended => return Ok(torrent.finished().await.map(|_| End::Finished)?),
            }
        }
    }

    /// The torrent that a publisher names now.
    async fn newest(
        &self,
        publisher: &Publisher,
        patience: Option<Duration>,
    ) -> Result<Source, Failure> {
        self.node
            .bootstrapped(patience.unwrap_or(Duration::MAX))
            .await?;
        let target = publisher.target();
        let node = self.node.with_patience(patience);
        let found = node.get_item(target, &publisher.salt).best().await?;
        let item = found.ok_or(Failure::NothingPublished { target })?;
        let info_hash =
            Publisher::info_hash(item.value()).ok_or(Failure::NothingPublished { target })?;
        self.tell(info_hash, item.seq());
        Ok(info_hash.into())
    }

    /// Which torrent of a publisher is fetched.
    fn tell(&self, info_hash: InfoHash, seq: Option<i64>) {
        self.output.note(format_args!(
            "version {} is {info_hash}",
            seq.unwrap_or_default()
        ));
        self.output.event(&Report::Newest {
            info_hash: info_hash.to_string(),
            seq,
        });
    }

    /// A player can open this file.
    fn playable(&self, path: &Path) {
        let shown = printable(&path.display().to_string());
        self.output
            .note(format_args!("ready to be played: {shown}"));
        self.output.event(&Report::Playable {
            path,
            seconds: self.start.elapsed().as_secs_f64(),
        });
    }

    fn summary(&self, narrator: &Narrator, torrent: &Torrent) {
        for line in narrator.summary(&torrent.progress()) {
            self.output.note(line);
        }
    }
}

/// What is published next by one who is followed.
async fn next(following: Option<&mut Following>) -> Result<Publication, Failure> {
    match following {
        Some(following) => follow::next(following).await,
        None => std::future::pending().await,
    }
}

/// The file that is ready to be played, if one is to be.
async fn ready(prefetch: Option<&mut Prefetch>) -> PathBuf {
    match prefetch {
        Some(prefetch) => prefetch.ready().await,
        None => std::future::pending().await,
    }
}

/// The addresses of the peers that were named. One that does not resolve is no reason not to ask the others.
async fn addresses(peers: &[HostPort], output: &Output) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for peer in peers {
        match network::resolve(peer).await {
            Ok(resolved) => addresses.extend(resolved),
            Err(error) => output.warning(Failure::from(error).sentence()),
        }
    }
    addresses
}
