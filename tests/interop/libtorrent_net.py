"""Runs many libtorrent DHT nodes in one process, and does with them what standard input says, a command a line.

    announce N HASH PORT      node N announces that it has a torrent
    get N HASH                node N looks for its peers; each answer is a line "HASH IP:PORT …"

Prints "ready" when all have joined. Needs a Python that has the `libtorrent` module.
"""

import select
import sys
import time

import libtorrent

#: Seconds for all to join.
PATIENCE = 30


def main():
    entrance, *addresses = sys.argv[1:]
    sessions = [libtorrent.session(settings(address, entrance)) for address in addresses]
    waiting = set(range(len(sessions)))
    end = time.monotonic() + PATIENCE
    while waiting and time.monotonic() < end:
        for number in list(waiting):
            if any(isinstance(alert, libtorrent.dht_bootstrap_alert) for alert in sessions[number].pop_alerts()):
                waiting.discard(number)
        time.sleep(0.05)
    print("ready" if not waiting else f"{len(waiting)} did not join", flush=True)
    while True:
        if select.select([sys.stdin], [], [], 0.05)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            obey(sessions, *line.split())
        for session in sessions:
            for alert in session.pop_alerts():
                if isinstance(alert, libtorrent.dht_get_peers_reply_alert):
                    peers = " ".join(f"{ip}:{port}" for ip, port in alert.peers())
                    print(f"{alert.info_hash} {peers}", flush=True)


def obey(sessions, command, number, info_hash, port="0"):
    session = sessions[int(number)]
    wanted = libtorrent.sha1_hash(bytes.fromhex(info_hash))
    if command == "announce":
        session.dht_announce(wanted, int(port))
    else:
        session.dht_get_peers(wanted)


def settings(address, entrance):
    """As the library comes, but for what a network without internet needs."""
    category = libtorrent.alert.category_t
    return {
        "listen_interfaces": address,
        "dht_bootstrap_nodes": entrance,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        # All are neighbours here.
        "dht_restrict_routing_ips": False,
        "dht_restrict_search_ips": False,
        "alert_mask": category.status_notification | category.dht_notification | category.dht_operation_notification,
    }


if __name__ == "__main__":
    main()
