#!/usr/bin/env python3
"""Golden losses and gradients: what PyTorch's autograd says in double precision about the vectors
of value() below, which a C test makes too.

    train_loss.py --out tests/golden/train/loss

Where open_clip has the loss (no masking, no concepts) it must agree with what is written out here;
the tolerance of a case is how far PyTorch in float32 is off, 2e-6 at least.
"""
import argparse
import json
import logging
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from train_values import values  # noqa: E402

PINNED = {"torch": "2.13.0", "open_clip_torch": "3.3.0", "numpy": "2.4.6"}


CASES = [
    {"name": "infonce", "objective": "infonce", "count": 7, "dimensions": 12,
     "logit_scale": math.log(1 / 0.07)},
    {"name": "infonce-masked", "objective": "infonce", "count": 9, "dimensions": 20,
     "logit_scale": 4.0, "concepts": [5, 1, 5, 2, 2, 2, 7, 1, 0], "pair_weight": 0.75},
    {"name": "infonce-hot", "objective": "infonce", "count": 40, "dimensions": 32,
     "logit_scale": math.log(100)},
    {"name": "infonce-one", "objective": "infonce", "count": 1, "dimensions": 3,
     "logit_scale": 1.0},
    {"name": "infonce-tiny", "objective": "infonce", "count": 5, "dimensions": 6,
     "logit_scale": 2.0, "tiny": 2},
    {"name": "sigmoid", "objective": "sigmoid", "count": 7, "dimensions": 12,
     "logit_scale": math.log(10), "logit_bias": -10.0},
    {"name": "sigmoid-masked", "objective": "sigmoid", "count": 9, "dimensions": 20,
     "logit_scale": 3.0, "logit_bias": -2.5, "concepts": [5, 1, 5, 2, 2, 2, 7, 1, 0],
     "pair_weight": 0.75},
    {"name": "concepts", "objective": "infonce", "count": 8, "dimensions": 16,
     "logit_scale": 2.5, "pair_weight": 0.0, "concept_weight": 1.0, "prototypes": 11,
     "labels": [3, 3, 0, 10, 7, 1, 2, 9], "concept_scale": 20.0, "smoothing": 0.05},
    {"name": "concepts-infonce", "objective": "infonce", "count": 8, "dimensions": 16,
     "logit_scale": 2.5, "concepts": [3, 3, 0, 10, 20, 1, 21, 9], "pair_weight": 0.3,
     "concept_weight": 0.7, "prototypes": 13, "labels": [3, 3, 0, 10, -1, 1, -1, 9],
     "concept_scale": 20.0, "smoothing": 0.05},
    {"name": "concepts-sigmoid", "objective": "sigmoid", "count": 6, "dimensions": 10,
     "logit_scale": 2.0, "logit_bias": -3.0, "pair_weight": 0.5, "concept_weight": 0.25,
     "prototypes": 5, "labels": [4, -1, 0, 1, 2, 3], "concept_scale": 12.0, "smoothing": 0.0},
    {"name": "concepts-none", "objective": "infonce", "count": 3, "dimensions": 4,
     "logit_scale": 2.0, "concept_weight": 0.5, "prototypes": 4, "labels": [-1, -1, -1],
     "concept_scale": 20.0, "smoothing": 0.05},
    # Logits to the prototypes in several blocks; products with values() instead of gradients.
    {"name": "blocks", "objective": "infonce", "count": 600, "dimensions": 4, "logit_scale": 2.0,
     "pair_weight": 0.5, "concept_weight": 0.5, "prototypes": 15000,
     "labels": [(i * 7919) % 15000 if i % 5 else -1 for i in range(600)],
     "concept_scale": 20.0, "smoothing": 0.05, "products": True},
]


def loss_of(c, images, texts, prototypes, scale, bias, torch):
    F = torch.nn.functional
    n = c["count"]
    u, v = F.normalize(images, dim=-1), F.normalize(texts, dim=-1)
    logits = scale.exp() * u @ v.T
    own = torch.eye(n, dtype=torch.bool)
    out = torch.zeros(n, n, dtype=torch.bool)
    if c.get("concepts"):
        concepts = torch.tensor(c["concepts"])
        out = (concepts[:, None] == concepts[None, :]) & ~own
    target = torch.arange(n)
    if c["objective"] == "infonce":
        masked = logits.masked_fill(out, float("-inf"))
        pair = (F.cross_entropy(masked, target) + F.cross_entropy(masked.T, target)) / 2
    else:
        signs = 2.0 * own.to(logits.dtype) - 1.0
        terms = F.logsigmoid(signs * (logits + bias))
        pair = -terms.masked_fill(out, 0.0).sum() / n
    correct = (logits.masked_fill(out, float("-inf")).argmax(1) == target).double().mean()
    concept = torch.zeros((), dtype=images.dtype)
    if c.get("concept_weight") and max(c["labels"]) >= 0:
        labels = torch.tensor(c["labels"])
        labels[labels < 0] = -100  # cross_entropy's ignore_index
        q = F.normalize(prototypes, dim=-1)
        concept = sum(F.cross_entropy(c["concept_scale"] * x @ q.T, labels,
                                      label_smoothing=c["smoothing"]) for x in (u, v)) / 2
    loss = c.get("pair_weight", 1.0) * pair + c.get("concept_weight", 0.0) * concept
    return loss, pair, concept, correct, u, v


