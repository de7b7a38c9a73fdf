"""One case: a DHT node, a seed, and somebody who knows the node's address and an info-hash."""

import time
from dataclasses import dataclass
from pathlib import Path

import krpc
from clients import CLIENTS
from clients.client import PORT, Machine
from network import Network
from payload import PAYLOADS, digests_below
from process import wait_until

#: Seconds for a program to start and to answer.
START = 20


class Failed(Exception):
    """What went wrong, in a sentence."""


@dataclass(frozen=True)
class Tools:
    """Where the programs are: ours, and the directory that the others were installed to."""

    trackless: Path
    directory: Path


@dataclass(frozen=True)
class Case:
    seeder: str
    fetcher: str
    node: str
    payload: str
    #: The other nodes of the DHT, for clients that need some.
    neighbours: str = "trackless"
    #: The seeder makes the torrent itself.
    own_torrent: bool = False

    def __str__(self):
        torrent = ", a torrent of its own making" if self.own_torrent else ""
        return (
            f"{self.seeder} seeds, {self.fetcher} fetches, DHT from {self.node}: "
            f"{PAYLOADS[self.payload].about}{torrent}"
        )

    @property
    def clients(self):
        return {self.seeder, self.fetcher, self.node}

    @property
    def neighbour_count(self):
        return max(CLIENTS[name].neighbours for name in self.clients)

    @property
    def patience(self):
        return max(CLIENTS[name].patience for name in self.clients)


@dataclass
class Times:
    """Seconds that the parts of a case took."""

    announced: float = 0.0
    fetched: float = 0.0


class Run:
    """A case as it is run, in a directory and a network of its own."""

    def __init__(self, case, tools, network, directory):
        self.case = case
        self.times = Times()
        self._payload = PAYLOADS[case.payload]
        self._machines = []

        def client(name, role):
            machine = Machine(*network.machine(), directory / role)
            machine.content.mkdir(parents=True)
            self._machines.append(machine)
            return CLIENTS[name](tools, machine)

        self._node = client(case.node, "node")
        self._seeder = client(case.seeder, "seeder")
        self._fetcher = client(case.fetcher, "fetcher")
        self._neighbours = [
            client(case.neighbours, f"neighbour-{number}") for number in range(1, case.neighbour_count + 1)
        ]

    def go(self):
        """Raises Failed, and whatever a missing program or a broken machine raises."""
        try:
            dht = self._start_dht()
            info_hash = self._seed(dht)
            self._await_announce(dht, info_hash)
            self._fetch(info_hash)
            self._compare()
        finally:
            for machine in self._machines:
                machine.stop()

    def said(self):
        """The last words of the three programs that the case is about."""
        return [
            line
            for machine in self._machines[:3]
            for process in machine.processes
            for line in [f"  {machine.directory.name}: {process.name}, exit status {process.status}", *process.tail()]
        ]

    def _start_dht(self):
        """Starts the nodes, each from the one before; their ids, by their addresses."""
        dht = {}
        address = None
        for client in [*self._neighbours, self._node]:
            client.machine.bootstrap = address
            address, node_id = self._start_node(client)
            dht[address] = node_id
        self._seeder.machine.bootstrap = self._fetcher.machine.bootstrap = address
        return dht

    @staticmethod
    def _start_node(client):
        """Starts a DHT node and waits until it has found others, if there are any; its address and id."""
        process = client.node()
        address = wait_until(lambda: client.node_address(process), START)
        node_id = address and wait_until(lambda: krpc.node_id(address), START)
        if not node_id:
            raise Failed(f"the DHT node of {client.name} does not answer")
        if client.machine.bootstrap and not wait_until(lambda: krpc.names_others(address), START):
            raise Failed(f"the DHT node of {client.name} names nobody, not even the node that it started from")
        return address, node_id

    def _seed(self, dht):
        """Starts the seed; the info-hash."""
        content = self._seeder.machine.content
        self._payload.write(content)
        if self.case.own_torrent:
            process = self._seeder.share(content / self._payload.name)
            info_hash = wait_until(lambda: self._seeder.shared(process), START)
            if not info_hash:
                raise Failed(f"{self.case.seeder} does not share")
            return info_hash
        choosy = any(CLIENTS[name].only_near_nodes for name in self.case.clients)
        # Near a neighbour, not near the node itself: rqbit stores only what shares 20 bits with its own id.
        neighbours = list(dht.values())[: self.case.neighbour_count]
        torrent, info_hash = self._payload.torrent(near=neighbours if choosy else ())
        path = self._seeder.machine.directory / "the.torrent"
        path.write_bytes(torrent)
        self._seeder.seed(path)
        return info_hash

    def _await_announce(self, dht, info_hash):
        """Until the DHT knows the seed: what is not there cannot be found."""
        start = time.monotonic()
        seed = (self._seeder.machine.address, PORT)

        def known():
            return set().union(*(krpc.peers(address, info_hash) for address in dht))

        if not wait_until(lambda: seed in known(), self.case.patience, 0.1):
            raise Failed(f"{self.case.seeder} is not in the DHT, which has {known() or 'nobody'}")
        self.times.announced = time.monotonic() - start

    def _fetch(self, info_hash):
        start = time.monotonic()
        process = self._fetcher.fetch(info_hash)

        def over():
            return self._fetcher.has_fetched(process) or process.status is not None

        wait_until(over, self.case.patience, 0.1)
        if not self._fetcher.has_fetched(process):
            end = "is not done" if process.status is None else f"ended with exit status {process.status}"
            raise Failed(f"{self.case.fetcher} {end} after {time.monotonic() - start:.0f} s")
        self.times.fetched = time.monotonic() - start

    def _compare(self):
        expected = self._payload.digests()
        got = digests_below(self._fetcher.fetched(self._payload))
        for path in sorted(expected.keys() | got.keys()):
            if path not in got and self._payload.is_empty(path) and not self._fetcher.makes_empty_files:
                continue
            if path not in got:
                raise Failed(f"{path or 'the file'} was not fetched")
            if path not in expected:
                raise Failed(f"{path} was fetched, but is not in the torrent")
            if got[path] != expected[path]:
                raise Failed(f"{path or 'the file'} has other content than was served")


def run(case, number, tools, directory):
    """Runs a case; its times, why it failed or None, and what its programs said."""
    with Network(number) as network:
        attempt = Run(case, tools, network, directory)
        try:
            attempt.go()
            failure = None
        except (Failed, OSError, ValueError) as error:
            failure = str(error)
        return attempt.times, failure, attempt.said()
