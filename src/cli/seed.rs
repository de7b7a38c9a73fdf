//! `trackless seed`: share files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use tokio::task::{self, JoinSet};
use trackless::{CreateOptions, Node, Torrent};
use wire::{HostPort, Info, InfoHash, Metainfo};

use super::check::CheckArguments;
use super::content;
use super::create;
use super::failure::Failure;
use super::flag;
use super::interrupt::Interrupt;
use super::narrator::{Narrator, Step};
use super::network::{self, NetworkArguments, Role};
use super::output::{Output, field, printable};
use super::report::Report;
use super::show;
use super::silence;
use super::source;
use super::transfer::TransferArguments;

/// Share files: make the torrent, announce it in the DHT, serve it until Ctrl-C.
///
/// Prints the info-hash and a magnet link; either is all that `get` needs on another machine. No torrent file is
/// written; the same files give the same info-hash every time.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  trackless seed holiday/
  trackless seed disk.iso notes.pdf                         (two torrents, one node)
  trackless seed debian.torrent --data ~/Downloads          (a torrent that exists; its content is checked first,
                                                             but not again before it changes)
  trackless seed DIR --bootstrap 127.0.0.1:7001 --listen 127.0.0.1:7002     (a local network)")]
pub(crate) struct Arguments {
    /// Files or directories, each of them a torrent; with --data, .torrent files.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The PATHs are .torrent files, and this is the directory that holds their content, or the content itself, whatever it is called.
    #[arg(
        long,
        value_name = "DIR",
        env = "TRACKLESS_DATA",
        hide_env_values = true
    )]
    data: Option<PathBuf>,
    /// Show each peer one piece at a time, and the next one when that has been seen elsewhere: for the first seed of a torrent, if its way out
    /// is narrow.
    #[arg(long = "super", env = "TRACKLESS_SUPER", hide_env_values = true, value_parser = flag::parse)]
    super_seeding: bool,
    #[command(flatten)]
    check: CheckArguments,
    #[command(flatten)]
    transfer: TransferArguments,
    #[command(flatten)]
    network: NetworkArguments,
}

pub(crate) async fn run(arguments: &Arguments, output: &Output) -> Result<(), Failure> {
    let offers = arguments.offers()?;
    let nodes: Vec<HostPort> = offers.iter().flat_map(Offer::nodes).cloned().collect();
    let mut interrupt = Interrupt::listen()?;
    // The node finds its way into the DHT while the files are hashed.
    let mut builder = arguments.network.builder(&nodes, Role::Participant);
    if arguments.super_seeding {
        builder = builder.super_seeding();
    }
    let node = network::start(arguments.transfer.limit(builder), output).await?;
    for torrent in offers.iter().filter_map(Offer::info_hash) {
        arguments.check.apply(&node, torrent).await;
    }
    let seeding = Seeding {
        node: &node,
        output,
    };
    let is_asking = arguments.network.is_asking() || !nodes.is_empty();
    let result = tokio::select! {
        result = seeding.run(offers, &mut interrupt) => result,
        never = silence::watch(&node, is_asking, output) => match never {},
    };
    node.shutdown().await;
    result
}

/// Something to share.
pub(crate) enum Offer {
    /// Files that are to become a torrent.
    Files(PathBuf),
    /// A torrent, and its content.
    Torrent(Box<Metainfo>, PathBuf),
}

