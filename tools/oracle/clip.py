#!/usr/bin/env python3
"""Golden checkpoints of CLIP in Hugging Face form, and what the reference computes on them.

The reference is transformers' CLIPModel, CLIPTokenizer and CLIPImageProcessorPil over PyTorch and
Pillow, at the versions in requirements.txt; the script refuses to write golden files with others.
Every checkpoint is first written to disk in its real form and then loaded by the reference, so that
what is expected is what the reference makes of these very bytes.

    clip.py tiny    --vocab bpe_simple_vocab_16e6.txt.gz --out tests/golden/clip [--only tiny-a]
    clip.py full    --vocab bpe_simple_vocab_16e6.txt.gz --out DIR --arch vit-b-32 [--format bin]
    clip.py compare --akin build/akin --dir DIR [--precision f32|bf16]

The format of expected.txt is in tests/golden/clip/README.md.
"""
import argparse
import copy
import gzip
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

PINNED = {
    "torch": "2.13.0",
    "transformers": "5.23.0",
    "tokenizers": "0.23.3",
    "safetensors": "0.8.0",
    "pillow": "13.0.0",
    "numpy": "2.4.6",
}
OPENAI_MEAN = [0.48145466, 0.4578275, 0.40821073]
OPENAI_STD = [0.26862954, 0.26130258, 0.27577711]
FULL_MERGES = 48894


def import_reference():
    """Imports the reference (slowly) and checks its versions. Returns (torch, transformers)."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from importlib.metadata import version

    for name, want in PINNED.items():
        have = version(name).split("+")[0]
        if have != want:
            sys.exit(f"clip.py: {name} is {have}, the golden files are pinned to {want}")
    import torch
    import torchvision_cpu  # noqa: F401  (before transformers looks for torchvision)
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_grad_enabled(False)
    return torch, transformers


# ---- Zero-shot labels and templates -----------------------------------------------------------


def imagenet_templates():
    """The 80 templates of CLIP's ImageNet evaluation (open_clip 3.3.0 zero_shot_metadata.py holds
    the same set). Built from the regular parts, sorted: their order does not matter to the mean
    but for rounding."""
    both = [
        f"a {x} photo of"
        for x in "bad,bright,close-up,cropped,jpeg corrupted,low resolution,blurry,pixelated,good,"
        "black and white,dark".split(",")
    ] + [
        "a photo of", "a sculpture of", "a rendering of", "graffiti of", "a tattoo of",
        "a drawing of", "a painting of", "a doodle of", "a sketch of", "a rendition of", "art of",
    ]
    found = [f"{x} {article} {{}}." for x in both for article in ("a", "the")]
    found += ["itap of a {}.", "itap of the {}."]
    found += ["a {} in a video game.", "the {} in a video game."]
    found += [
        f"a photo of {article} {x} {{}}."
        for x in "hard to see,clean,dirty,cool,large,nice,weird,small".split(",")
        for article in ("a", "the")
    ]
    found += [
        f"{article} {x} {{}}."
        for x in "embroidered,plastic,origami,toy,cartoon,plushie".split(",")
        for article in ("a", "the")
    ]
    found += ["a photo of many {}.", "a photo of my {}.", "a photo of one {}.", "itap of my {}."]
    assert len(found) == len(set(found)) == 80
    return sorted(found)


LABELS = ["cat", "red car", "mountain lake", "42"]
SEVEN = ["itap of a {}.", "a bad photo of the {}.", "a origami {}.", "a photo of the large {}.",
         "a {} in a video game.", "art of the {}.", "a photo of the small {}."]
TEMPLATES = {"one": ["a photo of a {}"], "openai-7": SEVEN, "openai-80": imagenet_templates()}
assert set(SEVEN) < set(TEMPLATES["openai-80"])


# ---- Pictures ---------------------------------------------------------------------------------


def noise(height, width, channels, seed):
    """uint8 [height, width, channels] of smooth blobs and a grain, by integer arithmetic alone: the
    same on every machine."""
    y, x, c = np.meshgrid(
        np.arange(height, dtype=np.int64), np.arange(width, dtype=np.int64),
        np.arange(channels, dtype=np.int64), indexing="ij",
    )
    value = np.zeros((height, width, channels), np.int64)
    state = seed * 2654435761 + 12345
    for _ in range(6):
        draws = []
        for _ in range(5):
            state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
            draws.append(state >> 33)
        cy, cx = draws[0] % height, draws[1] % width
        radius = 5 + draws[2] % (max(height, width) // 2 + 1)
        depth = 40 + draws[3] % 120
        shade = (draws[4] >> (5 * c)) % 3
        distance = (y - cy) ** 2 + (x - cx) ** 2
        value += shade * depth * radius * radius // (radius * radius + distance)
    grain = (y * 73856093 ^ x * 19349663 ^ c * 83492791 ^ seed * 7919) % 23
    return ((value + grain) % 256).astype(np.uint8)


def write_pictures(folder):
    """Writes the pictures every case uses. Returns their names, in the order of expected.txt."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(noise(61, 97, 3, 1)).save(folder / "wide.png", optimize=True)
    Image.fromarray(noise(173, 58, 3, 2)).save(folder / "tall.jpg", quality=88)
    Image.fromarray(noise(64, 50, 4, 3)).save(folder / "alpha.png", optimize=True)
    Image.fromarray(noise(45, 71, 1, 4)[:, :, 0]).save(folder / "grey.png", optimize=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(52, 80, 3, 5)).save(folder / "rotated.jpg", quality=75, exif=exif)
    Image.fromarray(noise(240, 320, 3, 6)).save(folder / "photo.jpg", quality=80)
    Image.fromarray(noise(13, 17, 3, 7)).quantize(16).save(folder / "small.png", optimize=True)
    return ["wide.png", "tall.jpg", "alpha.png", "grey.png", "rotated.jpg", "photo.jpg",
            "small.png"]


# ---- Tokenizer --------------------------------------------------------------------------------


