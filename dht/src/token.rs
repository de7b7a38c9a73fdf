use std::hash::Hasher;
use std::net::IpAddr;
use std::time::Duration;

use rand::Rng;
use siphasher::sip::SipHasher24;

use crate::id::Id;
use crate::message::Token;

/// How long the key of the tokens stays the same. Tokens of the epoch before are valid too. BEP 5, "Overview".
const EPOCH: Duration = Duration::from_secs(5 * 60);

/// Makes and checks the tokens of this node: a keyed hash over the epoch, the asker's IP and the target. Nothing is remembered.
pub(crate) struct TokenIssuer {
    key: [u8; 16],
}

impl TokenIssuer {
    pub(crate) fn new(rng: &mut impl Rng) -> Self {
        let mut key = [0; 16];
        rng.fill_bytes(&mut key);
        Self { key }
    }

    pub(crate) fn issue(&self, now: Duration, ip: IpAddr, target: &Id) -> Token {
        self.mac(epoch(now), ip, target).to_be_bytes().into()
    }

    pub(crate) fn is_valid(&self, token: &Token, now: Duration, ip: IpAddr, target: &Id) -> bool {
        let Ok(token) = token.as_bytes().try_into().map(u64::from_be_bytes) else {
            return false;
        };
        let epoch = epoch(now);
        // Whole words, and no branch between the two: the time tells nothing about how much was right.
        let current = token ^ self.mac(epoch, ip, target);
        let previous = token ^ self.mac(epoch.wrapping_sub(1), ip, target);
        current.min(previous) == 0
    }

    fn mac(&self, epoch: u64, ip: IpAddr, target: &Id) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.key);
        hasher.write_u64(epoch);
        match ip {
            IpAddr::V4(ip) => hasher.write(&ip.octets()),
            IpAddr::V6(ip) => hasher.write(&ip.octets()),
        }
        hasher.write(target.as_bytes());
        hasher.finish()
    }
}

fn epoch(now: Duration) -> u64 {
    now.as_secs() / EPOCH.as_secs()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn a_token_is_good_for_its_ip_its_target_and_ten_minutes() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let issuer = TokenIssuer::new(&mut rng);
        let (ip, other_ip) = ("1.2.3.4".parse().unwrap(), "1.2.3.5".parse().unwrap());
        let (target, other_target) = (Id::random(&mut rng), Id::random(&mut rng));
        let at = Duration::from_secs;
        let token = issuer.issue(at(299), ip, &target);
        assert!(issuer.is_valid(&token, at(299), ip, &target));
        assert!(issuer.is_valid(&token, at(599), ip, &target));
        assert!(!issuer.is_valid(&token, at(600), ip, &target));
        assert!(!issuer.is_valid(&token, at(299), other_ip, &target));
        assert!(!issuer.is_valid(&token, at(299), ip, &other_target));
        assert!(!issuer.is_valid(&Token::new(b"").unwrap(), at(299), ip, &target));
        let foreign = TokenIssuer::new(&mut rng).issue(at(299), ip, &target);
        assert!(!issuer.is_valid(&foreign, at(299), ip, &target));
    }
}
