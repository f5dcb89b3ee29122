#!/usr/bin/env python3
"""A file of the reference writer, which akin's must make byte for byte.

    train_safetensors.py --out tests/golden/train/safetensors
    train_safetensors.py --check FILE...    what was written by akin, read by the reference
"""
import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
PINNED = {"torch": "2.13.0", "safetensors": "0.8.0"}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", type=Path, nargs="*", default=[])
    args = parser.parse_args()
    import safetensors
    import torch
    from safetensors.torch import load_file, save_file
    from train_values import values

    if torch.__version__.split("+")[0] != PINNED["torch"] or \
            safetensors.__version__ != PINNED["safetensors"]:
        sys.exit("train_safetensors.py: other versions than pinned")
    for path in args.check:
        tensors = load_file(path)
        print(path, len(tensors), sum(x.numel() for x in tensors.values()))
    if args.out is None:
        return
    halves = values(3, 5000)
    halves[:8] = [0.0, -0.0, 65504.0, 65519.0, 1e-8, 6e-8, -6.1e-5, 2049.0]
    tensors = {
        "counter": torch.tensor(0),
        "numbers": torch.tensor([[1, -2], [3, 1 << 40]]),
        "a.scalar": torch.from_numpy(values(1, 1)).reshape(()),
        "b.matrix": torch.from_numpy(values(2, 12)).reshape(3, 4),
        "c.empty": torch.zeros(0, 7),
        "half \"quoted\"": torch.from_numpy(halves).half().reshape(50, 100),
    }
    args.out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, args.out / "reference.safetensors", {"format": "pt"})
    (args.out / "reference.safetensors").chmod(0o644)
    (args.out / "manifest.json").write_text(json.dumps(
        {"script": "tools/oracle/train_safetensors.py", "versions": PINNED}, indent=2) + "\n")


main()
