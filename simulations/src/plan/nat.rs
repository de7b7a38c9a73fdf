//! Who is behind a NAT, and what kind.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::units;

/// Network address translation, in the words of RFC 4787.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NatPlan {
    /// The share of nodes behind a NAT.
    #[serde(with = "units::Share")]
    pub share: f64,
    /// RFC 4787, section 4.1.
    pub mapping: Dependence,
    /// RFC 4787, section 5.
    pub filtering: Dependence,
    /// A mapping that nothing went out through for so long is gone. RFC 4787, section 4.3.
    #[serde(with = "units::Time")]
    pub expiry: Duration,
    /// The share of them that know it and say so: BEP 43.
    #[serde(with = "units::Share")]
    pub read_only: f64,
}

impl Default for NatPlan {
    fn default() -> Self {
        Self {
            share: 0.0,
            mapping: Dependence::EndpointIndependent,
            filtering: Dependence::AddressAndPortDependent,
            expiry: Duration::from_secs(120),
            read_only: 0.0,
        }
    }
}

/// What a mapping or a filter of a NAT depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dependence {
    /// Nothing: one mapping for all, or a filter that lets everybody in.
    EndpointIndependent,
    /// The other's IP.
    AddressDependent,
    /// The other's IP and port.
    #[default]
    AddressAndPortDependent,
}
