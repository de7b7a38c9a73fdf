//! Questions of the application to single addresses: who is there, and how far away?

use std::net::SocketAddr;

use rand::Rng;

use super::{Context, Node};
use crate::address::scope;
use crate::event::{Event, LookupId, Outbox, Probe};
use crate::id::Id;
use crate::lookup::Failure;
use crate::message::{Method, NodeInfo};
use crate::transaction::{Purpose, SurveyKey, Transaction};

impl Node {
    /// Asks an address for a sign of life, whatever is known of it.
    pub(super) fn start_probe<R: Rng, O: Outbox>(
        &mut self,
        name: LookupId,
        address: SocketAddr,
        context: &mut Context<'_, R, O>,
    ) {
        if scope(&address).is_none() {
            let (lookup, outcome) = (name, Probe::Silent);
            context.out.event(Event::Probed { lookup, outcome });
            return;
        }
        let key = self.surveys.get_or_insert_default().begin_probe(name);
        self.ask(address, None, Purpose::Probe(key), Method::Ping, context);
    }

    pub(super) fn probe_answered<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        transaction: &Transaction,
        id: Id,
        version: Option<[u8; 4]>,
        context: &mut Context<'_, R, O>,
    ) {
        let outcome = Probe::Answered {
            node: NodeInfo {
                id,
                address: transaction.to,
            },
            version,
            round_trip: context.now.saturating_sub(transaction.sent),
        };
        self.end_probe(key, outcome, context);
    }

    pub(super) fn probe_failed<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        failure: Failure,
        context: &mut Context<'_, R, O>,
    ) {
        let outcome = match failure {
            Failure::Refused(code) => Probe::Refused { code },
            // Our own id answers when it is ourselves that we asked; that was told already.
            Failure::TimedOut | Failure::Impostor(_) => Probe::Silent,
        };
        self.end_probe(key, outcome, context);
    }

    fn end_probe<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        outcome: Probe,
        context: &mut Context<'_, R, O>,
    ) {
        let Some(surveys) = &mut self.surveys else {
            return;
        };
        if let Some(lookup) = surveys.end_probe(key) {
            context.out.event(Event::Probed { lookup, outcome });
        }
        self.put_surveys_away(context.now);
    }
}
