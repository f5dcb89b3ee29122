#!/usr/bin/env python3
"""akin against ONNX Runtime and PyTorch on one CLIP checkpoint, float32, in the same run.

    clip.py --dir DIR --cache CACHE [--akin build/akin] [--threads 2] [--rounds 5] [--json OUT]

DIR is a checkpoint in Hugging Face form (tools/oracle/clip.py full writes one) or in open_clip form
(tools/oracle/openclip.py full; the ResNets have no other). The towers with their projections are
exported to ONNX once, into CACHE. Every round times each side once on every
case, one side after the other, so that a noisy machine disturbs all of them alike; the table shows
medians over the rounds, in milliseconds an item, and the peers' time over akin's (above 1: akin is
faster). Inputs are drawn from a normal distribution: products of zeros can be faster. Before any
timing the ONNX towers are checked against PyTorch.

akin is timed by its own `akin bench`, another process: a round of it includes no loading.

Tried and left out: the offline optimiser of onnxruntime.transformers (model types vit and clip)
fuses SkipLayerNormalization and QuickGelu in these exports and makes no difference (54 ms an image
against 53 on two cores, batch 8).
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

BATCHES = (1, 8, 32)
TOKENS = (77, 13)


def cases(size, vocabulary, lengths):
    """[(name, what, batch, tokens, input)], input as the towers take it."""
    rng = np.random.default_rng(1)
    last = vocabulary - 1
    found = []
    for batch in BATCHES:
        pixels = rng.standard_normal((batch, 3, size, size), dtype=np.float32)
        found.append((f"image, batch {batch}", "image", batch, None, pixels))
    for tokens in lengths:
        for batch in BATCHES:
            ids = rng.integers(0, last - 1, (batch, tokens), dtype=np.int64)
            ids[:, 0], ids[:, -1] = last - 1, last
            found.append((f"text {tokens}, batch {batch}", "text", batch, tokens, ids))
    return found


def load_open_clip(folder):
    """As load_torch. open_clip's text tower takes whole contexts alone."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "oracle"))
    import torch
    import torchvision_cpu  # noqa: F401
    import open_clip

    class Image(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.model = model

        def forward(self, pixel_values):
            return self.model.encode_image(pixel_values)

    class Text(Image):
        def forward(self, input_ids):
            return self.model.encode_text(input_ids)

    model = open_clip.create_model(f"local-dir:{folder}", precision="fp32").eval()
    size = model.visual.image_size
    size = size if isinstance(size, int) else size[0]
    towers = {"image": Image(model).eval(), "text": Text(model).eval()}
    return towers, cases(size, model.vocab_size, (model.context_length,))


def load_torch(folder, threads):
    """The two towers as functions from tensor to raw projection, and the cases."""
    import torch

    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    if not (Path(folder) / "config.json").exists():
        return load_open_clip(folder)
    from transformers import CLIPModel, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()

    class Image(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.tower, self.projection = model.vision_model, model.visual_projection

        def forward(self, pixel_values):
            return self.projection(self.tower(pixel_values=pixel_values).pooler_output)

    class Text(torch.nn.Module):
        def __init__(self, model):
            super().__init__()
            self.tower, self.projection = model.text_model, model.text_projection

        def forward(self, input_ids):
            return self.projection(self.tower(input_ids=input_ids).pooler_output)

    model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()
    towers = {"image": Image(model).eval(), "text": Text(model).eval()}
    config = model.config
    return towers, cases(config.vision_config.image_size, config.text_config.vocab_size, TOKENS)


def export(towers, case, path):
    """Exports a tower at the shape of one case: fixed shapes let ONNX Runtime fold the most."""
    import torch

    _, what, _, _, value = case
    name = "pixel_values" if what == "image" else "input_ids"
    torch.onnx.export(towers[what], (torch.from_numpy(value),), str(path), input_names=[name],
                      output_names=["raw"], dynamo=True, external_data=True, verbose=False)


def open_onnx(towers, case, cache, threads):
    """A function from input to output of ONNX Runtime for one case."""
    import onnxruntime

    _, what, batch, tokens, _ = case
    path = cache / (f"{what}-{batch}-{tokens}.onnx" if tokens else f"{what}-{batch}.onnx")
    if not path.exists():
        print(f"exporting {path.name}", file=sys.stderr)
        export(towers, case, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda value: session.run(None, {name: value})[0]


def time_peer(function, value, seconds):
    """Median seconds of a call over at least `seconds` and 3 calls, after one to warm up."""
    function(value)
    each, start = [], time.perf_counter()
    while len(each) < 3 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        function(value)
        each.append(time.perf_counter() - begin)
    return statistics.median(each)


def time_akin(options, case):
    """Seconds an item as `akin bench` says, None when it does not know the case."""
    _, what, batch, tokens, _ = case
    command = [options.akin, "bench", "--model", options.dir, "--what", what, "--batch", str(batch),
               "--threads", str(options.threads), "--precision", options.precision, "--json"]
    if tokens:
        command += ["--tokens", str(tokens)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"akin bench ended with {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
        return None
    return json.loads(done.stdout)["seconds_per_item"]


def check(name, ours, reference):
    error = float(np.abs(ours - reference).max() / np.abs(reference).max())
    if not error < 1e-4:
        sys.exit(f"{name}: ONNX Runtime and PyTorch differ by {error:.1e}: not the same model")
    return error


def report(rows, sides, options):
    peers = [s for s in sides if s != "akin"]
    head = ["ms an item", *sides] + ([f"{p} / akin" for p in peers] if "akin" in sides else [])
    table = [head]
    for row in rows:
        line = [row["case"]]
        line += [f"{row[s] * 1e3:.2f}" if row.get(s) else "-" for s in sides]
        if "akin" in sides:
            line += [f"{row[p] / row['akin']:.2f}" if row.get("akin") else "-" for p in peers]
        table.append(line)
    widths = [max(len(line[i]) for line in table) for i in range(len(head))]
    for line in table:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w)
                        for i, (cell, w) in enumerate(zip(line, widths))))
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"model": Path(options.dir).name, "threads": options.threads,
             "rounds": options.rounds, "precision": options.precision,
             "unit": "seconds an item, median", "rows": rows}, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dir", required=True, help="checkpoint folder")
    parser.add_argument("--cache", required=True, help="where the ONNX files go")
    parser.add_argument("--akin", help="the program; without it only the peers are timed")
    parser.add_argument("--precision", default="f32", help="of akin; the peers are always f32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.7, help="a peer's time a case and round")
    parser.add_argument("--only", help="cases whose name contains this")
    parser.add_argument("--no-torch", action="store_true", help="leave PyTorch out of the timing")
    parser.add_argument("--json")
    options = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")

    import torch

    cache = Path(options.cache) / Path(options.dir).name
    cache.mkdir(parents=True, exist_ok=True)
    towers, found = load_torch(options.dir, options.threads)
    todo = [c for c in found if not options.only or options.only in c[0]]
    sides = ["onnxruntime"] + ([] if options.no_torch else ["torch"])
    sides += ["akin"] if options.akin else []
    rows = []
    for case in todo:
        # One session at a time: nine of them would hold nine copies of the weights.
        name, what, batch, _, value = case
        onnx = open_onnx(towers, case, cache, options.threads)
        tensor = torch.from_numpy(value)
        error = check(name, onnx(value), towers[what](tensor).numpy())
        runs = {
            "onnxruntime": lambda: time_peer(onnx, value, options.seconds) / batch,
            "torch": lambda: time_peer(towers[what], tensor, options.seconds) / batch,
            "akin": lambda: time_akin(options, case),
        }
        times = {side: [] for side in sides}
        for i in range(options.rounds):
            for side in sides if i % 2 == 0 else sides[::-1]:
                times[side].append(runs[side]())
                time.sleep(0.1)  # the pools of the peers spin for a while after a call
        row = {"case": name, "onnxruntime_vs_torch": error}
        for side, values in times.items():
            row[side] = statistics.median(values) if None not in values else None
            row[side + "_all"] = values
        rows.append(row)
        print(f"{name}: " + ", ".join(f"{s} {row[s] * 1e3:.2f} ms" for s in sides if row[s]),
              file=sys.stderr)
    report(rows, sides, options)


if __name__ == "__main__":
    main()
