//! What time brings: timeouts, keep-alives, rounds.

use std::time::Duration;

use super::{Context, Torrent};
use crate::{CloseReason, Event, Link, Message};

/// Time between two calls for peers: with connections that do something, and without any.
const NEED_PEERS: Duration = Duration::from_secs(60);
const NEED_PEERS_BADLY: Duration = Duration::from_secs(15);
/// With this many connections no more are called for.
const ENOUGH_CONNECTIONS: usize = 20;
/// Nothing is looked at more often than this.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

impl Torrent {
    /// Does everything that is due, and finds the next deadline.
    pub(super) fn keep_house(&mut self, context: &mut Context<'_>) {
        self.deadline = None;
        self.peers.expire(context.now);
        for link in self.timers.take_due(context.now) {
            self.look_after(context, link);
        }
        // What one peer leaves unanswered is for all others to answer.
        self.request_metadata_of_all(context);
        if self.is_contended {
            self.choke_round(context);
        }
        if self.is_contended {
            self.wake_by(self.next_round);
        }
        self.dial(context);
        self.call_for_peers(context);
        match self.stir_at {
            Some(at) if at <= context.now => {
                self.stir_at = None;
                self.stirred = true;
            }
            Some(at) => self.wake_by(at),
            None => {}
        }
        if self.stirred {
            self.stirred = false;
            self.refill_all(context);
        }
        self.look_after_urgent(context);
        if let Some(next) = self.timers.next() {
            self.wake_by(next);
        }
        self.deadline = self
            .deadline
            .map(|deadline| deadline.max(context.now + SHORTEST_SLEEP));
    }

    fn look_after(&mut self, context: &mut Context<'_>, link: Link) {
        let (now, config) = (context.now, context.config);
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        let silence = now.saturating_sub(connection.last_received);
        if silence >= config.idle_timeout {
            self.close(
                context,
                link,
                &CloseReason::Silent {
                    seconds: silence.as_secs(),
                },
            );
            return;
        }
        if now >= connection.last_sent + config.keep_alive {
            context.send(link, connection, Message::KeepAlive);
        }
        let silent = connection.last_received + config.idle_timeout;
        let quiet = connection.last_sent + config.keep_alive;
        self.wake_link_by(link, silent.min(quiet));
        self.look_after_requests(context, link);
        self.look_after_parole(context, link);
        self.review_offer(context, link);
        self.send_metadata(context, link);
    }

    /// Gives what a peer does not deliver in time to others. It keeps its oldest request, and if it does not answer that either, it gets a rest.
    fn look_after_requests(&mut self, context: &mut Context<'_>, link: Link) {
        let (Some(connection), Some(picker)) = (self.connections.get_mut(&link), &mut self.picker)
        else {
            return;
        };
        // Under pressure the driver may not read, and that is not the peer's fault.
        if self.pressure {
            connection.waiting_since = context.now;
        }
        if connection
            .answer_due(context.config)
            .is_some_and(|due| due <= context.now)
        {
            let was_snubbed = connection.pipeline.is_snubbed();
            connection.pipeline.snub();
            connection.waiting_since = context.now;
            if was_snubbed || self.blame.is_suspect(connection.address) {
                connection.paused_until = context.now + context.config.request_timeout;
                self.withdraw_all(context, link);
            } else {
                for block in connection.requests.withdraw_all_but(1) {
                    picker.release(block, context.rng);
                    context.send(link, connection, Message::Cancel(block));
                }
                picker.disown(link, true);
                self.stirred = true;
            }
        }
        let Some(connection) = self.connections.get(&link) else {
            return;
        };
        let due = connection.answer_due(context.config);
        let resume = Some(connection.paused_until).filter(|&until| until > context.now);
        if connection.paused_until <= context.now {
            self.refill(context, link);
        }
        for at in due.into_iter().chain(resume) {
            self.wake_link_by(link, at);
        }
    }

    /// The driver's buffers are full, or not any more.
    pub(super) fn pressed(&mut self, context: &Context<'_>, pressure: bool) {
        if self.pressure && !pressure {
            for connection in self.connections.values_mut() {
                connection.waiting_since = context.now;
            }
            self.stirred = true;
        }
        self.pressure = pressure;
    }

    /// Says that the DHT should be asked again, when there is nobody to dial and few are connected.
    fn call_for_peers(&mut self, context: &mut Context<'_>) {
        if self.is_finished()
            || self.connections.len() >= ENOUGH_CONNECTIONS.min(context.config.max_connections)
        {
            return;
        }
        let pause = if self.connections.is_empty() {
            NEED_PEERS_BADLY
        } else {
            NEED_PEERS
        };
        // The driver looks for peers before it starts a torrent.
        let next = self
            .next_need
            .unwrap_or(context.now + pause)
            .min(context.now + pause);
        if next <= context.now && !self.peers.has_prospects(context.now) {
            context.out.event(Event::NeedPeers);
            self.next_need = Some(context.now + pause);
        } else {
            self.next_need = Some(next);
        }
        let at = self.next_need.map_or(context.now + pause, |next| {
            next.max(context.now + Duration::from_secs(1))
        });
        self.wake_by(at);
    }
}
