#!/usr/bin/env python3
"""Outputs, gradients and running statistics of open_clip 3.3.0's ModifiedResNet in training.

    train_resnet.py --out tests/golden/train/resnet

Writes CASE.safetensors: for the loss sum(out * dout), `out` and `grad.NAME` with batch statistics,
`locked.out` and `locked.grad.NAME` with running ones, `step1.NAME` and `step2.NAME`: the running
statistics behind one and two passes. All of it is computed in float64 and rounded once. Of a
gradient of more than 512 elements each s-th is kept, s = count / 512 rounded up and made odd;
`size.NAME` is its largest absolute and its Euclidean norm. Nothing that goes in is stored: a test
draws it again (draw).
"""
import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torchvision_cpu  # noqa: F401

PINNED = {"torch": "2.13.0", "open_clip_torch": "3.3.0", "safetensors": "0.8.0", "numpy": "2.4.6"}

# layers, width, heads, image, dimensions, pictures
CASES = {
    "plain": ((1, 1, 1, 1), 4, 2, 64, 12, 6),
    "odd": ((1, 2, 1, 1), 5, 2, 94, 7, 5),
    "small": ((1, 2, 1, 1), 6, 2, 32, 9, 8),
    "wide": ((1, 1, 1, 1), 8, 4, 64, 10, 4),
}
KEPT = 512


def hashed(name, count):
    """`count` numbers in [-1, 1), of 16 bits: FNV-1a of the name, then a 32-bit mixer."""
    seed = 2166136261
    for byte in name.encode():
        seed = (seed ^ byte) * 16777619 & 0xFFFFFFFF
    mask = np.uint64(0xFFFFFFFF)
    h = np.arange(count, dtype=np.uint64) + np.uint64(seed) & mask
    h = (h ^ (h >> np.uint64(16))) * np.uint64(0x7FEB352D) & mask
    h = (h ^ (h >> np.uint64(15))) * np.uint64(0x846CA68B) & mask
    h ^= h >> np.uint64(16)
    return ((h >> np.uint64(16)).astype(np.float32) - np.float32(32768)) / np.float32(32768)


def draw(name, shape):
    """offset + scale * hashed, in float32."""
    offset, scale = 0.0, 1.0
    if name in ("pixels", "pixels2"):
        scale = 2.0
    elif name.endswith("running_mean"):
        scale = 0.3
    elif name.endswith("running_var"):
        offset, scale = 4.0, 2.0
    elif name.endswith("bias"):
        scale = 0.2
    elif name.endswith("positional_embedding"):
        scale = 0.4
    elif len(shape) == 1:
        offset, scale = 1.0, 0.3
    elif name != "dout":
        gain = 6.0 if len(shape) == 4 else 3.0
        scale = float(np.sqrt(gain / float(np.prod(shape[1:]))))
    values = hashed(name, int(np.prod(shape))).reshape(shape)
    return np.float32(offset) + np.float32(scale) * values


def sample(values):
    flat = values.reshape(-1)
    step = -(-flat.numel() // KEPT)
    return flat[:: step + (step + 1) % 2] if flat.numel() > KEPT else flat


def run(torch, ModifiedResNet, case, dtype):
    layers, width, heads, image, dimensions, count = case
    tower = ModifiedResNet(list(layers), dimensions, heads, image, width)
    state = {name: value if name.endswith("tracked")
             else torch.from_numpy(draw("visual." + name, tuple(value.shape)))
             for name, value in tower.state_dict().items()}
    out = {}
    shape = (count, 3, image, image)
    dout = torch.from_numpy(draw("dout", (count, dimensions))).to(dtype)
    for prefix in ("", "locked."):
        tower.load_state_dict(state)
        tower = tower.to(dtype).train(prefix == "")
        tower.zero_grad()
        pixels = torch.from_numpy(draw("pixels", shape)).to(dtype)
        y = tower(pixels)
        (y * dout).sum().backward()
        out[prefix + "out"] = y.detach()
        for name, parameter in tower.named_parameters():
            gradient = parameter.grad.detach()
            out[f"{prefix}size.visual.{name}"] = torch.stack(
                [gradient.abs().max(), gradient.norm()])
            out[f"{prefix}grad.visual.{name}"] = sample(gradient)
        for step in (1, 2) if prefix == "" else ():
            for name, value in tower.named_buffers():
                if "running" in name:
                    out[f"step{step}.visual.{name}"] = value.clone()
            if step == 1:
                tower(torch.from_numpy(draw("pixels2", shape)).to(dtype))
    return {name: value.to(torch.float32).contiguous().clone() for name, value in out.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    from importlib.metadata import version

    for name, want in PINNED.items():
        if version(name).split("+")[0] != want:
            sys.exit(f"train_resnet.py: {name} is {version(name)}, pinned to {want}")
    import torch
    from open_clip.modified_resnet import ModifiedResNet
    from safetensors.torch import save_file

    torch.set_num_threads(1)
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"script": "tools/oracle/train_resnet.py", "versions": PINNED, "cases": {}}
    for name, case in CASES.items():
        exact = run(torch, ModifiedResNet, case, torch.float64)
        single = run(torch, ModifiedResNet, case, torch.float32)
        worst = max(float((single[n] - exact[n]).abs().max() / exact[n].abs().max())
                    for n in exact if "k_proj.bias" not in n)
        save_file(exact, folder / f"{name}.safetensors")
        layers, width, heads, image, dimensions, count = case
        manifest["cases"][name] = {
            "layers": " ".join(map(str, layers)), "width": width, "heads": heads, "image": image,
            "dimensions": dimensions, "pictures": count,
            "f32_vs_f64_max_relative": f"{worst:.0e}"}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
