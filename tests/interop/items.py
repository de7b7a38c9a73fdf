#!/usr/bin/env python3
"""Items of BEP 44 between trackless and libtorrent: what either puts, the other finds, and one replaces what the other signed.

A DHT of both on loopback. Needs a Python that has the `libtorrent` module: that of the tools which `install` makes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import libtorrent

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 30
#: BEP 44, "Test Vectors".
PUBLIC = "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548"
PRIVATE = (
    "e06d3183d14159228433ed599221b80bd0a5ce8352e4bdf0262f76786ef1c74d"
    "b7e7a9fea2c0eb269d61e3b38e450a22e754941ac78479d6c54e1faf6037881d"
)


class Failed(Exception):
    """What went wrong, in a sentence."""


class Trackless:
    """The program, in a directory of its own."""

    def __init__(self, binary, directory):
        self.binary = binary
        self.directory = directory
        self.nodes = []
        (directory / "bep44.key").write_text(PRIVATE)

    def environment(self, bootstrap):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("TRACKLESS_")}
        state = tempfile.mkdtemp(dir=self.directory)
        return {
            **clean,
            "TRACKLESS_JSON": "1",
            "TRACKLESS_LISTEN": "127.0.0.1:0",
            "TRACKLESS_BOOTSTRAP": bootstrap,
            "TRACKLESS_STATE_DIR": state,
        }

    def node(self, bootstrap="none"):
        """Starts a node and returns its address."""
        process = subprocess.Popen(
            [self.binary, "--quiet", "node"],
            stdout=subprocess.PIPE,
            env=self.environment(bootstrap),
            cwd=self.directory,
            text=True,
        )
        self.nodes.append(process)
        return json.loads(process.stdout.readline())["addr"]

    def item(self, bootstrap, *arguments):
        """Runs `item` and returns the last event of each name."""
        ended = subprocess.run(
            [self.binary, "item", *arguments],
            capture_output=True,
            env=self.environment(bootstrap),
            cwd=self.directory,
            timeout=PATIENCE,
            text=True,
        )
        if ended.returncode != 0:
            raise Failed(f"item {' '.join(arguments)} ended with {ended.returncode}: {ended.stderr.strip()}")
        events = map(json.loads, ended.stdout.splitlines())
        return {event["event"]: event for event in events}

    def stop(self):
        for process in self.nodes:
            process.kill()
            process.wait()


class Libtorrent:
    """A session in this process: a DHT node."""

    def __init__(self, bootstrap):
        self.session = libtorrent.session(
            {
                "listen_interfaces": "127.0.0.1:0",
                "dht_bootstrap_nodes": bootstrap,
                "enable_lsd": False,
                "enable_upnp": False,
                "enable_natpmp": False,
                "dht_restrict_routing_ips": False,
                "dht_restrict_search_ips": False,
                "dht_upload_rate_limit": 1 << 20,
                "alert_mask": libtorrent.alert.category_t.dht_notification
                | libtorrent.alert.category_t.status_notification,
            }
        )

    def wait_for(self, name, wanted=lambda alert: True, again=None):
        """The next alert of this kind that is as wanted; what causes it is repeated meanwhile."""
        deadline = time.monotonic() + PATIENCE
        repeat = 0
        while time.monotonic() < deadline:
            if again and time.monotonic() >= repeat:
                again()
                repeat = time.monotonic() + 3
            self.session.wait_for_alert(100)
            for alert in self.session.pop_alerts():
                if alert.what() == name and wanted(alert):
                    return alert
        raise Failed(f"libtorrent says no {name}")

    def knows_somebody(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            self.session.post_dht_stats()
            self.session.wait_for_alert(200)
            for alert in self.session.pop_alerts():
                if alert.what() == "dht_stats" and sum(bucket["num_nodes"] for bucket in alert.routing_table) > 0:
                    return
        raise Failed("libtorrent finds nobody")


def equal(found, expected, what):
    if found != expected:
        raise Failed(f"{what} is {found!r}, not {expected!r}")


def immutable_of_trackless(ours, theirs, bootstrap):
    put = ours.item(bootstrap, "put", "made by trackless")["item_stored"]
    target = libtorrent.sha1_hash(bytes.fromhex(put["target"]))
    found = theirs.wait_for(
        "dht_immutable_item",
        lambda alert: alert.item is not None,
        again=lambda: theirs.session.dht_get_immutable_item(target),
    )
    equal(value_of(found.item), b"made by trackless", "the item")


def immutable_of_libtorrent(ours, theirs, bootstrap):
    target = theirs.session.dht_put_immutable_item(b"made by libtorrent")
    done = theirs.wait_for("dht_put", lambda alert: alert.num_success > 0)
    target = str(done.target if target is None else target)
    found = ours.item(bootstrap, "get", target)["item"]
    equal(found["text"], "made by libtorrent", "the item")


def mutable_of_trackless(ours, theirs, bootstrap):
    for text in ("first words", "second words"):
        ours.item(bootstrap, "put", text, "--key", "bep44.key", "--salt", "of trackless")
        found = theirs.wait_for(
            "dht_mutable_item",
            lambda alert: value_of(alert.item) == text.encode(),
            again=lambda: theirs.session.dht_get_mutable_item(bytes.fromhex(PUBLIC), b"of trackless"),
        )
        equal(bytes(found.salt), b"of trackless", "the salt")


def mutable_of_libtorrent(ours, theirs, bootstrap):
    for text in ("third words", "fourth words"):
        theirs.session.dht_put_mutable_item(
            bytes.fromhex(PRIVATE), bytes.fromhex(PUBLIC), text.encode(), b"of libtorrent"
        )
        theirs.wait_for("dht_put", lambda alert: alert.num_success > 0)
        found = ours.item(bootstrap, "get", "--public-key", PUBLIC, "--salt", "of libtorrent")["item"]
        equal(found["text"], text, "the item")
    # What they have signed is replaced by us, and found by them.
    ours.item(bootstrap, "put", "last words", "--key", "bep44.key", "--salt", "of libtorrent")
    theirs.wait_for(
        "dht_mutable_item",
        lambda alert: value_of(alert.item) == b"last words",
        again=lambda: theirs.session.dht_get_mutable_item(bytes.fromhex(PUBLIC), b"of libtorrent"),
    )


def value_of(item):
    """The bytes of an entry that is a string; alerts wrap it in a dictionary."""
    if isinstance(item, dict):
        item = item.get("value", item.get(b"value"))
    return item.encode() if isinstance(item, str) else item


def main():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trackless", type=Path, default=target / "release/trackless")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="trackless-items-"))
    ours = Trackless(arguments.trackless.resolve(), directory)
    failed = 0
    try:
        first = ours.node()
        ours.node(first)
        theirs = Libtorrent(first)
        theirs.knows_somebody()
        cases = [immutable_of_trackless, immutable_of_libtorrent, mutable_of_trackless, mutable_of_libtorrent]
        for case in cases:
            start = time.monotonic()
            try:
                case(ours, theirs, first)
                print(f"passed  {case.__name__} in {time.monotonic() - start:.1f} s", flush=True)
            except (Failed, subprocess.TimeoutExpired) as failure:
                failed += 1
                print(f"FAILED  {case.__name__}: {failure}", flush=True)
    finally:
        ours.stop()
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
