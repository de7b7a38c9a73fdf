#!/usr/bin/env python3
"""trackless with the clients that people already run: each seeds for it, each fetches from it.

In every case a DHT node, a seed and somebody who fetches are three machines on a network of their own. Who fetches is
told the node's address and the info-hash, nothing else, and what arrives is compared by SHA-256. `install` installs
the clients. The suite needs Linux, Python 3.11, and root or unprivileged user namespaces.
"""

import argparse
import concurrent.futures
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import network
from case import Case, Tools, run
from cases import CASES
from clients import CLIENTS
from process import RUNNING

ROOT = Path(__file__).resolve().parent.parent.parent


def main():
    arguments = parse()
    network.enter()
    signal.signal(signal.SIGTERM, give_up)
    signal.signal(signal.SIGINT, give_up)
    tools = Tools(arguments.trackless.resolve(), arguments.tools.resolve())
    directory = Path(tempfile.mkdtemp(prefix="trackless-interop-"))
    failed = 0
    cases = list(chosen(arguments))
    try:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as jobs:
            running = [
                jobs.submit(timed, case, number, tools, directory / f"{number:02}")
                for number, case in enumerate(cases, 1)
            ]
            for done in concurrent.futures.as_completed(running):
                failed += not tell(*done.result())
    finally:
        if arguments.keep:
            print(f"everything is in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


def give_up(number, _frame):
    """Leaves no program behind."""
    for process in list(RUNNING):
        process.kill()
    os._exit(128 + number)


def parse():
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="TEXT", help="only cases whose description has this text in it")
    parser.add_argument("--client", choices=sorted(CLIENTS), help="only cases with this client")
    parser.add_argument(
        "--case",
        metavar="SEEDER,FETCHER,NODE,PAYLOAD[,NEIGHBOURS]",
        action="append",
        help="this case instead, such as libtorrent,aria2,libtorrent,tree,libtorrent: who is to blame?",
    )
    parser.add_argument("--jobs", type=int, default=6, help="cases side by side (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep what the clients wrote and said")
    parser.add_argument(
        "--tools",
        type=Path,
        metavar="DIR",
        default=cache / "trackless-interop",
        help="where the clients were installed (default: %(default)s)",
    )
    parser.add_argument(
        "--trackless",
        type=Path,
        metavar="PROGRAM",
        default=target / "release/trackless",
        help="the program under test (default: %(default)s)",
    )
    return parser.parse_args()


def chosen(arguments):
    cases = [Case(*words.split(",")) for words in arguments.case] if arguments.case else CASES
    for case in cases:
        if arguments.client and arguments.client not in case.clients:
            continue
        if arguments.only and arguments.only not in str(case):
            continue
        yield case


def timed(case, number, tools, directory):
    start = time.monotonic()
    times, failure, said = run(case, number, tools, directory)
    return case, times, failure, said, time.monotonic() - start


def tell(case, times, failure, said, seconds):
    """Prints the case's line, and if it failed what its programs said; whether it passed."""
    if failure is None:
        parts = f"in the DHT after {times.announced:.1f} s, fetched in {times.fetched:.1f} s"
        print(f"ok    {seconds:6.1f} s  {case} ({parts})", flush=True)
    else:
        print("\n".join([f"FAIL  {seconds:6.1f} s  {case}: {failure}", *said]), flush=True)
    return failure is None


if __name__ == "__main__":
    sys.exit(main())