def byte_symbols():
    """The 256 symbols of byte-level BPE in vocabulary order: printable Latin-1 as it is, the other
    bytes from U+0100 on."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [b for b in range(256) if b not in kept]
    return [chr(b) for b in kept] + [chr(256 + i) for i in range(len(moved))]


def read_merges(path, count, ascii_only=False):
    lines = gzip.open(path, "rt", encoding="utf-8").read().split("\n")[1 : 1 + FULL_MERGES]
    if ascii_only:
        lines = [line for line in lines if line.isascii()]
    return [tuple(line.split()) for line in lines[:count]]


def make_vocabulary(merges, ascii_only=False):
    symbols = byte_symbols()[: 94 if ascii_only else 256]
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(tokens)}


def write_tokenizer(folder, merges, files, max_length, extra=(), normalized=False,
                    ascii_only=False):
    """files: "json" (what transformers writes today: tokenizer.json) or "parts" (vocab.json and
    merges.txt, as the older repositories) or "all" (the published openai folders). `extra`: added
    tokens above the end token. normalized: as the flag stands in published tokenizer.json files.
    ascii_only: without the bytes that are not printable ASCII, which are then unknown tokens."""
    from tokenizers import AddedToken
    from transformers import CLIPTokenizer

    vocabulary = make_vocabulary(merges, ascii_only)
    if files in ("json", "all"):
        tokenizer = CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=max_length)
        tokenizer.add_tokens([AddedToken(t, normalized=False) for t in extra])
        with tempfile.TemporaryDirectory() as scratch:
            tokenizer.save_pretrained(scratch)
            document = json.loads((Path(scratch) / "tokenizer.json").read_text(encoding="utf-8"))
            settings = json.loads((Path(scratch) / "tokenizer_config.json").read_text())
        if normalized:
            for token in document["added_tokens"]:
                token["normalized"] = True
        write_json(folder / "tokenizer.json", document, indent=None)
    if files in ("parts", "all"):
        write_json(folder / "vocab.json", vocabulary, indent=None)
        body = "\n".join(" ".join(m) for m in merges)
        (folder / "merges.txt").write_text(f"#version: 0.2\n{body}\n", encoding="utf-8")
        special = {
            name: {"content": text, "lstrip": False, "normalized": True, "rstrip": False,
                   "single_word": False}
            for name, text in (("bos_token", "<|startoftext|>"), ("eos_token", "<|endoftext|>"),
                               ("unk_token", "<|endoftext|>"))
        }
        settings = {
            "tokenizer_class": "CLIPTokenizer", "model_max_length": max_length,
            "errors": "replace", "add_prefix_space": False, "do_lower_case": True,
            **{name: {"__type": "AddedToken", **token} for name, token in special.items()},
            "pad_token": "<|endoftext|>",
        }
        write_json(folder / "special_tokens_map.json", {**special, "pad_token": "<|endoftext|>"})
        if extra:
            first = len(vocabulary)
            write_json(folder / "added_tokens.json", {t: first + i for i, t in enumerate(extra)})
    if max_length is None:
        settings.pop("model_max_length", None)
    write_json(folder / "tokenizer_config.json", settings)
    return len(vocabulary)


def write_json(path, value, indent=2):
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    path.write_text(text + "\n", encoding="utf-8")


# ---- Weights ----------------------------------------------------------------------------------


def tower_shapes(prefix, c):
    d, ff = c["hidden_size"], c["intermediate_size"]
    shapes = {}
    for n in range(c["num_hidden_layers"]):
        at = f"{prefix}.encoder.layers.{n}."
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes[f"{at}self_attn.{name}.weight"] = (d, d)
            shapes[f"{at}self_attn.{name}.bias"] = (d,)
        for name in ("layer_norm1", "layer_norm2"):
            shapes[f"{at}{name}.weight"] = (d,)
            shapes[f"{at}{name}.bias"] = (d,)
        shapes[f"{at}mlp.fc1.weight"], shapes[f"{at}mlp.fc1.bias"] = (ff, d), (ff,)
        shapes[f"{at}mlp.fc2.weight"], shapes[f"{at}mlp.fc2.bias"] = (d, ff), (d,)
    return shapes


def model_shapes(c):
    """Name and shape of every parameter, from a resolved configuration."""
    t, v, p = c["text"], c["vision"], c["projection_dim"]
    grid = v["image_size"] // v["patch_size"]
    shapes = {
        "logit_scale": (),
        "text_model.embeddings.token_embedding.weight": (t["vocab_size"], t["hidden_size"]),
        "text_model.embeddings.position_embedding.weight":
            (t["max_position_embeddings"], t["hidden_size"]),
        **tower_shapes("text_model", t),
        "text_model.final_layer_norm.weight": (t["hidden_size"],),
        "text_model.final_layer_norm.bias": (t["hidden_size"],),
        "vision_model.embeddings.class_embedding": (v["hidden_size"],),
        "vision_model.embeddings.patch_embedding.weight":
            (v["hidden_size"], 3, v["patch_size"], v["patch_size"]),
        "vision_model.embeddings.position_embedding.weight": (grid * grid + 1, v["hidden_size"]),
        "vision_model.pre_layrnorm.weight": (v["hidden_size"],),
        "vision_model.pre_layrnorm.bias": (v["hidden_size"],),
        **tower_shapes("vision_model", v),
        "vision_model.post_layernorm.weight": (v["hidden_size"],),
        "vision_model.post_layernorm.bias": (v["hidden_size"],),
        "visual_projection.weight": (p, v["hidden_size"]),
        "text_projection.weight": (p, t["hidden_size"]),
    }
    return shapes


def draw(name, shape, seed, layers):
    """One random parameter, float32. Not the tiny default initialisation: with that attention is
    uniform, every LayerNorm is the identity and every bias zero, and half of the mistakes one can
    make would not show. Query and key are scaled so that attention logits have a deviation of about
    1.2; what is added to the residual stream is scaled down with the depth."""
    rng = np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))
    values = rng.standard_normal(shape, dtype=np.float32)
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    if name.endswith("bias"):
        return values * np.float32(0.1)
    if "norm" in name or "layrnorm" in name:
        return np.float32(1) + values * np.float32(0.2)
    if "embedding" in name and "patch" not in name:
        return values * np.float32(0.7 if "token" in name else 0.4)
    gain = 1.0
    if "q_proj" in name or "k_proj" in name:
        gain = 1.1
    elif "out_proj" in name or "fc2" in name:
        gain = 1.4 / math.sqrt(layers)
    return values * np.float32(gain / math.sqrt(fan_in))


def draw_weights(c, seed):
    """Every parameter by name, torch float32, in the order of model_shapes."""
    import torch

    state = {}
    for name, shape in model_shapes(c).items():
        if name == "logit_scale":
            state[name] = torch.tensor(c["logit_scale"], dtype=torch.float32)
        else:
            tower = c["vision"] if name.startswith("vis") else c["text"]
            values = draw(name, shape, seed, tower["num_hidden_layers"])
            state[name] = torch.from_numpy(np.ascontiguousarray(values))
    return state


def add_position_ids(state, c):
    """The int64 buffers that files written by older releases carry."""
    import torch

    grid = c["vision"]["image_size"] // c["vision"]["patch_size"]
    for tower, count in (("text", c["text"]["max_position_embeddings"]),
                         ("vision", grid * grid + 1)):
        state[f"{tower}_model.embeddings.position_ids"] = torch.arange(count).reshape(1, -1)


def entangle(state):
    """Queries, keys and values of a layer as views of one storage, and fc2 stored transposed: legal
    in a torch file, and what a reader must honour through offset and stride."""
    import torch

    for name in [n for n in state if n.endswith("q_proj.weight")]:
        names = [name.replace("q_proj", x) for x in ("q_proj", "k_proj", "v_proj")]
        joined = torch.cat([state[n] for n in names])
        for i, n in enumerate(names):
            state[n] = joined[i * len(state[n]) : (i + 1) * len(state[n])]
    for name in [n for n in state if n.endswith("fc2.weight")]:
        state[name] = state[name].t().contiguous().t()


def split(state, count):
    """Cuts a state dict into `count` parts of about equal size, in order."""
    total = sum(x.numel() * x.element_size() for x in state.values())
    parts, used = [{} for _ in range(count)], 0
    for name, x in state.items():
        parts[min(count - 1, used * count // total)][name] = x
        used += x.numel() * x.element_size()
    return parts


def write_weights(folder, state, form, shards=1):
    """form "safetensors" or "bin"; shards > 1 adds the index file."""
    import torch
    from safetensors.torch import save_file

    stem, suffix = ("model", ".safetensors") if form == "safetensors" else ("pytorch_model", ".bin")

    def save(part, path):
        if form == "safetensors":
            save_file({k: v.contiguous() for k, v in part.items()}, path, {"format": "pt"})
        else:
            torch.save(part, path)

    if shards == 1:
        save(state, folder / (stem + suffix))
        (folder / (stem + suffix)).chmod(0o644)
        return
    weight_map = {}
    for i, part in enumerate(split(state, shards)):
        name = f"{stem}-{i + 1:05d}-of-{shards:05d}{suffix}"
        save(part, folder / name)
        (folder / name).chmod(0o644)
        weight_map.update({tensor: name for tensor in part})
    total = sum(x.numel() * x.element_size() for x in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    write_json(folder / (stem + suffix + ".index.json"), index)


# ---- What the reference says ------------------------------------------------------------------


class Reference:
    """A folder as the reference loads it."""

    def __init__(self, folder, dtype="float32"):
        import torch
        from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

        self.torch = torch
        self.dtype = getattr(torch, dtype)
        model, info = CLIPModel.from_pretrained(folder, dtype=self.dtype, output_loading_info=True)
        # The reference fills in what it does not find with random numbers.
        wrong = {k: v for k, v in info.items() if v and k != "unexpected_keys"}
        wrong.update({k: k for k in info["unexpected_keys"] if not k.endswith("position_ids")})
        if wrong:
            sys.exit(f"clip.py: {folder} did not load whole: {wrong}")
        self.model = model.eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder)
        self.processor = CLIPImageProcessorPil.from_pretrained(folder)
        positions = self.model.config.text_config.max_position_embeddings
        self.max_tokens = min(self.tokenizer.model_max_length, positions)

    def ids(self, text):
        """Ids as the model sees them, and whether the text was cut."""
        whole = self.tokenizer(text)["input_ids"]
        ids = self.tokenizer(text, truncation=True, max_length=self.max_tokens)["input_ids"]
        return ids, len(whole) > len(ids)

    def text(self, text):
        """Raw projection [projection_dim] of one text, alone, without padding."""
        ids = self.torch.tensor([self.ids(text)[0]])
        return feature(self.model.get_text_features(input_ids=ids))[0]

    def pixels(self, path):
        from PIL import Image, ImageOps

        with Image.open(path) as picture:
            picture = ImageOps.exif_transpose(picture)
            return self.processor(picture, return_tensors="np")["pixel_values"]

    def picture(self, path):
        """Raw projection [projection_dim] of one picture."""
        pixels = self.pixels(path)
        assert pixels.dtype == np.float32
        values = self.torch.from_numpy(pixels).to(self.dtype)
        return feature(self.model.get_image_features(pixel_values=values))[0]

    def classes(self, templates):
        """Class vectors [labels, projection_dim]: normalise each, mean, normalise."""
        rows = []
        for label in LABELS:
            each = [self.text(t.replace("{}", label)) for t in templates]
            mean = self.torch.stack([x / x.norm() for x in each]).mean(0)
            rows.append(mean / mean.norm())
        return self.torch.stack(rows)


def feature(output):
    """get_*_features gave a tensor before transformers 5 and an object after."""
    return output if hasattr(output, "shape") else output.pooler_output


def relative(a, b):
    """The relative error of a row: the largest difference over the largest magnitude of the
    reference row b. (Not element by element: a component near zero carries the absolute error of
    the others.)"""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(a - b).max() / np.abs(b).max())


def cosine(a, b):
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def numbers(row):
    return " ".join(f"{float(x):.9g}" for x in row)


def write_expected(folder, pictures_at, pictures, texts, zero_shot=True):
    """Runs the reference over the folder in float32 (what is written) and in float64 (how far off
    the float32 of the reference itself is). Returns figures for the manifest."""
    import torch

    f32 = Reference(folder)
    config = f32.model.config
    lines = [
        "akin-golden clip 1",
        f"dimensions {config.projection_dim}",
        f"logit_scale {float(f32.model.logit_scale):.9g}",
        f"max_tokens {f32.max_tokens}",
    ]
    rows = {}
    for text in texts:
        ids, cut = f32.ids(text)
        rows["text", text] = f32.text(text)
        lines += [f"text {json.dumps(text)}", f"cut {int(cut)}",
                  f"ids {' '.join(map(str, ids))}", f"raw {numbers(rows['text', text])}"]
    for name in pictures:
        rows["picture", name] = f32.picture(pictures_at / name)
        shape = f32.pixels(pictures_at / name).shape
        lines += [f"picture {name}", f"tensor {' '.join(map(str, shape[1:]))}",
                  f"raw {numbers(rows['picture', name])}"]
    if zero_shot:
        lines += [f"label {json.dumps(label)}" for label in LABELS]
        scale = f32.model.logit_scale.exp()
        for set_name, templates in TEMPLATES.items():
            classes = f32.classes(templates)
            lines.append(f"templates {set_name} {len(templates)}")
            lines += [f"template {json.dumps(t)}" for t in templates]
            for name in pictures:
                x = rows["picture", name]
                logits = scale * ((x / x.norm()) @ classes.T)
                lines += [f"probabilities {set_name} {name} {numbers(torch.softmax(logits, 0))}"]
    (folder / "expected.txt").write_text("\n".join(lines) + "\nend\n", encoding="utf-8")

    rounded = bf16_rows(f32, texts, pictures_at, pictures)
    del f32
    f64 = Reference(folder, "float64")
    exact = {("text", t): f64.text(t) for t in texts}
    exact.update({("picture", p): f64.picture(pictures_at / p) for p in pictures})
    noise_of = {}
    for kind in ("text", "picture"):
        keys = [k for k in rows if k[0] == kind]
        noise_of[kind] = {
            "f32_vs_f64_max_relative": f"{max(relative(rows[k], exact[k]) for k in keys):.1e}",
            "bf16_products_min_cosine": f"{min(cosine(rounded[k], rows[k]) for k in keys):.7f}",
            "cosine_between_different_inputs": spread([rows[k] for k in keys]),
        }
    return noise_of


def spread(rows):
    pairs = [cosine(a, b) for i, a in enumerate(rows) for b in rows[:i]]
    return f"{min(pairs):.3f} .. {max(pairs):.3f}"


def bf16_rows(reference, texts, pictures_at, pictures):
    """The same rows with both operands of every product (linear layers, patch convolution, query by
    key, probabilities by value) rounded to bfloat16 and everything else in float32: how much of the
    bound of the bf16 mode rounding alone uses. Leaves the reference rounded."""
    from transformers import AttentionInterface

    torch = reference.torch

    def cut(x):
        return x.bfloat16().float()

    def attention(_module, q, k, v, _mask, scaling, is_causal=False, **_):
        logits = cut(q) @ cut(k).transpose(-1, -2) * scaling
        if is_causal:
            n = logits.shape[-1]
            logits += torch.full((n, n), -math.inf).triu(1)
        return (cut(logits.softmax(-1)) @ cut(v)).transpose(1, 2), None

    AttentionInterface.register("akin_bf16", attention)
    reference.model.set_attn_implementation("akin_bf16")
    for module in reference.model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            module.weight.copy_(cut(module.weight))
            module.register_forward_pre_hook(lambda _m, inputs: (cut(inputs[0]), *inputs[1:]))
    rows = {("text", t): reference.text(t) for t in texts}
    rows.update({("picture", p): reference.picture(pictures_at / p) for p in pictures})
    return rows


# ---- Tiny checkpoints -------------------------------------------------------------------------


def tower(width, heads, hidden, layers, act, eps=1e-5, **more):
    return {"hidden_size": width, "num_attention_heads": heads, "intermediate_size": hidden,
            "num_hidden_layers": layers, "hidden_act": act, "layer_norm_eps": eps, **more}


def new_style(size, crop, **more):
    return {"crop_size": {"height": crop, "width": crop}, "do_center_crop": True,
            "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True,
            "image_mean": OPENAI_MEAN, "image_processor_type": "CLIPImageProcessor",
            "image_std": OPENAI_STD, "resample": 3, "rescale_factor": 1 / 255, "size": size, **more}


def legacy(size, crop, **more):
    """As openai/clip-vit-base-patch32 has it: integers, and neither rescale nor convert keys."""
    return {"crop_size": crop, "do_center_crop": True, "do_normalize": True, "do_resize": True,
            "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": OPENAI_MEAN,
            "image_std": OPENAI_STD, "resample": 3, "size": size, **more}


TINY = {
    "tiny-a": {
        "about": "the plain good one: safetensors f32, tokenizer.json, quick_gelu, first-EOS",
        "merges": 300, "projection_dim": 19, "logit_scale": 4.0,
        "text": tower(20, 2, 50, 2, "quick_gelu", max_position_embeddings=77, eos_token_id="real"),
        "vision": tower(36, 3, 50, 2, "quick_gelu", image_size=30, patch_size=6),
        "preprocess": new_style({"shortest_edge": 30}, 30),
    },
    "tiny-b": {
        "about": "as the oldest repositories: pytorch_model.bin with position_ids, vocab.json and "
                 "merges.txt, eos_token_id 2 (argmax), integer sizes; gelu; texts cut at 23",
        "seed": 1, "merges": 200, "projection_dim": 15, "logit_scale": 4.6052, "form": "bin",
        "position_ids": True, "tokenizer": "parts",
        "text": tower(18, 3, 31, 3, "gelu", max_position_embeddings=23, eos_token_id=2),
        "vision": tower(24, 4, 41, 1, "gelu", image_size=21, patch_size=7),
        "preprocess": legacy(21, 21),
    },
    "tiny-c": {
        "about": "three safetensors shards of f16; added tokens above the end token, first-EOS; "
                 "processor_config.json instead of preprocessor_config.json; bilinear, mean and "
                 "std 0.5",
        "merges": 300, "projection_dim": 33, "logit_scale": 2.6592, "dtype": "float16", "shards": 3,
        "extra": ["<cat-toy>", "<red-car>"], "processor_config": True,
        "text": tower(35, 5, 66, 1, "quick_gelu", max_position_embeddings=31, eos_token_id="real"),
        "vision": tower(51, 3, 70, 2, "quick_gelu", image_size=25, patch_size=5),
        "preprocess": new_style({"shortest_edge": 28}, 25, resample=2, image_mean=[0.5] * 3,
                                image_std=[0.5] * 3),
    },
    "tiny-d": {
        "about": "two .bin shards with position_ids, shared storages and transposed tensors; added "
                 "tokens above the end token with eos_token_id 2: argmax pools at them",
        "merges": 200, "projection_dim": 21, "logit_scale": 4.7, "form": "bin", "shards": 2,
        "position_ids": True, "entangle": True, "extra": ["<cat-toy>", "<red-car>"],
        "text": tower(26, 2, 47, 2, "quick_gelu", max_position_embeddings=40, eos_token_id=2),
        "vision": tower(28, 2, 53, 3, "quick_gelu", image_size=18, patch_size=6),
        "preprocess": new_style({"height": 20, "width": 27}, 18, resample=1),
    },
    "tiny-e": {
        "about": "bf16 stored; gelu_pytorch_tanh in the text tower and silu in the vision tower; "
                 "eps 1e-3 and 1e-2; the patches leave 4 pixels over; the crop is larger than the "
                 "resized picture (zero padding); normalized added tokens as in published files",
        "merges": 200, "projection_dim": 12, "logit_scale": 3.3, "dtype": "bfloat16",
        "normalized": True,
        "text": tower(22, 1, 43, 2, "gelu_pytorch_tanh", 1e-3, max_position_embeddings=50,
                      eos_token_id="real"),
        "vision": tower(30, 5, 37, 2, "silu", 1e-2, image_size=32, patch_size=7),
        "preprocess": new_style({"shortest_edge": 27}, 32, image_mean=[0.4, 0.5, 0.6],
                                image_std=[0.2, 0.25, 0.3]),
    },
    "tiny-f": {
        "about": "text_config_dict and vision_config_dict override text_config and vision_config, "
                 "which hold wrong values; f64 stored in pytorch_model.bin; vocab.json and "
                 "merges.txt",
        "merges": 100, "projection_dim": 10, "logit_scale": 4.6052, "form": "bin",
        "dtype": "float64", "tokenizer": "parts", "config_dict": True,
        "text": tower(14, 2, 29, 2, "gelu", max_position_embeddings=77, eos_token_id="real"),
        "vision": tower(21, 3, 33, 2, "gelu", image_size=24, patch_size=8),
        "preprocess": legacy(24, 24, resample=2),
    },
    "tiny-g": {
        "about": "config.json names only what differs from the class defaults: no hidden_act, "
                 "layer_norm_eps, eos_token_id (49407, which no text has: pools at position 0), "
                 "max_position_embeddings, image_size, patch_size; preprocessor_config.json is "
                 "almost empty; no model_max_length",
        "merges": 60, "projection_dim": 9, "logit_scale": 5.0, "sparse": True,
        "max_length": None,
        "text": tower(12, 2, 22, 1, "quick_gelu", max_position_embeddings=77, eos_token_id=49407),
        "vision": tower(9, 3, 17, 1, "quick_gelu", image_size=224, patch_size=32),
        "preprocess": {"image_processor_type": "CLIPImageProcessor"},
    },
    "tiny-h": {
        "about": "safetensors with position_ids and with pytorch_model.bin beside it (holding "
                 "other weights: model.safetensors wins); one head of 13; box filter; odd crop excess",
        "seed": 1, "merges": 120, "projection_dim": 11, "logit_scale": 1.0, "position_ids": True,
        "decoy_bin": True,
        "text": tower(13, 1, 13, 1, "gelu", max_position_embeddings=9, eos_token_id="real"),
        "vision": tower(13, 1, 19, 2, "quick_gelu", image_size=22, patch_size=11),
        "preprocess": new_style({"shortest_edge": 25}, 22, resample=4),
    },
    "tiny-i": {
        "about": "300 tokens: a vocabulary without the bytes that are not printable ASCII, which "
                 "become the unknown token, here the end token",
        "merges": 110, "ascii": True, "projection_dim": 8, "logit_scale": 4.0,
        "text": tower(8, 2, 16, 1, "quick_gelu", max_position_embeddings=24, eos_token_id="real"),
        "vision": tower(8, 2, 16, 1, "quick_gelu", image_size=16, patch_size=8),
        "preprocess": new_style({"shortest_edge": 16}, 16),
    },
}

TEXTS = [
    "a photo of a cat",
    "",
    "A Photo of a DOG, isn't it?!",
    "red car 2024",
    "caf\u00e9 \u65e5\u672c\u8a9e \U0001f642 \u0391\u03a3",
    "the quick brown fox jumps over the lazy dog while the photographer waits for the light over "
    "the mountain lake to change, and then it changes; everyone looks up at once and nobody takes "
    "the picture that they had come for",
    "one <|endoftext|> two",
]


def config_json(c):
    """config.json of a case, in the spelling the case asks for."""
    text, vision = {"model_type": "clip_text_model", **c["text"]}, dict(c["vision"])
    vision["model_type"] = "clip_vision_model"
    config = {"architectures": ["CLIPModel"], "model_type": "clip",
              "projection_dim": c["projection_dim"], "logit_scale_init_value": 2.6592,
              "torch_dtype": c.get("dtype", "float32"), "text_config": text,
              "vision_config": vision}
    if c.get("sparse"):
        defaults = {"hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "eos_token_id": 49407,
                    "max_position_embeddings": 77, "image_size": 224, "patch_size": 32}
        for part in (text, vision):
            for key in [k for k in part if part[k] == defaults.get(k)] + ["model_type"]:
                del part[key]
        del config["logit_scale_init_value"], config["torch_dtype"]
    else:
        for part in (text, vision):
            part["projection_dim"] = c["projection_dim"]
    if c.get("config_dict"):
        config["text_config_dict"], config["vision_config_dict"] = text, vision
        config["text_config"] = {**text, "hidden_size": 40, "hidden_act": "quick_gelu",
                                 "eos_token_id": 2, "num_hidden_layers": 5}
        config["vision_config"] = {**vision, "patch_size": 4, "hidden_act": "quick_gelu"}
        # Present in *_config, absent in *_config_dict: the class default wins, not this value.
        for part in ("text_config", "vision_config"):
            config[part]["layer_norm_eps"] = 0.5
            del config[part + "_dict"]["layer_norm_eps"]
    return config


def write_tiny(out, name, vocab, pictures):
    import torch

    c = copy.deepcopy(TINY[name])
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    merges = read_merges(vocab, c["merges"], c.get("ascii", False))
    positions = c["text"]["max_position_embeddings"]
    count = write_tokenizer(folder, merges, c.get("tokenizer", "json"),
                            c.get("max_length", positions), c.get("extra", ()),
                            c.get("normalized", False), c.get("ascii", False))
    c["text"]["vocab_size"] = count + len(c.get("extra", ()))
    c["text"]["bos_token_id"] = count - 2
    if c["text"]["eos_token_id"] == "real":
        c["text"]["eos_token_id"] = count - 1
    write_json(folder / "config.json", config_json(c))
    if c.get("processor_config"):
        write_json(folder / "processor_config.json",
                   {"image_processor": c["preprocess"], "processor_class": "CLIPProcessor"})
    else:
        write_json(folder / "preprocessor_config.json", c["preprocess"])

    state = draw_weights(c, zlib.crc32(name.encode()) + c.get("seed", 0))
    state = {k: v.to(getattr(torch, c.get("dtype", "float32"))) for k, v in state.items()}
    if c.get("position_ids"):
        add_position_ids(state, c)
    if c.get("entangle"):
        entangle(state)
    write_weights(folder, state, c.get("form", "safetensors"), c.get("shards", 1))
    if c.get("decoy_bin"):
        write_weights(folder, draw_weights(c, 1), "bin")
    texts = TEXTS + [f"a {t} on a table" for t in c.get("extra", ())[:1]]
    texts += [" ".join(c["extra"][::-1]) + " cat"] if c.get("extra") else []
    figures = write_expected(folder, out / "pictures", pictures, texts)
    return {"about": c["about"], "noise": figures}


def run_tiny(options):
    import_reference()[0].set_num_threads(1)
    out = Path(options.out)
    pictures = write_pictures(out / "pictures")
    if not options.only:
        write_traps(out / "config-traps")
    manifest_at = out / "manifest.json"
    cases = json.loads(manifest_at.read_text())["cases"] if manifest_at.exists() else {}
    for name in [options.only] if options.only else TINY:
        cases[name] = write_tiny(out, name, options.vocab, pictures)
        print(name, json.dumps(cases[name]["noise"], indent=1), file=sys.stderr)
    write_json(manifest_at, {
        "script": "tools/oracle/clip.py tiny",
        "versions": PINNED,
        "relative": "max |a - b| / max |b| over a row, b the reference",
        "cases": {name: cases[name] for name in TINY if name in cases},
    })


# ---- Traps of config.json ---------------------------------------------------------------------

BASE_TEXT = {"hidden_size": 20, "num_attention_heads": 2, "intermediate_size": 50,
             "num_hidden_layers": 2, "vocab_size": 814}
BASE_VISION = {"hidden_size": 36, "num_attention_heads": 3, "intermediate_size": 50,
               "num_hidden_layers": 2, "image_size": 30, "patch_size": 6}


def trap(text=None, vision=None, **top):
    return {"model_type": "clip", "text_config": {**BASE_TEXT, **(text or {})},
            "vision_config": {**BASE_VISION, **(vision or {})}, **top}


TRAPS = {
    "plain": trap(),
    "empty": {"model_type": "clip"},
    "null-towers": {"model_type": "clip", "text_config": None, "vision_config": None},
    "old-end-token": trap({"eos_token_id": 2}),
    "null-end-token": trap({"eos_token_id": None}),
    "list-end-token": trap({"eos_token_id": [2, 813]}),
    "gelu": trap({"hidden_act": "gelu"}, {"hidden_act": "gelu"}),
    "unknown-activation": trap({"hidden_act": "QuickGELU"}),
    "projection-in-towers": trap({"projection_dim": 7}, {"projection_dim": 7}),
    "projection-on-top": trap({"projection_dim": 7}, {"projection_dim": 7}, projection_dim=19),
    "text-dict": trap(text_config_dict={"hidden_size": 24, "num_attention_heads": 4}),
    "text-dict-resets-what-it-does-not-name": trap(
        {"eos_token_id": 2, "layer_norm_eps": 0.5, "hidden_act": "gelu"},
        text_config_dict={**BASE_TEXT, "max_position_embeddings": 40}),
    "vision-dict": trap({"eos_token_id": 2}, vision_config_dict={
        "hidden_size": 12, "patch_size": 16, "num_attention_heads": 3}),
    "empty-dicts": trap({"eos_token_id": 2}, text_config_dict={}, vision_config_dict={}),
    "null-dicts": trap({"eos_token_id": 2}, text_config_dict=None, vision_config_dict=None),
    "dicts-alone": {"model_type": "clip", "text_config_dict": BASE_TEXT,
                    "vision_config_dict": BASE_VISION, "projection_dim": 19},
    "unknown-keys": trap({"no_such_key": 3, "dropout": 0.0}, {"dropout": 0.0}, future={"a": 1}),
    "eps": trap({"layer_norm_eps": 1e-3}, {"layer_norm_eps": 1e-6}),
    "heads-do-not-divide": trap({"num_attention_heads": 3}),
    "no-heads": trap({"num_attention_heads": 0}),
    "float-size": trap({"hidden_size": 20.0}),
    "string-size": trap({"hidden_size": "20"}),
    "string-eps": trap({"layer_norm_eps": "1e-5"}),
    "null-eps": trap({"layer_norm_eps": None}),
    "list-image-size": trap(None, {"image_size": [30, 30]}),
    "four-channels": trap(None, {"num_channels": 4}),
    "patch-larger-than-image": trap(None, {"patch_size": 31}),
    "pixels-left-over": trap(None, {"image_size": 32, "patch_size": 7}),
}
TRAP_KEYS = {
    "text": ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers",
             "num_attention_heads", "max_position_embeddings", "hidden_act", "layer_norm_eps",
             "eos_token_id"),
    "vision": ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
               "num_channels", "image_size", "patch_size", "hidden_act", "layer_norm_eps"),
}


def write_traps(folder):
    """config.json variants, and what CLIPConfig makes of them: one `key value` (JSON) a line, or
    `refused` with the stage and the kind of the error."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    shutil.rmtree(folder, ignore_errors=True)
    lines = ["akin-golden clip-config 1"]
    for name, config in TRAPS.items():
        (folder / name).mkdir(parents=True)
        write_json(folder / name / "config.json", config)
        lines.append(f"case {name}")
        try:
            c = CLIPConfig.from_pretrained(folder / name)
        except Exception as error:
            lines.append(f"refused config {type(error).__name__}")
            continue
        stage = "model"
        try:
            with torch.device("meta"):  # shapes only: some of these are full-size
                model, stage = CLIPModel(c).eval(), "run"
                model.get_text_features(input_ids=torch.zeros(1, 5, dtype=torch.int64))
                model.get_image_features(pixel_values=torch.zeros(
                    1, 3, c.vision_config.image_size, c.vision_config.image_size))
        except Exception as error:
            lines.append(f"refused {stage} {type(error).__name__}")
        lines.append(f"projection_dim {json.dumps(c.projection_dim)}")
        for part, keys in TRAP_KEYS.items():
            values = getattr(c, part + "_config").to_dict()
            lines += [f"{part}.{key} {json.dumps(values[key])}" for key in keys]
    (folder / "expected.txt").write_text("\n".join(lines) + "\nend\n")


