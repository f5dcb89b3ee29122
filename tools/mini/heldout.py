"""What training never sees of E10 (rendered words) and E11 (combinations), and the makers of both.

Hidden, by crc32 of UTF-8 text modulo 100, so that no list is kept and none was chosen:
    a word            crc32("word:LANGUAGE:WORD") < 12      e.g. "word:en:apple"
    a font family     the lowest crc32("font:FAMILY") of those that part_words.py has for a script
                      (Latin: NotoSerifDisplay; Chinese: NotoSerifCJK)
    object, colour    crc32("CODE:COLOUR") < 10             e.g. "1f697:red"
    object, place     crc32("CODE:PLACE") < 10              e.g. "1f697:beach", "1f697:night sky"
CODE: the emoji's code points in lower-case hex joined by '-', without fe0f and 200d. Only the 50
OBJECTS, 8 COLOURS and 8 places.TESTED hide something; unpainted artwork keeps the colours it has.

    heldout.py make CACHE OUT        draws both tests: OUT/e10/, OUT/e11/ and e10.json, e11.json
    heldout.py check MANIFEST        fails where a manifest names what is hidden
"""

import json
import os
import re
import sys

import drawing
import places

COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black")
OBJECTS = """car bus truck bicycle scooter airplane helicopter rocket tractor umbrella balloon
    chair sofa bed door tent backpack handbag shoe high_heel cap dress T-shirt scarf coat guitar
    bell key padlock telephone tulip mushroom strawberry fish turtle frog snail whale horse dog
    rabbit elephant dinosaur octopus crab house teapot bucket trophy anchor""".split()
OBJECTS = tuple(name.replace("_", " ") for name in OBJECTS)
SCENES = 500


def hidden_word(language, word):
    return drawing.crc(f"word:{language}:{word.lower()}") % 100 < 12


def font_rank(family):
    return drawing.crc(f"font:{family}") % 100, family


def hidden_colour(thing, colour):
    return (thing.en in OBJECTS and colour in COLOURS
            and drawing.crc(f"{thing.code}:{colour}") % 100 < 10)


def hidden_place(thing, place):
    return (thing.en in OBJECTS and place in places.TESTED
            and drawing.crc(f"{thing.code}:{place}") % 100 < 10)


def allowed(thing, colour, place=None):
    return not hidden_colour(thing, colour) and not (place and hidden_place(thing, place))


def codes(concept):
    """The emoji that a scene's concept shows, as their code points."""
    if not concept.startswith("scene:"):
        return set()
    return set(re.findall(r"[:+<^]([0-9a-f-]+)=", concept))


