use wire::FileSet;

/// Which files of a torrent are fetched. Others are not created: what is needed of them, since pieces are shared, lies in `.INFOHASH.parts` in the torrent's directory
/// until all is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selection {
    /// Those that the magnet link names (BEP 53). All, if it names none, or there is no link.
    #[default]
    Linked,
    /// These. Numbers that the torrent has no file for are passed over.
    Only(FileSet),
    /// None before [`Torrent::select`](crate::Torrent::select) is called: the metadata are fetched, and nothing is written or announced.
    Later,
}

impl Selection {
    /// The same, if the link names these files.
    pub(crate) fn or(self, linked: Option<FileSet>) -> Self {
        match (self, linked) {
            (Selection::Linked, Some(files)) => Selection::Only(files),
            (chosen, _) => chosen,
        }
    }

    /// The files, if it is known which.
    pub(crate) fn files(self) -> Option<FileSet> {
        match self {
            Selection::Linked => Some(FileSet::all()),
            Selection::Only(files) => Some(files),
            Selection::Later => None,
        }
    }
}
