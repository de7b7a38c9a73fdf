use std::time::Duration;

use crate::config::Config;
use crate::message::NodeInfo;

/// Nodes that are remembered.
const MAX_IMPOSTORS: usize = 16;

/// The nodes that answered with another id than the one by which they were asked. For a while they are believed to be nobody else:
/// whoever gives many names to one innocent address shall not make us ask it for each. By its own name it is as welcome as ever.
///
/// Empty, it takes no memory outside itself.
#[derive(Default)]
pub(super) struct Impostors(Vec<Impostor>);

struct Impostor {
    /// Who it is.
    node: NodeInfo,
    /// In seconds of the driver's clock.
    until: u32,
}

impl Impostors {
    /// A node said who it is, and it is not who it was said to be.
    pub(super) fn unmask(&mut self, node: NodeInfo, now: Duration, config: &Config) {
        let seconds = now.as_secs() as u32;
        self.0
            .retain(|impostor| impostor.node.address != node.address && seconds < impostor.until);
        if self.0.len() >= MAX_IMPOSTORS {
            self.0.remove(0);
        }
        self.0.push(Impostor {
            node,
            until: (now + config.quarantine).as_secs() as u32,
        });
    }

    /// Whether a node goes by a false name.
    pub(super) fn include(&self, named: &NodeInfo, now: Duration) -> bool {
        self.0.iter().any(|Impostor { node, until }| {
            node.address == named.address && node.id != named.id && now.as_secs() < (*until).into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    #[test]
    fn a_false_name_is_not_believed_for_a_while_and_the_own_one_always_is() {
        let (config, at) = (Config::default(), Duration::from_secs);
        let node = |id: u8, host: u8| NodeInfo {
            id: Id::new([id; Id::LENGTH]),
            address: ([1, 2, 3, host], 5).into(),
        };
        let mut impostors = Impostors::default();
        impostors.unmask(node(1, 1), at(0), &config);
        assert!(impostors.include(&node(2, 1), at(1)));
        assert!(!impostors.include(&node(1, 1), at(1)));
        assert!(!impostors.include(&node(2, 2), at(1)));
        assert!(!impostors.include(&node(2, 1), config.quarantine));
        // It starts anew with another id.
        impostors.unmask(node(2, 1), at(2), &config);
        assert!(!impostors.include(&node(2, 1), at(3)));
        (2..100).for_each(|host| impostors.unmask(node(1, host), at(4), &config));
        assert_eq!(impostors.0.len(), MAX_IMPOSTORS);
    }
}
