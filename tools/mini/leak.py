"""Checks a built data set by hash and by name: nothing of E1, E10, E11 is in manifest.tsv, nothing
of E2, E3 in twin.tsv. Reads the files alone, not what made them; ends with 1 where one leaked."""

import collections
import csv
import os
import re
import sys

import finish

SHOWN = 5


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def words(text):
    return " ".join(re.findall(r"\w+", text.lower()))


class Report:
    def __init__(self):
        self.count = 0

    def __call__(self, what, found):
        found = list(found)
        self.count += len(found)
        print(f"{'LEAK' if found else 'ok  '}  {what}: {len(found)}")
        for one in found[:SHOWN]:
            print(f"      {one}")


def main(out):
    report = Report()
    place = lambda *names: os.path.join(out, *names)
    cache = {}

    def pixels(path):
        if path not in cache:
            cache[path] = finish.pixels(path)
        return cache[path]

    def pictures(path):
        """(path, concept) of the pictures of a manifest, paths that open."""
        folder = os.path.dirname(path)
        return [(os.path.join(folder, r["path"]), r["concept"]) for r in read(path) if r["path"]]

    def same(trained, held):
        known = collections.defaultdict(list)
        for path, _ in trained:
            known[pixels(path)].append(path)
        for path, concept in held:
            for other in known.get(pixels(path), ()):
                yield f"{concept}: {path} is {other}"

    e1 = pictures(place("eval/e1.tsv"))
    for name in ("manifest.tsv", "twin.tsv"):
        trained = pictures(place(name))
        report(f"pictures of E1's style in {name}", same(trained, e1))
        report(f"openmoji by name in {name}", (p for p, _ in trained if "openmoji" in p.lower()))
    with open(place("ATTRIBUTION.md"), encoding="utf-8") as file:
        report("openmoji in ATTRIBUTION.md", (x for x in file if "openmoji" in x.lower()))

    e2 = list(read(place("eval/e2-all.tsv")))
    concepts = {r["concept"] for r in e2}
    names = collections.defaultdict(set)
    for row in e2:
        if row["text"]:
            names[row["language"]].add(words(row["text"]))
            names[row["language"], "exact"].add(row["text"].lower())
    hidden = {(r["language"], r["text"].lower()) for r in read(place("eval/e3a.tsv")) if r["text"]}
    languages = {r["language"] for r in read(place("eval/e3b.tsv")) if r["text"]}
    most = max(len(n.split()) for n in names["en"])
    by_concept, by_name, e3a, e3b = [], [], [], []
    for row in read(place("twin.tsv")):
        language, text = row["language"], row["text"]
        if row["concept"] in concepts:
            by_concept.append(f"{row['concept']}: {row['path'] or text}")
        if text:
            if text.lower() in names[language, "exact"]:
                by_name.append(f"{language}: {text} ({row['concept']})")
            elif language == "en":
                parts = words(text).split()
                found = {" ".join(parts[i:j]) for i in range(len(parts))
                         for j in range(i + 1, min(len(parts), i + most) + 1)} & names["en"]
                by_name += [f"en: {text} ({row['concept']}) holds {n}" for n in found]
            if (language, text.lower()) in hidden:
                e3a.append(f"{language}: {text} ({row['concept']})")
            if language in languages:
                e3b.append(f"{language}: {text}")
    report("E2's concepts in twin.tsv", by_concept)
    report("E2's names in twin.tsv", by_name)
    report("E2's pictures in twin.tsv",
           same(pictures(place("twin.tsv")), pictures(place("eval/e2.tsv"))))
    report("E3a's names in twin.tsv", e3a)
    report("E3b's languages in twin.tsv", e3b)
    try:
        import heldout
    except ImportError:
        print("no    heldout.py: E10 and E11 are not looked for")
    else:
        report("E10 and E11 in manifest.tsv", heldout.check(place("manifest.tsv"))[0])
    return 1 if report.count else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: leak OUT")
    sys.exit(main(sys.argv[1]))
