"""Runs a libtorrent session: a DHT node, a seed, or a download.

Needs a Python that has the `libtorrent` module. Prints "done" when a download is on the disk; alerts go to standard
error.
"""

import argparse
import sys
import time

import libtorrent

# Its first announce may come before its DHT knows anybody, the second a quarter of an hour later.
ANNOUNCE_INTERVAL = 2


def main():
    arguments = parse()
    session = libtorrent.session(settings(arguments))
    handle = None
    if arguments.role != "node":
        handle = session.add_torrent(parameters(arguments))
    follow(session, handle)


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("node", "seed", "fetch"))
    parser.add_argument("--listen", required=True)
    parser.add_argument("--save", required=True)
    parser.add_argument("--bootstrap", default="")
    parser.add_argument("--torrent")
    parser.add_argument("--magnet")
    return parser.parse_args()


def settings(arguments):
    """As the library comes, but for what a network of three machines without internet needs."""
    category = libtorrent.alert.category_t
    return {
        "listen_interfaces": arguments.listen,
        "dht_bootstrap_nodes": arguments.bootstrap,
        # Peers come from the DHT alone.
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        # All are neighbours here.
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "alert_mask": category.status_notification
        | category.error_notification
        | category.connect_notification
        | category.storage_notification
        | category.dht_notification,
    }


def parameters(arguments):
    if arguments.torrent:
        wanted = libtorrent.add_torrent_params()
        wanted.ti = libtorrent.torrent_info(arguments.torrent)
    else:
        wanted = libtorrent.parse_magnet_uri(arguments.magnet)
    wanted.save_path = arguments.save
    wanted.flags &= ~libtorrent.torrent_flags.auto_managed
    wanted.flags &= ~libtorrent.torrent_flags.paused
    return wanted


def follow(session, handle):
    """Tells what happens, until the process is ended."""
    finished = False
    next_announce = 0.0
    while True:
        session.wait_for_alert(100)
        for alert in session.pop_alerts():
            print(f"{time.monotonic():.3f} {alert.what()}: {alert.message()}", file=sys.stderr, flush=True)
            if isinstance(alert, libtorrent.torrent_finished_alert):
                # All pieces have passed their check, but may not be written yet.
                finished = True
                handle.flush_cache()
            elif isinstance(alert, libtorrent.cache_flushed_alert) and finished:
                print("done", flush=True)
        if handle and time.monotonic() > next_announce:
            handle.force_dht_announce()
            next_announce = time.monotonic() + ANNOUNCE_INTERVAL


if __name__ == "__main__":
    main()
