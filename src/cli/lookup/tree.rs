//! Who led to whom in a lookup, drawn as a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use trackless::LookupEvent;

use super::super::style::{BAD, FAINT, GOOD, paint};
use super::super::units;

/// All who were asked, in the order in which they were.
#[derive(Debug, Default)]
pub(super) struct Tree {
    asked: Vec<SocketAddr>,
    branches: BTreeMap<SocketAddr, Branch>,
}

#[derive(Debug)]
struct Branch {
    named_by: Option<SocketAddr>,
    fate: Fate,
}

/// What became of the question.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Unknown,
    Answered {
        round_trip: Duration,
        nodes: usize,
        peers: usize,
    },
    Stalled,
    Failed,
}

impl Tree {
    pub(super) fn hear(&mut self, event: &LookupEvent) {
        let (node, fate) = match *event {
            LookupEvent::Asked { node, named_by } => {
                // Somebody who was asked twice stands where he was asked first.
                let branch = Branch {
                    named_by,
                    fate: Fate::Unknown,
                };
                if !self.branches.contains_key(&node) {
                    self.asked.push(node);
                    self.branches.insert(node, branch);
                }
                return;
            }
            LookupEvent::Answered {
                node,
                round_trip,
                nodes,
                peers,
            } => (
                node,
                Fate::Answered {
                    round_trip,
                    nodes,
                    peers,
                },
            ),
            LookupEvent::Stalled { node } => (node, Fate::Stalled),
            LookupEvent::Failed { node } => (node, Fate::Failed),
            _ => return,
        };
        if let Some(branch) = self.branches.get_mut(&node) {
            branch.fate = fate;
        }
    }

    /// A line for each who was asked, below the one whose answer named him.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut children: BTreeMap<Option<SocketAddr>, Vec<SocketAddr>> = BTreeMap::new();
        for node in &self.asked {
            let namer = self.branches.get(node).and_then(|branch| branch.named_by);
            // Whose namer was not asked himself (an announce told of him) is a branch of ours.
            let namer = namer.filter(|namer| self.branches.contains_key(namer) && namer != node);
            children.entry(namer).or_default().push(*node);
        }
        let mut lines = vec!["this node".to_owned()];
        let mut drawn = BTreeSet::new();
        let mut waiting: Vec<(SocketAddr, String, bool)> = Vec::new();
        let below = |parent, indent: &str, waiting: &mut Vec<_>| {
            let nodes = children.get(&parent).map_or(&[][..], Vec::as_slice);
            let last = nodes.last().copied();
            let nodes = nodes.iter().rev();
            waiting.extend(nodes.map(|&node| (node, indent.to_owned(), Some(node) == last)));
        };
        below(None, "", &mut waiting);
        while let Some((node, indent, is_last)) = waiting.pop() {
            if !drawn.insert(node) {
                continue;
            }
            let (knot, more) = if is_last {
                ("└─ ", "   ")
            } else {
                ("├─ ", "│  ")
            };
            lines.push(format!("{indent}{knot}{}", self.line(node, &children)));
            below(Some(node), &format!("{indent}{more}"), &mut waiting);
        }
        lines
    }

    fn line(
        &self,
        node: SocketAddr,
        children: &BTreeMap<Option<SocketAddr>, Vec<SocketAddr>>,
    ) -> String {
        let fate = self.branches.get(&node).map(|branch| branch.fate);
        let named = children.get(&Some(node)).into_iter().flatten();
        let dead = named.filter(|named| self.is_dead(named)).count();
        let mut says = match fate {
            Some(Fate::Answered {
                round_trip,
                nodes,
                peers,
            }) => {
                let answer = format!(
                    "{:.1} ms, {}",
                    round_trip.as_secs_f64() * 1000.0,
                    units::count(nodes, "node")
                );
                let peers = match peers {
                    0 => String::new(),
                    _ => format!(", {}", units::count(peers, "peer")),
                };
                format!("{}{}", paint(FAINT, answer), paint(GOOD, peers))
            }
            Some(Fate::Stalled) => paint(BAD, "stalled").to_string(),
            Some(Fate::Failed) => paint(BAD, "failed").to_string(),
            Some(Fate::Unknown) | None => paint(FAINT, "not waited for").to_string(),
        };
        if dead > 0 {
            let liar = paint(BAD, format!("named {dead} that did not answer"));
            let _ = write!(says, "  {liar}");
        }
        format!("{:<21}  {says}", node.to_string())
    }

    fn is_dead(&self, node: &SocketAddr) -> bool {
        let fate = self.branches.get(node).map(|branch| branch.fate);
        matches!(fate, Some(Fate::Stalled | Fate::Failed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn everybody_stands_below_the_one_who_named_him() {
        let mut tree = Tree::default();
        let mut asked = |port, namer: Option<u16>| {
            tree.hear(&LookupEvent::Asked {
                node: node(port),
                named_by: namer.map(node),
            });
        };
        asked(1, None);
        asked(2, None);
        asked(3, Some(1));
        asked(4, Some(3));
        asked(5, Some(1));
        let answer = LookupEvent::Answered {
            node: node(1),
            round_trip: Duration::from_micros(1_500),
            nodes: 8,
            peers: 0,
        };
        tree.hear(&answer);
        tree.hear(&LookupEvent::Failed { node: node(5) });
        let plain = |line: &String| anstream::adapter::strip_str(line).to_string();
        let lines: Vec<_> = tree.lines().iter().map(plain).collect();
        assert_eq!(
            lines,
            [
                "this node",
                "├─ 127.0.0.1:1            1.5 ms, 8 nodes  named 1 that did not answer",
                "│  ├─ 127.0.0.1:3            not waited for",
                "│  │  └─ 127.0.0.1:4            not waited for",
                "│  └─ 127.0.0.1:5            failed",
                "└─ 127.0.0.1:2            not waited for",
            ]
        );
    }
}
