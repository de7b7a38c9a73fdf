//! What the application wants to know of others: the surveys in progress, who is asked for a sample of what he keeps, and who is not yet to be asked again. BEP 51.

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use super::{Context, Node};
use crate::address::{Family, may_lead_to};
use crate::event::{Event, LookupId, LookupReport, Outbox, Outcome};
use crate::id::Id;
use crate::message::{Method, NodeInfo, Response, Want};
use crate::survey::{Sampled, Survey};
use crate::transaction::{Delay, Purpose, SurveyKey, Transaction};

/// All surveys and probes that have not ended, and what is remembered of those that have.
#[derive(Default)]
pub(super) struct Surveys {
    active: Vec<Survey>,
    next_key: SurveyKey,
    sampled: Sampled,
    /// Single questions, by their keys.
    probes: Vec<(SurveyKey, LookupId)>,
}

impl Surveys {
    pub(super) fn len(&self) -> usize {
        self.active.len()
    }

    fn next_key(&mut self) -> SurveyKey {
        let key = self.next_key;
        self.next_key = key.next();
        key
    }

    pub(super) fn begin_probe(&mut self, name: LookupId) -> SurveyKey {
        let key = self.next_key();
        self.probes.push((key, name));
        key
    }

    pub(super) fn end_probe(&mut self, key: SurveyKey) -> Option<LookupId> {
        let position = self.probes.iter().position(|(probe, _)| *probe == key)?;
        Some(self.probes.swap_remove(position).1)
    }

    fn get_mut(&mut self, key: SurveyKey) -> Option<&mut Survey> {
        self.active.iter_mut().find(|survey| survey.key == key)
    }
}

impl Node {
    /// Starts a survey. If nobody is known yet it waits until somebody is.
    pub(super) fn start_survey<R: Rng, O: Outbox>(
        &mut self,
        name: LookupId,
        target: Id,
        context: &mut Context<'_, R, O>,
    ) {
        self.cancel_lookup(name, context);
        let surveys = self.surveys.get_or_insert_default();
        surveys.sampled.expire(context.now);
        let key = surveys.next_key();
        let survey = Survey::new(key, name, target, context.now);
        surveys.active.push(survey);
        self.surveys_go_on(context);
    }

    /// There is somebody to ask, or room in the common budget of queries.
    pub(super) fn surveys_go_on<R: Rng, O: Outbox>(&mut self, context: &mut Context<'_, R, O>) {
        let Some(surveys) = &self.surveys else {
            return;
        };
        let keys: Vec<_> = surveys.active.iter().map(|survey| survey.key).collect();
        for key in keys {
            self.seed_survey(key);
            self.advance_survey(key, context);
        }
    }

    /// A survey starts from everybody who is known, so that it gets about even where those around the target know only one another.
    fn seed_survey(&mut self, key: SurveyKey) {
        let surveys = self.surveys.as_mut();
        let survey = surveys.and_then(|surveys| surveys.get_mut(key));
        let Some(survey) = survey.filter(|survey| survey.is_waiting()) else {
            return;
        };
        for family in Family::ALL {
            for contact in self.tables.states(family) {
                survey.add(contact.node);
            }
        }
    }

