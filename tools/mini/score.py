#!/usr/bin/env python3
"""Scores a model on the held-out tests: score.py MODEL DATA [--akin PATH] [--json FILE]

DATA holds what `heldout.py make` drew (e10.json, e11.json) and, where the data set was built, the
manifests eval/*.tsv of E1 to E3. Vectors come from `akin embed --format npy`, cosine decides.

    E10  a rendered word finds its sentence among those of all hidden words of its language
    E11  colour, place: the best of 8 full sentences that differ in it alone; object: the best of 50
    the others: a picture finds a text of its concept first, and a text a picture of its concept
"""

import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

BATCH = 1000  # inputs of one call: below the system's limit on arguments


class Model:
    def __init__(self, akin, model, precision="f32"):
        self.command = [akin, "embed", "--model", model, "--precision", precision,
                        "--format", "npy", "--quiet", "--batch", "64"]

    def embed(self, inputs, texts):
        """[inputs, dimensions], rows of length 1."""
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "rows.npy")
            for first in range(0, len(inputs), BATCH):
                part = inputs[first:first + BATCH]
                given = [x for text in part for x in ("--text", text)] if texts else ["--", *part]
                done = subprocess.run(self.command + ["-o", target] + given, capture_output=True,
                                      text=True)
                if done.returncode:
                    sys.exit(f"score: akin embed: {done.stderr.strip()[-600:]}")
                rows.append(np.load(target))
        return np.concatenate(rows)

    def pictures(self, folder, paths):
        return self.embed([os.path.join(folder, p) for p in paths], False)

    def texts(self, texts):
        return self.embed(texts, True)


def line(test, what, hits, chance):
    return {"test": test, "what": what, "n": len(hits), "score": float(np.mean(hits)),
            "chance": float(chance)}


def e10(model, data):
    with open(os.path.join(data, "e10.json"), encoding="utf-8") as file:
        rows = json.load(file)["rows"]
    for language in dict.fromkeys(r["language"] for r in rows):
        some = [r for r in rows if r["language"] == language]
        scores = (model.pictures(data, [r["path"] for r in some])
                  @ model.texts([r["sentence"] for r in some]).T)
        hits = scores.argmax(axis=1) == np.arange(len(some))
        yield line("E10", f"word, {language}", hits, 1 / len(some))


def e11(model, data):
    with open(os.path.join(data, "e11.json"), encoding="utf-8") as file:
        about = json.load(file)
    rows = about["rows"]
    pictures = model.pictures(data, [r["path"] for r in rows])
    axes = {"colour": about["colours"], "object": about["objects"], "place": about["places"]}
    for language, sentences in about["sentences"].items():
        keys = list(sentences)
        texts = dict(zip(keys, model.texts([sentences[k] for k in keys])))
        right = collections.defaultdict(list)
        for row, picture in zip(rows, pictures):
            for what, choices in axes.items():
                asked = [texts["|".join({**row, what: c}[k] for k in ("object", "colour", "place"))]
                         for c in choices]
                hit = choices[int(np.argmax(np.stack(asked) @ picture))] == row[what]
                right[what, "all"].append(hit)
                right[what, row["hidden"]].append(hit)
        for what, choices in axes.items():
            yield line("E11", f"{what}, {language}", right[what, "all"], 1 / len(choices))
            for hidden in ("colour", "place"):
                yield line("E11", f"  of unseen (object, {hidden})", right[what, hidden],
                           1 / len(choices))


def manifest(path):
    """(pictures [(path, concept)], texts [(concept, language, text)]) of a TSV manifest."""
    pictures, texts = [], []
    with open(path, encoding="utf-8") as file:
        columns = file.readline().rstrip("\n").split("\t")
        for text in file:
            row = dict(zip(columns, text.rstrip("\n").split("\t")))
            if row["path"]:
                pictures.append((row["path"], row["concept"]))
            if row["text"]:
                texts.append((row["concept"], row["language"], row["text"]))
    return pictures, texts


def by_manifest(model, path):
    """Both directions, each language by itself; for texts the pictures are the candidates."""
    pictures, texts = manifest(path)
    name = os.path.basename(path)[:-4]
    shown = model.pictures(os.path.dirname(path), [p for p, _ in pictures])
    concepts = np.array([c for _, c in pictures])
    for language in dict.fromkeys(k for _, k, _ in texts):
        some = [(c, t) for c, k, t in texts if k == language]
        named = np.array([c for c, _ in some])
        scores = shown @ model.texts([t for _, t in some]).T
        there = np.isin(concepts, named)
        yield line(name, f"picture -> name, {language}",
                   (named[scores.argmax(axis=1)] == concepts)[there],
                   1 / len(set(named)))
        found = np.isin(named, concepts)
        yield line(name, f"name -> picture, {language}",
                   (concepts[scores.argmax(axis=0)] == named)[found],
                   1 / len(set(concepts)))


def main():
    ask = argparse.ArgumentParser(prog="score", description=__doc__.split("\n")[0])
    ask.add_argument("model")
    ask.add_argument("data")
    ask.add_argument("--akin", default="build/akin")
    ask.add_argument("--precision", default="f32")
    ask.add_argument("--json", help="write the results to this file as well")
    ask.add_argument("--only", help="e10, e11 or names of manifests, with commas")
    said = ask.parse_args()
    only = said.only.split(",") if said.only else None
    model = Model(said.akin, said.model, said.precision)
    folder = os.path.join(said.data, "eval")
    tests = [(n, t) for n, t in (("e10", e10), ("e11", e11))
             if os.path.exists(os.path.join(said.data, n + ".json"))]
    results = []
    print(f"{'test':<14} {'':<34} {'n':>6} {'score':>7} {'chance':>7}")

    def tell(found):
        for r in found:
            results.append(r)
            print(f"{r['test']:<14} {r['what']:<34} {r['n']:>6} {100 * r['score']:6.1f}% "
                  f"{100 * r['chance']:6.2f}%", flush=True)

    if os.path.isdir(folder):
        for file in sorted(f for f in os.listdir(folder) if f.endswith(".tsv")):
            if not only or file[:-4] in only:
                tell(by_manifest(model, os.path.join(folder, file)))
    for name, test in tests:
        if not only or name in only:
            tell(test(model, said.data))
    if said.json:
        with open(said.json, "w", encoding="utf-8") as file:
            json.dump({"model": os.path.basename(os.path.normpath(said.model)),
                       "results": results}, file, indent=1)
            file.write("\n")
    return 0 if results else "score: nothing to score here"


if __name__ == "__main__":
    sys.exit(main())
