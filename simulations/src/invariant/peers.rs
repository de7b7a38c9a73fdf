//! Who is stored had a token, and is named for as long as announces hold.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dht::{Config, Id, Response, Stats, Token};

use super::Fault;

const TOKEN: &str = "an announce needs a valid token";
const ALIVE: &str = "peers whose time is over are not returned";
const BOUNDS: &str = "the peer store keeps within its bounds";

/// BEP 5, "Overview": tokens up to ten minutes old are accepted.
const TOKEN_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How often what is too old to matter is dropped.
const SWEEP: Duration = Duration::from_secs(60);
/// No entry of a store takes less.
const ENTRY_BYTES: usize = 12;

/// What a node handed out and took in for others.
#[derive(Default)]
pub(super) struct Peers {
    /// To whom a token was given, for what, and when last.
    tokens: BTreeMap<(IpAddr, Id), Vec<(Token, Duration)>>,
    /// Who was announced, and when last.
    announced: BTreeMap<(Id, SocketAddr), Duration>,
    swept: Duration,
}

impl Peers {
    /// The node answered a `get_peers`.
    pub(super) fn answered(
        &mut self,
        asker: IpAddr,
        info_hash: Id,
        response: &Response,
        now: Duration,
        config: &Config,
    ) -> Result<(), Fault> {
        self.sweep(now, config);
        if let Some(token) = &response.token {
            let tokens = self.tokens.entry((asker, info_hash)).or_default();
            tokens.retain(|(other, _)| other != token);
            tokens.push((token.clone(), now));
        }
        response
            .values
            .iter()
            .try_for_each(|&peer| self.is_alive(info_hash, peer, now, config))
    }

    /// The node named a peer of a torrent.
    pub(super) fn is_alive(
        &self,
        info_hash: Id,
        peer: SocketAddr,
        now: Duration,
        config: &Config,
    ) -> Result<(), Fault> {
        match self.announced.get(&(info_hash, peer)) {
            Some(&at) if now < at + config.peer_lifetime => Ok(()),
            Some(at) => Err((
                ALIVE,
                format!("it named {peer}, which was announced last after {at:?}"),
            )),
            None => Err((
                ALIVE,
                format!("it named {peer}, which was never announced to it"),
            )),
        }
    }

    /// The node stored a peer that was announced with a token.
    pub(super) fn stored(
        &mut self,
        announcer: IpAddr,
        info_hash: Id,
        peer: SocketAddr,
        token: &Token,
        now: Duration,
    ) -> Result<(), Fault> {
        self.announced.insert((info_hash, peer), now);
        let tokens = self
            .tokens
            .get(&(announcer, info_hash))
            .map_or(&[][..], Vec::as_slice);
        match tokens.iter().find(|(given, _)| given == token) {
            Some((_, at)) if now < *at + TOKEN_LIFETIME && peer.ip() == announcer => Ok(()),
            Some((_, at)) => Err((
                TOKEN,
                format!("{announcer} announced {peer} with a token given to it after {at:?}"),
            )),
            None => Err((
                TOKEN,
                format!("{announcer} announced {peer} with a token that was not given to it"),
            )),
        }
    }

    /// What the node says it stores.
    pub(super) fn check(stats: &Stats, config: &Config) -> Result<(), Fault> {
        let Stats {
            info_hashes, peers, ..
        } = *stats;
        let most = info_hashes.saturating_mul(config.max_peers_per_info_hash);
        if info_hashes > config.max_info_hashes
            || peers > most.min(config.max_peer_bytes / ENTRY_BYTES)
        {
            return Err((
                BOUNDS,
                format!("it holds {peers} peers of {info_hashes} info-hashes"),
            ));
        }
        Ok(())
    }

    fn sweep(&mut self, now: Duration, config: &Config) {
        if now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        self.tokens.retain(|_, tokens| {
            tokens.retain(|(_, at)| now < *at + TOKEN_LIFETIME);
            !tokens.is_empty()
        });
        self.announced
            .retain(|_, at| now < *at + config.peer_lifetime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: Id = Id::new([5; 20]);
    const PEER: SocketAddr =
        SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(20, 0, 0, 1)), 6881);

    fn at(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    fn answer(token: [u8; 8], values: Vec<SocketAddr>) -> Response {
        Response {
            token: Some(token.into()),
            values,
            ..Response::new(Id::new([1; 20]))
        }
    }

    #[test]
    fn a_peer_that_was_stored_for_no_token_or_an_old_or_foreign_one_is_noticed() {
        let config = Config::default();
        let mut peers = Peers::default();
        let (token, other) = ([1; 8].into(), [2; 8].into());
        assert_eq!(
            peers
                .stored(PEER.ip(), HASH, PEER, &token, at(0))
                .unwrap_err()
                .0,
            TOKEN
        );
        peers
            .answered(PEER.ip(), HASH, &answer([1; 8], Vec::new()), at(1), &config)
            .unwrap();
        assert_eq!(peers.stored(PEER.ip(), HASH, PEER, &token, at(10)), Ok(()));
        assert_eq!(
            peers
                .stored(PEER.ip(), HASH, PEER, &other, at(10))
                .unwrap_err()
                .0,
            TOKEN
        );
        let stranger = IpAddr::from([20, 0, 0, 2]);
        assert_eq!(
            peers
                .stored(stranger, HASH, PEER, &token, at(10))
                .unwrap_err()
                .0,
            TOKEN
        );
        assert_eq!(
            peers
                .stored(PEER.ip(), Id::new([6; 20]), PEER, &token, at(10))
                .unwrap_err()
                .0,
            TOKEN
        );
        assert_eq!(
            peers
                .stored(PEER.ip(), HASH, PEER, &token, at(11))
                .unwrap_err()
                .0,
            TOKEN
        );
    }

    #[test]
    fn a_peer_that_is_named_too_late_or_was_never_announced_is_noticed() {
        let config = Config::default();
        let mut peers = Peers::default();
        let named = answer([1; 8], vec![PEER]);
        assert_eq!(
            peers
                .answered(PEER.ip(), HASH, &named, at(0), &config)
                .unwrap_err()
                .0,
            ALIVE
        );
        peers
            .stored(PEER.ip(), HASH, PEER, &[1; 8].into(), at(1))
            .unwrap();
        assert_eq!(
            peers.answered(PEER.ip(), HASH, &named, at(45), &config),
            Ok(())
        );
        assert_eq!(
            peers
                .answered(PEER.ip(), HASH, &named, at(46), &config)
                .unwrap_err()
                .0,
            ALIVE
        );
    }

    #[test]
    fn a_store_beyond_its_bounds_is_noticed() {
        let config = Config {
            max_info_hashes: 2,
            max_peers_per_info_hash: 3,
            ..Config::default()
        };
        let stats = |info_hashes, peers| Stats {
            info_hashes,
            peers,
            ..Stats::default()
        };
        assert_eq!(Peers::check(&stats(2, 6), &config), Ok(()));
        assert_eq!(Peers::check(&stats(3, 0), &config).unwrap_err().0, BOUNDS);
        assert_eq!(Peers::check(&stats(1, 4), &config).unwrap_err().0, BOUNDS);
    }
}
