//! How a command ends, for scripts. This is the only place that knows the numbers.

use std::io::ErrorKind::NotFound;

use trackless::{CreateError, Error};

use super::failure::Failure;

/// The numbers of `--help`, in one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExitCode {
    Done = 0,
    Other = 1,
    Usage = 2,
    NoPeers = 3,
    NoMetadata = 4,
    NoNode = 5,
    Disk = 6,
    Unfinished = 7,
    Interrupted = 130,
}

/// The table as `trackless --help` prints it.
pub(crate) const TABLE: &str = "\
Exit codes:
    0  done and verified
    1  another error: a damaged torrent file, an address in use; a simulation that
       broke a rule or could not be repeated
    2  wrong use: an argument, a path that does not exist or is a directory
    3  no peers before the timeout; nobody has the value
    4  peers, but no metadata before the timeout
    5  no DHT node answered
    6  disk: full, read-only, no permission, changed by others; standard output takes
       no more
    7  unfinished: pieces are missing or wrong; the same `get` resumes
  130  interrupted; what was fetched or simulated is kept

Every flag has an environment variable, but for those that say what a command is about
(such as --batch, --key, --salt): --listen is TRACKLESS_LISTEN, --state-dir is
TRACKLESS_STATE_DIR; --output is TRACKLESS_OUTPUT for `get`, which wants a directory, and
TRACKLESS_TORRENT_FILE for `create` and `edit`; --timeout is TRACKLESS_TIMEOUT, and
TRACKLESS_GET_TIMEOUT for `get`. NO_COLOR=1 switches colours off.";

impl From<&Failure> for ExitCode {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Node(error) | Failure::Stream(error) => error.into(),
            Failure::Usage(_)
            | Failure::Directory { .. }
            | Failure::NotAFile { .. }
            | Failure::Nowhere { .. }
            | Failure::Exists { .. }
            | Failure::Plan { .. }
            | Failure::UnknownPlan(_)
            | Failure::Matrix { .. }
            | Failure::NotARun { .. }
            | Failure::Occupied { .. }
            | Failure::NotAKey { .. } => ExitCode::Usage,
            Failure::Read { source, .. } if source.kind() == NotFound => ExitCode::Usage,
            Failure::Read { .. }
            | Failure::Write { .. }
            | Failure::Output(_)
            | Failure::NoPlace(_) => ExitCode::Disk,
            Failure::Torrent { .. }
            | Failure::Runtime(_)
            | Failure::Different { .. }
            | Failure::Manifest { .. }
            | Failure::Broken { .. }
            | Failure::Diverged { .. } => ExitCode::Other,
            Failure::NobodyHasIt { .. }
            | Failure::NobodyTookIt { .. }
            | Failure::NobodyHasAny { .. }
            | Failure::NobodyTookAny { .. }
            | Failure::NobodyHasItem { .. }
            | Failure::NothingPublished { .. }
            | Failure::NothingSampled { .. } => ExitCode::NoPeers,
            Failure::NoPong { .. } => ExitCode::NoNode,
            Failure::Unverified { .. } => ExitCode::Unfinished,
            Failure::Interrupted(_) => ExitCode::Interrupted,
        }
    }
}

impl From<&Error> for ExitCode {
    fn from(error: &Error) -> Self {
        match error {
            Error::NoPeers { .. } | Error::Private { .. } => ExitCode::NoPeers,
            Error::NoMetadata { .. } => ExitCode::NoMetadata,
            Error::NoNodeAnswered { .. }
            | Error::Unanswered { .. }
            | Error::NobodyToAsk { .. }
            | Error::Resolve { .. } => ExitCode::NoNode,
            Error::Storage(_) | Error::State { .. } => ExitCode::Disk,
            Error::NothingWanted { .. } => ExitCode::Usage,
            Error::Create(error) => error.into(),
            Error::Stalled { .. } | Error::Incomplete { .. } => ExitCode::Unfinished,
            _ => ExitCode::Other,
        }
    }
}

impl From<&CreateError> for ExitCode {
    fn from(error: &CreateError) -> Self {
        match error {
            CreateError::Unreadable { source, .. } if source.kind() == NotFound => ExitCode::Usage,
            CreateError::Unreadable { .. } | CreateError::Storage(_) => ExitCode::Disk,
            CreateError::NotAFile { .. }
            | CreateError::Pattern { .. }
            | CreateError::OverContent { .. }
            | CreateError::Empty { .. }
            | CreateError::NoName { .. } => ExitCode::Usage,
            _ => ExitCode::Other,
        }
    }
}
