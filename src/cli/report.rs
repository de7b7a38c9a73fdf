//! The JSON events of `--json`: one object a line, `event` says which. Other programs rely on these names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use simulations::{Cost, Figures, Plan};
use trackless::{LookupFailure, Phase, Progress};
use wire::Info;

use super::simulate::State;

/// Something that happened. Times are seconds, sizes bytes, rates bytes a second.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Report<'a> {
    /// First of every command that opens a socket; of several addresses, once for each id.
    Listening { addr: SocketAddr, node_id: String },
    /// A DHT node has answered.
    Bootstrapped { nodes: usize, seconds: f64 },
    /// Figures of a running DHT node.
    Dht {
        nodes_v4: usize,
        nodes_v6: usize,
        queries_answered: u64,
        peers_stored: usize,
    },
    /// A torrent is served.
    Seeding {
        info_hash: String,
        magnet: String,
        name: &'a str,
        length: u64,
    },
    /// So many DHT nodes hold our announce.
    Announced { nodes: usize },
    /// No DHT node has answered so far.
    Unanswered { reason: &'a str },
    /// A download went into another phase, so long after its start.
    Phase { phase: &'static str, seconds: f64 },
    /// A peer's handshake was answered.
    Connected { peer: SocketAddr, seconds: f64 },
    /// The info dictionary is here.
    Metadata {
        info_hash: String,
        name: &'a str,
        length: u64,
        files: usize,
        pieces: u32,
        private: bool,
        seconds: f64,
    },
    /// What there is in a torrent, with `--list`.
    Files {
        info_hash: String,
        name: &'a str,
        length: u64,
        files: Vec<super::get::ListedFile>,
    },
    /// The beginning and the end of a file are there: with `--play`.
    Playable { path: &'a Path, seconds: f64 },
    /// Figures, about four times a second.
    Progress {
        done: u64,
        total: u64,
        wanted: u64,
        missing: u64,
        pieces_done: u32,
        pieces: u32,
        download_rate: u64,
        upload_rate: u64,
        downloaded: u64,
        uploaded: u64,
        peers: usize,
        seeds: usize,
        known: usize,
    },
    /// So many pieces of what is on the disk were looked at.
    Checked { pieces: u32 },
    /// So many pieces are right and were not looked at: their files have not changed since an earlier run did.
    Known { pieces: u32 },
    /// A file of the user's stood in the way and was renamed.
    SetAside { from: &'a Path, to: &'a Path },
    /// Something was added to a file behind the torrent's bytes: it was cut off, and this is a copy of it as it was.
    Copied { from: &'a Path, to: &'a Path },
    /// A peer that sent bad data.
    Banned { peer: SocketAddr, reason: &'a str },
    /// A file that is shared is gone, or is not what it was.
    Unservable { reason: &'a str },
    /// What it was found to lack is there again.
    ServedAgain { path: &'a Path },
    /// A download is complete and verified; of a torrent of which some files were chosen, these.
    Done {
        path: &'a Path,
        #[serde(skip_serializing_if = "Option::is_none")]
        files: Option<&'a [PathBuf]>,
        bytes: u64,
        seconds: f64,
        phases: BTreeMap<&'static str, f64>,
    },
    /// Peers that a DHT node named.
    Peers {
        peers: &'a [SocketAddr],
        seconds: f64,
    },
    /// A step of a lookup, with `--trace`.
    Lookup(Step),
    /// Who led to whom in a lookup, with `--trace`; so many queries more looked for nodes that others may hide.
    Tree { nodes: Vec<Branch>, explored: usize },
    /// The end of a lookup.
    LookupEnded {
        queried: usize,
        responded: usize,
        failed: usize,
        peers: usize,
        seconds: f64,
    },
    /// What a batch of lookups found for one of its info-hashes.
    LookedUp {
        info_hash: String,
        peers: &'a [SocketAddr],
        queried: usize,
        responded: usize,
        failed: usize,
        seconds: f64,
    },
    /// So many nodes hold one announce of a batch.
    BatchAnnounced {
        info_hash: String,
        nodes: usize,
        holders: &'a [SocketAddr],
        queried: usize,
        responded: usize,
        failed: usize,
        seconds: f64,
    },
    /// The end of a batch: for how many of its info-hashes peers or holders were found, and how many of these in all.
    BatchEnded {
        info_hashes: usize,
        successes: usize,
        peers: usize,
        holders: usize,
        queries: usize,
        seconds: f64,
    },
    /// A value in the DHT; of one that changes, a newer version than those before.
    Item {
        target: String,
        public_key: Option<String>,
        seq: Option<i64>,
        /// If it is a string in UTF-8.
        text: Option<&'a str>,
        /// In hexadecimal.
        bencoded: String,
        /// `null` if it was put to this node itself.
        from: Option<SocketAddr>,
        seconds: f64,
    },
    /// The end of a search for a value.
    ItemSearchEnded {
        copies: usize,
        queried: usize,
        responded: usize,
        seconds: f64,
    },
    /// A value was put, and these nodes hold it.
    ItemStored {
        target: String,
        public_key: Option<String>,
        /// In hexadecimal.
        salt: String,
        seq: Option<i64>,
        nodes: &'a [SocketAddr],
        refused: usize,
        seconds: f64,
    },
    /// A key for values that change.
    ItemKey {
        path: &'a Path,
        public_key: String,
        is_new: bool,
    },
    /// The torrent that a publisher names now. BEP 46.
    Newest { info_hash: String, seq: Option<i64> },
    /// A publisher's link: who has it gets the torrent that is named by then.
    Publishing { publisher: String },
    /// What the link of a publisher says, and where the DHT has what he published.
    Publisher {
        publisher: String,
        public_key: String,
        /// In hexadecimal.
        salt: String,
        target: String,
    },
    /// A node holds an announce.
    Holder {
        node: SocketAddr,
        id: String,
        /// `names_us`, `names_others`, `names_nobody` or `silent`, when it was asked.
        testimony: &'static str,
        seconds: f64,
    },
    /// Of the nodes that hold an announce so many name our address and port when they are asked.
    Confirmed { nodes: usize, of: usize },
    /// A torrent file was written.
    Created {
        path: &'a Path,
        info_hash: String,
        magnet: String,
        name: &'a str,
        length: u64,
        files: usize,
        pieces: u32,
        left_out: &'a [super::create::LeftOutEntry],
    },
    /// A torrent file was written with other advice around the same content.
    Edited {
        path: &'a Path,
        info_hash: String,
        magnet: String,
        name: &'a str,
        changed: bool,
    },
    /// What a torrent file or magnet link says.
    Torrent(Box<super::show::Description>),
    /// What a check found.
    Verified {
        path: &'a Path,
        pieces: u32,
        wrong: &'a [u32],
        files: &'a [String],
        seconds: f64,
    },
    /// A step of the demo is done.
    Demo { step: &'static str, seconds: f64 },
    /// A plan of the library.
    Plan { name: &'a str, about: &'a str },
    /// A number that plans have.
    Key {
        key: &'a str,
        quantity: String,
        default: &'a str,
        doc: &'a str,
    },
    /// A plan with every number in it.
    Parameters { plan: &'a str, parameters: &'a Plan },
    /// Figures of a simulation, once a second; what is simulated counts in virtual seconds.
    #[serde(rename = "progress")]
    SimulationProgress {
        simulated: f64,
        end: f64,
        online: u32,
        events: u64,
        events_per_second: u64,
        seconds_left: f64,
    },
    /// A simulation was run, and its folder is written; the manifest in it has the rest.
    #[serde(rename = "report")]
    Simulated {
        path: &'a Path,
        state: State,
        seed: u64,
        digest: &'a str,
        figures: &'a Figures,
        cost: &'a Cost,
    },
    /// Runs of one plan are the same.
    #[serde(rename = "verified")]
    SimulationVerified {
        runs: usize,
        minutes: usize,
        digest: &'a str,
    },
    /// Something that a watched node saw or did, so long after the start of the run.
    Sight { at: f64, node: u32, what: &'a str },
    /// A plan that breaks was made smaller.
    Shrunk {
        path: &'a Path,
        nodes: u32,
        runs: usize,
        invariant: &'a str,
    },
    /// Runs were compared.
    Merged { path: &'a Path, runs: usize },
    /// What a DHT node told of the torrents that it keeps peers of: those that were not told before.
    Sample {
        node: SocketAddr,
        node_id: String,
        info_hashes: Vec<String>,
        total: u64,
        interval: f64,
        seconds: f64,
    },
    /// The end of a survey.
    SampleEnded {
        info_hashes: usize,
        sampled: usize,
        stored: u64,
        queried: usize,
        responded: usize,
        seconds: f64,
    },
    /// How many have a torrent.
    Scrape {
        info_hash: String,
        seeds: u64,
        leechers: u64,
        at_least: bool,
        nodes: usize,
        nodes_without_count: usize,
        queried: usize,
        responded: usize,
        seconds: f64,
    },
    /// How large the network of a family is.
    Estimate {
        family: &'static str,
        nodes: u64,
        low: u64,
        high: u64,
        neighbourhoods: usize,
        met: usize,
        seconds: f64,
    },
    /// A DHT node answered a ping.
    Pong {
        node: SocketAddr,
        node_id: String,
        version: Option<String>,
        client: Option<&'static str>,
        milliseconds: f64,
    },
    /// A bucket of the routing table.
    Bucket {
        family: &'static str,
        shared_bits: usize,
        capacity: usize,
        contacts: Vec<Contact>,
    },
    /// All buckets were told.
    Table {
        node_id: String,
        nodes_v4: usize,
        nodes_v6: usize,
        failing: usize,
    },
    /// Before every non-zero exit.
    Error { code: u8, message: &'a str },
}

/// A contact of a bucket.
#[derive(Debug, Serialize)]
pub(crate) struct Contact {
    pub(crate) node: SocketAddr,
    pub(crate) node_id: String,
    pub(crate) silent_for: f64,
    pub(crate) failures: u8,
}

/// What happened to one query of a lookup.
#[derive(Debug, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub(crate) enum Step {
    Asked {
        node: SocketAddr,
        #[serde(skip_serializing_if = "Option::is_none")]
        named_by: Option<SocketAddr>,
        seconds: f64,
    },
    Answered {
        node: SocketAddr,
        milliseconds: f64,
        nodes: usize,
        peers: usize,
        seconds: f64,
    },
    Stalled {
        node: SocketAddr,
        seconds: f64,
    },
    Failed {
        node: SocketAddr,
        #[serde(flatten)]
        why: Why,
        seconds: f64,
    },
}

/// Why a query of a lookup came to nothing.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub(crate) enum Why {
    TimedOut,
    /// Another node answered than the one that was said to be there.
    Impostor {
        node_id: String,
    },
    Refused {
        code: i64,
    },
}

impl From<LookupFailure> for Why {
    fn from(failure: LookupFailure) -> Self {
        match failure {
            LookupFailure::TimedOut => Why::TimedOut,
            LookupFailure::Impostor { id } => Why::Impostor {
                node_id: hex::encode(id),
            },
            LookupFailure::Refused { code } => Why::Refused { code },
        }
    }
}

/// One who was asked in a lookup, and what became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Branch {
    pub(crate) node: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) named_by: Option<SocketAddr>,
    #[serde(flatten)]
    pub(crate) fate: Fate,
    /// Of those whom it named and who were asked, so many did not answer.
    pub(crate) named_dead: usize,
    /// And at so many addresses was another node.
    pub(crate) named_false: usize,
}

/// What became of the question.
#[derive(Debug, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub(crate) enum Fate {
    Answered {
        milliseconds: f64,
        nodes: usize,
        peers: usize,
    },
    /// It was slow, and no answer had come when the lookup ended.
    Stalled,
    /// The lookup ended soon after.
    Unknown,
    Failed(Why),
}

impl<'a> Report<'a> {
    pub(crate) fn phase(phase: Phase, after: Duration) -> Self {
        Report::Phase {
            phase: phase.name(),
            seconds: after.as_secs_f64(),
        }
    }

    pub(crate) fn metadata(info: &'a Info, after: Duration) -> Self {
        Report::Metadata {
            info_hash: info.hash().to_string(),
            name: info.name(),
            length: info.total_length(),
            files: info.files().len(),
            pieces: info.geometry().pieces(),
            private: info.is_private(),
            seconds: after.as_secs_f64(),
        }
    }

    pub(crate) fn progress(progress: &Progress) -> Self {
        Report::Progress {
            done: progress.done,
            total: progress.total,
            wanted: progress.wanted,
            missing: progress.missing,
            pieces_done: progress.pieces_done,
            pieces: progress.pieces,
            download_rate: progress.download_rate,
            upload_rate: progress.upload_rate,
            downloaded: progress.downloaded,
            uploaded: progress.uploaded,
            peers: progress.connected,
            seeds: progress.seeds,
            known: progress.known,
        }
    }

    /// One line. A path that is no UTF-8 is the only thing JSON cannot say, and is reported as such.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| {
            serde_json::json!({"event": "unprintable", "message": error.to_string()}).to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_itself_first() {
        let addr = "127.0.0.1:7001".parse().unwrap();
        assert_eq!(
            Report::Listening {
                addr,
                node_id: "ab".into()
            }
            .to_json(),
            r#"{"event":"listening","addr":"127.0.0.1:7001","node_id":"ab"}"#
        );
        assert_eq!(
            Report::Error {
                code: 5,
                message: "nobody"
            }
            .to_json(),
            r#"{"event":"error","code":5,"message":"nobody"}"#
        );
        assert_eq!(
            Report::phase(Phase::Lookup, Duration::from_millis(250)).to_json(),
            r#"{"event":"phase","phase":"lookup","seconds":0.25}"#
        );
    }

    #[test]
    fn a_step_of_a_lookup_is_one_flat_object() {
        let node = "10.0.0.1:1".parse().unwrap();
        assert_eq!(
            Report::Lookup(Step::Stalled { node, seconds: 0.5 }).to_json(),
            r#"{"event":"lookup","step":"stalled","node":"10.0.0.1:1","seconds":0.5}"#
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_path_json_cannot_say_does_not_stop_the_program() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"\xff"));
        let line = Report::SetAside {
            from: path,
            to: path,
        }
        .to_json();
        assert!(line.starts_with(r#"{"event":"unprintable""#), "{line}");
    }
}
