#!/usr/bin/env python3
"""Golden checkpoints of CLIP in open_clip form, and what open_clip computes on them.

The reference is open_clip 3.3.0 over PyTorch: each checkpoint is built by open_clip's own model
classes, every parameter is drawn anew, written to disk in its real form, and loaded back through
`local-dir:`, so that what is expected is what the reference makes of these very bytes. (The script
is not called open_clip.py, which Python would import in the place of the package.)

    openclip.py tiny    --vocab bpe_simple_vocab_16e6.txt.gz --pictures tests/golden/clip/pictures
                        --out tests/golden/open_clip [--only oc-a]
    openclip.py full    --arch vit-b-16 --pictures tests/golden/clip/pictures --out DIR
    openclip.py compare --akin build/akin --dir DIR --pictures ... [--precision f32|bf16]

The format of expected.txt is in tests/golden/open_clip/README.md.
"""
import argparse
import json
import logging
import math
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import clip  # noqa: E402  (the script beside this one: tokenizer files, bounds)

PINNED = {
    "torch": "2.13.0", "open_clip_torch": "3.3.0", "transformers": "5.23.0",
    "tokenizers": "0.23.3", "safetensors": "0.8.0", "pillow": "13.0.0", "ftfy": "6.3.1",
    "numpy": "2.4.6",
}


