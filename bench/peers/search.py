#!/usr/bin/env python3
"""akin's exact search against faiss's, over the same number of made-up vectors, in the same run.

    search.py --akin build/akin [--rows 1000000] [--dimensions 512] [--threads 2] [--top 10]
              [--rounds 5] [--seconds 1.5] [--json OUT]
    search.py --library build/libakin.so [--calls 40] ...

One query at a time, the ten best. The sides:

    flat           faiss.IndexFlatIP, float32, omp_set_num_threads(THREADS)
    flat alone     the same on one thread: for one query faster than on two, in faiss 1.15
    flat shards    the same cut into THREADS shards of one thread each (faiss.IndexShards): the
                   most we could get out of faiss
    fp16 shards    so with faiss.IndexScalarQuantizer, QT_fp16, half precision
    akin f32       akin bench --what search --stored f32 --threads THREADS
    akin f16       akin bench --what search --stored f16 --threads THREADS

With --akin every round starts each side once as a process of its own, one after the other (so one
at a time holds its vectors), in turning order. A side makes its vectors, runs one query that is not
counted, then queries for --seconds; its round is their median. The table shows medians over the
rounds, the largest resident memory of the process beside the bytes of its vectors, and ratios:
medians of the rounds' own.

With --library faiss and libakin are in one process and take turns call by call, which a busy
machine disturbs less; two sides at a time hold their vectors. "alone" is then one thread of both.

akin also makes the mean and deviation of all scores, faiss does not.
"""
import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

SEED = 1
CHUNK = 10000


def made_up(rows, dimensions):
    """Unit vectors in chunks, float32, none with a 0 that a kernel could be quicker on."""
    import numpy as np

    rng = np.random.default_rng(SEED)
    for start in range(0, rows, CHUNK):
        x = rng.random((min(CHUNK, rows - start), dimensions), dtype=np.float32)
        x -= np.float32(0.5)
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        yield x


def fill(index, rows, dimensions):
    """Adds the vectors without a second copy of them: codes are made room for first."""
    import faiss

    if isinstance(index, faiss.IndexFlatIP):
        index.codes.resize(rows * dimensions * 4)
        index.codes.resize(0)
    for chunk in made_up(rows, dimensions):
        index.add(chunk)


