#!/usr/bin/env python3
"""Golden steps of torch.optim.AdamW behind clip_grad_norm_, with warm-up and cosine.

    train_optimizer.py --out tests/golden/train/optimizer

Gradients are values() of train_loss.py, times 3 at every third step (which clips); the matrix is
decayed, the vector is not. float64, from float32 inputs.
"""
import argparse
import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
PINNED = {"torch": "2.13.0", "numpy": "2.4.6"}
STEPS, WARMUP, RATE, FINAL, CLIP = 24, 5, 0.02, 0.01, 1.0
MATRIX, VECTOR = (7, 9), 5
SHOWN = (1, 2, 3, 5, 6, 12, 24)


def rate(step):
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    done = (step - WARMUP) / (STEPS - WARMUP)
    return RATE * (FINAL + (1 - FINAL) * 0.5 * (1 + math.cos(math.pi * done)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    import torch
    from train_values import values

    for name, want in PINNED.items():
        if sys.modules[name].__version__.split("+")[0] != want:
            sys.exit(f"train_optimizer.py: {name} is not {want}")
    matrix = torch.from_numpy(values(1, 63)).double().reshape(MATRIX).requires_grad_()
    vector = torch.from_numpy(values(2, VECTOR)).double().requires_grad_()
    groups = [{"params": [matrix], "weight_decay": 0.2}, {"params": [vector], "weight_decay": 0.0}]
    adamw = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98), eps=1e-6)
    args.out.mkdir(parents=True, exist_ok=True)
    with open(args.out / "expected.txt", "w") as f:
        for step in range(STEPS):
            size = 3.0 if step % 3 == 0 else 0.1
            for p, seed in ((matrix, 100 + step), (vector, 200 + step)):
                p.grad = torch.from_numpy(values(seed, p.numel())).double().reshape(p.shape) * size
            norm = torch.nn.utils.clip_grad_norm_([matrix, vector], CLIP)
            for group in adamw.param_groups:
                group["lr"] = rate(step)
            adamw.step()
            print(f"step {step + 1} {rate(step):.12g} {norm.item():.12g}", file=f)
            if step + 1 in SHOWN:
                for name, p in (("matrix", matrix), ("vector", vector)):
                    print(name, *(f"{x:.9g}" for x in p.detach().flatten().tolist()), file=f)
    (args.out / "manifest.json").write_text(json.dumps(
        {"script": "tools/oracle/train_optimizer.py", "versions": PINNED}, indent=2) + "\n")


main()