# ---- Full-size checkpoints --------------------------------------------------------------------


def full_arch(projection, text, vision, act="quick_gelu"):
    """text and vision: width, layers, heads; vision also patch and image size."""
    (tw, tl, th), (vw, vl, vh, patch, image) = text, vision
    return {
        "projection_dim": projection, "logit_scale": math.log(100),
        "text": tower(tw, th, 4 * tw, tl, act, max_position_embeddings=77, vocab_size=49408),
        "vision": tower(vw, vh, 4 * vw, vl, act, image_size=image, patch_size=patch),
    }


FULL = {
    "vit-b-32": full_arch(512, (512, 12, 8), (768, 12, 12, 32, 224)),
    "vit-b-16": full_arch(512, (512, 12, 8), (768, 12, 12, 16, 224)),
    "vit-l-14": full_arch(768, (768, 12, 12), (1024, 24, 16, 14, 224)),
    "vit-l-14-336": full_arch(768, (768, 12, 12), (1024, 24, 16, 14, 336)),
    "vit-h-14": full_arch(1024, (1024, 24, 16), (1280, 32, 16, 14, 224), "gelu"),
}

FULL_TEXTS = TEXTS[:6] + [
    "two dogs running along the beach at sunset, black and white",
    "a diagram of a steam engine, labelled in German",
]


