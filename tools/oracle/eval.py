#!/usr/bin/env python3
"""Golden scores of retrieval and zero-shot classification, by brute force.

    eval.py scores --out tests/golden/eval
    eval.py verb --akin build/akin --model tests/golden/clip/tiny-a --out tests/golden/eval
    eval.py sigmoid --model tests/golden/open_clip/oc-c --out tests/golden/eval

Whole matrices, sorted places, shares as fractions. Coordinates are small integers, so that products
are exact in float32 and many scores are equal; an equal score counts as the mean over the orders of
equals (docs/eval.md), for which small groups are gone through order by order. The format of
scores.txt is in tests/golden/eval/README.md.
"""
import argparse
import itertools
import json
from fractions import Fraction
from math import comb, factorial
from pathlib import Path

import numpy as np

LEVELS = (1, 5, 10)


def orders(own, others, level):
    """Share of the orders of `own` relevant and `others` irrelevant candidates in which a relevant
    one is among the first `level`, and the mean place of the first relevant one."""
    n = own + others
    if n <= 6:
        hits = places = 0
        for order in itertools.permutations(range(n)):
            first = next(i for i, x in enumerate(order) if x < own)
            hits += first < level
            places += first + 1
        return Fraction(hits, factorial(n)), Fraction(places, factorial(n))
    within = 1 - Fraction(comb(others, level), comb(n, level)) if level > 0 else Fraction(0)
    place = sum(i * Fraction(comb(n - i, own - 1), comb(n, own)) for i in range(1, others + 2))
    return within, place


def one_query(scores, relevant):
    """(rank, [share within each level]) of the best relevant candidate."""
    best = scores[relevant].max()
    above = int((scores[~relevant] > best).sum())
    own, others = int((scores[relevant] == best).sum()), int((scores[~relevant] == best).sum())
    rank = above + orders(own, others, 1)[1]
    within = [orders(own, others, min(k - above, own + others))[0] if k > above else Fraction(0)
              for k in LEVELS]
    return rank, within


