//! How many there are in all of a plan's people, of whom some are away.

use std::f64::consts::LN_2;

use super::{LifePlan, Plan};

impl LifePlan {
    /// How much longer the mean session is than the median one: sessions are Weibull-distributed.
    fn mean_session(&self) -> f64 {
        let scale = self.session.as_secs_f64() / libm::pow(LN_2, 1.0 / self.shape);
        scale * libm::tgamma(1.0 + 1.0 / self.shape)
    }

    /// The share of the time that one who comes and goes is online; 1 where nobody goes.
    pub(crate) fn availability(&self) -> f64 {
        if self.session.is_zero() {
            return 1.0;
        }
        let online = self.mean_session();
        // Absences have no memory: their mean follows from the median.
        online / (online + self.absence.as_secs_f64() / LN_2)
    }
}

impl Plan {
    /// How many come and go, so that [`Plan::nodes`] are online on average; bootstrap nodes not counted.
    pub(crate) fn comers_and_goers(&self) -> u64 {
        let online = self.nodes.saturating_sub(self.life.bootstrap_nodes);
        (f64::from(online) / self.life.availability()).round() as u64
    }

    /// Everybody who is online at some time: those who are away, crowds, the members of a swarm and the Sybils at targets included.
    pub fn residents(&self) -> u64 {
        let crowds = self.life.crowds.iter().map(|crowd| u64::from(crowd.nodes));
        let members = match self.swarm.leechers {
            0 => 0,
            leechers => u64::from(leechers) + u64::from(self.swarm.seeds),
        };
        let enemies = &self.enemies;
        let sybils = u64::from(enemies.targets) * u64::from(enemies.sybils_at_target);
        u64::from(self.life.bootstrap_nodes)
            + self.comers_and_goers()
            + crowds.sum::<u64>()
            + members
            + sybils
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn those_who_are_away_half_of_the_time_are_twice_as_many() {
        let mut plan = Plan {
            nodes: 1_008,
            ..Plan::default()
        };
        assert_eq!(plan.residents(), 1_008);
        plan.life.session = Duration::from_secs(3_600);
        plan.life.absence = plan.life.session;
        plan.life.shape = 1.0;
        assert_eq!(plan.residents(), 8 + 2_000);
        plan.enemies.targets = 5;
        plan.enemies.sybils_at_target = 64;
        plan.swarm.leechers = 10;
        plan.swarm.seeds = 1;
        assert_eq!(plan.residents(), 8 + 2_000 + 320 + 11);
    }
}