def scenes(things):
    """The 500 (object, colour, place) of E11: half with a hidden (object, colour), half with a
    hidden (object, place), taken in an order that the hash decides."""
    chosen = [t for t in things if t.en in OBJECTS]
    if len(chosen) != len(OBJECTS):
        missing = set(OBJECTS) - {t.en for t in chosen}
        raise ValueError(f"no artwork of {', '.join(sorted(missing))}")
    combinations = [(t, c, p) for t in chosen for c in COLOURS for p in places.TESTED]

    def some(fits):
        found = [x for x in combinations if fits(x)]
        found.sort(key=lambda x: drawing.crc(f"e11:{x[0].code}:{x[1]}:{x[2]}"))
        return found[:SCENES // 2]

    return (some(lambda x: hidden_colour(x[0], x[1]))
            + some(lambda x: hidden_place(x[0], x[2]) and not hidden_colour(x[0], x[1])))


def patterns(things):
    """(regular expression, what it means) of hidden combinations in English and Chinese texts."""
    import sentences

    found = []
    for thing in things:
        if thing.en not in OBJECTS:
            continue
        # Written next to each other, a few words between them.
        name, zh = re.escape(thing.en), re.escape(thing.zh)
        # 公共汽车 (bus) is no 汽车 (car).
        longer = {t.zh[:-len(zh)] for t in things if t.zh.endswith(zh) and t.zh != zh}
        alone = "".join(f"(?<!{start})" for start in sorted(longer)) + zh
        for colour in COLOURS:
            if hidden_colour(thing, colour):
                near = rf"\b{colour}\s+(?:\w+\s+)?{name}\b|\b{name}s? (?:is|are) {colour}\b"
                found.append((re.compile(near, re.I), f"{colour} {thing.en}"))
                word = sentences.ZH[colour]
                found.append((re.compile(rf"{word}色?的?{zh}|{alone}是{word}色"),
                              f"{colour} {thing.en}"))
        measured = f"(?:一{thing.measure})?(?:[{''.join(sentences.ZH.values())}]色)?的?"
        for place in places.TESTED:
            if hidden_place(thing, place):
                meant = f"{thing.en} {place}"
                for phrase in map(re.escape, sentences.PLACES["en"][place]):
                    found.append((re.compile(rf"\b{name},? (?:is )?{phrase}\b", re.I), meant))
                    found.append((re.compile(rf"\b{phrase} there is an? (?:\w+ )?{name}\b", re.I),
                                  meant))
                for phrase in sentences.PLACES["zh"][place]:
                    found.append((re.compile(f"{phrase}[的有]{measured}{zh}"), meant))
                    found.append((re.compile(f"{alone}在{phrase}"), meant))
    return found


class Filter:
    """True of a text that names a hidden combination; for parts whose texts come from elsewhere."""

    def __init__(self):
        import art

        things = art.table()
        # Few texts name one of the fifty and a colour or a place at all.
        named = sorted({w.lower() for t in things if t.en in OBJECTS
                        for w in (t.en, t.zh)})
        self.named = re.compile("|".join(map(re.escape, named)))
        self.pattern = re.compile("|".join(p.pattern for p, _ in patterns(things)), re.I)

    def __call__(self, text):
        return bool(self.named.search(text.lower()) and self.pattern.search(text))


def check(path):
    """Problems of a manifest: pictures and texts that E10 or E11 hide."""
    import art

    things = {t.code: t for t in art.table()}
    looked = Filter()
    problems, count = [], 0
    with open(path, encoding="utf-8") as file:
        columns = file.readline().rstrip("\n").split("\t")
        for number, line in enumerate(file, 2):
            row = dict(zip(columns, line.rstrip("\n").split("\t")))
            count += 1
            concept, text = row.get("concept", ""), row.get("text", "")
            if concept.startswith("scene:"):
                body, _, place = concept[6:].partition("@")
                for code, colour in re.findall(r"([0-9a-f-]+)=(\w+)", body):
                    if not allowed(things[code], colour, place or None):
                        problems.append(f"line {number}: {concept}")
            if concept.startswith("word:"):
                _, language, word = concept.split(":", 2)
                if hidden_word(language, word):
                    problems.append(f"line {number}: hidden word {concept}")
            if text and looked(text):
                problems.append(f"line {number}: {text}")
    return problems, count


def make(packages, options, out):
    """Draws both tests. e10.json, e11.json: the rows that score.py reads."""
    import art
    import part_scenes
    import part_words
    import sentences
    import texts

    os.makedirs(os.path.join(out, "e11"), exist_ok=True)
    things = art.load(packages, options)
    rows = []
    for number, (thing, colour, place) in enumerate(scenes(things)):
        r = drawing.rng("e11", thing.code, colour, place)
        picture, _ = part_scenes.compose(r, [(thing, colour)], place)
        path = f"e11/{number:03d}.png"
        picture.save(os.path.join(out, path))
        rows.append({"path": path, "object": thing.en, "colour": colour, "place": place,
                     "hidden": "colour" if hidden_colour(thing, colour) else "place"})
    chosen = [t for t in things if t.en in OBJECTS]
    full = {language: {f"{t.en}|{c}|{p}": sentences.full(language, t, c, p)
                       for t in chosen for c in COLOURS for p in places.TESTED}
            for language in ("en", "zh")}
    write(os.path.join(out, "e11.json"), {"rows": rows, "objects": list(OBJECTS),
                                          "colours": list(COLOURS), "places": list(places.TESTED),
                                          "sentences": full})
    words = part_words.held_out(packages, texts.Emoji(packages), out)
    write(os.path.join(out, "e10.json"), {"rows": words})
    print(f"{len(rows)} scenes, {len(words)} words")


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=0)


def main(arguments):
    if len(arguments) == 3 and arguments[0] == "make":
        import fetch
        import frame

        class Options:
            render = frame.Renderer(arguments[1], 2)

        make(fetch.Packages(arguments[1]), Options, arguments[2])
        return 0
    if len(arguments) == 2 and arguments[0] == "check":
        problems, count = check(arguments[1])
        for problem in problems[:20]:
            print(problem)
        print(f"{count} rows, {len(problems)} with something of E10 or E11")
        return 1 if problems else 0
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
