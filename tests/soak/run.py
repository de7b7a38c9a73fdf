#!/usr/bin/env python3
"""A swarm of our nodes on loopback for an hour: residents that stay, visitors that come, are interrupted or killed, and
come again, and peers that lie, reset, trickle and do not read.

It ends well if every visit that nobody ended came to its end with the right bytes, and if those that stayed hold no
more memory, connections or tasks than before. Linux.

    cargo build --release && python3 tests/soak/run.py target/release/trackless
"""

import argparse
import asyncio
import csv
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))

import hostile
from payload import PAYLOADS, digests_below
from process import Process
from resident import Resident

PORT = 6881
SEEDS, RESIDENTS, LIARS = 4, 15, 4
#: Seconds between two looks at those that stay, for a visit that nobody ends, and for the quiet at the end.
LOOK_EVERY, PATIENCE, QUIET = 15, 300, 120
#: What a visitor may take a second, so that a visit is long enough to be interrupted.
VISITOR_RATE = "3M"


class Swarm:
    """Everybody, and what became of them."""

    def __init__(self, program, folder, visitors, rng):
        self._program, self._folder, self._visitors, self._rng = program, folder, visitors, rng
        self.residents, self.visits, self.faults = [], Counter(), []
        self._payloads = list(PAYLOADS.values())
        self._digests = {payload.key: payload.digests() for payload in self._payloads}
        self._torrents, self._numbers = {}, 0
        for payload in self._payloads:
            payload.write(folder / "content")
            torrent, info_hash = payload.torrent()
            (folder / f"{payload.key}.torrent").write_bytes(torrent)
            self._torrents[payload.key] = hostile.Torrent(info_hash, payload.piece_length, payload.content())

    def _process(self, name, address, *words):
        self._numbers += 1
        bootstrap = "none" if name == "entrance" else f"127.0.0.50:{PORT}"
        command = [
            self._program, *words, "--listen", f"{address}:{PORT}", "--bootstrap", bootstrap,
            "--state-dir", self._folder / f"{name}.state", "--json",
        ]
        return Process(f"{name}-{self._numbers}", command, self._folder)

    def settle(self):
        """Starts those that stay."""
        self._stay("entrance", "127.0.0.50", "node")
        for number in range(SEEDS):
            torrents = [self._folder / f"{payload.key}.torrent" for payload in self._payloads[number % 2 :: 2]]
            content = self._folder / "content"
            self._stay(f"seed-{number}", f"127.0.1.{number + 1}", "seed", *torrents, "--data", content)
        for number in range(RESIDENTS):
            name, payload = f"resident-{number}", self._payloads[number % len(self._payloads)]
            torrent, output = self._folder / f"{payload.key}.torrent", self._folder / name
            self._stay(name, f"127.0.2.{number + 1}", "get", torrent, "-o", output, "--keep-seeding")

    def _stay(self, name, address, *words):
        self.residents.append(Resident(name, self._process(name, address, *words, "-vv")))

    def crowd(self):
        """Those that mean harm to the ones that stay."""
        nodes = [(f"127.0.1.{number + 1}", PORT) for number in range(SEEDS)] + [("127.0.0.50", PORT)]
        crowd = hostile.Crowd(list(self._torrents.values()), nodes, hostile.rng(self._rng.random()))
        for number in range(SEEDS):
            for payload in self._payloads[number % 2 :: 2]:
                crowd.honest.append(((f"127.0.1.{number + 1}", PORT), self._torrents[payload.key]))
        for number in range(RESIDENTS):
            payload = self._payloads[number % len(self._payloads)]
            crowd.honest.append(((f"127.0.2.{number + 1}", PORT), self._torrents[payload.key]))
        return crowd

    async def visit(self, number, until):
        """One visitor after the other at one place."""
        name = f"visitor-{number}"
        while time.monotonic() < until:
            payload = self._rng.choice(self._payloads)
            output = self._folder / name
            torrent = self._torrents[payload.key].info_hash.hex()
            ended = None
            while ended is None:
                address = f"127.0.{3 + number // 250}.{number % 250 + 1}"
                get = self._process(name, address, "get", torrent, "-o", output, "--down", VISITOR_RATE)
                ended = await self._end(get)
                await asyncio.to_thread(clean, get)
            if ended and digests_below(output / payload.name) != self._digests[payload.key]:
                self.faults.append(f"{name}: other bytes than those of {payload.name}")
            shutil.rmtree(output, ignore_errors=True)
            shutil.rmtree(self._folder / f"{name}.state", ignore_errors=True)
            await asyncio.sleep(self._rng.uniform(1, 30))

    async def _end(self, get):
        """Whether it came to a good end; None if it was ended, and is to come again."""
        intent = self._rng.choices(["complete", "killed", "interrupted"], [6, 3, 1])[0]
        patience = PATIENCE if intent == "complete" else self._rng.uniform(0.1, 6)
        end = time.monotonic() + patience
        while get.status is None and time.monotonic() < end:
            await asyncio.sleep(0.05)
        if get.status is None:
            if intent == "complete":
                self.faults += [f"{get.name}: not done in {PATIENCE} s", *get.tail(3)]
                return False
            (get.kill if intent == "killed" else get.interrupt)()
            self.visits[intent] += 1
            return None
        if get.status != 0:
            self.faults += [f"{get.name}: exit code {get.status}", *get.tail(3)]
            return False
        self.visits["complete"] += 1
        return True

    async def bustle(self, seconds):
        """The swarm at work."""
        until = time.monotonic() + seconds
        crowd = self.crowd()
        harm = asyncio.create_task(crowd.run(LIARS))
        visits = [asyncio.create_task(self.visit(number, until)) for number in range(self._visitors)]
        begun = looked = time.monotonic()
        while not all(visit.done() for visit in visits):
            await asyncio.sleep(LOOK_EVERY)
            looked = time.monotonic()
            for resident in self.residents:
                resident.look(looked - begun)
            if harm.done():
                harm.result()
            say(f"{looked - begun:5.0f} s: {dict(self.visits)}, {dict(crowd.done)}, {len(self.faults)} faults")
        for visit in visits:
            visit.result()
        harm.cancel()
        await asyncio.gather(harm, return_exceptions=True)
        return crowd.done

    def complete(self):
        """Whether those that stay have all of it, and the right bytes."""
        for number in range(RESIDENTS):
            payload = self._payloads[number % len(self._payloads)]
            if digests_below(self._folder / f"resident-{number}" / payload.name) != self._digests[payload.key]:
                self.faults.append(f"resident-{number}: has not got {payload.name}")

    def stop(self):
        """Ends those that stay."""
        for resident in self.residents:
            resident.process.stop()


