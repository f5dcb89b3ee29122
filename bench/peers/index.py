#!/usr/bin/env python3
"""akin index against the usual recipes in Python on the same pictures and checkpoint, in one run.

    index.py --dir DIR --photos FOLDER [--akin build/akin] [--onnx image-8.onnx] [--threads 2]
             [--rounds 3] [--limit 60] [--json OUT]

DIR is a CLIP checkpoint in Hugging Face form. Every round runs each side once in a process of its
own, in turning order:

    torch          Pillow, CLIPProcessor and CLIPModel in batches of 32, one batch after the other,
                   vectors into faiss: the recipe of the model's card
    onnxruntime    Pillow and CLIPImageProcessorPil in as many threads as --threads, ahead of
                   ONNX Runtime with as many: the fastest we could make of those parts. Takes the
                   tower that clip.py exported (--onnx, of fixed batch)
    akin           akin index --workers THREADS into a new collection

Seconds of akin are those of the whole process: start, model, walk, hashes, metadata, vectors synced
to disk. Those of the peers begin when everything is imported and the model loaded, and end with
vectors in memory. The table shows the medians of the rounds, processor seconds of the process, its
largest resident memory, and how much longer the peer took than akin (above 1: akin is faster).
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH = 32


def paths_of(options):
    found = sorted(p for p in Path(options.photos).rglob("*")
                   if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    return found[:options.limit] if options.limit else found


def read(path):
    from PIL import Image, ImageOps

    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")


def into_faiss(vectors):
    import faiss
    import numpy as np

    x = np.concatenate(vectors).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    index = faiss.IndexFlatIP(x.shape[1])
    index.add(x)
    return index.ntotal


def import_torch():
    """torch beside a torchvision whose operators may be missing (a build for CUDA)."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "oracle"))
    import torch
    import torchvision_cpu  # noqa: F401

    return torch


def run_torch(options, paths):
    import faiss  # noqa: F401

    torch = import_torch()
    from transformers import CLIPModel, CLIPProcessor

    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    model = CLIPModel.from_pretrained(options.dir, dtype=torch.float32).eval()
    processor = CLIPProcessor.from_pretrained(options.dir)
    begin = time.perf_counter()
    vectors = []
    for i in range(0, len(paths), BATCH):
        inputs = processor(images=[read(p) for p in paths[i:i + BATCH]], return_tensors="pt")
        out = model.get_image_features(pixel_values=inputs["pixel_values"])
        vectors.append(getattr(out, "pooler_output", out).numpy())
    return into_faiss(vectors), time.perf_counter() - begin


def run_onnx(options, paths):
    from concurrent.futures import ThreadPoolExecutor

    import faiss  # noqa: F401
    import numpy as np
    import onnxruntime

    import_torch()
    from transformers import AutoImageProcessor

    made = onnxruntime.SessionOptions()
    made.intra_op_num_threads = options.threads
    made.add_session_config_entry("session.intra_op.allow_spinning", "0")  # threads to decode with
    session = onnxruntime.InferenceSession(options.onnx, made, providers=["CPUExecutionProvider"])
    taken = session.get_inputs()[0]
    batch = taken.shape[0]
    processor = AutoImageProcessor.from_pretrained(options.dir, backend="pil")

    def pixels(path):
        return processor(images=read(path), return_tensors="np")["pixel_values"][0]

    begin = time.perf_counter()
    vectors, ahead = [], []
    with ThreadPoolExecutor(options.threads) as pool:
        left = iter(paths)
        for path in left:
            ahead.append(pool.submit(pixels, path))
            if len(ahead) == 3 * batch:
                break
        while ahead:
            part = [f.result() for f in ahead[:batch]]
            del ahead[:batch]
            for _ in range(batch):
                path = next(left, None)
                if path is not None:
                    ahead.append(pool.submit(pixels, path))
            count = len(part)
            part += [part[-1]] * (batch - count)
            vectors.append(session.run(None, {taken.name: np.stack(part)})[0][:count])
    return into_faiss(vectors), time.perf_counter() - begin


