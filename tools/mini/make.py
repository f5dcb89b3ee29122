"""Builds the data set of mini: fetch, draw, write. See docs/models/mini-data.md."""

import argparse
import glob
import importlib
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import fetch  # noqa: E402
import finish  # noqa: E402
import frame  # noqa: E402
import texts  # noqa: E402


class Options:
    """What the parts share."""

    def __init__(self, render, emoji, threads, cache):
        self.render, self.emoji, self.threads, self.cache = render, emoji, threads, cache
        self.crc = frame.crc


def note(start, text):
    print(f"{time.monotonic() - start:6.1f} s  {text}", file=sys.stderr, flush=True)


def main():
    ask = argparse.ArgumentParser(prog="make", description="Builds the data set of mini.")
    ask.add_argument("out", metavar="OUT", help="folder of the data set")
    ask.add_argument("--cache", help="folder of packages and drawings (default OUT/cache)")
    ask.add_argument("--parts", help="only these parts, with commas (default: all there are)")
    ask.add_argument("--threads", type=int, default=os.cpu_count())
    said = ask.parse_args()
    start = time.monotonic()
    cache = os.path.abspath(said.cache or os.path.join(said.out, "cache"))
    there = [os.path.basename(p)[5:-3] for p in glob.glob(os.path.join(HERE, "part_*.py"))]
    parts = [p for p in frame.SHARES if p in there]
    if said.parts:
        unknown = set(said.parts.split(",")) - set(parts)
        if unknown:
            raise frame.RecipeError(f"--parts: there is no part {', '.join(sorted(unknown))}")
        parts = [p for p in parts if p in said.parts.split(",")]

    packages = fetch.Packages(cache)
    emoji = texts.Emoji(packages)
    packages.concept_of = emoji.by_slug
    options = Options(frame.Renderer(cache, said.threads), emoji, said.threads, cache)
    note(start, f"{len(emoji.order)} emoji in {len(emoji.names)} languages")
    rows = frame.Rows(said.out)
    options.rows = rows
    heldout = "heldout" if os.path.exists(os.path.join(HERE, "heldout.py")) else None
    if heldout:  # E10 and E11: what no text may name, and their pictures
        heldout = importlib.import_module(heldout)
        rows.refused = heldout.Filter()
    for part in parts:
        before = len(rows.pictures)
        importlib.import_module("part_" + part).build(packages, said.out, rows.adder(part), options)
        note(start, f"{part}: {len(rows.pictures) - before} pictures")
    finish.finish(said.out, rows, emoji, packages, options, lambda text: note(start, text))
    if heldout and not said.parts:
        heldout.make(packages, options, os.path.join(said.out, "eval"))


if __name__ == "__main__":
    try:
        main()
    except (frame.RecipeError, fetch.FetchError) as error:
        sys.exit(f"make: {error}")