def clean(process):
    """Ends it, if it has not ended, and forgets what it said."""
    process.stop()
    process.out.unlink()
    process.err.unlink()


def say(sentence):
    print(sentence, file=sys.stderr, flush=True)


def table(residents, out):
    """What was seen of those that stay, for a plot."""
    with out.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "seconds", "anonymous KiB", "descriptors", "tasks"])
        for resident in residents:
            for look in resident.looks:
                writer.writerow([resident.name, f"{look.seconds:.0f}", look.memory, look.descriptors, look.tasks])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--nodes", type=int, default=50, help="those that stay (20) and the visitors")
    parser.add_argument("--seed", type=int, default=1, help="of the choices made here")
    parser.add_argument("--csv", type=Path, help="write what was seen of those that stay")
    arguments = parser.parse_args()
    visitors = arguments.nodes - 1 - SEEDS - RESIDENTS
    with tempfile.TemporaryDirectory() as folder:
        swarm = Swarm(arguments.program.resolve(), Path(folder), visitors, random.Random(arguments.seed))
        try:
            swarm.settle()
            time.sleep(20)
            harm = asyncio.run(swarm.bustle(arguments.minutes * 60))
            say(f"quiet for {QUIET} s")
            time.sleep(QUIET)
            swarm.complete()
            ips = {resident.ip for resident in swarm.residents}
            for resident in swarm.residents:
                swarm.faults += resident.leaks(ips)
        finally:
            swarm.stop()
        if arguments.csv:
            table(swarm.residents, arguments.csv)
    growth = [resident.growth() for resident in swarm.residents]
    print(f"visits: {dict(swarm.visits)}; harm: {dict(harm)}")
    print(f"anonymous memory of those that stay, last quarter against second: median {statistics.median(growth):+.0f} KiB, "
          f"most {max(growth):+.0f} KiB")
    print("\n".join(swarm.faults) or "no faults")
    raise SystemExit(1 if swarm.faults else 0)


if __name__ == "__main__":
    main()
