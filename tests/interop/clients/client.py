"""What a client can do, and the machine it does it on."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import network
from process import Process

PORT = 6881


@dataclass
class Machine:
    """Where a client runs: an address, a directory, and the one DHT node that it is told of."""

    namespace: str
    address: str
    directory: Path
    bootstrap: tuple | None = None
    processes: list = field(default_factory=list)

    @property
    def content(self):
        """The directory that has, or gets, the torrent's content under the torrent's name."""
        return self.directory / "content"

    def start(self, argv):
        """Starts a program here."""
        process = Process(Path(argv[0]).name, network.inside(self.namespace, argv), self.directory)
        self.processes.append(process)
        return process

    def stop(self):
        """Ends every program here."""
        for process in self.processes:
            process.stop()


class Client:
    """One client on one machine. Each method that starts something returns its process."""

    name: str
    #: Seconds within which it does what it is asked for.
    patience = 60
    #: DHT nodes there have to be besides those of the case before it looks anything up.
    neighbours = 0
    #: Whether it makes the files of a torrent that have no content.
    makes_empty_files = True
    #: Whether it announces to no DHT node but those whose id shares 16 bits with the info-hash.
    only_near_nodes = False

    def __init__(self, tools, machine):
        self.tools = tools
        self.machine = machine

    def program(self):
        """The path of the program. Raises FileNotFoundError."""
        raise NotImplementedError

    def node(self):
        """Runs as a DHT node."""
        raise NotImplementedError

    def node_address(self, process):
        """Where that DHT node is; None as long as it is not known."""
        del process
        return (self.machine.address, PORT)

    def seed(self, torrent):
        """Serves the torrent file, its content being there."""
        raise NotImplementedError

    def fetch(self, info_hash):
        """Fetches by info-hash."""
        raise NotImplementedError

    def has_fetched(self, process):
        """Whether everything is on the disk."""
        return process.status == 0

    def fetched(self, payload):
        """Where a payload lies after it was fetched."""
        return self.machine.content / payload.name


def magnet(info_hash):
    """A magnet link that says nothing but the info-hash."""
    return f"magnet:?xt=urn:btih:{info_hash.hex()}"


def find(name):
    """A program on the search path. Raises FileNotFoundError."""
    if path := shutil.which(name):
        return path
    raise FileNotFoundError(f"{name} is not installed")


def existing(path):
    """The path itself. Raises FileNotFoundError."""
    if path.exists():
        return path
    raise FileNotFoundError(f"{path} is missing")
