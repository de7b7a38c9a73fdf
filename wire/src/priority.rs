use crate::Info;

/// How much a piece is wanted. What is wanted more is requested first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Not at all: nothing of it is requested. What came before stays where it is.
    Skip,
    /// After everything else.
    Low,
    /// As any piece, unless said otherwise.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// In which order pieces of one priority are begun.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Those that fewest peers have, so that none is lost when somebody leaves; the first few at random, to have something to trade.
    #[default]
    RarestFirst,
    /// From the first one on. Bad for the swarm: for whoever has to have the beginning first.
    Sequential,
}

/// How much each piece is wanted, if each file is wanted as `of_file` says of its place in [`Info::files`]: a piece as much as the most wanted file that has a
/// part of it. Padding (BEP 47) has no say.
pub fn piece_priorities(info: &Info, of_file: impl Fn(usize) -> Priority) -> Vec<Priority> {
    let geometry = info.geometry();
    let mut priorities = vec![Priority::Skip; geometry.pieces() as usize];
    let files = info.files().iter().enumerate();
    for (index, file) in files.filter(|(_, file)| !file.padding) {
        let priority = of_file(index);
        for piece in info.pieces_of(file) {
            if let Some(wanted) = priorities.get_mut(piece as usize) {
                *wanted = priority.max(*wanted);
            }
        }
    }
    priorities
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::InfoBuilder;
    use Priority::{High, Normal, Skip};

    #[test]
    fn a_piece_is_wanted_by_every_file_that_has_a_part_of_it() {
        let names = ["a", "b", "c", "d"].map(String::from);
        let files = names.into_iter().zip([10_000, 30_000, 0, 60_000]);
        let info = InfoBuilder::multiple_files("several", files.collect())
            .piece_length(16_384)
            .build(&[[0; 20]; 7])
            .unwrap();
        let only = |wanted: usize, as_much: Priority| {
            piece_priorities(&info, |file| if file == wanted { as_much } else { Skip })
        };
        assert_eq!(
            only(0, Normal),
            [Normal, Skip, Skip, Skip, Skip, Skip, Skip]
        );
        assert_eq!(only(1, High), [High, High, High, Skip, Skip, Skip, Skip]);
        assert_eq!(only(2, High), [Skip; 7]);
        assert_eq!(only(3, Normal)[2..], [Normal; 5]);
        let both = piece_priorities(&info, |file| if file == 1 { High } else { Normal });
        assert_eq!(both, [High, High, High, Normal, Normal, Normal, Normal]);
    }
}