impl Offer {
    /// A file or directory that is there.
    pub(crate) fn files(path: &Path) -> Result<Self, Failure> {
        match path.metadata() {
            Ok(_) => Ok(Offer::Files(content::named(path))),
            Err(source) => Err(Failure::Read {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// What it is called, or will be.
    fn name(&self) -> String {
        match self {
            Offer::Files(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                name.to_string_lossy().into_owned()
            }
            Offer::Torrent(metainfo, _) => metainfo.info.name().to_owned(),
        }
    }

    fn nodes(&self) -> &[HostPort] {
        match self {
            Offer::Files(_) => &[],
            Offer::Torrent(metainfo, _) => &metainfo.nodes,
        }
    }

    /// Of a torrent that exists.
    fn info_hash(&self) -> Option<InfoHash> {
        match self {
            Offer::Files(_) => None,
            Offer::Torrent(metainfo, _) => Some(metainfo.info.hash()),
        }
    }

    /// Whether both are one torrent, however the user wrote it.
    fn is_same(&self, other: &Offer) -> bool {
        match (self, other) {
            (Offer::Files(one), Offer::Files(other)) => {
                // A link has the content of what it leads to, and a name of its own.
                let key = |path: &Path| {
                    (
                        path.canonicalize().ok(),
                        path.file_name().map(OsString::from),
                    )
                };
                key(one) == key(other)
            }
            (Offer::Torrent(one, _), Offer::Torrent(other, _)) => {
                one.info.hash() == other.info.hash()
            }
            _ => false,
        }
    }
}

impl Arguments {
    /// Reads what was named, before anything is started.
    fn offers(&self) -> Result<Vec<Offer>, Failure> {
        let mut offers: Vec<Offer> = Vec::new();
        for path in &self.paths {
            let offer = self.offer(path)?;
            if !offers.iter().any(|known| known.is_same(&offer)) {
                offers.push(offer);
            }
        }
        Ok(offers)
    }

    fn offer(&self, path: &Path) -> Result<Offer, Failure> {
        if let Some(data) = &self.data {
            let metainfo = source::torrent_file(path);
            let metainfo = metainfo.map_err(|failure| swapped(path, data).unwrap_or(failure))?;
            let content = content::find(&metainfo.info, data)?;
            return Ok(Offer::Torrent(Box::new(metainfo), content));
        }
        if source::is_called_torrent(path) {
            return Err(Failure::Usage(format!(
                "{} is a torrent file: say where its content is with --data DIR",
                path.display()
            )));
        }
        Offer::files(path)
    }
}

/// Whoever names the content first is told so.
fn swapped(path: &Path, data: &Path) -> Option<Failure> {
    let (content, torrent) = (path.display(), data.display());
    source::is_called_torrent(data).then(|| {
        Failure::Usage(format!(
            "the torrent comes first, then the content: trackless seed {torrent} --data {content}"
        ))
    })
}

pub(crate) struct Seeding<'a> {
    pub(crate) node: &'a Node,
    pub(crate) output: &'a Output,
}

impl Seeding<'_> {
    /// Serves everything until a signal comes or nothing is left to serve.
    async fn run(&self, offers: Vec<Offer>, interrupt: &mut Interrupt) -> Result<(), Failure> {
        let mut served = JoinSet::new();
        let is_one_of_several = offers.len() > 1;
        for offer in offers {
            let name = offer.name();
            let torrent = interrupt.or(self.open(offer)).await??;
            let mut narrator = Narrator::new(self.output, Instant::now());
            if is_one_of_several {
                narrator = narrator.about(&name);
            }
            served.spawn(serve(torrent, narrator, interrupt.clone()));
        }
        let mut result = Ok(());
        while let Some(ended) = served.join_next().await {
            // Of several ends the first bad one counts, and each is told when it comes.
            match ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
                Err(failure) if result.is_ok() => result = Err(failure),
                // The user knows what he did, and hears it once.
                Ok(()) | Err(Failure::Interrupted(_)) => {}
                Err(failure) => {
                    self.output.failure(&failure);
                }
            }
        }
        result
    }

    /// Makes the torrent if there is none yet, and begins to serve it.
    pub(crate) async fn open(&self, offer: Offer) -> Result<Torrent, Failure> {
        match offer {
            Offer::Files(path) => {
                let (output, content) = (self.output.clone(), path.clone());
                let hashing = move || create::hash(&content, &CreateOptions::default(), &output);
                let metainfo = task::spawn_blocking(hashing)
                    .await
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
                let torrent = self.node.seed_unchecked(&metainfo, &path).await?;
                self.announce(&metainfo.info);
                Ok(torrent)
            }
            Offer::Torrent(metainfo, content) => {
                let torrent = self.node.seed_at(&metainfo, &content).await?;
                self.announce(&metainfo.info);
                Ok(torrent)
            }
        }
    }

    /// Tells how others get it.
    fn announce(&self, info: &Info) {
        let address = self.node.local_address();
        let mut magnet = show::magnet_of(info);
        if !address.ip().is_unspecified() {
            magnet
                .peers
                .extend(HostPort::new(&address.ip().to_string(), address.port()));
        }
        let magnet = magnet.to_string();
        self.output.event(&Report::Seeding {
            info_hash: info.hash().to_string(),
            magnet: magnet.clone(),
            name: info.name(),
            length: info.total_length(),
        });
        self.output.result(field("seeding", printable(info.name())));
        self.output.result(field("info-hash", info.hash()));
        self.output.result(field("magnet", magnet));
        self.output.result(field(
            "size",
            show::size(info.total_length(), info.files().len()),
        ));
    }
}

/// Serves one torrent until a signal comes.
pub(crate) async fn serve(
    mut torrent: Torrent,
    mut narrator: Narrator,
    mut interrupt: Interrupt,
) -> Result<(), Failure> {
    let mut is_announced = false;
    loop {
        match narrator.follow(&mut torrent, &mut interrupt).await {
            Step::Announced(nodes) if !is_announced => {
                is_announced = true;
                narrator.announced(&torrent, nodes);
            }
            Step::Phase(_) | Step::Metadata(_) | Step::Announced(_) | Step::Done(_) => {}
            Step::Ended => return Ok(torrent.finished().await.map(drop)?),
            Step::Signalled(signal) => {
                torrent.stop().await;
                return signal.end_of_service();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        seed: Arguments,
    }

    #[test]
    fn what_is_named_twice_is_offered_once() {
        let desk = tempfile::tempdir().unwrap();
        let path = |name: &str| desk.path().join(name).into_os_string();
        std::fs::create_dir(path("one")).unwrap();
        std::fs::create_dir(path("two")).unwrap();
        let line = [
            "trackless".into(),
            path("one"),
            path("two"),
            path("one/"),
            path("two/../one"),
        ];
        let offers = Line::parse_from(line).seed.offers().unwrap();
        let offered = offers.iter().map(|offer| match offer {
            Offer::Files(path) => path.as_os_str(),
            Offer::Torrent(_, content) => content.as_os_str(),
        });
        assert_eq!(offered.collect::<Vec<_>>(), [path("one"), path("two")]);
    }
}
