"""Peers that mean harm, each on an address of its own: they are announced in the DHT like anybody, take connections and
make them."""

import asyncio
import contextlib
import logging
import os
import random
import socket
import struct
from collections import Counter

import bencode
import krpc

HANDSHAKE = struct.Struct(">20s8s20s20s")
PROTOCOL = b"\x13BitTorrent protocol"
UNCHOKE, INTERESTED, REQUEST, PIECE, HAVE_ALL = 1, 2, 6, 7, 14
BLOCK = 16384
# Whoever is hung up on goes on writing for a while.
logging.getLogger("asyncio").setLevel(logging.ERROR)

#: Seconds between two announces of a liar, and that any conversation takes at most.
ANNOUNCE_EVERY, LONGEST = 30, 20


class Torrent:
    """What somebody knows of a torrent who has it."""

    def __init__(self, info_hash, piece_length, content):
        self.info_hash, self._piece_length, self._content = info_hash, piece_length, content

    def request(self, rng):
        """The payload of a request for a block that there is."""
        start = rng.randrange(len(self._content) - BLOCK) // BLOCK * BLOCK
        return struct.pack(">III", *divmod(start, self._piece_length), BLOCK)

    def block(self, piece, offset, length):
        """What such a request asks for."""
        start = piece * self._piece_length + offset
        return self._content[start : start + length]


class Crowd:
    """All of them. `honest` are the (address, torrent) pairs of those to be harmed, and may grow."""

    def __init__(self, torrents, dht, rng):
        self.honest = []
        self.done = Counter()
        self._torrents, self._dht, self._rng = torrents, dht, rng
        self._address = 0

    async def run(self, liars):
        """Until it is cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(liars):
                    tasks.create_task(self._lie())
                for attack in (self._reset, self._reset, self._ask_without_reading, self._trickle, self._garbage):
                    tasks.create_task(self._repeat(attack))
        finally:
            self.honest.clear()

    def _fresh_address(self):
        self._address += 1
        return f"127.{66 + self._address // 62500}.{self._address // 250 % 250}.{self._address % 250 + 1}"

    async def _repeat(self, attack):
        while True:
            await asyncio.sleep(self._rng.uniform(0.5, 4))
            if not self.honest:
                continue
            address, torrent = self._rng.choice(self.honest)
            self.done[attack.__name__.strip("_")] += 1
            try:
                async with asyncio.timeout(LONGEST):
                    reader, writer = await asyncio.open_connection(*address, local_addr=(self._fresh_address(), 0))
                    try:
                        await attack(reader, writer, torrent)
                    finally:
                        reset(writer)
            # They hung up, or had had enough: that is their right.
            except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                pass

    async def _greet(self, reader, writer, torrent):
        writer.write(HANDSHAKE.pack(PROTOCOL, b"\0\0\0\0\0\0\0\x04", torrent.info_hash, os.urandom(20)))
        await reader.readexactly(HANDSHAKE.size)

    async def _reset(self, reader, writer, torrent):
        """In the middle of a block, from either side."""
        await self._greet(reader, writer, torrent)
        # Two seeds have nothing to say to each other: this one has nothing.
        writer.write(message(UNCHOKE) + message(INTERESTED))
        for _ in range(8):
            writer.write(message(REQUEST, torrent.request(self._rng)))
        await reader.readexactly(self._rng.randrange(1, 3 * BLOCK))
        writer.write(struct.pack(">IB", 9 + BLOCK, PIECE) + bytes(100))
        await writer.drain()

    async def _ask_without_reading(self, reader, writer, torrent):
        await self._greet(reader, writer, torrent)
        writer.write(message(INTERESTED))
        for _ in range(400):
            writer.write(message(REQUEST, torrent.request(self._rng)))
            await asyncio.sleep(0.01)
        await asyncio.sleep(self._rng.uniform(0, LONGEST))

    async def _trickle(self, reader, writer, torrent):
        """A handshake a byte at a time, which never becomes whole."""
        for byte in HANDSHAKE.pack(PROTOCOL, bytes(8), torrent.info_hash, os.urandom(20))[:-1]:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.25)

    async def _garbage(self, reader, writer, torrent):
        await self._greet(reader, writer, torrent)
        writer.write(os.urandom(self._rng.randrange(1, 100_000)))
        await writer.drain()

    async def _lie(self):
        """A seed of everything, one block in twenty of which is wrong. Once it is shunned, it is somebody else."""
        while True:
            torrent = self._rng.choice(self._torrents)
            address = self._fresh_address()
            shunned = asyncio.Event()

            async def serve(reader, writer, torrent=torrent, shunned=shunned):
                try:
                    async with asyncio.timeout(LONGEST):
                        await self._serve_lies(reader, writer, torrent)
                except (OSError, EOFError, TimeoutError, asyncio.IncompleteReadError):
                    shunned.set()
                finally:
                    reset(writer)

            server = await asyncio.start_server(serve, address, 0)
            port = server.sockets[0].getsockname()[1]
            async with server:
                while not shunned.is_set():
                    await asyncio.to_thread(self._announce, address, port, torrent.info_hash)
                    try:
                        await asyncio.wait_for(shunned.wait(), ANNOUNCE_EVERY)
                    except TimeoutError:
                        break

    async def _serve_lies(self, reader, writer, torrent):
        await reader.readexactly(HANDSHAKE.size)
        writer.write(HANDSHAKE.pack(PROTOCOL, b"\0\0\0\0\0\0\0\x04", torrent.info_hash, os.urandom(20)))
        writer.write(message(HAVE_ALL) + message(UNCHOKE))
        while True:
            length = struct.unpack(">I", await reader.readexactly(4))[0]
            body = await reader.readexactly(length)
            if not body or body[0] != REQUEST or len(body) != 13:
                continue
            block = torrent.block(*struct.unpack(">III", body[1:]))
            if self._rng.random() < 0.05:
                block = os.urandom(len(block))
                self.done["lies"] += 1
            writer.write(message(PIECE, body[1:9] + block))
            await writer.drain()

    def _announce(self, address, port, info_hash):
        for node in self._dht:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
                asker.settimeout(0.2)
                asker.bind((address, 0))
                asker.connect(node)
                try:
                    own = {"id": krpc.OUR_ID, "info_hash": info_hash}
                    token = ask(asker, "get_peers", own)[b"token"]
                    ask(asker, "announce_peer", {**own, "port": port, "token": token})
                except (OSError, ValueError, KeyError, TypeError):
                    pass


def ask(asker, method, arguments):
    """What a DHT node answers."""
    asker.send(bencode.encode({"t": b"so", "y": "q", "q": method, "ro": 1, "a": arguments}))
    return bencode.decode(asker.recv(65536))[b"r"]


def message(kind, payload=b""):
    """A message of the peer wire (BEP 3)."""
    return struct.pack(">IB", 1 + len(payload), kind) + payload


def reset(writer):
    """Ends a connection without a farewell, unless it has ended."""
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def rng(seed):
    """One whose choices can be repeated; the network's cannot."""
    return random.Random(f"hostile/{seed}")
