"""Ends a build: merges concepts that look the same, writes the manifests, the evaluation sets, the
tokenizer and the attribution."""

import collections
import glob
import hashlib
import os
import shutil

import numpy as np
from PIL import Image

import frame
import texts
import tokenizer


def pixels(path):
    picture = np.asarray(Image.open(path).convert("RGBA")).copy()
    picture[picture[..., 3] == 0] = 0
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()


def same_looking(rows, emoji):
    """{concept: the concept it is merged into}: emoji that most styles draw with equal pixels."""
    by_pixels, styles = collections.defaultdict(set), collections.defaultdict(set)
    for path, part, concept, *_ in rows.pictures:
        if part != "emoji":
            continue
        style, _, code = os.path.basename(path)[:-4].partition("-")
        if code == concept:  # not a skin tone
            by_pixels[style, pixels(os.path.join(rows.folder, path))].add(concept)
            styles[concept].add(style)
    pairs = collections.Counter()
    for concepts in by_pixels.values():
        ordered = sorted(concepts, key=emoji.order.index)
        pairs.update((a, b) for i, a in enumerate(ordered) for b in ordered[i + 1:])
    merged = {}
    for (a, b), count in sorted(pairs.items(), key=lambda p: (emoji.order.index(p[0][0]), p[0])):
        if 2 * count >= len(styles[a] & styles[b]):
            merged.setdefault(b, merged.get(a, a))
    return merged


def merge(rows, merged):
    rows.pictures = [(p, part, merged.get(c, c), *rest) for p, part, c, *rest in rows.pictures]
    for concept in sorted(merged):
        for (language, text), (weight, part) in rows.texts.pop(concept, {}).items():
            rows.text(part, merged[concept], language, text, weight)


def picture_rows(rows):
    weights = frame.picture_weights(rows.pictures)
    return [(path, concept, w, kind, stage, flip) for (path, _, concept, _, kind, stage, flip), w
            in zip(rows.pictures, weights)]


def plain_concepts(rows):
    """Scenes and words have sentences of their own."""
    return {concept for _, _, concept, _, kind, *_ in rows.pictures if kind in ("scene", "word")}


def eval_openmoji(out, packages, emoji, options, merged):
    """E1: [(path, concept)] of the style that is never trained on."""
    found = {}
    folder = os.path.join(packages.folder("openmoji"), "color/svg")
    for path in sorted(glob.glob(folder + "/*.svg")):
        try:
            concept, tones = texts.code_of_file(os.path.splitext(os.path.basename(path))[0])
        except ValueError:
            continue
        if concept in emoji.group and not tones:
            with open(path, encoding="utf-8") as file:
                found[concept] = file.read()
    order = [c for c in emoji.order if c in found]
    rows = []
    target = os.path.join(out, "eval/pictures/openmoji")
    os.makedirs(target, exist_ok=True)
    for concept, drawn in zip(order, options.render([found[c] for c in order])):
        if drawn is None:
            raise frame.RecipeError(f"openmoji {concept}: rsvg-convert draws nothing")
        shutil.copyfile(drawn, os.path.join(target, concept + ".png"))
        rows.append((f"pictures/openmoji/{concept}.png", concept))
    return rows


def write_eval(out, name, pictures, names):
    """pictures: (path, concept); names: (concept, language, text)."""
    frame.write_manifest(os.path.join(out, "eval", name + ".tsv"),
                         [(p, c, 1, "art", 0, 1) for p, c in pictures],
                         [(c, k, t, 1) for c, k, t in names])


def eval_styles(out, packages, emoji, options, merged, note):
    """e1*.tsv. A concept merged into another is neither picture nor candidate."""
    unseen = [(p, c) for p, c in eval_openmoji(out, packages, emoji, options, merged)
              if c not in merged and not emoji.people(c)]
    for language in ("en", "zh", "de", "ja", "es"):
        for suffix, wanted in (("", lambda c: True), ("-objects", emoji.object)):
            names = emoji.names[language]
            pictures = [(p, c) for p, c in unseen if wanted(c) and c in names]
            name = "e1" + suffix + ("" if language == "en" else "-" + language)
            write_eval(out, name, pictures, [(c, language, names[c]) for _, c in pictures])
            note(f"eval/{name}.tsv: {len(pictures)} pictures, as many names")


def finish(out, rows, emoji, packages, options, note):
    merged = same_looking(rows, emoji)
    merge(rows, merged)
    note(f"{len(merged)} emoji look like another in most styles and share its concept")
    plain = plain_concepts(rows)
    said = frame.text_rows(rows, plain)
    frame.write_manifest(os.path.join(out, "manifest.tsv"), picture_rows(rows),
                         [row[:4] for row in said])
    note(f"manifest.tsv: {len(rows.pictures)} pictures, {len(said)} texts")
    eval_styles(out, packages, emoji, options, merged, note)
    tokenizer.train(out, said, emoji, note)
