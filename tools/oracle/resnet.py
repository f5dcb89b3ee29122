#!/usr/bin/env python3
"""Golden towers of CLIP's ModifiedResNet, and what open_clip 3.3.0 computes on them.

    resnet.py tiny --out tests/golden/resnet [--only uneven]
    resnet.py full --out DIR [--arch RN50] [--onnx 1,32]

tiny writes, for each case, the tower's tensors (model.safetensors, names prefixed "visual." as in
an open_clip checkpoint) and expected.txt: the configuration and the raw output for each picture.
Pictures are numbers that a test draws again: pixel i (in [3, image, image] order) of picture p is
(v - 32768) / 16384, v the upper 16 bits of h(i + 2^20 p), h a 32-bit mixer (draw_pixels).
full writes a real size with random weights, and ONNX files of it for fixed batches.

Every parameter is drawn: the default initialisation leaves each block's last BatchNorm at zero, and
with it everything before it would not matter.
"""
import argparse
import json
import sys
import zlib
from pathlib import Path

import numpy as np
import torchvision_cpu  # noqa: F401

PINNED = {"torch": "2.13.0", "open_clip_torch": "3.3.0", "safetensors": "0.8.0", "numpy": "2.4.6"}

# layers, width, heads, image, dimensions, how weights are stored, what the case is for
TINY = {
    "plain": ((1, 1, 1, 1), 6, 3, 64, 19, "float16", "one block a stage, grid 2"),
    "uneven": ((2, 1, 3, 1), 3, 4, 80, 8, "float32", "80 pixels: sides 40 20 10 5, then 2 of 5"),
    "odd": ((1, 2, 1, 2), 5, 1, 94, 7, "float16", "odd sides 47 23 11 5 2, stem of 2 channels"),
    "small": ((1, 1, 1, 1), 2, 2, 32, 33, "float32", "one position, stem of 1 channel"),
    "wide": ((1, 1, 1, 1), 2, 8, 160, 5, "float32", "grid 5, more windows than a task holds"),
}
PICTURES = 3
FULL = {
    "RN50": ((3, 4, 6, 3), 64, 32, 224, 1024),
    "RN101": ((3, 4, 23, 3), 64, 32, 224, 512),
    "RN50x4": ((4, 6, 10, 6), 80, 40, 288, 640),
}


def import_reference():
    """Checks versions. Returns (torch, ModifiedResNet)."""
    from importlib.metadata import version

    for name, want in PINNED.items():
        have = version(name).split("+")[0]
        if have != want:
            sys.exit(f"resnet.py: {name} is {have}, the golden files are pinned to {want}")
    import torch
    from open_clip.modified_resnet import ModifiedResNet

    torch.set_grad_enabled(False)
    return torch, ModifiedResNet


def draw(name, shape, seed):
    """One random tensor, float32."""
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    values = rng.standard_normal(shape, dtype=np.float32)
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    if name.endswith("running_var"):
        return np.float32(0.4) + np.abs(values) * np.float32(0.6)
    if name.endswith("running_mean"):
        return values * np.float32(0.3)
    if ".bn" in "." + name or "downsample.1" in name:
        if name.endswith("bias"):
            return values * np.float32(0.2)
        return np.float32(0.7 if "bn3" in name else 1.0) + values * np.float32(0.2)
    if name.endswith("bias"):
        return values * np.float32(0.1)
    if name.endswith("positional_embedding"):
        return values * np.float32(0.4)
    gain = 1.4 if "conv" in name else 1.0
    return values * np.float32(gain / np.sqrt(fan_in))


