//! Who led to whom in a lookup, drawn as a tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use trackless::{LookupEvent, LookupFailure};

use super::super::report::{self, Report};
use super::super::style::{BAD, FAINT, GOOD, paint};
use super::super::units;
use super::reason;

/// All who were asked, in the order in which they were.
#[derive(Debug, Default)]
pub(super) struct Tree {
    asked: Vec<SocketAddr>,
    /// Queries that were sent to them.
    queries: usize,
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
    /// It is slow.
    Stalled,
    Failed(LookupFailure),
}

impl Tree {
    pub(super) fn hear(&mut self, event: &LookupEvent) {
        let (node, fate) = match *event {
            LookupEvent::Asked { node, named_by } => {
                self.queries += 1;
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
            LookupEvent::Failed { node, why } => (node, Fate::Failed(why)),
            _ => return,
        };
        if let Some(branch) = self.branches.get_mut(&node) {
            branch.fate = fate;
        }
    }

    /// A line for each who was asked, below the one whose answer named him; and how many of so many queries in all looked for others.
    pub(super) fn lines(&self, queries: usize) -> Vec<String> {
        let children = self.children();
        let mut lines = self.drawn(&children);
        let explored = self.explored(queries);
        if explored > 0 {
            let asked = if explored == 1 { "query" } else { "queries" };
            lines.push(format!(
                "and {explored} {asked} for nodes that others may hide"
            ));
        }
        lines
    }

    /// The same for programs.
    pub(super) fn report(&self, queries: usize) -> Report<'static> {
        let children = self.children();
        let nodes = self.asked.iter().filter_map(|node| {
            let branch = self.branches.get(node)?;
            let (named_dead, named_false) = self.lies(*node, &children);
            Some(report::Branch {
                node: *node,
                named_by: branch.named_by,
                fate: match branch.fate {
                    Fate::Unknown => report::Fate::Unknown,
                    Fate::Answered {
                        round_trip,
                        nodes,
                        peers,
                    } => report::Fate::Answered {
                        milliseconds: round_trip.as_secs_f64() * 1000.0,
                        nodes,
                        peers,
                    },
                    Fate::Stalled => report::Fate::Stalled,
                    Fate::Failed(why) => report::Fate::Failed(why.into()),
                },
                named_dead,
                named_false,
            })
        });
        Report::Tree {
            nodes: nodes.collect(),
            explored: self.explored(queries),
        }
    }

    fn explored(&self, queries: usize) -> usize {
        queries.saturating_sub(self.queries)
    }

    /// Who was named by whom; those whom nobody named were known.
    fn children(&self) -> BTreeMap<Option<SocketAddr>, Vec<SocketAddr>> {
        let mut children: BTreeMap<Option<SocketAddr>, Vec<SocketAddr>> = BTreeMap::new();
        for node in &self.asked {
            let namer = self.branches.get(node).and_then(|branch| branch.named_by);
            // Whose namer was not asked himself (an announce told of him) is a branch of ours.
            let namer = namer.filter(|namer| self.branches.contains_key(namer) && namer != node);
            children.entry(namer).or_default().push(*node);
        }
        children
    }

    fn drawn(&self, children: &BTreeMap<Option<SocketAddr>, Vec<SocketAddr>>) -> Vec<String> {
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
            lines.push(format!("{indent}{knot}{}", self.line(node, children)));
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
        let (dead, others) = self.lies(node, children);
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
            Some(Fate::Stalled) => paint(FAINT, "slow, not waited for").to_string(),
            Some(Fate::Failed(why)) => paint(BAD, reason(why)).to_string(),
            Some(Fate::Unknown) | None => paint(FAINT, "not waited for").to_string(),
        };
        if dead > 0 {
            let liar = paint(BAD, format!("named {dead} that did not answer"));
            let _ = write!(says, "  {liar}");
        }
        if others > 0 {
            let liar = paint(BAD, format!("named {others} that are somebody else"));
            let _ = write!(says, "  {liar}");
        }
        format!("{:<21}  {says}", node.to_string())
    }

    /// Of those whom a node named: how many did not answer, and how many are somebody else.
    fn lies(
        &self,
        node: SocketAddr,
        children: &BTreeMap<Option<SocketAddr>, Vec<SocketAddr>>,
    ) -> (usize, usize) {
        let named = children.get(&Some(node)).into_iter().flatten();
        let fates = named.filter_map(|named| self.branches.get(named).map(|branch| branch.fate));
        fates.fold((0, 0), |(dead, others), fate| match fate {
            Fate::Failed(LookupFailure::TimedOut) => (dead + 1, others),
            Fate::Failed(LookupFailure::Impostor { .. }) => (dead, others + 1),
            _ => (dead, others),
        })
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
        asked(6, Some(1));
        asked(7, Some(1));
        let answer = LookupEvent::Answered {
            node: node(1),
            round_trip: Duration::from_micros(1_500),
            nodes: 8,
            peers: 0,
        };
        tree.hear(&answer);
        for (port, why) in [
            (5, LookupFailure::TimedOut),
            (6, LookupFailure::Impostor { id: [0xab; 20] }),
            (7, LookupFailure::Refused { code: 202 }),
        ] {
            let node = node(port);
            tree.hear(&LookupEvent::Failed { node, why });
        }
        // Slow is not dead: the lookup ended before anybody could say.
        tree.hear(&LookupEvent::Stalled { node: node(3) });
        let plain = |line: &String| anstream::adapter::strip_str(line).to_string();
        let lines: Vec<_> = tree.lines(9).iter().map(plain).collect();
        assert_eq!(
            lines,
            [
                "this node",
                "├─ 127.0.0.1:1            1.5 ms, 8 nodes  named 1 that did not answer  named 1 that are somebody else",
                "│  ├─ 127.0.0.1:3            slow, not waited for",
                "│  │  └─ 127.0.0.1:4            not waited for",
                "│  ├─ 127.0.0.1:5            no answer",
                "│  ├─ 127.0.0.1:6            is another node: abababababababababababababababababababab",
                "│  └─ 127.0.0.1:7            refused with error 202",
                "└─ 127.0.0.1:2            not waited for",
                "and 2 queries for nodes that others may hide",
            ]
        );
    }
    #[test]
    fn programs_are_told_who_lied() {
        let mut tree = Tree::default();
        for (port, named_by) in [(1, None), (2, Some(node(1)))] {
            let node = node(port);
            tree.hear(&LookupEvent::Asked { node, named_by });
        }
        tree.hear(&LookupEvent::Failed {
            node: node(2),
            why: LookupFailure::Refused { code: 203 },
        });
        assert_eq!(
            tree.report(3).to_json(),
            concat!(
                r#"{"event":"tree","nodes":["#,
                r#"{"node":"127.0.0.1:1","fate":"unknown","named_dead":0,"named_false":0},"#,
                r#"{"node":"127.0.0.1:2","named_by":"127.0.0.1:1","fate":"failed","why":"refused","code":203,"named_dead":0,"named_false":0}"#,
                r#"],"explored":1}"#
            )
        );
    }
}