def full_config(arch, c):
    """config.json as the published repository of this size spells it: the openai B models carry the
    old end token (argmax pooling), the L models config dicts that name little, the LAION ones
    another activation."""
    text, vision = dict(c["text"]), dict(c["vision"])
    config = {"architectures": ["CLIPModel"], "model_type": "clip",
              "projection_dim": c["projection_dim"], "logit_scale_init_value": 2.6592,
              "torch_dtype": "float32", "text_config": text, "vision_config": vision}
    for part, kind in ((text, "clip_text_model"), (vision, "clip_vision_model")):
        part["model_type"], part["projection_dim"] = kind, c["projection_dim"]
    text.update(bos_token_id=0, eos_token_id=2, pad_token_id=1)
    if arch.startswith("vit-l-14"):
        named = ("hidden_size", "intermediate_size", "num_attention_heads", "num_hidden_layers",
                 "projection_dim")
        config["text_config_dict"] = {k: text[k] for k in named}
        config["vision_config_dict"] = {k: vision[k] for k in (*named, "patch_size", "image_size")}
    return config


def run_full(options):
    import_reference()
    c, folder = FULL[options.arch], Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder, read_merges(options.vocab, FULL_MERGES), "all", 77)
    write_json(folder / "config.json", full_config(options.arch, c))
    size = c["vision"]["image_size"]
    write_json(folder / "preprocessor_config.json", legacy(size, size))
    for old in [*folder.glob("model.safetensors"), *folder.glob("pytorch_model.bin")]:
        old.unlink()
    state = draw_weights(c, zlib.crc32(options.arch.encode()))
    if options.format == "bin":
        add_position_ids(state, c)
    write_weights(folder, state, options.format)
    del state
    pictures = write_pictures(folder / "pictures")[:6]
    figures = write_expected(folder, folder / "pictures", pictures, FULL_TEXTS)
    write_json(folder / "manifest.json",
               {"script": f"tools/oracle/clip.py full --arch {options.arch}",
                "versions": PINNED, "noise": figures})
    print(json.dumps(figures, indent=1), file=sys.stderr)


