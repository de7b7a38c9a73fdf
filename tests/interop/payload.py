"""What is transferred: content that is the same in every run, and torrents of it."""

import hashlib
import itertools
import os
import random
from dataclasses import dataclass
from pathlib import Path

import bencode

KIB = 1 << 10
MIB = 1 << 20


@dataclass(frozen=True)
class Payload:
    """A torrent's name, its piece length, and the lengths of its files.

    A single file has the one key "".
    """

    key: str
    about: str
    name: str
    piece_length: int
    files: dict

    @property
    def is_single(self):
        return "" in self.files

    def write(self, directory):
        """Makes the content, below `directory`."""
        for path, length in self.files.items():
            target = directory / self.name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self._content(path, length))

    def torrent(self, near=()):
        """The bytes of a torrent file, and its info-hash.

        With `near`, the ids of DHT nodes, the info-hash shares its first 16 bits with one of them.
        """
        prefixes = {node_id[:2] for node_id in near}
        info = {"name": self.name, "piece length": self.piece_length, "pieces": self._piece_hashes()}
        if self.is_single:
            info["length"] = self.files[""]
        else:
            info["files"] = [
                {"length": length, "path": path.split("/")} for path, length in self.files.items()
            ]
        # "source" is the last key: only the end of the dictionary is hashed again for another value of it.
        encoded = bencode.encode(info)[:-1] + b"6:source"
        start = hashlib.sha1(encoded)
        for number in itertools.count():
            rest = bencode.encode(f"{number:08}") + b"e"
            hashed = start.copy()
            hashed.update(rest)
            info_hash = hashed.digest()
            if not prefixes or info_hash[:2] in prefixes:
                return b"d4:info" + encoded + rest + b"e", info_hash

    def is_empty(self, path):
        """Whether the file has no content."""
        return self.files[path] == 0

    def digests(self):
        """SHA-256 of every file, by its path below the torrent's name."""
        return {
            path: hashlib.sha256(self._content(path, length)).hexdigest()
            for path, length in self.files.items()
        }

    def content(self):
        """The bytes of all files, one after the other."""
        return b"".join(self._content(path, length) for path, length in self.files.items())

    def _content(self, path, length):
        return random.Random(f"{self.key}/{path}").randbytes(length)

    def _piece_hashes(self):
        content = self.content()
        starts = range(0, len(content), self.piece_length)
        return b"".join(hashlib.sha1(content[at : at + self.piece_length]).digest() for at in starts)


def digests_below(path):
    """SHA-256 of every file below `path`, or of the file itself under the name ""."""
    if path.is_file():
        return {"": _digest(path)}
    return {
        os.path.relpath(os.path.join(directory, name), path): _digest(Path(directory, name))
        for directory, _, names in os.walk(path)
        for name in names
    }


def _digest(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


PAYLOADS = {
    payload.key: payload
    for payload in (
        Payload(
            "small-pieces",
            "one file, 16 KiB pieces, the last of one byte",
            "small-pieces.bin",
            16 * KIB,
            {"": 3 * MIB + 1},
        ),
        Payload(
            "large-pieces",
            "one file, 16 MiB pieces, the last of one byte",
            "large-pieces.bin",
            16 * MIB,
            {"": 32 * MIB + 1},
        ),
        Payload(
            "tree",
            "files that share 64 KiB pieces, empty ones, UTF-8 names",
            "tree",
            64 * KIB,
            {
                "a/first.bin": 100_000,
                "a/empty": 0,
                "a/b/c/deep.bin": 1,
                "Ünïcödé/日本語 и кириллица.txt": 700_001,
                "Ünïcödé/😀 emoji.bin": 65_536,
                "name with spaces & 'quotes'.txt": 33,
                "last.bin": 2 * MIB,
            },
        ),
        Payload(
            "album",
            "UTF-8 name of the torrent, an empty file first and last, 1 MiB pieces, the last of one byte",
            "Альбом – 音楽 ♫",
            1 * MIB,
            {
                "00 empty first": 0,
                "01 Größe.flac": 2 * MIB + 12_345,
                "02 naïve café.flac": 2 * MIB - 12_344,
                "zz empty last": 0,
            },
        ),
    )
}
