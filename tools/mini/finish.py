"""Ends a build: merges concepts that look the same, writes the manifests, the evaluation sets, the
tokenizer and the attribution."""

import collections
import glob
import hashlib
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

import fetch
import frame
import splits
import texts
import tokenizer


def pixels(path):
    picture = np.asarray(Image.open(path).convert("RGBA")).copy()
    picture[picture[..., 3] == 0] = 0
    return hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest()


def hash_all(rows, threads):
    """{path: hash of the pixels}"""
    paths = [p[0] for p in rows.pictures]
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(paths, pool.map(lambda p: pixels(os.path.join(rows.folder, p)), paths)))


def same_looking(rows, emoji, hashes):
    """{concept: the concept it is merged into}: emoji that most styles draw with equal pixels."""
    by_pixels, styles = collections.defaultdict(set), collections.defaultdict(set)
    for path, part, concept, *_ in rows.pictures:
        if part != "emoji":
            continue
        style, _, code = os.path.basename(path)[:-4].partition("-")
        if code == concept:  # not a skin tone
            by_pixels[style, hashes[path]].add(concept)
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


# What the texts come from; the pictures' licences come with the pictures.
TEXT_PACKAGES = ("cldr-annotations-full", "cldr-annotations-derived-full", "cldr-localenames-full",
                 "emojilib", "unicode-emoji-json", "lucide-static", "@fortawesome/fontawesome-free",
                 "@phosphor-icons/core")
SPELLED = {"(CC-BY-4.0 AND OFL-1.1 AND MIT)": "CC-BY-4.0", "Unicode-DFS-2016": "Unicode-3.0"}


def person(value):
    return value.get("name", "") if isinstance(value, dict) else value or ""


def attribution(out, rows, packages):
    """ATTRIBUTION.md: a line a source and licence, with its authors and count of pictures."""
    authors, counts = collections.defaultdict(set), collections.Counter()
    for (source, licence, author, part), count in rows.credit.items():
        counts[source, licence, part] += count
        authors[source, licence, part] |= {author} - {""}
    lines = ["# Where the data of mini come from", "",
             "Written by `tools/mini/make` from the packages' own licence fields.", "",
             "## Pictures", "", "| source | part | licence | authors | pictures |",
             "| --- | --- | --- | --- | --- |"]
    for (source, licence, part), count in sorted(counts.items()):
        names = sorted(authors[source, licence, part])
        free = licence in ("public domain", "CC0-1.0")
        who = f"{len(names)} authors" if free and len(names) > 10 else ", ".join(names)
        who = who.replace("|", "/").replace("\n", " ")
        lines.append(f"| {source} | {part} | {licence} | {who} | {count} |")
    lines += ["", "## Texts", "", "| source | licence | authors |", "| --- | --- | --- |"]
    for name in TEXT_PACKAGES:
        with open(os.path.join(packages.folder(name), "package.json"), encoding="utf-8") as file:
            about = json.load(file)
        licence = about.get("license") or ", ".join(x["type"] for x in about.get("licenses", []))
        licence = SPELLED.get(licence, licence)
        if licence not in frame.LICENCES:
            raise frame.RecipeError(f"{name}: licence '{licence}' is not one of those allowed")
        who = person(about.get("author")) or about.get("homepage", "")
        lines.append(f"| {name} {packages.version(name)} | {licence} | {who} |")
    with open(os.path.join(out, "ATTRIBUTION.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return len(counts)


def finish(out, rows, emoji, packages, options, note):
    note(f"ATTRIBUTION.md: {attribution(out, rows, packages)} sources")
    hashes = hash_all(rows, options.threads)
    merged = same_looking(rows, emoji, hashes)
    merge(rows, merged)
    note(f"{len(merged)} emoji look like another in most styles and share its concept")
    said = frame.text_rows(rows, plain_concepts(rows))
    frame.write_manifest(os.path.join(out, "manifest.tsv"), picture_rows(rows),
                         [row[:4] for row in said])
    note(f"manifest.tsv: {len(rows.pictures)} pictures, {len(said)} texts")
    eval_styles(out, packages, emoji, options, merged, note)

    hidden = splits.Hidden(emoji, merged)
    pictures, kept = splits.twin(rows, said, hidden, emoji, hashes)
    frame.write_manifest(os.path.join(out, "twin.tsv"), pictures, kept)
    note(f"twin.tsv: {len(pictures)} pictures, {len(kept)} texts")
    for name, shown, names in splits.eval_sets(rows, hidden, emoji):
        copied = []
        for path, concept in shown:
            target = os.path.join(out, "eval", path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(os.path.join(out, path), target)
            copied.append((path, concept))
        write_eval(out, name, copied, names)
        note(f"eval/{name}.tsv: {len(copied)} pictures, {len(names)} names")
    tokenizer.train(out, said, emoji, note)