# ---- Comparison -------------------------------------------------------------------------------


def read_expected(folder):
    """[(kind, input, raw row)] of expected.txt, in its order: texts, then pictures."""
    rows, last = [], None
    for line in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" ")
        if key == "text":
            last = ("text", json.loads(value))
        elif key == "picture":
            last = ("picture", value)
        elif key == "raw":
            rows.append((*last, np.array(value.split(), np.float64)))
    return rows


def read_zero_shot(folder):
    """(labels, {set: templates}, {(set, picture): probabilities}) of expected.txt."""
    labels, sets, rows, last = [], {}, {}, None
    for line in (folder / "expected.txt").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" ")
        if key == "label":
            labels.append(json.loads(value))
        elif key == "templates":
            last = sets.setdefault(value.split()[0], [])
        elif key == "template":
            last.append(json.loads(value))
        elif key == "probabilities":
            name, picture, *numbers_of = value.split()
            rows[name, picture] = np.array(numbers_of, np.float64)
    return labels, sets, rows


def compare_zero_shot(options, folder, pictures_at):
    """Probabilities within 1e-3 (a logit is up to 100 times a cosine, so 1e-4 on the raw outputs
    may move it by 0.01). Returns how many are not."""
    labels, sets, rows = read_zero_shot(folder)
    bad = 0
    for name, templates in sets.items():
        pictures = [picture for n, picture in rows if n == name]
        command = [options.akin, "classify", "--model", str(folder), "--precision", "f32", "--json",
                   "--quiet", "--labels", ",".join(labels)]
        for template in templates:
            command += ["--template", template]
        command += [str(pictures_at / picture) for picture in pictures]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"clip.py: akin classify ended with {done.returncode}: {done.stderr}")
        worst = 0.0
        for picture, entry in zip(pictures, json.loads(done.stdout), strict=True):
            found = {x["label"]: x["probability"] for x in entry["labels"]}
            off = max(abs(found[label] - p) for label, p in zip(labels, rows[name, picture]))
            worst = max(worst, off)
            bad += not off <= 1e-3
        print(f"{folder.name} classify, {len(templates)} templates: largest difference {worst:.1e}")
    return bad


