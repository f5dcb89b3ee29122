#!/usr/bin/env python3
"""The references load what `akin train` wrote, and compute the vectors that akin does.

    train_roundtrip.py --akin build/akin --out tests/golden/train/roundtrip

Trains tiny models of both forms, and one from scratch, for some steps, loads each folder with the
form's own reference (open_clip strictly, from local-dir:; transformers without a missing or
unexpected key), and compares vectors of texts and pictures with those of `akin embed`. Writes
manifest.json: what was trained, and the largest difference of a coordinate. Fails above 1e-4.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torchvision_cpu  # noqa: E402,F401  before open_clip
import open_clip  # noqa: E402
import PIL  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests/golden"
SET = ROOT / "tests/training"
TEXTS = ["a dog", "a red car beside a house", "x"]
PICTURES = [GOLDEN / "pictures" / n for n in ("size-320x240.png", "size-37x211.png",
                                              "size-224x224.png")]
WITHIN = 1e-4
CASES = {  # name: (form, options of akin train)
    "fresh": ("open_clip", ["--config", SET, "--warm-start", "--rate", "3e-3"]),
    "fresh-f16": ("open_clip", ["--config", SET, "--f16"]),
    "fresh-sigmoid": ("open_clip", ["--config", SET, "--loss", "sigmoid"]),
    "resnet": ("open_clip", ["--from", GOLDEN / "open_clip/oc-i", "--rate", "1e-3"]),
    "resnet-projections": ("open_clip", ["--from", GOLDEN / "open_clip/oc-i", "--projections"]),
    "vit": ("open_clip", ["--from", GOLDEN / "open_clip/oc-h", "--rate", "1e-3"]),
    "hf": ("hf", ["--from", GOLDEN / "clip/tiny-a", "--rate", "1e-3"]),
    "hf-torch": ("hf", ["--from", GOLDEN / "clip/tiny-b", "--rate", "1e-3"]),
    "hf-projections": ("hf", ["--from", GOLDEN / "clip/tiny-a", "--projections"]),
}


def unit(x):
    return torch.nn.functional.normalize(x.float(), dim=-1)


def by_open_clip(folder):
    name = f"local-dir:{folder}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    weights = folder / "open_clip_model.safetensors"
    # create_model has been strict already; said again where it can be seen
    open_clip.load_checkpoint(model, str(weights), strict=True)
    model.eval()
    tokenizer = open_clip.get_tokenizer(name)
    with torch.no_grad():
        texts = unit(model.encode_text(tokenizer(TEXTS)))
        pictures = unit(model.encode_image(torch.stack([transform(Image.open(p))
                                                        for p in PICTURES])))
    return texts, pictures, {"bias": model.logit_bias is not None}


def by_transformers(folder):
    model, info = transformers.CLIPModel.from_pretrained(folder, output_loading_info=True)
    wrong = {k: sorted(v) for k, v in info.items() if v}
    if wrong:
        sys.exit(f"{folder.name}: {wrong}")
    model.eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    processor = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    with torch.no_grad():
        ids = tokenizer(TEXTS, padding=True, return_tensors="pt")
        pixels = processor([Image.open(p).convert("RGB") for p in PICTURES], return_tensors="pt")
        out = model(**ids, pixel_values=pixels["pixel_values"])
    return unit(out.text_embeds), unit(out.image_embeds), {}


def by_akin(akin, folder):
    command = [akin, "embed", "--model", folder]
    for text in TEXTS:
        command += ["--text", text]
    out = subprocess.run(command + PICTURES, check=True, capture_output=True, text=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return [torch.tensor([r["embedding"] for r in rows if r["type"] == kind])
            for kind in ("text", "image")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--akin", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only")
    given = parser.parse_args()
    result, bad = {}, []
    with tempfile.TemporaryDirectory() as temporary:
        for name, (form, options) in CASES.items():
            if given.only not in (None, name):
                continue
            folder = Path(temporary) / name
            subprocess.run([given.akin, "train", SET / "train.tsv", "-o", folder, "--steps", "8",
                            "--batch", "12", "--threads", "1", "--precision", "f32", "--quiet",
                            *options], check=True)
            reference = by_open_clip if form == "open_clip" else by_transformers
            texts, pictures, more = reference(folder)
            own = by_akin(given.akin.resolve(), folder)
            far = [float((a - b).abs().max()) for a, b in zip(own, (texts, pictures))]
            print(f"{name}: texts {far[0]:.2e}, pictures {far[1]:.2e}")
            bad += [name] if max(far) > WITHIN else []
            result[name] = {"form": form, "texts_within": float(f"{far[0]:.0e}"),
                            "pictures_within": float(f"{far[1]:.0e}"), **more}
    if bad:
        sys.exit("too far: " + ", ".join(bad))
    if given.only is None:
        given.out.mkdir(parents=True, exist_ok=True)
        manifest = {"script": "tools/oracle/train_roundtrip.py",
                    "versions": {"torch": torch.__version__.split("+")[0],
                                 "open_clip_torch": open_clip.__version__,
                                 "transformers": transformers.__version__,
                                 "pillow": PIL.__version__},
                    "steps": 8, "within": WITHIN, "cases": result}
        (given.out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
