use wire::{Config, Order};

use super::Role;
use crate::SwarmPlan;
use crate::plan::{PieceOrder, SeedChoice};

/// What the engines of a swarm live by.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Those that had everything from the start.
    pub seeds: Config,
    /// The others.
    pub leechers: Config,
    /// In which order pieces are begun.
    pub order: Order,
}

impl Policy {
    pub(super) fn of_role(&self, role: Role) -> &Config {
        if role.is_seed {
            &self.seeds
        } else {
            &self.leechers
        }
    }

    /// As a plan has it.
    pub fn of(plan: &SwarmPlan) -> Self {
        let mut leechers = Config::default();
        if plan.slots > 0 {
            leechers.unchoke_slots = plan.slots as usize;
            leechers.max_unchoke_slots = plan.slots as usize;
        }
        leechers.seed_choice = match plan.choice {
            SeedChoice::RoundRobin => wire::SeedChoice::RoundRobin,
            SeedChoice::Fastest => wire::SeedChoice::FastestUpload,
        };
        Self {
            seeds: Config {
                super_seeding: plan.super_seeding,
                ..leechers.clone()
            },
            leechers,
            order: match plan.order {
                PieceOrder::Rarest => Order::RarestFirst,
                PieceOrder::Sequential => Order::Sequential,
            },
        }
    }
}