def run(c, dtype, torch, open_clip):
    n, d, k = c["count"], c["dimensions"], c.get("prototypes", 0)
    raw = values(1, n * d).reshape(n, d)
    if c.get("tiny") is not None:
        raw[c["tiny"]] *= np.float32(2.0**-45)
    images = torch.from_numpy(raw).to(dtype).requires_grad_()
    texts = torch.from_numpy(values(2, n * d).reshape(n, d) + values(1, n * d).reshape(n, d))
    texts = texts.to(dtype).requires_grad_()
    prototypes = torch.from_numpy(values(3, k * d).reshape(k, d)).to(dtype).requires_grad_()
    scale = torch.tensor(float(np.float32(c["logit_scale"])), dtype=dtype).requires_grad_()
    bias = torch.tensor(c.get("logit_bias", 0.0), dtype=dtype).requires_grad_()
    loss, pair, concept, correct, u, v = loss_of(c, images, texts, prototypes, scale, bias, torch)
    loss.backward()
    if not c.get("concepts"):
        if c["objective"] == "infonce":
            peer = open_clip.loss.ClipLoss()(u, v, scale.exp())
        else:
            peer = open_clip.loss.SigLipLoss()(u, v, scale.exp(), bias)
        if abs(peer.item() - pair.item()) > 1e-6 * max(1.0, abs(pair.item())):
            sys.exit(f"train_loss.py: {c['name']}: open_clip says {peer.item()}, {pair.item()}")

    def grad(x):
        return (x.grad if x.grad is not None else torch.zeros_like(x)).double().numpy().ravel()

    got = {"loss": [loss.item()], "pair": [pair.item()], "concept": [concept.item()],
           "correct": [correct.item()], "d_logit_scale": grad(scale), "d_logit_bias": grad(bias),
           "d_images": grad(images), "d_texts": grad(texts), "d_prototypes": grad(prototypes)}
    if c.get("products"):
        for i, name in enumerate(("d_images", "d_texts", "d_prototypes")):
            g = got.pop(name)
            got[name + "_product"] = [float(g @ values(10 + i, len(g)).astype(np.float64)),
                                      float(np.sqrt(g @ g))]
    return got


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    from importlib.metadata import version

    for name, want in PINNED.items():
        if version(name).split("+")[0] != want:
            sys.exit(f"train_loss.py: {name} is {version(name)}, pinned to {want}")
    import torch
    import torchvision_cpu  # noqa: F401
    import open_clip
    import open_clip.loss  # noqa: F401

    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    noise = {}
    with open(args.out / "expected.txt", "w") as f:
        for c in CASES:
            want, single = (run(c, t, torch, open_clip) for t in (torch.float64, torch.float32))
            worst = 0.0
            for key, x in want.items():
                x, y = np.asarray(x), np.asarray(single[key])
                largest = max(np.abs(x).max(initial=0.0), 1e-6)
                worst = max(worst, np.abs(x - y).max(initial=0.0) / largest)
            noise[c["name"]] = f"{worst:.1e}"
            want["tolerance"] = [max(worst, 2e-6)]
            print(f"case {c['name']}", file=f)
            for key in ("objective", "count", "dimensions", "prototypes", "tiny", "logit_scale",
                        "logit_bias", "pair_weight", "concept_weight", "concept_scale",
                        "smoothing"):
                if key in c:
                    print(key, c[key], file=f)
            for key in ("concepts", "labels"):
                if key in c and not c.get("products"):
                    print(key, *c[key], file=f)
            for key, x in want.items():
                if len(x):
                    print(key, *(f"{float(y):.9g}" for y in x), file=f)
            print("end", file=f)
    manifest = {"script": "tools/oracle/train_loss.py", "versions": PINNED,
                "f32_vs_f64_max_relative": noise}
    (args.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


main()
