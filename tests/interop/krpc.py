"""Questions to a DHT node (BEP 5), asked as a read-only node (BEP 43) that nobody remembers."""

import os
import socket
import struct

import bencode

OUR_ID = os.urandom(20)


def node_id(address):
    """The id of the DHT node at `address`, or None when it does not answer at once."""
    answer = _ask(address, "ping", {})
    return answer.get(b"id") if answer else None


def names_others(address):
    """Whether the DHT node at `address` knows others to name."""
    answer = _ask(address, "find_node", {"target": OUR_ID})
    return bool(answer and answer.get(b"nodes"))


def peers(address, info_hash):
    """The (ip, port) pairs that the DHT node at `address` itself holds for the info-hash."""
    answer = _ask(address, "get_peers", {"info_hash": info_hash}) or {}
    found = set()
    for value in answer.get(b"values", []):
        if len(value) == 6:
            ip, port = struct.unpack(">4sH", value)
            found.add((socket.inet_ntoa(ip), port))
    return found


def _ask(address, method, arguments, patience=0.5):
    transaction = os.urandom(4)
    query = {"t": transaction, "y": "q", "q": method, "ro": 1, "a": {"id": OUR_ID, **arguments}}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(patience)
        asker.connect(address)
        try:
            asker.send(bencode.encode(query))
            answer = bencode.decode(asker.recv(65536))
            return answer[b"r"] if answer[b"t"] == transaction else None
        # Nobody there, nobody there yet, or nonsense: no answer.
        except (OSError, ValueError, KeyError, TypeError):
            return None
