#!/usr/bin/env python3
"""One seed and a crowd that comes at once, of one client after the other: seconds until the last has everything, and CPU
seconds for each GiB that is fetched.

Each has a machine of its own, in a network namespace that has no way out; the content lies in memory. Those that are
done stay and serve the others; rqbit, which hangs up on everybody then, ends. Medians over the rounds; in each round every
client has its turn.

    tests/interop/install TOOLS && cargo build --release && python3 tests/interop/crowd.py --tools TOOLS
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import krpc
import network
from case import START, Tools
from clients import Libtorrent, Rqbit, Trackless
from clients.client import PORT, Machine
from clients.trackless import events
from payload import MIB, Payload, digests_below
from process import wait_until

ROOT = Path(__file__).resolve().parent.parent.parent
#: DHT nodes, trackless ones for everybody. rqbit wants some that others name.
NODES = 5
#: Seconds for the whole crowd.
PATIENCE = 120


class Unfinished(Exception):
    """Some got stuck: no time can be given."""


class StayingTrackless(Trackless):
    """One that serves others when it is done."""

    def fetch(self, info_hash):
        return self._start("get", info_hash.hex(), "-o", self.machine.content, "--keep-seeding")

    def has_fetched(self, process):
        return any(event["event"] == "done" for event in events(process))


CLIENTS = {client.name: client for client in (StayingTrackless, Libtorrent, Rqbit)}


class Crowd:
    """One turn of one client."""

    def __init__(self, kind, tools, payload, leechers, net, directory):
        self._payload, self._machines = payload, []

        def client(kind, role):
            machine = Machine(*net.machine(), directory / role)
            machine.content.mkdir(parents=True)
            self._machines.append(machine)
            return kind(tools, machine)

        self._nodes = [client(Trackless, f"node-{number}") for number in range(NODES)]
        self._seed = client(kind, "seed")
        self._leechers = [client(kind, f"leecher-{number}") for number in range(leechers)]
        net.introduce()

    def go(self):
        """Seconds until the last was done, and CPU seconds of all. Raises RuntimeError, Unfinished."""
        try:
            ids = self._start_dht()
            info_hash = self._serve(ids)
            start = time.monotonic()
            waiting = {leecher: leecher.fetch(info_hash) for leecher in self._leechers}
            cpu = {}
            while waiting:
                time.sleep(0.05)
                if time.monotonic() > start + PATIENCE:
                    raise Unfinished(f"{len(waiting)} were not done in {PATIENCE} s")
                cpu.update((pid, cpu_seconds(pid)) for pid in self._running())
                for leecher, process in list(waiting.items()):
                    if leecher.has_fetched(process):
                        del waiting[leecher]
                    elif process.status is not None:
                        raise RuntimeError("\n".join([f"exit status {process.status}", *process.tail()]))
            seconds = time.monotonic() - start
            expected = self._payload.digests()
            for leecher in self._leechers:
                if digests_below(leecher.fetched(self._payload)) != expected:
                    raise RuntimeError("other bytes than those that were served")
            return seconds, sum(cpu.values())
        finally:
            for machine in self._machines:
                machine.stop()

    def _running(self):
        """The seed and the leechers that have not ended."""
        machines = [client.machine for client in [self._seed, *self._leechers]]
        return [process.pid for machine in machines for process in machine.processes if process.status is None]

    def _start_dht(self):
        address, ids = None, []
        for client in self._nodes:
            client.machine.bootstrap = address
            process = client.node()
            address = wait_until(lambda: client.node_address(process), START)
            ids.append(wait_until(lambda: krpc.node_id(address), START))
        for client in [self._seed, *self._leechers]:
            client.machine.bootstrap = address
        return ids

    def _serve(self, ids):
        self._payload.write(self._seed.machine.content)
        torrent, info_hash = self._payload.torrent(near=ids[:-1])
        path = self._seed.machine.directory / "the.torrent"
        path.write_bytes(torrent)
        self._seed.seed(path)
        nodes = [(client.machine.address, PORT) for client in self._nodes]
        known = lambda: any(krpc.peers(node, info_hash) for node in nodes)
        if not wait_until(known, PATIENCE, 0.1):
            raise RuntimeError("the seed is not in the DHT")
        return info_hash


def cpu_seconds(pid):
    """What a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    network.enter()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True)
    parser.add_argument("--trackless", type=Path, default=ROOT / "target/release/trackless")
    parser.add_argument("--clients", nargs="*", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--leechers", type=int, default=32)
    parser.add_argument("--mebibytes", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=Path, default=Path("/dev/shm"), help="where the content is kept meanwhile")
    arguments = parser.parse_args()
    tools = Tools(arguments.trackless.resolve(), arguments.tools.resolve())
    seconds, cpu = {name: [] for name in arguments.clients}, {name: [] for name in arguments.clients}
    number = 0
    with tempfile.TemporaryDirectory(dir=arguments.directory) as folder:
        payload = Payload("crowd", "one file, 1 MiB pieces", "crowd.bin", MIB, {"": arguments.mebibytes * MIB})
        for _ in range(arguments.rounds):
            for name in arguments.clients:
                number += 1
                with network.Network(number) as net, tempfile.TemporaryDirectory(dir=folder) as place:
                    crowd = Crowd(CLIENTS[name], tools, payload, arguments.leechers, net, Path(place))
                    try:
                        took, used = crowd.go()
                    except Unfinished as stuck:
                        print(f"{name}: {stuck}", flush=True)
                        continue
                seconds[name].append(took)
                cpu[name].append(used * 1024 / (arguments.mebibytes * arguments.leechers))
                print(f"{name}: {took:.2f} s, {cpu[name][-1]:.2f} CPU s/GiB", flush=True)
    for name in filter(seconds.get, arguments.clients):
        print(f"{name:12} last of {arguments.leechers} after {statistics.median(seconds[name]):.2f} s, "
              f"{statistics.median(cpu[name]):.2f} CPU s/GiB")


if __name__ == "__main__":
    main()
