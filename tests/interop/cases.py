"""The cases: every other client in both roles, found from our DHT node and from its own, with every payload.

Slow ones first, so that the others are done beside them.
"""

from case import Case

CASES = [
    Case("transmission", "trackless", "trackless", "small-pieces"),
    Case("transmission", "trackless", "transmission", "tree"),
    Case("trackless", "transmission", "trackless", "album"),
    Case("trackless", "transmission", "transmission", "large-pieces"),
    Case("aria2", "trackless", "trackless", "tree"),
    Case("aria2", "trackless", "aria2", "large-pieces"),
    Case("trackless", "aria2", "trackless", "small-pieces"),
    Case("trackless", "aria2", "aria2", "album", own_torrent=True),
    Case("rqbit", "trackless", "trackless", "album"),
    Case("rqbit", "trackless", "rqbit", "small-pieces"),
    Case("trackless", "rqbit", "trackless", "large-pieces"),
    Case("trackless", "rqbit", "rqbit", "tree"),
    Case("libtorrent", "trackless", "trackless", "large-pieces"),
    Case("libtorrent", "trackless", "libtorrent", "album"),
    Case("trackless", "libtorrent", "trackless", "tree", own_torrent=True),
    Case("trackless", "libtorrent", "libtorrent", "small-pieces"),
]
