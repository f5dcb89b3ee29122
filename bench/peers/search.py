#!/usr/bin/env python3
"""akin's exact search against faiss's, over the same number of made-up vectors, in the same run.

    search.py --akin build/akin [--rows 1000000] [--dimensions 512] [--threads 2] [--top 10]
              [--rounds 5] [--seconds 1.5] [--json OUT]

One query at a time, the ten best. The sides:

    flat           faiss.IndexFlatIP, float32, omp_set_num_threads(THREADS)
    flat alone     the same on one thread: for one query faster than on two, in faiss 1.15
    flat shards    the same cut into THREADS shards of one thread each (faiss.IndexShards): the most
                   we could get out of faiss
    fp16 shards    so with faiss.IndexScalarQuantizer, QT_fp16, half precision
    akin f32       akin bench --what search --stored f32 --threads THREADS
    akin f16       akin bench --what search --stored f16 --threads THREADS

Every round starts each side once as a process of its own, one after the other (so one at a time holds
its vectors), in turning order. A side makes its vectors, runs one query that is not counted, then
queries for --seconds; its round is their median. The table shows medians over the rounds, the
largest resident memory of the process beside the bytes of its vectors, and ratios: medians of the
rounds' own. akin also makes the mean and deviation of all scores, faiss does not.
"""
import argparse
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


def peer(options):
    """A side of faiss: prints {"seconds": median, "bytes": of the codes}."""
    import faiss
    import numpy as np

    n, d = options.rows, options.dimensions
    kind, _, way = options.peer.partition(" ")
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
    index.search(queries[0], options.top)
    each, start = [], time.perf_counter()
    while len(each) < 3 or time.perf_counter() - start < options.seconds:
        begin = time.perf_counter()
        index.search(queries[len(each) % 64], options.top)
        each.append(time.perf_counter() - begin)
    print(json.dumps({"seconds": statistics.median(each), "repeats": len(each),
                      "bytes": n * d * (4 if kind == "flat" else 2), "faiss": faiss.__version__}))


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
    if not options.akin:
        parser.error("--akin is needed")
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
    head = ("ms", 8), ("least", 8), ("GB", 7), ("resident", 10), ("/ akin f32", 12), ("/ akin f16", 12)
    print(" " * 12 + "".join(name.rjust(width) for name, width in head))
    for r in rows:
        print(f"{r['side']:12}{r['seconds'] * 1e3:8.1f}{r['least'] * 1e3:8.1f}"
              f"{r['bytes'] / 1e9:7.2f}{r['resident'] / 1e9:10.2f}"
              f"{r['over akin f32']:12.2f}{r['over akin f16']:12.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