def import_reference():
    """Imports the reference (slowly) and checks its versions."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from importlib.metadata import version

    for name, want in PINNED.items():
        have = version(name).split("+")[0]
        if have != want:
            sys.exit(f"openclip.py: {name} is {have}, the golden files are pinned to {want}")
    import torch
    import torchvision_cpu  # noqa: F401
    import open_clip
    import transformers

    transformers.logging.set_verbosity_error()
    logging.disable(logging.WARNING)  # "initialized randomly"
    torch.set_grad_enabled(False)
    return torch, open_clip


# ---- Inputs -----------------------------------------------------------------------------------


def pixels(seed, height, width):
    """float32 [3, height, width] between -2.25 and 2.25 by integer arithmetic, the same in any
    language and exact in float32: stripes that differ with the channel and the seed, and noise."""
    c, y, x = np.meshgrid(np.arange(3), np.arange(height), np.arange(width), indexing="ij")
    i = np.arange(3 * height * width, dtype=np.uint64).reshape(c.shape)
    stripes = (y * (3 * seed + 1) + x * (c + 1 + seed * seed)) % 64
    noise = ((i + np.uint64(1 + 97 * seed)) * np.uint64(2654435761)) % np.uint64(1 << 32)
    noise = (noise >> np.uint64(16)).astype(np.float64)
    return (stripes / 16 - 2 + noise / 131072 - 0.25).astype(np.float32)


def draw(name, tensor, seed, depth):
    """One random parameter or buffer, float32. Nothing keeps its initialisation: with that
    LayerNorm is the identity, biases and the last norms of a ResNet are zero, and half of the
    mistakes one can make would not show."""
    import torch

    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    shape = tuple(tensor.shape)
    values = rng.standard_normal(shape, dtype=np.float32)
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    last = name.split(".")[-1]
    if name in ("logit_scale", "logit_bias"):
        return tensor.clone().fill_({"logit_scale": 3.7, "logit_bias": -2.25}[name])
    if last == "num_batches_tracked":
        return tensor.clone().fill_(1234)
    if last == "running_var":
        values = np.exp(0.5 * values)
    elif last == "gamma":
        values = np.float32(0.6) + np.float32(0.3) * values
    elif last in ("bias", "in_proj_bias", "running_mean"):
        values = values * np.float32(0.1)
    elif len(shape) == 1 and last == "weight":
        values = np.float32(1) + np.float32(0.2) * values
        if name.startswith("visual.layer") and name.endswith("bn3.weight"):
            values /= np.float32(math.sqrt(depth))  # what joins the residual stream
    elif "token_embedding" in name:
        values = values * np.float32(0.7)
    elif "embedding" in name:
        values = values * np.float32(0.4)
    elif last in ("proj", "text_projection"):
        values = values / np.float32(math.sqrt(shape[0]))
    else:
        gain = 1.0
        if last == "in_proj_weight" or "q_proj" in name or "k_proj" in name:
            gain = 1.1
        elif "out_proj" in name or "c_proj" in name:
            gain = 1.4 / math.sqrt(depth)
        elif len(shape) == 4:
            gain = 1.4
        values = values * np.float32(gain / math.sqrt(fan_in))
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).reshape(shape)


# ---- Checkpoints ------------------------------------------------------------------------------


def depth_of(layers):
    return sum(layers) if isinstance(layers, list) else layers


def draw_state(open_clip, folder, config, seed):
    """The state dict of a model of this config, every entry drawn."""
    clip.write_json(folder / "open_clip_config.json", config)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    cfg = config["model_cfg"]
    depth = {True: depth_of(cfg["vision_cfg"]["layers"]), False: cfg["text_cfg"]["layers"]}
    return {name: draw(name, x, seed, depth[name.startswith("visual.")])
            for name, x in model.state_dict().items()}


def write_weights(path, state, c):
    """Writes a state dict the way the case asks for."""
    import torch
    from safetensors.torch import save_file

    if c.get("dtype"):
        kind = getattr(torch, c["dtype"])
        state = {k: v.to(kind) if v.is_floating_point() else v for k, v in state.items()}
    if c.get("old_layout"):  # from before there was a prefix
        state = {k.removeprefix("text."): v for k, v in state.items()}
    if c.get("training"):  # what open_clip's training script saves
        state = {"module." + k: v for k, v in state.items()}
        moments = {"step": torch.tensor(3.0), "exp_avg": torch.zeros(4),
                   "exp_avg_sq": torch.ones(4)}
        groups = [{"lr": 5e-4, "betas": (0.9, 0.98), "eps": 1e-6, "params": [0], "foreach": None}]
        state = {"epoch": 3, "name": "tiny", "state_dict": state,
                 "optimizer": {"state": {0: moments}, "param_groups": groups},
                 "scaler": {"scale": 65536.0, "_growth_tracker": 0}}
    if path.suffix == ".safetensors":
        save_file({k: v.contiguous() for k, v in state.items()}, path, {"format": "pt"})
    else:
        torch.save(state, path)
    path.chmod(0o644)


EXTRAS = ("input_resolution", "context_length", "vocab_size")


def write_archive(path, folder, config, state):
    """A TorchScript archive as OpenAI's original files are: the model traced, its sizes beside it
    as tensors, and linear layers, convolutions and projections in half precision."""
    import torch
    import zipfile
    from open_clip.model import CLIP

    cfg = config["model_cfg"]
    model = CLIP(**cfg).eval()
    model.load_state_dict(state)
    sizes = (cfg["vision_cfg"]["image_size"], model.context_length, model.vocab_size)
    picture = torch.zeros(1, 3, sizes[0], sizes[0])
    mask = model._buffers.pop("attn_mask")  # in OpenAI's a constant of the program
    model.attn_mask = mask
    for name, size in zip(EXTRAS, sizes):
        if hasattr(model, name):
            delattr(model, name)
        model.register_buffer(name, torch.tensor(size))
    script = torch.jit.trace_module(model, {"encode_image": picture,
                                            "encode_text": torch.zeros(1, sizes[1], dtype=int)})
    for name, value in script.named_parameters():
        if "ln_" not in name and "embedding" not in name and name != "logit_scale":
            value.data = value.data.half()
    # Rows of the table overlap: 49,408 different ones in 200 KB. Its reader must follow strides.
    table = state["token_embedding.weight"]
    flat = table.flatten()[: table.shape[0] + table.shape[1] - 1].clone()
    script.token_embedding.weight.data = flat.as_strided(table.shape, (1, 1))
    unpacked = folder / "archive"
    script.save(unpacked)
    # The archive says where the source lay on the machine that made it, and when it was made.
    with zipfile.ZipFile(unpacked) as source, zipfile.ZipFile(path, "w") as target:
        for item in source.infolist():
            if not item.filename.endswith((".debug_pkl", "serialization_id")):
                target.writestr(zipfile.ZipInfo(item.filename), source.read(item))
    unpacked.unlink()


class Reference:
    """A folder as the reference loads it. dtype float64 shows how far off float32 itself is."""

    def __init__(self, open_clip, torch, folder, dtype="float32"):
        self.torch, self.dtype = torch, getattr(torch, dtype)
        self.model = open_clip.create_model(f"local-dir:{folder}").eval().to(self.dtype)
        self.tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
        size = self.model.visual.image_size
        self.size = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
        from open_clip.transform import PreprocessCfg, image_transform_v2

        preprocess = PreprocessCfg(**self.model.visual.preprocess_cfg)
        self.transform = image_transform_v2(preprocess, is_train=False)
        text = getattr(self.model, "text", self.model)
        self.context = text.context_length

    def ids(self, ids, pad, left):
        more = [pad] * (self.context - len(ids))
        padded = self.torch.tensor([more + [*ids] if left else [*ids] + more])
        return self.model.encode_text(padded)[0]

    def text(self, text):
        return self.model.encode_text(self.tokenizer([text]))[0]

    def image(self, seed):
        values = self.torch.from_numpy(pixels(seed, *self.size)[None])
        return self.model.encode_image(values.to(self.dtype))[0]

    def pixels(self, path):
        from PIL import Image, ImageOps

        with Image.open(path) as picture:
            return self.transform(ImageOps.exif_transpose(picture))

    def picture(self, path):
        return self.model.encode_image(self.pixels(path)[None].to(self.dtype))[0]

    def row(self, key):
        kind, *rest = key
        return getattr(self, kind)(*rest)


class BareReference(Reference):
    """A weights file without a config, as the reference's loader of OpenAI's files builds it."""

    def __init__(self, open_clip, torch, path, quick_gelu, dtype="float32"):
        from open_clip.factory import load_state_dict
        from open_clip.model import build_model_from_openai_state_dict
        from open_clip.transform import PreprocessCfg, image_transform_v2

        self.torch, self.dtype = torch, getattr(torch, dtype)
        try:
            state = dict(torch.jit.load(path).state_dict())
        except RuntimeError:
            state = load_state_dict(str(path))
        # Names of a custom_text model are new to that loader; their model computes the same.
        state = {k.removeprefix("text."): v for k, v in state.items()}
        self.model = build_model_from_openai_state_dict(dict(state), quick_gelu=quick_gelu,
                                                        cast_dtype=None)
        self.model = self.model.to(self.dtype)
        # It has rounded most weights to half precision; those of the file are wanted.
        for name in EXTRAS:
            state.pop(name, None)
        self.model.load_state_dict(state)
        self.context = self.model.context_length
        self.tokenizer = open_clip.tokenizer.SimpleTokenizer(context_length=self.context)
        size = self.model.visual.image_size
        self.size = tuple(size) if isinstance(size, (list, tuple)) else (size, size)
        self.transform = image_transform_v2(PreprocessCfg(size=self.size), is_train=False)


def padded_ids(reference, text):
    """Ids of a text without its padding, and whether it was cut."""
    ids = reference.tokenizer([text])[0].tolist()
    pad = 0
    inner = getattr(reference.tokenizer, "tokenizer", None)
    if inner is not None:
        pad = inner.pad_token_id
    n = len(ids)
    end = ids.index(max(ids))  # every vocabulary here ends with the end token
    assert all(x == pad for x in ids[end + 1 :])
    return ids[: end + 1], end + 1 == n and len(text) > n


def write_expected(open_clip, torch, folder, inputs, pictures_at, load=None):
    """Runs the reference over the inputs, in float32 (what is written) and in float64."""
    load = load or (lambda dtype: Reference(open_clip, torch, folder, dtype))
    f32 = load("float32")
    model = f32.model
    bias = getattr(model, "logit_bias", None)
    lines = ["akin-golden open_clip 1"]
    rows = {}
    for key in inputs:
        full = (key[0], pictures_at / key[1]) if key[0] == "picture" else key
        rows[key] = f32.row(full)
        if key[0] == "ids":
            lines += [f"pad {key[2]} {int(key[3])}", f"ids {' '.join(map(str, key[1]))}"]
        elif key[0] == "text":
            lines += [f"text {json.dumps(key[1])}",
                      f"tokens {' '.join(map(str, padded_ids(f32, key[1])[0]))}"]
        else:
            lines += [f"{key[0]} {key[1]}"]
        lines += [f"raw {clip.numbers(rows[key])}"]
    lines.insert(1, f"dimensions {len(next(iter(rows.values())))}")
    lines.insert(2, f"logit_scale {float(model.logit_scale):.9g}")
    lines.insert(3, f"logit_bias {float(bias) if bias is not None else 0:.9g}")
    table = getattr(model.visual, "positional_embedding", None)
    if table is not None:  # resampled or not: its first and last rows as the model has them
        lines.insert(4, f"positions {table.shape[0]} {clip.numbers(table[-1])}")
    (folder / "expected.txt").write_text("\n".join(lines) + "\nend\n", encoding="utf-8")
    del f32, model
    f64 = load("float64")
    figures = {}
    for kinds, name in ((("ids", "text"), "text"), (("image", "picture"), "picture")):
        keys = [k for k in rows if k[0] in kinds]
        exact = {k: f64.row((k[0], pictures_at / k[1]) if k[0] == "picture" else k) for k in keys}
        figures[name] = {
            "f32_vs_f64_max_relative": f"{max(clip.relative(rows[k], exact[k]) for k in keys):.1e}",
            "cosine_between_different_inputs": clip.spread([rows[k] for k in keys]),
        }
    return figures


# ---- Tiny checkpoints -------------------------------------------------------------------------


def model(embed_dim, vision, text, **more):
    return {"embed_dim": embed_dim, "vision_cfg": vision, "text_cfg": text, **more}


def vit(width, layers, head_width, image, patch, **more):
    return {"width": width, "layers": layers, "head_width": head_width, "image_size": image,
            "patch_size": patch, **more}


def text(width, heads, layers, length, vocab, **more):
    return {"width": width, "heads": heads, "layers": layers, "context_length": length,
            "vocab_size": vocab, **more}


TINY = {
    "oc-a": {
        "about": "as the LAION repositories: simple tokenizer and its 49,408 ids, exact GELU, f16; "
                 "mlp_ratio 4.3637 (104.73 is 104), heads of 6 from a head_width of 5; texts "
                 "and pictures from end to end",
        "file": "open_clip_model.safetensors", "dtype": "float16",
        "texts": True, "pictures": True,
        "model_cfg": model(19, vit(24, 2, 5, 30, 6, mlp_ratio=4.3637, patch_dropout=0.25),
                           text(8, 2, 2, 77, 49408, mlp_ratio=4.9231)),
    },
    "oc-b": {
        "about": "a checkpoint of the training script (.bin: module., epoch, name, optimizer), in "
                 "the layout without text., loaded by a custom_text config; quick_gelu; pool eos, "
                 "with texts that have none and padding that is the end token",
        "file": "open_clip_pytorch_model.bin", "training": True, "old_layout": True,
        "model_cfg": model(21, vit(32, 2, 8, 21, 7),
                           text(24, 3, 2, 12, 60, pool_type="eos", eos_id=58),
                           quick_gelu=True, custom_text=True),
        "ids": [([57, 3, 9, 58], 0, False), ([57, 58, 3, 58, 7], 0, False), ([4, 5, 6], 0, False),
                ([4, 5, 6], 58, False), ([59, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 58], 0, False)],
    },
    "oc-c": {
        "about": "text. names, no_causal_mask (padding is seen), argmax, biased text projection, "
                 "LayerScale in both towers, average pooling, eps of norm_kwargs, tanh GELU of "
                 "act_kwargs, logit_bias, logit_scale of shape [1]; model.pth",
        "file": "model.pth", "dtype": "float32",
        "model_cfg": model(20, vit(24, 3, 12, 20, 5, ls_init_value=0.1, pool_type="avg",
                                   norm_kwargs={"eps": 1e-3}, act_kwargs={"approximate": "tanh"}),
                           text(20, 2, 3, 10, 60, no_causal_mask=True, proj_bias=True,
                                ls_init_value=0.1, norm_kwargs={"eps": 1e-2},
                                act_kwargs={"approximate": "tanh"}),
                           custom_text=True, init_logit_bias=-10, init_logit_scale=2.3,
                           nonscalar_logit_scale=True),
        "ids": [([57, 3, 9, 58], 0, False), ([57, 3, 9, 58], 59, False), ([57, 58], 0, False),
                ([57, 3, 9, 58], 1, True), ([57, 1, 2, 3, 4, 5, 6, 7, 8, 58], 0, False)],
    },
    "oc-d": {
        "about": "a grid of 3x3 and 9 text positions in the file, 5x5 and 13 in the config; "
                 "no norm before the layers, norm behind the average; no_causal_mask and pool last",
        "file": "open_clip_pytorch_model.safetensors",
        "saved": {"vision": {"image_size": 12}, "text": {"context_length": 9}},
        "model_cfg": model(18, vit(28, 2, 7, 20, 4, no_ln_pre=True, pool_type="avg",
                                   final_ln_after_pool=True),
                           text(22, 2, 2, 13, 60, no_causal_mask=True, pool_type="last"),
                           custom_text=True),
        "ids": [([57, 3, 9, 58], 0, False), ([57, 3, 9, 58], 7, False), ([57, 3, 9, 58], 7, True),
                ([57, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 58], 0, False)],
    },
    "oc-e": {
        "about": "a picture of 16 x 12 pixels, its grid of 4x3 made of 6x6, text positions 20 to "
                 "11; causal with pool last (the padding is what is pooled); proj_type none",
        "file": "pytorch_model.bin",
        "saved": {"vision": {"image_size": 24}, "text": {"context_length": 20}},
        "model_cfg": model(24, vit(30, 2, 10, [16, 12], 4),
                           text(24, 4, 2, 11, 60, pool_type="last", proj_type="none"),
                           quick_gelu=True),
        "ids": [([57, 3, 9, 58], 0, False), ([57, 3, 9, 58], 5, False), ([57, 3, 9, 58], 5, True),
                ([57, 1, 2, 3, 4, 5, 6, 7, 8, 9, 58], 0, False)],
    },
    "oc-f": {
        "about": "a ModifiedResNet of 3, 1, 2, 1 blocks, width 4, features 128 in 8 heads, 64 "
                 "pixels; quick_gelu for the texts; f16",
        "file": "model.safetensors", "dtype": "float16",
        "model_cfg": model(17, vit(4, [3, 1, 2, 1], 16, 64, None), text(16, 2, 1, 9, 60),
                           quick_gelu=True),
        "ids": [([57, 3, 9, 58], 0, False), ([57, 58], 0, False)],
    },
    "oc-g": {
        "about": "bf16; causal argmax with a padding id above every other, before and behind the "
                 "text; pytorch_model.pth, with a model.pth of other weights beside it; patches "
                 "leave 3 pixels over",
        "file": "pytorch_model.pth", "decoy": "model.pth", "dtype": "bfloat16",
        "model_cfg": model(20, vit(26, 1, 13, 23, 5), text(20, 1, 2, 10, 60)),
        "ids": [([57, 3, 9, 58], 0, False), ([57, 3, 9, 58], 59, False),
                ([57, 3, 9, 58], 59, True), ([57, 3, 9, 58], 0, True),
                ([57, 1, 2, 3, 4, 5, 6, 7, 8, 58], 59, False)],
    },
    "oc-h": {
        "about": "hf_tokenizer_name: the folder's tokenizer.json behind white space cleaning, "
                 "padded with its own pad token, which no_causal_mask sees; pool first",
        "file": "open_clip_pytorch_model.pth", "tokenizer": 200, "texts": True,
        "model_cfg": model(22, vit(24, 1, 12, 16, 8),
                           text(20, 2, 2, 24, "tokenizer", no_causal_mask=True, pool_type="first",
                                hf_tokenizer_name="some/repository",
                                tokenizer_kwargs={"clean": "whitespace"}), custom_text=True),
    },
    "oc-i": {
        "about": "a tokenizer.json of 300 tokens (printable ASCII alone) and a ModifiedResNet of "
                 "one block a layer, width 2, features 64 in 2 heads, 32 pixels",
        "file": "open_clip_model.safetensors", "tokenizer": 110, "ascii": True, "texts": True,
        "model_cfg": model(16, vit(2, [1, 1, 1, 1], 32, 32, None),
                           text(12, 2, 1, 24, "tokenizer", hf_tokenizer_name="some/repository"),
                           custom_text=True),
    },
    "bare-vit": {
        "about": "a weights file alone, a TorchScript archive as OpenAI's: weights in f16, three "
                 "sizes as tensors; quick_gelu; one head and two heads of 64; texts and pictures "
                 "from end to end",
        "file": "ViT.pt", "bare": True, "texts": True, "pictures": True,
        "model_cfg": model(16, vit(64, 1, 64, 30, 6), text(128, 2, 1, 77, 49408),
                           quick_gelu=True),
    },
    "bare-resnet": {
        "about": "a weights file alone, of a training script (module., optimizer): a "
                 "ModifiedResNet of 1, 2, 1, 2 blocks, width 4, 64 pixels; quick_gelu; f16",
        "file": "RN.pth", "bare": True, "dtype": "float16", "training": True,
        "model_cfg": model(17, vit(4, [1, 2, 1, 2], 64, 64, None), text(64, 1, 1, 9, 60),
                           quick_gelu=True),
        "ids": [([57, 3, 9, 59], 0, False), ([57, 59], 0, False)],
    },
    "bare-gelu": {
        "about": "a weights file alone, of safetensors with text. names; exact GELU; bf16",
        "file": "epoch_3.safetensors", "bare": True, "dtype": "bfloat16",
        "model_cfg": model(18, vit(64, 1, 64, 21, 7), text(64, 1, 1, 10, 60), custom_text=True),
        "ids": [([57, 3, 9, 59], 0, False), ([57, 58, 3, 59, 7], 0, False)],
    },
    "oc-k": {
        "about": "9 text positions in f16 in the file, 13 in the config: PyTorch rounds its "
                 "weights and its results to f16",
        "file": "open_clip_model.safetensors", "dtype": "float16",
        "saved": {"text": {"context_length": 9}},
        "model_cfg": model(12, vit(8, 1, 4, 8, 4), text(14, 2, 1, 13, 60)),
        "ids": [([57, 3, 9, 58], 0, False), ([57, *range(1, 12), 58], 0, False)],
    },
    "oc-j": {
        "about": "the same in bf16, 20 text positions to 11; padding is seen",
        "file": "model.pth", "dtype": "bfloat16",
        "saved": {"text": {"context_length": 20}},
        "model_cfg": model(12, vit(8, 1, 4, 8, 4),
                           text(14, 2, 1, 11, 60, no_causal_mask=True), custom_text=True),
        "ids": [([57, 3, 9, 58], 0, False), ([57, *range(1, 10), 58], 0, False)],
    },
}

TEXTS = ["a photo of a cat", "", "red car 2024", "two dogs running along the beach at sunset",
         "the quick brown fox jumps over the lazy dog while the photographer waits for the light "
         "over the mountain lake to change, and then it changes; everyone looks up at once and "
         "nobody takes the picture that they had come for, which is all there is to say about it"]
FIXED = {"preprocess_cfg": {"mean": clip.OPENAI_MEAN, "std": clip.OPENAI_STD,
                            "interpolation": "bicubic", "resize_mode": "shortest"}}


def write_tiny(open_clip, torch, options, name):
    c = json.loads(json.dumps(TINY[name]))
    folder = Path(options.out) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if c.get("tokenizer"):
        merges = clip.read_merges(options.vocab, c["tokenizer"], c.get("ascii", False))
        c["model_cfg"]["text_cfg"]["vocab_size"] = clip.write_tokenizer(
            folder, merges, "json", 77, ascii_only=c.get("ascii", False))
    config = {"model_cfg": c["model_cfg"], **FIXED}
    saved = json.loads(json.dumps(config))
    for tower, values in c.get("saved", {}).items():
        saved["model_cfg"][tower + "_cfg"].update(values)
    seed = zlib.crc32(name.encode()) + c.get("seed", 0)
    state, load = draw_state(open_clip, folder, saved, seed), None
    if name == "bare-vit":
        write_archive(folder / c["file"], folder, config, state)
    else:
        write_weights(folder / c["file"], state, c)
    if c.get("decoy"):
        write_weights(folder / c["decoy"], draw_state(open_clip, folder, saved, 1), c)
    clip.write_json(folder / "open_clip_config.json", config)
    if c.get("bare"):
        (folder / "open_clip_config.json").unlink()

        def load(dtype):
            return BareReference(open_clip, torch, folder / c["file"],
                                 c["model_cfg"].get("quick_gelu", False), dtype)
    inputs = [("ids", tuple(ids), pad, left) for ids, pad, left in c.get("ids", [])]
    inputs += [("text", x) for x in TEXTS if c.get("texts")]
    inputs += [("image", seed) for seed in range(3)]
    if c.get("pictures"):
        inputs += [("picture", x) for x in ("wide.png", "tall.jpg", "alpha.png", "grey.png",
                                            "rotated.jpg", "photo.jpg", "small.png")]
    figures = write_expected(open_clip, torch, folder, inputs, Path(options.pictures),
                             load)
    return {"about": c["about"], "noise": figures}


def run_tiny(options):
    torch, open_clip = import_reference()
    torch.set_num_threads(1)
    out = Path(options.out)
    manifest_at = out / "manifest.json"
    cases = json.loads(manifest_at.read_text())["cases"] if manifest_at.exists() else {}
    for name in [options.only] if options.only else TINY:
        cases[name] = write_tiny(open_clip, torch, options, name)
        print(name, json.dumps(cases[name]["noise"]), file=sys.stderr)
    clip.write_json(manifest_at, {
        "script": "tools/oracle/openclip.py tiny", "versions": PINNED,
        "relative": "max |a - b| / max |b| over a row, b the reference",
        "cases": {name: cases[name] for name in TINY if name in cases},
    })


# ---- Full size --------------------------------------------------------------------------------

FULL = {
    "vit-b-32": model(512, vit(768, 12, 64, 224, 32), text(512, 8, 12, 77, 49408)),
    "vit-b-16": model(512, vit(768, 12, 64, 224, 16), text(512, 8, 12, 77, 49408)),
    "vit-l-14": model(768, vit(1024, 24, 64, 224, 14), text(768, 12, 12, 77, 49408)),
    "rn50": model(1024, vit(64, [3, 4, 6, 3], 64, 224, None), text(512, 8, 12, 77, 49408),
                  quick_gelu=True),
    "rn101": model(512, vit(64, [3, 4, 23, 3], 64, 224, None), text(512, 8, 12, 77, 49408),
                   quick_gelu=True),
}


def run_full(options):
    torch, open_clip = import_reference()
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": FULL[options.arch], **FIXED}
    state = draw_state(open_clip, folder, config, zlib.crc32(options.arch.encode()))
    names = sorted(x.name for x in Path(options.pictures).iterdir())
    write_weights(folder / "open_clip_model.safetensors", state, {})
    del state
    inputs = [("text", x) for x in TEXTS] + [("picture", x) for x in names]
    figures = write_expected(open_clip, torch, folder, inputs, Path(options.pictures))
    clip.write_json(folder / "manifest.json",
                    {"script": f"tools/oracle/openclip.py full --arch {options.arch}",
                     "versions": PINNED, "noise": figures})
    print(json.dumps(figures, indent=1), file=sys.stderr)


def run_compare(options):
    """Texts and pictures of a folder's expected.txt through `akin embed`. Bounds: f32 within 1e-4
    relative, row by row; bf16 cosine at least 0.9999."""
    folder = Path(options.dir)
    rows = [row for row in clip.read_expected(folder) if row[0] in ("text", "picture")]
    command = [options.akin, "embed", "--model", str(folder), "--precision", options.precision,
               "--form", "open_clip", "--raw", "--format", "npy", "--quiet"]
    for kind, value, _ in rows:
        command += ["--text", value] if kind == "text" else []
    command += [str(Path(options.pictures) / v) for kind, v, _ in rows if kind == "picture"]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "rows.npy"
        done = subprocess.run([*command, "-o", str(out)], check=False)
        if done.returncode != 0:
            sys.exit(f"openclip.py: akin embed ended with {done.returncode}")
        ours = np.load(out)
    bad = 0
    for kind in ("text", "picture"):
        errors, cosines = [], []
        for (k, value, row), mine in zip(rows, ours, strict=True):
            if k != kind:
                continue
            error, cos = clip.relative(mine, row), clip.cosine(mine, row)
            fails = error > 1e-4 if options.precision == "f32" else cos < 0.9999
            if fails or not np.isfinite(mine).all():
                bad += 1
                print(f"  FAIL {kind} {json.dumps(value)}: relative {error:.2e} cosine {cos:.7f}")
            errors.append(error)
            cosines.append(cos)
        if errors:
            print(f"{folder.name} {options.precision} {kind}: max relative error "
                  f"{max(errors):.2e}, min cosine {min(cosines):.7f}")
    sys.exit(1 if bad else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    verbs = parser.add_subparsers(required=True)
    tiny = verbs.add_parser("tiny", help="write the committed tiny checkpoints")
    tiny.add_argument("--vocab", required=True, help="bpe_simple_vocab_16e6.txt.gz")
    tiny.add_argument("--pictures", required=True)
    tiny.add_argument("--out", required=True)
    tiny.add_argument("--only", choices=TINY)
    tiny.set_defaults(run=run_tiny)
    full = verbs.add_parser("full", help="write a full-size checkpoint with random weights")
    full.add_argument("--arch", required=True, choices=FULL)
    full.add_argument("--pictures", required=True)
    full.add_argument("--out", required=True)
    full.set_defaults(run=run_full)
    compare = verbs.add_parser("compare", help="run akin on a folder and check its numbers")
    compare.add_argument("--akin", required=True)
    compare.add_argument("--dir", required=True)
    compare.add_argument("--pictures", required=True)
    compare.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    compare.set_defaults(run=run_compare)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
