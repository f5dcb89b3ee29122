#!/usr/bin/env python3
"""Writes src/text/unicode_tables.h and tests/golden/text/unicode.txt from the tokenizers library.

Every property is what the library itself does when it is run, code point by code point:

  letter, number, white space   Split(Regex) with \\p{L}, \\p{N}, \\s; checked against ByteLevel
  word                          AddedToken(single_word=True) beside the code point
  lower case                    normalizers.Lowercase
  decomposition                 normalizers.NFD
  combining class               the order that NFD gives two marks; unicodedata only names classes
  composition                   normalizers.NFC of decompositions

The library mixes Unicode versions (its regular expressions, its lower case and its normaliser come
from different crates), so no published table equals it: hence this script.

usage: unicode.py ROOT        ROOT is the top of the source tree
"""
import json
import random
import sys
import unicodedata
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel

VERSION = "0.23.3"
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)
BLOCK = 128

nfc = normalizers.NFC().normalize_str
nfd = normalizers.NFD().normalize_str
lower = normalizers.Lowercase().normalize_str


def matching(pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    return {c for c in CODE_POINTS if split.pre_tokenize_str(chr(c))}


def word_characters():
    t = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    t.add_tokens([AddedToken("Q", normalized=False, single_word=True)])
    q = t.token_to_id("Q")
    after = {c for c in CODE_POINTS if q not in t.encode("Q" + chr(c)).ids}
    before = {c for c in CODE_POINTS if q not in t.encode(chr(c) + "Q").ids}
    assert after == before
    return after


def strip_characters():
    """What lstrip and rstrip of an added token swallow."""
    found = []
    for flags in ({"lstrip": True}, {"rstrip": True}):
        t = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
        t.add_tokens([AddedToken("Q", normalized=False, **flags)])
        text = (lambda c: chr(c) + "Q") if "lstrip" in flags else (lambda c: "Q" + chr(c))
        found.append({c for c in CODE_POINTS if len(t.encode(text(c)).ids) == 1})
    assert found[0] == found[1]
    return found[0]


def combining_classes(decomposed):
    """{code point: class}, from the order NFD puts two marks in."""

    def swaps(a, b):
        return nfd("x" + chr(a) + chr(b)) == "x" + chr(b) + chr(a)

    low, high = 0x334, 0x345  # classes 1 and 240, the ends of the order
    marks = [c for c in CODE_POINTS if c not in decomposed and (swaps(c, low) or swaps(high, c))]
    by_class = {}
    for c in marks:
        by_class.setdefault(unicodedata.combining(chr(c)), c)
    assert 0 not in by_class  # the library knows no mark that unicodedata does not
    named = sorted(by_class.items())
    assert named[0][0] == 1 and named[-1][0] == 240
    # The representatives must themselves be ordered as their classes say.
    for (_, a), (_, b) in zip(named, named[1:]):
        assert swaps(b, a) and not swaps(a, b)
    classes = {}
    for c in marks:
        same = [k for k, r in named if c == r or not (swaps(c, r) or swaps(r, c))]
        assert len(same) == 1, hex(c)
        classes[c] = same[0]
    return classes


def ranges(values):
    out = []
    for c in sorted(values):
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def numbers(name, ctype, values, per_line=16):
    lines = [f"static const {ctype} {name}[{len(values)}] = {{"]
    for i in range(0, len(values), per_line):
        lines.append("    " + ", ".join(str(v) for v in values[i : i + per_line]) + ",")
    return "\n".join(lines) + "\n};\n"


def two_stage(values):
    blocks, first = {}, []
    for i in range(0, 0x110000, BLOCK):
        first.append(blocks.setdefault(tuple(values[i : i + BLOCK]), len(blocks)))
    return first, [v for block in blocks for v in block]


def main(root):
    assert tokenizers.__version__ == VERSION, tokenizers.__version__
    letter, number, space = matching(r"\p{L}"), matching(r"\p{N}"), matching(r"\s")
    # The second split (ByteLevel) must see the same classes as the first, and strip the same
    # spaces as the regular expressions do: one table serves all.
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    joins = lambda head: {c for c in CODE_POINTS if len(byte_level.pre_tokenize_str(head + chr(c))) == 1}
    assert joins("a") == letter and joins("1") == number
    assert joins("!") == set(CODE_POINTS) - letter - number - space
    replace = normalizers.Replace(Regex(r"\s+"), " ").normalize_str
    assert {c for c in CODE_POINTS if replace(chr(c)) == " "} == space
    assert strip_characters() == space
    word = word_characters()

    lowers = {c: lower(chr(c)) for c in CODE_POINTS if lower(chr(c)) != chr(c)}
    many = {c: s for c, s in lowers.items() if len(s) > 1}
    assert list(many) == [0x130] and many[0x130] == "i\u0307", many
    # Code point by code point: nothing depends on neighbours (no final sigma).
    assert lower("\u0391\u03a3") == "\u03b1\u03c3" and lower("\u0391\u03a3 ") == "\u03b1\u03c3 "

    decomposed = {c: nfd(chr(c)) for c in CODE_POINTS if nfd(chr(c)) != chr(c)}
    assert all(c in decomposed for c in HANGUL)
    composed = {c: nfc(chr(c)) for c in CODE_POINTS if nfc(chr(c)) != chr(c)}
    classes = combining_classes(decomposed)

    pairs = {}
    for c, s in decomposed.items():
        if c in HANGUL or c in composed or len(s) < 2:
            continue
        a, b = nfc(s[:-1]), s[-1]
        assert len(a) == 1 and nfc(a + b) == chr(c), hex(c)
        pairs[(ord(a), ord(b))] = c
    seconds = {b for _, b in pairs} | set(range(0x1161, 0x1176)) | set(range(0x11A8, 0x11C3))

    def boundary(c):
        """No character before c changes, or is changed by, what c starts."""
        head = ord(decomposed.get(c, chr(c))[0])
        return head not in classes and head not in seconds

    letter_, number_, space_, word_, second_, decomposes_, loose_ = (1 << i for i in range(7))
    records, index = {}, [0] * 0x110000
    records[(0, 0, 0)] = 0
    for c in CODE_POINTS:
        flags = (
            (c in letter) * letter_
            | (c in number) * number_
            | (c in space) * space_
            | (c in word) * word_
            | (c in seconds) * second_
            | (c in decomposed) * decomposes_
            | (not (boundary(c) and c not in composed)) * loose_
        )
        delta = 0 if c in many else ord(lowers.get(c, chr(c))) - c
        index[c] = records.setdefault((flags, classes.get(c, 0), delta), len(records))
    assert len(records) <= 0x100
    first, second = two_stage(index)
    assert max(first) < 0x10000

    keys = sorted(c for c in decomposed if c not in HANGUL)
    pool, starts = [], []
    for c in keys:
        starts.append(len(pool))
        pool += [ord(x) for x in decomposed[c]]
    starts.append(len(pool))
    composing = sorted((a, b, c) for (a, b), c in pairs.items())

    names = "LETTER NUMBER SPACE WORD SECOND DECOMPOSES LOOSE".split()
    out = [
        "/* unicode_tables.h - generated by tools/oracle/unicode.py from tokenizers "
        f"{VERSION}; do not edit. */\n"
    ]
    out += [f"#define UNICODE_{n} {1 << i}u" for i, n in enumerate(names)]
    out.append(f"#define UNICODE_BLOCK {BLOCK}")
    out.append(f"#define UNICODE_DECOMPOSITIONS {len(keys)}")
    out.append(f"#define UNICODE_COMPOSITIONS {len(composing)}\n")
    out.append("/* flags, combining class, lower case minus code point */")
    out.append(
        "static const struct { uint8_t flags, combining; int32_t lower; } "
        f"unicode_records[{len(records)}] = {{"
    )
    rows = [f"{{ {f}, {k}, {d} }}," for f, k, d in records]
    out += ["    " + " ".join(rows[i : i + 5]) for i in range(0, len(rows), 5)]
    out.append("};\n")
    out.append(numbers("unicode_first", "uint16_t", first))
    out.append(numbers("unicode_second", "uint8_t", second))
    out.append("/* full canonical decompositions, without Hangul; sorted */")
    out.append(numbers("unicode_decomposed", "uint32_t", keys, 12))
    out.append(numbers("unicode_decomposition_start", "uint16_t", starts))
    out.append(numbers("unicode_decomposition", "uint32_t", pool, 12))
    out.append("/* first, second, composite; sorted; without Hangul */")
    out.append(f"static const uint32_t unicode_compositions[{len(composing)}][3] = {{")
    rows = [f"{{ {a}, {b}, {c} }}," for a, b, c in composing]
    out += ["    " + " ".join(rows[i : i + 4]) for i in range(0, len(rows), 4)]
    out.append("};")
    (root / "src/text/unicode_tables.h").write_text("\n".join(out) + "\n")

    # The golden file holds what the library said, not what the tables were made into.
    hexes = lambda s: " ".join(f"{ord(x):x}" for x in s)
    lines = [f"# generated by tools/oracle/unicode.py from tokenizers {VERSION}"]
    for name, values in (("L", letter), ("N", number), ("S", space), ("W", word)):
        lines += [f"{name} {a:x} {b:x}" for a, b in ranges(values)]
    lines += [f"lower {c:x} {hexes(s)}" for c, s in lowers.items()]
    lines += [f"nfc {c:x} {hexes(s)}" for c, s in composed.items()]
    hashed = 0xCBF29CE484222325
    for c in HANGUL:
        for x in nfd(chr(c)):
            hashed = (hashed ^ ord(x)) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        assert nfc(nfd(chr(c))) == chr(c)
    lines.append(f"hangul {hashed:x}")
    lines += [f"nfd {c:x} {hexes(decomposed[c])}" for c in keys]
    for k in sorted(set(classes.values())):
        lines += [f"ccc {k} {a:x} {b:x}" for a, b in ranges(c for c in classes if classes[c] == k)]
    rng = random.Random(16)
    marks, heads = sorted(classes), sorted({a for a, _ in pairs})
    jamo = list(range(0x1100, 0x1113)) + list(range(0x1161, 0x1176)) + list(range(0x11A7, 0x11C3))
    kinds = [
        lambda: rng.choice(marks),
        lambda: rng.choice(heads),
        lambda: rng.choice(sorted(seconds)),
        lambda: rng.choice(jamo),
        lambda: rng.choice(keys),
        lambda: rng.choice(HANGUL),
        lambda: rng.choice(CODE_POINTS),
        lambda: rng.choice([0x41, 0x65, 0x300, 0x301, 0x323, 0x345, 0x20]),
    ]
    for i in range(1500):
        kind = rng.sample(kinds, 3)
        s = "".join(chr(rng.choice(kind)()) for _ in range(rng.randrange(2, 9)))
        lines.append(f"string {hexes(s)} = {hexes(nfc(s))}")
    (root / "tests/golden/text/unicode.txt").write_text("\n".join(lines) + "\n")
    manifest = {
        "script": "tools/oracle/unicode.py",
        "tokenizers": VERSION,
        "unicodedata (names of combining classes only)": unicodedata.unidata_version,
        "letters": len(letter),
        "numbers": len(number),
        "white space": len(space),
        "word": len(word),
        "lower case": len(lowers),
        "decompositions without Hangul": len(keys),
        "compositions without Hangul": len(composing),
        "combining marks": len(classes),
        "strings": 1500,
    }
    (root / "tests/golden/text/unicode.manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(len(records), "records;", len(second) // BLOCK, "blocks;", manifest)


main(Path(sys.argv[1]))