def run_compare(options):
    """Bounds: f32 within 1e-4 relative, row by row; bf16 cosine at least 0.9999."""
    folder = Path(options.dir)
    pictures_at = folder / "pictures"
    if not pictures_at.is_dir():
        pictures_at = folder.parent / "pictures"
    rows = read_expected(folder)
    command = [options.akin, "embed", "--model", str(folder), "--precision", options.precision,
               "--raw", "--format", "npy", "--quiet"]
    for kind, value, _ in rows:
        command += ["--text", value] if kind == "text" else []
    command += [str(pictures_at / value) for kind, value, _ in rows if kind == "picture"]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "rows.npy"
        done = subprocess.run([*command, "-o", str(out)], check=False)
        if done.returncode != 0:
            sys.exit(f"clip.py: akin embed ended with {done.returncode}")
        ours = np.load(out)
    want = np.stack([row for _, _, row in rows])
    if ours.shape != want.shape or ours.dtype != np.float32:
        sys.exit(f"clip.py: akin gave {ours.dtype} {ours.shape}, expected float32 {want.shape}")
    bad = 0
    for kind in ("text", "picture"):
        worst_error, worst_cosine = 0.0, 1.0
        for (k, value, row), mine in zip(rows, ours):
            if k != kind:
                continue
            error, cos = relative(mine, row), cosine(mine, row)
            fails = error > 1e-4 if options.precision == "f32" else cos < 0.9999
            if fails or not np.isfinite(mine).all():
                bad += 1
                print(f"  FAIL {kind} {json.dumps(value)}: relative {error:.2e} cosine {cos:.7f}")
            worst_error, worst_cosine = max(worst_error, error), min(worst_cosine, cos)
        print(f"{folder.name} {options.precision} {kind}: max relative error {worst_error:.2e}, "
              f"min cosine {worst_cosine:.7f}")
    if options.classify:
        bad += compare_zero_shot(options, folder, pictures_at)
    sys.exit(1 if bad else 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    verbs = parser.add_subparsers(required=True)
    tiny = verbs.add_parser("tiny", help="write the committed tiny checkpoints")
    tiny.add_argument("--vocab", required=True, help="bpe_simple_vocab_16e6.txt.gz")
    tiny.add_argument("--out", required=True)
    tiny.add_argument("--only", choices=TINY)
    tiny.set_defaults(run=run_tiny)
    full = verbs.add_parser("full", help="write a full-size checkpoint with random weights")
    full.add_argument("--vocab", required=True, help="bpe_simple_vocab_16e6.txt.gz")
    full.add_argument("--arch", required=True, choices=FULL)
    full.add_argument("--out", required=True)
    full.add_argument("--format", choices=("safetensors", "bin"), default="safetensors")
    full.set_defaults(run=run_full)
    compare = verbs.add_parser("compare", help="run akin on a folder and check its numbers")
    compare.add_argument("--akin", required=True)
    compare.add_argument("--dir", required=True)
    compare.add_argument("--precision", choices=("f32", "bf16"), default="f32")
    compare.add_argument("--classify", action="store_true", help="check akin classify too, in f32")
    compare.set_defaults(run=run_compare)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