def make(torch, ModifiedResNet, config, seed, dtype):
    """The tower, its weights rounded through `dtype`, and its state dict as stored."""
    layers, width, heads, image, dimensions = config
    tower = ModifiedResNet(list(layers), dimensions, heads, image, width).eval()
    stored = {}
    for name, value in tower.state_dict().items():
        if name.endswith("num_batches_tracked"):
            stored[name] = value
        else:
            drawn = torch.from_numpy(np.ascontiguousarray(draw(name, tuple(value.shape), seed)))
            stored[name] = drawn.to(getattr(torch, dtype)).contiguous()
    tower.load_state_dict({name: value.to(torch.float32) if value.is_floating_point() else value
                           for name, value in stored.items()})
    return tower, stored


def draw_pixels(count, image):
    i = np.arange(3 * image * image, dtype=np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    pictures = []
    for p in range(count):
        h = i + np.uint64(p << 20)
        h = (h ^ (h >> np.uint64(16))) * np.uint64(0x7FEB352D) & mask
        h = (h ^ (h >> np.uint64(15))) * np.uint64(0x846CA68B) & mask
        h ^= h >> np.uint64(16)
        v = (h >> np.uint64(16)).astype(np.float32)
        pictures.append(((v - 32768) / 16384).reshape(3, image, image))
    return np.stack(pictures).astype(np.float32)


def relative(a, b):
    return float(max(np.abs(x - y).max() / np.abs(y).max() for x, y in zip(a, b)))


def run_tiny(options):
    from safetensors.torch import save_file

    torch, ModifiedResNet = import_reference()
    torch.set_num_threads(1)
    out = Path(options.out)
    manifest = {"script": "tools/oracle/resnet.py tiny", "versions": PINNED, "cases": {}}
    for seed, (name, case) in enumerate(TINY.items(), start=1):
        *config, dtype, about = case
        tower, stored = make(torch, ModifiedResNet, config, seed, dtype)
        layers, width, heads, image, dimensions = config
        pixels = torch.from_numpy(draw_pixels(PICTURES, image))
        rows = tower(pixels).numpy()
        exact = tower.double()(pixels.double()).numpy()
        manifest["cases"][name] = {"about": about, "stored": dtype,
                                   "f32_vs_f64_max_relative": f"{relative(rows, exact):.1e}"}
        if options.only and options.only != name:
            continue
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"visual." + n: x for n, x in stored.items()}, folder / "model.safetensors")
        lines = ["akin-golden 1", "layers " + " ".join(map(str, layers)), f"width {width}",
                 f"heads {heads}", f"image {image}", f"dimensions {dimensions}",
                 f"pictures {PICTURES}"]
        lines += ["raw " + " ".join(f"{x:.9g}" for x in row) for row in rows]
        (folder / "expected.txt").write_text("\n".join([*lines, "end"]) + "\n")
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def run_full(options):
    from safetensors.torch import save_file

    torch, ModifiedResNet = import_reference()
    out = Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    tower, stored = make(torch, ModifiedResNet, FULL[options.arch], 1, "float32")
    save_file({"visual." + n: x for n, x in stored.items()}, out / "model.safetensors")
    image = FULL[options.arch][3]
    tower(torch.from_numpy(draw_pixels(1, image))).numpy().tofile(out / "raw.f32")
    for batch in [int(b) for b in options.onnx.split(",") if b]:
        torch.onnx.export(tower, (torch.zeros(batch, 3, image, image),),
                          str(out / f"visual-{batch}.onnx"), input_names=["pixel_values"],
                          output_names=["raw"], dynamo=True, external_data=True, verbose=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    verbs = parser.add_subparsers(required=True)
    tiny = verbs.add_parser("tiny", help="write the committed tiny towers")
    tiny.add_argument("--out", required=True)
    tiny.add_argument("--only", choices=TINY)
    tiny.set_defaults(run=run_tiny)
    full = verbs.add_parser("full", help="write a full-size tower with random weights")
    full.add_argument("--out", required=True)
    full.add_argument("--arch", choices=FULL, default="RN50")
    full.add_argument("--onnx", default="", help="batches to export for, separated by commas")
    full.set_defaults(run=run_full)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