    /// Sends queries of a survey for as long as it may, and ends it if there is nothing left to ask or to wait for.
    fn advance_survey<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        context: &mut Context<'_, R, O>,
    ) {
        let config = context.config;
        loop {
            let has_room = self.has_room(context);
            let Some(surveys) = &mut self.surveys else {
                return;
            };
            let Some(survey) = surveys.active.iter_mut().find(|survey| survey.key == key) else {
                return;
            };
            if survey.is_over() {
                self.end_survey(key, Outcome::Converged, context);
                return;
            }
            if survey.in_flight() >= config.max_parallel || !has_room {
                return;
            }
            let Some((node, target)) = survey.next(context.rng) else {
                return;
            };
            survey.tally.asked += 1;
            let want = Want::UNSAID;
            // Who is not to be asked for a sample yet still knows others.
            let method = if surveys.sampled.may_ask(node.address, context.now) {
                let answer = context.now + config.query_timeout;
                surveys.sampled.note(node.address, answer);
                Method::SampleInfohashes { target, want }
            } else {
                Method::FindNode { target, want }
            };
            let purpose = Purpose::Sample(key);
            self.ask(node.address, Some(node.id), purpose, method, context);
        }
    }

    pub(super) fn survey_answered<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        node: NodeInfo,
        response: &Response,
        context: &mut Context<'_, R, O>,
    ) {
        let (own, now, config) = (self.id(), context.now, context.config);
        let Some(surveys) = &mut self.surveys else {
            return;
        };
        if let Some(sample) = response.sample.get() {
            surveys.sampled.note(node.address, now + sample.lifetime());
        }
        let Some(survey) = surveys.active.iter_mut().find(|survey| survey.key == key) else {
            return;
        };
        survey.tally.answered += 1;
        survey.answered(node);
        for named in response.named() {
            if named.id != own
                && may_lead_to(&node.address, &named.address)
                && !self.quarantine.holds(&named, now, config)
            {
                survey.add(named);
            }
        }
        if let Some(sample) = response.sample.get() {
            let (lookup, sample) = (survey.name, Box::new(sample.clone()));
            context.out.event(Event::Sampled {
                lookup,
                node,
                sample,
            });
        }
        self.advance_survey(key, context);
    }

    pub(super) fn survey_delayed<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        address: SocketAddr,
        delay: Delay,
        context: &mut Context<'_, R, O>,
    ) {
        let surveys = self.surveys.as_mut();
        let survey = surveys.and_then(|surveys| surveys.get_mut(key));
        if let (Delay::Late, Some(survey)) = (delay, survey) {
            survey.tally.stalled += 1;
            survey.given_up(&address);
            self.advance_survey(key, context);
        }
    }

    pub(super) fn survey_failed<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        transaction: &Transaction,
        context: &mut Context<'_, R, O>,
    ) {
        let surveys = self.surveys.as_mut();
        if let Some(survey) = surveys.and_then(|surveys| surveys.get_mut(key)) {
            survey.tally.failed += 1;
            survey.given_up(&transaction.to);
            self.advance_survey(key, context);
        }
    }

    /// Ends the survey of this name, if there is one.
    pub(super) fn cancel_survey<R: Rng, O: Outbox>(
        &mut self,
        name: LookupId,
        context: &mut Context<'_, R, O>,
    ) {
        let surveys = self.surveys.iter().flat_map(|surveys| &surveys.active);
        let keys: Vec<_> = surveys
            .filter(|survey| survey.name == name)
            .map(|survey| survey.key)
            .collect();
        for key in keys {
            self.end_survey(key, Outcome::Cancelled, context);
        }
    }

    fn end_survey<R: Rng, O: Outbox>(
        &mut self,
        key: SurveyKey,
        outcome: Outcome,
        context: &mut Context<'_, R, O>,
    ) {
        let Some(surveys) = &mut self.surveys else {
            return;
        };
        let Some(position) = surveys.active.iter().position(|survey| survey.key == key) else {
            return;
        };
        let survey = surveys.active.remove(position);
        self.put_surveys_away(context.now);
        let report = LookupReport {
            target: survey.target,
            outcome,
            asked: survey.tally.asked,
            answered: survey.tally.answered,
            stalled: survey.tally.stalled,
            failed: survey.tally.failed,
            peers: 0,
            announced_to: 0,
            copies: 0,
            hops: 0,
            elapsed: context.now.saturating_sub(survey.started),
            closest: survey.closest().collect(),
        };
        context.out.event(Event::LookupEnded {
            lookup: survey.name,
            report: Box::new(report),
        });
    }

    /// Nothing is kept where there is nothing left to remember.
    pub(super) fn put_surveys_away(&mut self, now: Duration) {
        let Some(surveys) = &mut self.surveys else {
            return;
        };
        surveys.sampled.expire(now);
        if surveys.active.is_empty() && surveys.probes.is_empty() && surveys.sampled.is_empty() {
            self.surveys = None;
        }
    }
}