def recall(rows):
    if not rows:
        return [0, 0.0, 0.0, 0.0, 0.0]
    ranks = sorted(r for r, _ in rows)
    n = len(rows)
    median = (ranks[(n - 1) // 2] + ranks[n // 2]) / 2
    return [n] + [float(sum(w[k] for _, w in rows) / n) for k in range(3)] + [float(median)]


def retrieval(queries, query_concepts, candidates, candidate_concepts):
    rows = []
    for vector, concept in zip(queries, query_concepts):
        relevant = candidate_concepts == concept
        if vector.any() and relevant.any():
            rows.append(one_query(candidates @ vector, relevant))
    return recall(rows)


def select(vectors, concepts, languages, language):
    keep = vectors.any(axis=1)
    if language >= 0:
        keep &= languages == language
    return vectors[keep], concepts[keep]


def write_case(out, name, rng, concepts, languages, pictures, texts, dimensions, span, labels):
    def draw(n):
        v = rng.integers(-span, span + 1, (n, dimensions)).astype(np.float64)
        v[rng.random(n) < 0.08] = 0  # left out
        return v

    P, T = draw(pictures), draw(texts)
    pc = rng.integers(0, concepts, pictures)
    tc, tl = rng.integers(0, concepts, texts), rng.integers(0, languages, texts)
    pairs = [(c, l) for c in range(concepts) for l in range(languages) if rng.random() < labels]
    rng.shuffle(pairs)
    L = draw(len(pairs))
    lc = np.array([c for c, _ in pairs], dtype=np.int64)
    ll = np.array([l for _, l in pairs], dtype=np.int64)
    if span == 0:  # everything alike
        P[:], T[:], L[:] = 1, 1, 1

    counts = [int((L.any(axis=1) & (ll == l)).sum()) for l in range(languages)]
    table = int(np.argmax(counts)) if sum(counts) else -1
    print(f"case {name}\nshape {dimensions} {concepts} {languages} {table}", file=out)
    for v, c in zip(P, pc):
        print("picture", c, *map(int, v), file=out)
    for v, c, l in zip(T, tc, tl):
        print("text", c, l, *map(int, v), file=out)
    for v, c, l in zip(L, lc, ll):
        print("label", c, l, *map(int, v), file=out)

    seen, seen_concepts = select(P, pc, None, -1)
    for language in range(-1, languages):
        texts_here, text_concepts = select(T, tc, tl, language)
        labels_here, label_concepts = select(L, lc, ll, language)
        t2p = retrieval(texts_here, text_concepts, seen, seen_concepts)
        p2t = retrieval(seen, seen_concepts, texts_here, text_concepts)
        zero = retrieval(seen, seen_concepts, labels_here, label_concepts)
        own = [int((label_concepts == c).sum()) for c in seen_concepts]
        own = [n for n in own if n]
        chance = sum(own) / len(own) / len(labels_here) if own else 0.0
        values = t2p + p2t + [zero[0], zero[1], zero[2], chance]
        print("language", language, *(repr(v) for v in values), file=out)

    # The table: of equal scores the worst order.
    counts = {}
    entries = []
    for i in range(pictures):
        if table < 0 or not P[i].any():
            continue
        keep = L.any(axis=1) & (ll == table)
        own = np.flatnonzero(keep & (lc == pc[i]))
        if not len(own):
            continue
        others = np.flatnonzero(keep & (lc != pc[i]))
        score = float(L[own[0]] @ P[i])
        rest = L[others] @ P[i]
        rank, _ = one_query(L[keep] @ P[i], lc[keep] == pc[i])
        best, top = int(pc[i]), score
        if len(rest) and rest.max() >= score:
            best, top = int(lc[others[int(np.argmax(rest))]]), float(rest.max())
        c = counts.setdefault(int(pc[i]), [0, 0, 0, {}])
        c[0] += 1
        c[1] += best == pc[i]
        c[2] += int((rest >= score).sum()) < 5
        if best != pc[i]:
            c[3][best] = c[3].get(best, 0) + 1
        entries.append((i, best, float(rank), score, top))
    for concept in sorted(counts):
        n, top1, top5, taken = counts[concept]
        three = sorted(taken.items(), key=lambda kv: (-kv[1], kv[0]))[:3]
        three += [(0, 0)] * (3 - len(three))
        print("class", concept, n, top1, top5, *(x for kv in three for x in kv), file=out)
    for entry in entries:
        print("entry", *(repr(v) for v in entry), file=out)
    print("end", file=out)


def scores(args):
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.Generator(np.random.PCG64(20))
    with open(folder / "scores.txt", "w", encoding="utf-8") as out:
        print("akin-golden scores 1", file=out)
        write_case(out, "small", rng, 5, 2, 9, 14, 3, 2, 0.8)
        write_case(out, "ties", rng, 12, 3, 40, 70, 4, 1, 0.7)
        write_case(out, "wide", rng, 30, 4, 60, 300, 12, 5, 0.9)
        write_case(out, "alike", rng, 7, 2, 20, 30, 2, 0, 1.0)
        write_case(out, "no labels", rng, 4, 1, 8, 8, 4, 3, 0.0)
    manifest = {
        "script": "tools/oracle/eval.py",
        "versions": {"numpy": np.__version__, "torch": "2.13.0", "open_clip_torch": "3.3.0"},
        "files": {
            "scores.txt": "scores: brute force over made-up vectors",
            "verb.txt": "verb: brute force over the vectors of pictures.tsv, labels as they are",
            "verb-templates.txt": "verb: the same with two templates",
            "sigmoid.txt": "sigmoid: open_clip's logits on tests/golden/open_clip/oc-c",
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")


def verb(args):
    """What `akin eval --json` must say of OUT/pictures.tsv: from the vectors of `akin embed`, which
    has its own oracle, by whole matrices. Refuses inputs whose scores are so near each other that
    another processor's rounding could change the order."""
    import csv
    import subprocess
    import tempfile

    folder = Path(args.out)
    with open(folder / "pictures.tsv", encoding="utf-8") as f:
        rows = list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))
    pictures = [(str(folder / r["path"]), r["concept"]) for r in rows if r["path"]]
    texts = [(r["text"], r["concept"], r["language"], float(r["weight"]))
             for r in rows if r["text"]]

    def embed(*inputs):
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "vectors.npy"
            subprocess.run([args.akin, "embed", "--model", args.model, "--format", "npy", "-o", out,
                            *inputs], check=True)
            return np.load(out).astype(np.float64)

    def embed_texts(list_of_texts):
        return embed(*(x for t in list_of_texts for x in ("--text", t)))

    concepts = list(dict.fromkeys(r["concept"] for r in rows))
    number = {c: i for i, c in enumerate(concepts)}
    P, pc = embed(*(p for p, _ in pictures)), np.array([number[c] for _, c in pictures])
    T, tc = embed_texts([t[0] for t in texts]), np.array([number[t[1]] for t in texts])
    languages = list(dict.fromkeys(t[2] for t in texts))

    def safe(scores, query_concepts, concepts_here):
        for row, concept in zip(scores, query_concepts):
            relevant = concepts_here == concept
            if relevant.any():
                gap = np.abs(row[~relevant] - row[relevant].max()).min()
                assert gap > 5e-6, f"a gap of {gap:.1e}"

    def labels(templates):
        vectors, label_concepts, label_languages = [], [], []
        for language in languages:
            for c in concepts:
                here = [t for t in texts if t[1] == c and t[2] == language]
                if not here:
                    continue
                most = max(t[3] for t in here)
                rows = []
                for t in here:
                    if t[3] == most:
                        v = embed_texts([x.replace("{}", t[0]) for x in templates]).mean(axis=0)
                        rows.append(v / np.linalg.norm(v))
                v = np.mean(rows, axis=0)
                vectors.append(v / np.linalg.norm(v))
                label_concepts.append(number[c])
                label_languages.append(languages.index(language))
        return np.array(vectors), np.array(label_concepts), np.array(label_languages)

    def write(name, templates):
        L, lc, ll = labels(templates)
        tl = np.array([languages.index(t[2]) for t in texts])
        safe(T @ P.T, tc, pc)
        for language in range(len(languages)):
            safe(P @ T[tl == language].T, pc, tc[tl == language])
            safe(P @ L[ll == language].T, pc, lc[ll == language])
        safe(P @ T.T, pc, tc)
        safe(P @ L.T, pc, lc)
        lines = []
        for row, language in enumerate([-1, *range(len(languages))]):
            of_texts = tl == language if language >= 0 else np.ones(len(T), bool)
            of_labels = ll == language if language >= 0 else np.ones(len(L), bool)
            at = f"languages[{row}]."
            for key, r in (("text_to_picture", retrieval(T[of_texts], tc[of_texts], P, pc)),
                           ("picture_to_text", retrieval(P, pc, T[of_texts], tc[of_texts]))):
                for field, value in zip(("queries", "recall_at_1", "recall_at_5", "recall_at_10",
                                         "median_rank"), r):
                    lines.append(f"{at}{key}.{field} {value!r}")
            z = retrieval(P, pc, L[of_labels], lc[of_labels])
            for field, value in zip(("pictures", "top1", "top5"), z[:3]):
                lines.append(f"{at}zero_shot.{field} {value!r}")
            lines.append(f"{at}zero_shot.labels {int(of_labels.sum())}")
        table = int(np.argmax(np.bincount(ll)))
        keep = np.flatnonzero(ll == table)
        best = lc[keep[np.argmax(P @ L[keep].T, axis=1)]]
        classes = [c for c in range(len(concepts)) if c in lc[keep] and (pc == c).any()]
        for i, c in enumerate(classes):
            lines.append(f"classes[{i}].concept {concepts[c]}")
            lines.append(f"classes[{i}].pictures {int((pc == c).sum())}")
            lines.append(f"classes[{i}].right {int(((pc == c) & (best == c)).sum())}")
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")

    write("verb.txt", ["{}"])
    write("verb-templates.txt", ["a photo of the {}.", "art of the {}."])


def sigmoid(args):
    """Probabilities of a model with a logit bias: the sigmoid of open_clip's own logits, over the
    pictures and texts of the checkpoint's expected.txt, in their order there."""
    import openclip

    torch, open_clip = openclip.import_reference()
    reference = openclip.Reference(open_clip, torch, args.model)
    pictures, texts, pad = [], [], None
    for line in (Path(args.model) / "expected.txt").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition(" ")
        if key == "image":
            pictures.append(torch.from_numpy(openclip.pixels(int(value), *reference.size)))
        elif key == "pad":
            pad = [int(x) for x in value.split()]
        elif key == "ids":
            ids = [int(x) for x in value.split()]
            more = [pad[0]] * (reference.context - len(ids))
            texts.append(torch.tensor(more + ids if pad[1] else ids + more))
    logits, _ = reference.model.get_logits(torch.stack(pictures), torch.stack(texts))
    with open(Path(args.out) / "sigmoid.txt", "w", encoding="utf-8") as out:
        print("akin-golden sigmoid 1", file=out)
        for row in torch.sigmoid(logits):
            print("picture", *(f"{float(x):.9g}" for x in row), file=out)
        print("end", file=out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("scores")
    command.add_argument("--out", required=True)
    command.set_defaults(run=scores)
    command = commands.add_parser("verb")
    command.add_argument("--akin", required=True)
    command.add_argument("--model", required=True)
    command.add_argument("--out", required=True)
    command.set_defaults(run=verb)
    command = commands.add_parser("sigmoid")
    command.add_argument("--model", required=True)
    command.add_argument("--out", required=True)
    command.set_defaults(run=sigmoid)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
