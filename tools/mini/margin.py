#!/usr/bin/env python3
"""Which margin tells a match from chance: margin.py MODEL MANIFEST [--akin PATH] [--items N]

`akin search` calls the best hit a clear match when its z is at least sqrt(2 ln n) + margin
(docs/search.md). MANIFEST is one of the tests' (eval/e1.tsv): pictures, and a name for each concept.
Collections of N pictures are drawn from it; each name is asked for once with its picture among them
and once without. Printed for each margin: how often the verdict is "clear" when the picture is there
and comes first, when it is there and does not, and when it is not there at all.
"""
import argparse
import csv
import os

import numpy as np

from score import Model

MARGINS = [0, 0.25, 0.5, 0.75, 1, 1.5, 2]


def read(path):
    pictures, names = [], {}
    with open(path, encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["path"]:
                pictures.append((row["path"], row["concept"]))
            elif row["text"]:
                names.setdefault(row["concept"], row["text"])
    return pictures, names


def best(scores, allowed):
    """z of the best, and its place, over the pictures allowed."""
    some = scores[allowed]
    place = int(some.argmax())
    return (some[place] - some.mean()) / some.std(), int(np.flatnonzero(allowed)[place])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("manifest")
    parser.add_argument("--akin", default="build/akin")
    parser.add_argument("--items", type=int, nargs="*", default=[200, 1000])
    args = parser.parse_args()
    model = Model(args.akin, args.model)
    pictures, names = read(args.manifest)
    vectors = model.pictures(os.path.dirname(args.manifest), [p for p, _ in pictures])
    of = np.array([c for _, c in pictures])
    asked = [c for c in names if (of == c).any()]
    scores = vectors @ model.texts([names[c] for c in asked]).T
    random = np.random.default_rng(1)
    for items in args.items:
        if items >= len(pictures):
            items = len(pictures)
        found = {"first": [], "there": [], "absent": []}
        for i, concept in enumerate(asked):
            own = of == concept
            others = np.flatnonzero(~own)
            allowed = np.zeros(len(pictures), bool)
            allowed[random.choice(others, min(items - 1, len(others)), replace=False)] = True
            found["absent"].append(best(scores[:, i], allowed)[0])
            allowed[np.flatnonzero(own)[0]] = True
            z, place = best(scores[:, i], allowed)
            found["first" if own[place] else "there"].append(z)
        expected = np.sqrt(2 * np.log(items))
        print(f"{items} pictures, {len(asked)} names; the right one first: "
              f"{len(found['first']) / len(asked):.1%}")
        print("margin  clear: right one first  right one there, not first  not there")
        for margin in MARGINS:
            shares = [np.mean(np.array(found[k]) >= expected + margin) if found[k] else 0
                      for k in ("first", "there", "absent")]
            print(f"{margin:6.2f}  {shares[0]:23.1%}  {shares[1]:26.1%}  {shares[2]:9.1%}")


if __name__ == "__main__":
    main()
