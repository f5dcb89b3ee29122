#!/usr/bin/env python3
"""A small training set for the tests, picked from what tools/mini/make wrote.

    small.py DATA OUT

48 things in five drawing styles at 48 pixels: four to train on, one (noto) to measure with; their
names in English, Chinese, German and Japanese; a tokenizer and a configuration of a tower that learns
them in a minute. Deterministic.
"""
import csv
import json
import sys
from pathlib import Path

from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

THINGS = """1f697 1f68c 1f682 2708 1f6a2 1f6b2 1f3e0 1f3f0 26ea 1f31e 1f319 2b50 2601 26a1 2744 1f525
1f333 1f335 1f337 1f344 1f34e 1f34c 1f347 1f349 1f955 1f33d 1f35e 1f9c0 1f355 1f366 1f382 2615
1f436 1f431 1f42d 1f430 1f438 1f414 1f41f 1f40d 1f422 1f98b 1f577 1f418 231a 1f4d5 1f511 2602"""
LANGUAGES = ["en", "zh", "de", "ja"]
HELD_OUT = "noto1"
SIDE = 48
CONFIG = {
    "model_cfg": {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 32,
                       "patch_size": None},
        "text_cfg": {"context_length": 32, "vocab_size": 0, "hf_tokenizer_name": "akin/small",
                     "width": 64, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
                       "resize_mode": "longest", "fill_color": 255, "alpha": "white"},
}


def main(data, out):
    things = THINGS.split()
    texts, pictures = {}, {}
    with open(data / "manifest.tsv", newline="", encoding="utf-8") as f:
        for row in csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["concept"] not in things:
                continue
            if row["path"]:
                style = Path(row["path"]).name.split("-")[0]
                if row["path"].startswith("pictures/emoji/"):
                    pictures[row["concept"], style] = row["path"]
            elif row["language"] in LANGUAGES:
                texts.setdefault((row["concept"], row["language"]), []).append(
                    (-float(row["weight"]), row["text"]))
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    lines = {"train.tsv": [], "held_out.tsv": []}
    corpus = []
    for thing in things:
        for (concept, style), path in sorted(pictures.items()):
            if concept != thing:
                continue
            name = f"pictures/{style}-{thing}.png"
            picture = Image.open(data / path).convert("RGBA")
            picture.thumbnail((SIDE, SIDE), Image.LANCZOS)
            picture.quantize(64, method=Image.Quantize.FASTOCTREE).save(out / name, optimize=True)
            lines["held_out.tsv" if style == HELD_OUT else "train.tsv"].append(
                (name, "", "", thing))
        for language in LANGUAGES:
            for place, (_, text) in enumerate(sorted(texts[thing, language])[:3]):
                corpus.append(text)
                lines["train.tsv"].append(("", language, text, thing))
                if place == 0 and language == "en":
                    lines["held_out.tsv"].append(("", language, text, thing))
    for name, rows in lines.items():
        with open(out / name, "w", encoding="utf-8") as f:
            f.write("path\tlanguage\ttext\tconcept\n")
            f.writelines("\t".join(row) + "\n" for row in rows)

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = None
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bpe.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    start = bpe.get_vocab_size()
    bpe.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    bpe.post_processor = processors.TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>",
        special_tokens=[("<|startoftext|>", start), ("<|endoftext|>", start + 1)])
    bpe.save(str(out / "tokenizer.json"))
    (out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "model_max_length": 32}) + "\n")
    CONFIG["model_cfg"]["text_cfg"]["vocab_size"] = start + 2
    (out / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