def open_peer(side, options):
    """A side of faiss as a function that runs a query, and what it must keep."""
    import faiss
    import numpy as np

    n, d = options.rows, options.dimensions
    kind, _, way = side.partition(" ")
    shards = options.threads if way == "shards" else 1
    faiss.omp_set_num_threads(1 if way else options.threads)

    def new():
        if kind == "flat":
            return faiss.IndexFlatIP(d)
        return faiss.IndexScalarQuantizer(d, faiss.ScalarQuantizer.QT_fp16,
                                          faiss.METRIC_INNER_PRODUCT)

    parts = [new() for _ in range(shards)]
    for part in parts:
        if not part.is_trained:
            part.train(np.zeros((1, d), dtype=np.float32))
        fill(part, n // shards, d)
    index = parts[0]
    if shards > 1:
        index = faiss.IndexShards(d, True, True)
        for part in parts:
            index.add_shard(part)
    queries = np.random.default_rng(SEED + 1).standard_normal((64, 1, d)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=2, keepdims=True)
    turn = iter(range(1 << 62))
    return (lambda: index.search(queries[next(turn) % 64], options.top)), (index, parts)


def seconds_of(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def peer(options):
    """A side of faiss: prints {"seconds": median, "bytes": of the codes}."""
    query, _keep = open_peer(options.peer, options)
    query()
    each, start = [], time.perf_counter()
    while len(each) < 3 or time.perf_counter() - start < options.seconds:
        each.append(seconds_of(query))
    size = options.rows * options.dimensions * (4 if options.peer.startswith("flat") else 2)
    print(json.dumps({"seconds": statistics.median(each), "repeats": len(each), "bytes": size}))


class TrialOptions(ctypes.Structure):
    """akin_search_trial_options of akin.h."""

    _fields_ = [("size", ctypes.c_size_t), ("rows", ctypes.c_size_t), ("dimensions", ctypes.c_int),
                ("stored", ctypes.c_int), ("threads", ctypes.c_int)]


def turns(options):
    """faiss and akin in this process, call by call."""
    library = ctypes.CDLL(str(Path(options.library).resolve()))
    library.akin_search_trial_run.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p,
                                              ctypes.c_void_p]
    library.akin_search_trial_free.argtypes = [ctypes.c_void_p]
    print(f"{options.rows} rows of {options.dimensions}, one query at a time, {options.threads} "
          f"threads, {options.calls} calls in turn: ms (least)")
    for side, stored in (("flat", 2), ("flat alone", 2), ("flat shards", 2), ("fp16 alone", 1),
                         ("fp16 shards", 1)):
        if options.only and options.only not in side:
            continue
        threads = 1 if side.endswith("alone") else options.threads
        query, keep = open_peer(side, options)
        trial = ctypes.c_void_p()
        asked = TrialOptions(ctypes.sizeof(TrialOptions), options.rows, options.dimensions, stored,
                             threads)
        if library.akin_search_trial_new(ctypes.byref(trial), ctypes.byref(asked), None) != 0:
            sys.exit("akin_search_trial_new failed")

        def ours():
            if library.akin_search_trial_run(trial, options.top, None, None) != 0:
                sys.exit("akin_search_trial_run failed")

        query()
        ours()
        pairs = [(seconds_of(query), seconds_of(ours)) for _ in range(options.calls)]
        library.akin_search_trial_free(trial)
        del query, keep
        theirs, mine = zip(*pairs)
        ratio = statistics.median(a / b for a, b in pairs)
        print(f"{side:12} {statistics.median(theirs) * 1e3:7.1f} ({min(theirs) * 1e3:.1f})   "
              f"akin {'f16' if stored == 1 else 'f32'}, {threads} threads "
              f"{statistics.median(mine) * 1e3:7.1f} ({min(mine) * 1e3:.1f})   "
              f"faiss / akin {ratio:.2f}, of the least {min(theirs) / min(mine):.2f}", flush=True)


def run(side, options):
    """Seconds a query, the vectors' bytes and the process's largest resident memory."""
    if side.startswith("akin"):
        command = [options.akin, "bench", "--what", "search", "--stored", side.split()[1],
                   "--rows", str(options.rows), "--dimensions", str(options.dimensions),
                   "--threads", str(options.threads), "--top", str(options.top),
                   "--seconds", str(options.seconds), "--json"]
    else:
        command = [sys.executable, __file__, "--peer", side, "--rows", str(options.rows),
                   "--dimensions", str(options.dimensions), "--threads", str(options.threads),
                   "--top", str(options.top), "--seconds", str(options.seconds)]
    # The threads of IndexShards take their own number of threads from the environment.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"} if "shards" in side else None
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{side}: ended with {process.returncode}")
    found = json.loads(said)
    seconds = found["seconds"] if "seconds" in found else found["seconds_per_item"]
    return seconds, found["bytes"], usage.ru_maxrss * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--akin", help="the program")
    parser.add_argument("--library", help="the shared library: in turn, call by call")
    parser.add_argument("--calls", type=int, default=40, help="with --library")
    parser.add_argument("--rows", type=int, default=1000000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of queries a side and round")
    parser.add_argument("--only", help="sides whose name contains this, and akin")
    parser.add_argument("--json")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peer:
        peer(options)
        return
    if options.library:
        if "OMP_NUM_THREADS" not in os.environ:  # read by the threads of IndexShards
            os.environ["OMP_NUM_THREADS"] = "1"
            os.execv(sys.executable, [sys.executable, *sys.argv])
        turns(options)
        return
    if not options.akin:
        parser.error("--akin or --library is needed")
    sides = ["flat", "flat alone", "flat shards", "fp16 shards"]
    if options.only:
        sides = [s for s in sides if options.only in s]
    sides += ["akin f32", "akin f16"]
    rounds = {side: [] for side in sides}
    size, memory = {}, dict.fromkeys(sides, 0)
    for i in range(options.rounds):
        for side in sides if i % 2 == 0 else sides[::-1]:
            seconds, size[side], resident = run(side, options)
            rounds[side].append(seconds)
            memory[side] = max(memory[side], resident)
            print(f"round {i + 1}, {side}: {seconds * 1e3:.1f} ms", file=sys.stderr)

    def ratio(side, ours):
        return statistics.median(a / b for a, b in zip(rounds[side], rounds[ours]))

    rows = [{"side": s, "seconds": statistics.median(rounds[s]), "least": min(rounds[s]),
             "bytes": size[s], "resident": memory[s], "rounds": rounds[s],
             "over akin f32": ratio(s, "akin f32"), "over akin f16": ratio(s, "akin f16")}
            for s in sides]
    print(f"{options.rows} rows of {options.dimensions}, one query at a time, "
          f"{options.threads} threads, {options.rounds} rounds")
    head = (("ms", 8), ("least", 8), ("GB", 7), ("resident", 10), ("/ akin f32", 12),
            ("/ akin f16", 12))
    print(" " * 12 + "".join(name.rjust(width) for name, width in head))
    for r in rows:
        print(f"{r['side']:12}{r['seconds'] * 1e3:8.1f}{r['least'] * 1e3:8.1f}"
              f"{r['bytes'] / 1e9:7.2f}{r['resident'] / 1e9:10.2f}"
              f"{r['over akin f32']:12.2f}{r['over akin f16']:12.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
