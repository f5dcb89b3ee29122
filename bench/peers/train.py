#!/usr/bin/env python3
"""akin's training step against PyTorch's and open_clip's, on one model and machine in the same run.

    train.py --dir DIR --akin build/akin [--batch 192] [--tokens 12] [--threads 2] [--rounds 5]
             [--isa avx2] [--json OUT]

DIR holds open_clip_config.json (and the tokenizer akin wants); both sides draw its weights. A step
is the whole of it: both towers forward, InfoNCE, backward, the gradients' norm clipped at 1, AdamW.
Its pictures and texts are ready: random tensors, every text of --tokens tokens. open_clip's text
tower computes whole contexts; here its positions and mask are cut to --tokens, in its favour.

PyTorch is timed as float32 and as bf16 autocast, each as it is and with channels_last, eager and
compiled, with the fused AdamW. All (or those named by --ways) are tried for two steps first, and of
each precision the one of the least processor time is kept. Every round times each side once, one
after the other, in turning order. The table shows medians of the rounds in pairs a second, the
ratio of each round's own (above 1: akin is faster; PyTorch's fastest), and user seconds of
processor time a step, which other programs disturb less, though PyTorch's waiting threads spin and
are counted. akin's holds its process's start and loading as well, against it.

--isa avx2 holds both sides to AVX2: AKIN_CPU, ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA.
"""
import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path


WAYS = [precision + last + compiled for precision in ("f32", "bf16")
        for last in ("", " channels_last") for compiled in ("", " compiled")]


def make_model(options):
    """The model in train mode with texts of options.tokens, from its configuration alone."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools" / "oracle"))
    import torch
    import torchvision_cpu  # noqa: F401
    import open_clip

    config = json.loads((Path(options.dir) / "open_clip_config.json").read_text())["model_cfg"]
    torch.manual_seed(1)
    model = open_clip.CLIP(**config).train()
    tokens = options.tokens
    model.positional_embedding = torch.nn.Parameter(model.positional_embedding[:tokens].detach())
    model.attn_mask = model.attn_mask[:tokens, :tokens].contiguous()
    return model, config


class Peer:
    """One way of taking steps in PyTorch."""

    def __init__(self, options, name):
        import torch
        import torch.nn.functional as F

        self.name = name
        bf16, last, compiled = (w in name for w in ("bf16", "channels_last", "compiled"))
        model, config = make_model(options)
        size = config["vision_cfg"]["image_size"]
        pictures = torch.randn(options.batch, 3, size, size)
        if last:
            model = model.to(memory_format=torch.channels_last)
            pictures = pictures.to(memory_format=torch.channels_last)
        texts = torch.randint(0, config["text_cfg"]["vocab_size"] - 1,
                              (options.batch, options.tokens))
        texts[:, -1] = config["text_cfg"]["vocab_size"] - 1
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05, fused=True)
        labels = torch.arange(options.batch)

        def forward(pictures, texts):
            a, b, scale = model(pictures, texts)
            logits = scale * a.float() @ b.float().T
            return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2

        loss_of = torch.compile(forward) if compiled else forward

        def step():
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = loss_of(pictures, texts)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
            optimizer.step()

        self.step = step

    def run(self, steps):
        """(least seconds, user seconds) a step, after one to warm up."""
        self.step()
        user, each = os.times().user, []
        for _ in range(steps):
            begin = time.perf_counter()
            self.step()
            each.append(time.perf_counter() - begin)
        return min(each), (os.times().user - user) / steps


class Akin:
    def __init__(self, options, precision):
        self.name = f"akin {precision}"
        self.batch = options.batch
        self.command = [options.akin, "bench", "--what", "train", "--model", options.dir,
                        "--batch", str(options.batch), "--tokens", str(options.tokens),
                        "--threads", str(options.threads), "--precision", precision, "--json",
                        "--repeat", "{}"]

    def run(self, steps):
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        command = [part.format(steps) for part in self.command]
        found = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        user = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
        return found["seconds_per_item_min"] * self.batch, user / (found["repeats"] + 1)


def fastest_peers(options):
    """The best of each precision, after two steps of every way that works here."""
    best = {}
    for way in options.ways:
        try:
            peer = Peer(options, f"torch {way}")
            seconds, user = peer.run(2)
        except Exception as error:  # a way that does not work on this machine
            print(f"left out, {way}: {str(error)[:200]}", file=sys.stderr)
            continue
        print(f"{peer.name}: {options.batch / seconds:.1f} pairs/s, user {user:.2f} s a step",
              file=sys.stderr, flush=True)
        precision = way.split()[0]
        if precision not in best or user < best[precision][0]:
            best[precision] = (user, peer)
    return [peer for _, peer in best.values()]


def report(rows, options):
    width = max(len(name) for name in rows)
    print(f"{'':{width}}  pairs/s  user s/step")
    for name, runs in rows.items():
        print(f"{name:{width}}  {statistics.median(options.batch / w for w, _ in runs):7.1f}"
              f"  {statistics.median(u for _, u in runs):11.3f}")
    peers = [runs for name, runs in rows.items() if name.startswith("torch")]
    found = {}
    for name, runs in rows.items():
        if name.startswith("torch"):
            continue
        walls = [min(p[i][0] for p in peers) / w for i, (w, _) in enumerate(runs)]
        users = [min(p[i][1] for p in peers) / u for i, (_, u) in enumerate(runs)]
        found[name] = {"pairs": statistics.median(walls), "user": statistics.median(users)}
        print(f"{name} / PyTorch's fastest: {found[name]['pairs']:.2f} in pairs a second "
              f"({min(walls):.2f}-{max(walls):.2f}), {found[name]['user']:.2f} in processor time")
    if options.json:
        Path(options.json).write_text(json.dumps(
            {"batch": options.batch, "tokens": options.tokens, "threads": options.threads,
             "isa": options.isa, "rows": rows, "ratios": found}, indent=2) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--dir", required=True, help="folder of the configuration")
    parser.add_argument("--akin", required=True, help="the program")
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--tokens", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="of a side in a round")
    parser.add_argument("--isa", choices=("native", "avx2"), default="native")
    parser.add_argument("--precision", nargs="*", help="of akin; f32 and, not on AVX2, bf16")
    parser.add_argument("--ways", nargs="*", default=WAYS, help="of PyTorch; all unless named")
    parser.add_argument("--json")
    options = parser.parse_args()
    if options.isa == "avx2":
        os.environ.update(AKIN_CPU="avx2", ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch  # after the environment: it reads it when it is loaded

    torch.set_num_threads(options.threads)
    precisions = options.precision or (["f32"] if options.isa == "avx2" else ["f32", "bf16"])
    sides = fastest_peers(options) + [Akin(options, p) for p in precisions]
    rows = {side.name: [] for side in sides}
    for i in range(options.rounds):
        print(f"round {i + 1}", file=sys.stderr, flush=True)
        for side in sides if i % 2 == 0 else sides[::-1]:
            rows[side.name].append(side.run(options.steps))
            time.sleep(0.1)  # the pools of the peers spin for a while after a call
    report(rows, options)


if __name__ == "__main__":
    main()
