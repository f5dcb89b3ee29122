#!/usr/bin/env python3
"""What torch.nn.functional.conv2d and its autograd compute, for test_products.

    conv_grad.py --out tests/golden/train/conv

expected.txt: for each case a line "case KERNEL STRIDE COUNT HEIGHT WIDTH IN OUT" and lines y, dx and
dw with numbers in the order of akin's arrays (channels last; weights as PyTorch has them). Inputs
are numbers that the test draws again (draw): x with seed 2, w with 1, dy with 3. Computed in
float64.
"""
import argparse
import json
import sys
from pathlib import Path

import torch

PINNED = "2.13.0"
CASES = [  # kernel, stride, count, height, width, in, out
    (3, 1, 2, 5, 4, 3, 5),
    (3, 2, 2, 7, 6, 3, 4),
    (3, 2, 1, 4, 5, 2, 3),
    (1, 1, 3, 3, 2, 5, 4),
    (3, 1, 3, 3, 3, 6, 18),
]


def draw(seed, *shape):
    """Numbers in [-1, 1): a linear congruential generator's, as in test_products.c."""
    out = []
    for _ in range(torch.Size(shape).numel()):
        seed = (seed * 1664525 + 1013904223) % 2**32
        out.append((seed - 2**32 if seed >= 2**31 else seed) * 2.0**-31)
    return torch.tensor(out, dtype=torch.float32).to(torch.float64).reshape(shape)


def line(name, tensor):
    return " ".join([name] + [f"{v:.9g}" for v in tensor.flatten().tolist()])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    have = torch.__version__.split("+")[0]
    if have != PINNED:
        sys.exit(f"conv_grad.py: torch is {have}, the golden files are pinned to {PINNED}")
    lines = []
    for kernel, stride, count, height, width, inputs, outputs in CASES:
        w = draw(1, outputs, inputs, kernel, kernel).requires_grad_()
        x = draw(2, count, height, width, inputs).requires_grad_()
        y = torch.nn.functional.conv2d(
            x.permute(0, 3, 1, 2), w, stride=stride, padding=kernel // 2).permute(0, 2, 3, 1)
        y.backward(draw(3, *y.shape))
        lines.append(f"case {kernel} {stride} {count} {height} {width} {inputs} {outputs}")
        lines += [line("y", y.detach()), line("dx", x.grad), line("dw", w.grad)]
    args.out.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    (args.out / "expected.txt").write_text(text)
    manifest = {"script": "tools/oracle/conv_grad.py", "torch": PINNED,
                "files": {"expected.txt": len(text)}}
    (args.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