def run_akin(options, paths, folder):
    links = Path(folder) / "photos"
    links.mkdir()
    for path in paths:
        os.link(path, links / path.name) if options.hard else shutil.copy2(path, links)
    begin = time.perf_counter()
    process = subprocess.Popen(
        [options.akin, "index", str(links), "--db", f"{folder}/db", "--model", options.dir,
         "--workers", str(options.threads), "--json"], stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"akin ended with {process.returncode}")
    return json.loads(said)["indexed"], seconds, usage


def run(side, options, paths):
    """(pictures, seconds, processor seconds, bytes resident)"""
    if side == "akin":
        with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
            count, seconds, usage = run_akin(options, paths, folder)
        return count, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
    done = subprocess.run([sys.executable, __file__, "--peer", side, *sys.argv[1:]],
                          stdout=subprocess.PIPE, text=True, check=True)
    return tuple(json.loads(done.stdout))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dir", required=True, help="checkpoint folder")
    parser.add_argument("--photos", required=True, help="folder of pictures")
    parser.add_argument("--akin", default="build/akin", help="the program")
    parser.add_argument("--onnx", help="the picture tower, from clip.py's cache")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=60, help="pictures a run; 0: all")
    parser.add_argument("--scratch", help="where akin's collections go; of the system if not given")
    parser.add_argument("--hard", action="store_true", help="link the pictures, do not copy them")
    parser.add_argument("--json")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    paths = paths_of(options)
    if options.peer:
        before = resource.getrusage(resource.RUSAGE_SELF)
        count, seconds = (run_torch if options.peer == "torch" else run_onnx)(options, paths)
        after = resource.getrusage(resource.RUSAGE_SELF)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps((count, seconds, spent, after.ru_maxrss * 1024)))
        return
    for path in paths:
        path.read_bytes()  # into the page cache, for all alike
    sides = ["torch"] + (["onnxruntime"] if options.onnx else []) + ["akin"]
    rounds = {side: [] for side in sides}
    for i in range(options.rounds):
        for side in sides if i % 2 == 0 else sides[::-1]:
            rounds[side].append(run(side, options, paths))
            count, seconds, spent, resident = rounds[side][-1]
            if count != len(paths):
                sys.exit(f"{side} took {count} of {len(paths)} pictures")
            print(f"round {i + 1}, {side}: {count / seconds:.1f} pictures/s, {spent:.1f} processor "
                  f"seconds, {resident / 1e6:.0f} MB", file=sys.stderr)

    def ratio(side, what):
        return statistics.median(a[what] / b[what] for a, b in zip(rounds[side], rounds["akin"]))

    print(f"{len(paths)} pictures of {sum(p.stat().st_size for p in paths) / 1e6:.0f} MB, "
          f"{options.threads} threads, {options.rounds} rounds")
    print(f"{'':12}{'pictures/s':>12}{'ms of processor':>17}{'MB':>8}{'time / akin':>13}"
          f"{'processor / akin':>18}")
    table = []
    for side in sides:
        each = rounds[side]
        row = {"side": side, "pictures_per_second": statistics.median(r[0] / r[1] for r in each),
               "processor_seconds": statistics.median(r[2] / r[0] for r in each),
               "resident": max(r[3] for r in each), "time_over_akin": ratio(side, 1),
               "processor_over_akin": ratio(side, 2), "rounds": each}
        table.append(row)
        print(f"{side:12}{row['pictures_per_second']:12.1f}{row['processor_seconds'] * 1e3:17.0f}"
              f"{row['resident'] / 1e6:8.0f}{row['time_over_akin']:13.2f}"
              f"{row['processor_over_akin']:18.2f}")
    if options.json:
        Path(options.json).write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main()
