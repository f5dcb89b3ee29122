#!/usr/bin/env python3
"""weights.py OUT - small checkpoints written by the reference libraries, and what is in them.

Writes tests/golden/weights: safetensors and torch files of every kind that src/weights reads (and
the torch kind that it refuses), expected.json with the dtype, shape, row-major bytes and
float32 value of each tensor as torch sees them after loading, and manifest.json.
"""
import collections
import json
import os
import shutil
import sys
import zipfile

import safetensors
import safetensors.torch
import torch

NAMES = {
    torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint64: "U64", torch.uint32: "U32", torch.uint16: "U16", torch.uint8: "U8",
    torch.bool: "BOOL",
}


def f16(bits):
    return torch.tensor(bits, dtype=torch.int32).to(torch.int16).view(torch.float16)


def plain():
    """One contiguous tensor of each kind; names are not in data order."""
    g = torch.Generator().manual_seed(7)
    return {
        "z.f32": torch.randn(2, 3, generator=g),
        "f32.extremes": torch.tensor([0.0, -0.0, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38, 1.1754944e-38]),
        "f16": f16([0x0000, 0x8000 - 65536, 0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0xFBFF - 65536,
                    0x8001 - 65536, 0x3555, 0x1234]),
        "bf16": torch.randn(5, generator=g).to(torch.bfloat16),
        "f64": torch.tensor([1.0, 0.1, -1e-60, 16777217.0, 3.4028234e38], dtype=torch.float64),
        "i64": torch.tensor([[0, 1, -1], [2**63 - 1, -2**63, 5]]),
        "i32": torch.tensor([1, -2, 2**31 - 1], dtype=torch.int32),
        "i16": torch.tensor([1, -2, 32767], dtype=torch.int16),
        "i8": torch.tensor([1, -2, 127], dtype=torch.int8),
        "u64": torch.tensor([1, 2**63 + 5], dtype=torch.uint64),
        "u32": torch.tensor([1, 2**32 - 1], dtype=torch.uint32),
        "u16": torch.tensor([1, 65535, 7], dtype=torch.uint16),
        "u8": torch.tensor([0, 200, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.6592),
        "empty": torch.zeros(0, 4),
        "four.d": torch.randn(2, 1, 3, 2, generator=g).half(),
    }


def describe(tensors):
    out = {}
    for name, t in sorted(tensors.items()):
        flat = t.detach().contiguous().reshape(-1)
        entry = {
            "dtype": NAMES[t.dtype],
            "shape": list(t.shape),
            "bytes": flat.view(torch.uint8).numpy().tobytes().hex() if flat.numel() else "",
        }
        if t.dtype.is_floating_point:
            entry["f32"] = [v & 0xFFFFFFFF for v in flat.float().view(torch.int32).tolist()]
        out[name] = entry
    return out


class Tied(torch.nn.Module):
    """Two names for one storage, a buffer, and a state dict that carries _metadata."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(5, 3)
        self.head = torch.nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.norm = torch.nn.BatchNorm1d(3)


def main(out):
    os.makedirs(out, exist_ok=True)
    expected = {}

    def path(name):
        full = os.path.join(out, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        return full

    def safe(name, tensors, metadata=None):
        safetensors.torch.save_file(tensors, path(name), metadata=metadata)
        return safetensors.torch.load_file(path(name))

    def pickled(name, value, **how):
        torch.save(value, path(name), **how)
        # torch's own restricted reader does not know FRAME, which every protocol 4 pickle has.
        return torch.load(path(name), weights_only="pickle_protocol" not in how)

    expected["plain.safetensors"] = describe(safe("plain.safetensors", plain(), {"format": "pt"}))
    expected["plain.pt"] = describe(pickled("plain.pt", plain()))
    expected["small.safetensors"] = describe(safe("small.safetensors", {
        "a": torch.arange(6.0).reshape(2, 3), "b": torch.arange(4.0).half(), "c": torch.tensor(1.5)}))
    expected["small.pt"] = describe(pickled("small.pt", collections.OrderedDict(
        a=torch.arange(6.0).reshape(2, 3), b=torch.arange(4.0).half())))

    base = torch.arange(60.0).reshape(3, 4, 5)
    half = torch.arange(24.0).half().reshape(4, 6)
    wide = torch.arange(700.0).reshape(2, 350)
    views = {
        "base": base,
        "transposed": base.permute(2, 0, 1),
        "steps": base[:, 1::2, ::3],
        "offset": base[1, 2],
        "expanded": base[0, 0, :2].expand(3, 2),
        "half.t": half.t(),
        "half.columns": half[:, 2:5],
        "wide.t": wide.t(),
        "one": base[:, :, 2:3],
        "bf16.t": torch.arange(6.0).bfloat16().reshape(2, 3).t(),
        "f64.step": torch.arange(9.0, dtype=torch.float64)[::4],
        "ints.t": torch.arange(6).reshape(2, 3).t(),
        "u16.t": torch.arange(6).to(torch.uint16).reshape(2, 3).t(),
    }
    expected["views.pt"] = describe(pickled("views.pt", views))

    torch.manual_seed(3)
    tied = Tied()
    expected["module.bin"] = describe(pickled("module.bin", tied.state_dict()))
    parameters = collections.OrderedDict(tied.named_parameters(remove_duplicate=False))
    expected["parameters.pt"] = describe(pickled("parameters.pt", parameters))
    training = {
        "epoch": 3, "loss": 0.25, "name": "run", "done": False, "none": None, "long": 2**40,
        "state_dict": tied.state_dict(),
        "optimizer": {"state": {0: {"step": torch.tensor(4.0)}}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.98)}]},
    }
    expected["training.pt"] = describe(pickled("training.pt", training)["state_dict"])
    with_scalars = dict(plain(), input_resolution=224, note="text", ratio=0.5, nothing=None, flag=True,
                        size=torch.Size([1, 2]), device=torch.device("cpu"))
    loaded = pickled("protocol4.pt", with_scalars, pickle_protocol=4)
    expected["protocol4.pt"] = describe({k: v for k, v in loaded.items() if torch.is_tensor(v)})
    with open(path("buffer.pt"), "wb") as f:  # through a stream: the root is "archive"
        torch.save({"w": torch.arange(3.0)}, f)
    expected["buffer.pt"] = describe({"w": torch.arange(3.0)})

    # A program with its weights, as OpenAI's original files are: modules inside modules, an attribute of
    # another kind, a buffer, half precision.
    inner = torch.nn.Sequential(torch.nn.LayerNorm(3).half(), torch.nn.Linear(3, 2))
    script = torch.jit.script(torch.nn.Sequential(torch.nn.BatchNorm1d(3), torch.nn.Dropout(0.5), inner))
    with torch.no_grad():
        for i, p in enumerate(script.parameters()):
            p.copy_(torch.arange(p.numel()).reshape(p.shape) / 8 + i)
    script.save(path("whole.pt"))
    with zipfile.ZipFile(path("whole.pt")) as whole, zipfile.ZipFile(path("torchscript.pt"), "w") as rest:
        for name in whole.namelist():
            # Those hold the paths of PyTorch's own sources, and what differs from run to run.
            if not name.endswith((".debug_pkl", "serialization_id")):
                entry = zipfile.ZipInfo(name.replace("whole/", "torchscript/", 1))
                entry.compress_type = whole.getinfo(name).compress_type
                rest.writestr(entry, b"" if "/code/" in name else whole.read(name))  # code varies too
    os.remove(path("whole.pt"))
    expected["torchscript.pt"] = describe(script.state_dict())

    def shards(folder, first, ext, save):
        parts = [{"a": torch.arange(6.0).reshape(2, 3), "d": torch.tensor([7], dtype=torch.int64)},
                 {"b": torch.arange(4.0).half(), "c": torch.tensor(1.5)}]
        names = [f"{first}-0000{i + 1}-of-00002.{ext}" for i in range(2)]
        for name, part in zip(names, parts):
            save(part, path(f"{folder}/{name}"))
        weight_map = {k: n for n, p in zip(names, parts) for k in p}
        with open(path(f"{folder}/{first}.{ext}.index.json"), "w") as f:
            json.dump({"metadata": {"total_size": 44}, "weight_map": weight_map}, f, indent=2, sort_keys=True)
        expected[folder] = describe({k: v for p in parts for k, v in p.items()})

    shards("shards-safetensors", "model", "safetensors", safetensors.torch.save_file)
    shards("shards-torch", "pytorch_model", "bin", torch.save)

    # Refused, each with its own message.
    torch.save({"w": torch.arange(3.0)}, path("legacy.pt"), _use_new_zipfile_serialization=False)
    os.truncate(path("legacy.pt"), 100)  # what follows holds addresses, different in each run

    with open(path("expected.json"), "w") as f:
        json.dump(expected, f, indent=0, sort_keys=True)
        f.write("\n")
    sizes = {}
    for folder, _, files in sorted(os.walk(out)):
        for name in sorted(files):
            if name != "manifest.json":
                full = os.path.join(folder, name)
                sizes[os.path.relpath(full, out)] = os.path.getsize(full)
    manifest = {
        "script": "tools/oracle/weights.py",
        "versions": {"torch": torch.__version__, "safetensors": safetensors.__version__},
        "sizes": sizes,
    }
    with open(path("manifest.json"), "w") as f:
        json.dump(manifest, f, indent=1, sort_keys=True)
        f.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    main(sys.argv[1])
