#!/usr/bin/env python3
"""One DHT of two kinds of nodes, ours and libtorrent's, in which each kind finds what the other announced.

Everybody has an address of its own, in a network namespace that has no way out.
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

import network
from process import Process, wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
PORT = 6881
#: Seconds for a lookup; libtorrent's waits for nodes that do not answer.
PATIENCE = 20
#: Torrents that each kind announces, and how many of each kind look for one.
TORRENTS = 5
SEEKERS = 3


class Ours:
    """Nodes of the program under test, a process each."""

    name = "trackless"

    def __init__(self, program, directory, addresses, entrance):
        self._program, self._directory, self._entrance = program, directory, entrance
        self.addresses = addresses
        self._nodes = [self._start(f"node-{address}", "node", "--listen", address) for address in addresses]
        self._seeds = []

    def _start(self, name, command, *words, bootstrap=None):
        return Process(
            name.replace(":", "-"),
            [
                self._program, command, *words, "--json",
                "--bootstrap", bootstrap or self._entrance,
                "--state-dir", self._directory / name.replace(":", "-"),
            ],
            self._directory,
        )

    def is_ready(self):
        return all(any('"listening"' in line for line in node.lines()) for node in self._nodes)

    def announce(self, number, address):
        """Shares a file of ours; the info-hash, once it is announced."""
        path = self._directory / f"shared-{number}"
        path.write_text(f"number {number}")
        seed = self._start(f"seed-{number}", "seed", path, "--listen", address)
        self._seeds.append(seed)

        def info_hash():
            events = [json.loads(line) for line in seed.lines()]
            hashes = [event["info_hash"] for event in events if event["event"] == "seeding"]
            return hashes[0] if hashes else None

        return wait_until(info_hash, PATIENCE)

    def seek(self, number, info_hash, address, bootstrap):
        """What a lookup of ours finds, which enters the network anywhere."""
        lookup = self._start(f"lookup-{number}-{address}", "lookup", info_hash, "--listen", address, bootstrap=bootstrap)
        wait_until(lambda: lookup.status is not None, PATIENCE)
        lookup.stop()
        found = set()
        for line in lookup.lines():
            found.update(json.loads(line).get("peers") or [] if '"peers":[' in line else [])
        return found

    def stop(self):
        for process in [*self._nodes, *self._seeds]:
            process.stop()


class Theirs:
    """Nodes of libtorrent, all in one process."""

    name = "libtorrent"

    def __init__(self, python, directory, addresses, entrance):
        self.addresses = addresses
        self._out = directory / "libtorrent.out"
        driver = Path(__file__).parent / "libtorrent_net.py"
        with self._out.open("wb") as out, (directory / "libtorrent.err").open("wb") as err:
            self._child = subprocess.Popen(
                [python, driver, entrance, *addresses], stdin=subprocess.PIPE, stdout=out, stderr=err, text=True
            )

    def _lines(self):
        return self._out.read_text().split("\n")[:-1]

    def is_ready(self):
        return "ready" in self._lines()

    def _tell(self, *words):
        self._child.stdin.write(" ".join(map(str, words)) + "\n")
        self._child.stdin.flush()

    def announce(self, number, info_hash, port):
        self._tell("announce", number, info_hash, port)

    def seek(self, number, info_hash, wanted):
        """What a lookup of theirs finds, until the wanted peer is among it."""
        before = len(self._lines())
        self._tell("get", number, info_hash)

        def found():
            answers = [line.split() for line in self._lines()[before:]]
            return {peer for answer in answers if answer[0] == info_hash for peer in answer[1:]}

        wait_until(lambda: wanted in found(), PATIENCE)
        return found()

    def stop(self):
        self._child.kill()
        self._child.wait()


def main():
    arguments = parse()
    network.enter()
    directory = Path(tempfile.mkdtemp(prefix="trackless-mixed-net-"))
    passed = False
    try:
        passed = run(arguments, directory)
    finally:
        if passed:
            shutil.rmtree(directory, ignore_errors=True)
        else:
            print(f"what was said is in {directory}")
    return 0 if passed else 1


def parse():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=30, help="of each kind (default: %(default)s)")
    parser.add_argument("--tools", type=Path, metavar="DIR", default=cache / "trackless-interop")
    parser.add_argument("--trackless", type=Path, metavar="PROGRAM", default=target / "release/trackless")
    return parser.parse_args()


def run(arguments, directory):
    count = arguments.nodes
    hosts = iter(range(1, 250))

    def address():
        ip = f"10.78.0.{next(hosts)}"
        subprocess.run(["ip", "addr", "add", f"{ip}/32", "dev", "lo"], check=True)
        return f"{ip}:{PORT}"

    start = time.monotonic()
    our_addresses = [address() for _ in range(count)]
    entrance = our_addresses[0]
    ours = Ours(arguments.trackless.resolve(), directory, our_addresses, entrance)
    theirs = None
    try:
        if not wait_until(ours.is_ready, PATIENCE):
            print("FAIL  our nodes do not listen")
            return False
        python = arguments.tools.resolve() / "venv/bin/python"
        theirs = Theirs(python, directory, [address() for _ in range(count)], entrance)
        if not wait_until(theirs.is_ready, 2 * PATIENCE):
            print("FAIL  their nodes do not join")
            return False
        print(f"ok    {2 * count} nodes, joined after {time.monotonic() - start:.1f} s", flush=True)
        return exchange(ours, theirs, address)
    finally:
        ours.stop()
        if theirs:
            theirs.stop()


def exchange(ours, theirs, address):
    """Each kind announces, and both kinds look; whether all found it."""
    announced = []
    for number in range(TORRENTS):
        seeder = address()
        info_hash = ours.announce(number, seeder)
        announced.append((ours.name, info_hash, seeder))
    for number in range(TORRENTS):
        info_hash = os.urandom(20).hex()
        holder = theirs.addresses[number].rsplit(":", 1)[0]
        theirs.announce(number, info_hash, 7000 + number)
        announced.append((theirs.name, info_hash, f"{holder}:{7000 + number}"))
    # libtorrent does not tell when an announce is done.
    time.sleep(2)
    passed = True
    for number, (kind, info_hash, holder) in enumerate(announced):
        entrances = [theirs.addresses[-1 - number], ours.addresses[-1 - number], theirs.addresses[number]]
        finds = [holder in ours.seek(number, info_hash, address(), entrance) for entrance in entrances[:SEEKERS]]
        passed &= tell(kind, ours.name, info_hash, finds)
        seekers = [len(theirs.addresses) - 1 - (number + step) % len(theirs.addresses) for step in range(SEEKERS)]
        finds = [holder in theirs.seek(seeker, info_hash, holder) for seeker in seekers]
        passed &= tell(kind, theirs.name, info_hash, finds)
    return passed


def tell(kind, seeker, info_hash, finds):
    verdict = "ok  " if all(finds) else "FAIL"
    print(f"{verdict}  {kind} announced {info_hash[:8]}, {sum(finds)} of {len(finds)} lookups of {seeker} found it", flush=True)
    return all(finds)


if __name__ == "__main__":
    sys.exit(main())
