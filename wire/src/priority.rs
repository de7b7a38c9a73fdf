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
