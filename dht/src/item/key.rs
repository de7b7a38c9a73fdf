use std::fmt;

use ed25519_dalek::VerifyingKey;
use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign};
use rand::Rng;
use sha2::Sha512;

use super::{PublicKey, Signature};

/// The private half of the key that owns mutable items. Whoever has it can replace them.
pub struct SecretKey {
    expanded: ExpandedSecretKey,
    public: VerifyingKey,
}

impl SecretKey {
    /// Bytes in a seed.
    pub const SEED_LENGTH: usize = 32;
    /// Bytes in a key that is expanded already.
    pub const EXPANDED_LENGTH: usize = 64;

    /// Draws the seed of a new key.
    pub fn random_seed(rng: &mut impl Rng) -> [u8; Self::SEED_LENGTH] {
        let mut seed = [0; Self::SEED_LENGTH];
        rng.fill_bytes(&mut seed);
        seed
    }

    /// The key that follows from a seed. RFC 8032, section 5.1.5.
    pub fn from_seed(seed: &[u8; Self::SEED_LENGTH]) -> Self {
        Self::new(ExpandedSecretKey::from(seed))
    }

    /// A key of which only the hash of the seed is known, as BEP 44 prints its own and libtorrent keeps them.
    pub fn from_expanded(expanded: &[u8; Self::EXPANDED_LENGTH]) -> Self {
        Self::new(ExpandedSecretKey::from_bytes(expanded))
    }

    fn new(expanded: ExpandedSecretKey) -> Self {
        let public = VerifyingKey::from(&expanded);
        Self { expanded, public }
    }

    /// The half that everybody may know.
    pub fn public(&self) -> PublicKey {
        PublicKey::new(self.public.to_bytes())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        Signature::new(raw_sign::<Sha512>(&self.expanded, message, &self.public).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    /// The public half alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}
