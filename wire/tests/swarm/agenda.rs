//! What is to happen in a network, and when.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use wire::Link;

use super::network::Parcel;

pub(super) enum Happening {
    Dialled {
        from: usize,
        to: SocketAddr,
    },
    Answered {
        from: usize,
        link: Link,
        to: usize,
    },
    Sent {
        node: usize,
    },
    Arrived {
        node: usize,
        link: Link,
        parcel: Parcel,
    },
    Hangup {
        node: usize,
        link: Link,
    },
    Checked {
        node: usize,
        piece: u32,
        valid: bool,
    },
    Wake {
        node: usize,
    },
}

/// In order of time; what is due at the same time, in the order in which it was added.
#[derive(Default)]
pub(super) struct Agenda {
    happenings: BTreeMap<(Duration, u64), Happening>,
    added: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: Duration, happening: Happening) {
        self.added += 1;
        self.happenings.insert((at, self.added), happening);
    }

    /// Takes off what comes next, unless that is later than `until`.
    pub(super) fn next(&mut self, until: Duration) -> Option<(Duration, Happening)> {
        let next = self.happenings.first_entry()?;
        let (at, _) = *next.key();
        (at <= until).then(|| (at, next.remove()))
    }
}
