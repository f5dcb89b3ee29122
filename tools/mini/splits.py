"""What the twin must not see (E2, E3) and the evaluation sets that ask for it.

By crc32 of a concept's id modulo 100 (E2: below 12, of the emoji that are no people, flags or
symbols), and of LANGUAGE:CONCEPT (E3a: below 10). E3b: whole languages. No list is kept.
"""

import collections
import re

import frame
import heldout
import texts

E2_PERCENT, E3_PERCENT = 12, 10
E3_LANGUAGES = ("gl", "sk", "nn", "az", "kn", "ka")
OWNERS = 2  # a keyword of no more concepts than this is a synonym
# Scripts without spaces: a name lies in a text wherever its characters do.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


def key(text):
    return " ".join(text.lower().split())


def plain(text):
    """Words alone: 'T-shirt' is two."""
    return " ".join(re.findall(r"\w+", text.lower()))


def is_e2(concept, emoji):
    return concept in emoji.group \
        and emoji.group[concept] not in ("People & Body", "Flags", "Symbols") \
        and frame.crc(concept) % 100 < E2_PERCENT


def is_e3(language, concept):
    return frame.crc(f"{language}:{concept}") % 100 < E3_PERCENT


class Hidden:
    """What E2 and E3 hide: concepts, and names and synonyms by language."""

    def __init__(self, emoji, merged):
        alive = [c for c in emoji.order if c not in merged]
        self.merged = merged
        self.concepts = {c for c in alive if is_e2(c, emoji)}
        self.concepts |= {c for c, into in merged.items() if into in self.concepts}
        self.e2 = collections.defaultdict(set)  # language -> names and synonyms
        self.e3 = collections.defaultdict(set)  # language -> names
        for language, names in emoji.names.items():
            kept = {key(n) for c, n in names.items() if c not in self.concepts}
            for concept, name in names.items():
                if concept in self.concepts:
                    self.e2[language].add(key(name))
                elif is_e3(language, concept):
                    self.e3[language].add(key(name))
            owners = collections.defaultdict(set)
            for concept, words in emoji.keywords[language].items():
                for word, _ in words:
                    owners[key(word)].add(concept)
            for word, who in owners.items():
                if who & self.concepts and len(who) <= OWNERS and word not in kept:
                    self.e2[language].add(word)
        for concept in self.concepts:
            self.e2["en"].add(key(emoji.english[concept]))
            self.e2["en"].add(texts.slug(emoji.english[concept]))
            for language, aliases in texts.ALIASES.items():
                name = emoji.names[language].get(concept)
                if name in aliases:
                    self.e2[language].add(key(aliases[name]))
        for languages in (self.e2, self.e3):
            for names in languages.values():
                names.update([plain(n) for n in names])
                names.discard("")
        self.most = {language: max(len(n.split()) for n in self.e2[language] | self.e3[language])
                     for language in set(self.e2) | set(self.e3)}
        self.unspaced = {language: [n for n in self.e2[language] | self.e3[language]
                                    if len(n) > 1 and UNSPACED.search(n)]
                         for language in self.most}
        self.found = {}

    def in_text(self, language, text):
        """Whether the text is or contains, as whole words, a hidden name or synonym."""
        asked = language, text
        if asked not in self.found:
            self.found[asked] = self.look(language, key(text))
        return self.found[asked]

    def look(self, language, text):
        if language not in self.most:
            return False
        names = self.e2[language], self.e3[language]
        if text in names[0] or text in names[1]:
            return True
        if UNSPACED.search(text):
            return any(name in text for name in self.unspaced[language])
        words = plain(text).split()
        for start in range(len(words)):
            for end in range(start + 1, min(len(words), start + self.most[language]) + 1):
                part = " ".join(words[start:end])
                if part in names[0] or part in names[1]:
                    return True
        return False

    def hides(self, concept, language, text):
        return concept in self.concepts or language in E3_LANGUAGES or self.in_text(language, text)

    def names_e2(self, text):
        """Whether an English text is, or holds as words, a name or synonym of a hidden concept."""
        words = plain(text).split()
        names = self.e2["en"]
        return key(text) in names or any(
            " ".join(words[i:j]) in names for i in range(len(words))
            for j in range(i + 1, min(len(words), i + self.most["en"]) + 1))


def twin(rows, said, hidden, emoji, hashes):
    """(picture rows, text rows) of the twin. Questions go with the name in them, pictures
    with those of the same pixels. hashes: path -> hash of the pixels."""
    texts_kept, with_text = [], set()
    gone = set(hidden.concepts)
    # A concept that is no emoji but is called by a hidden name goes with all its pictures.
    for concept in {row[0] for row in said} | {p[2] for p in rows.pictures}:
        if concept not in emoji.group and (hidden.names_e2(concept.split(":", 1)[-1])
                                           or heldout.codes(concept) & hidden.concepts):
            gone.add(concept)
    for concept, language, text, weight, _ in said:
        if concept not in gone and not hidden.hides(concept, language, text):
            texts_kept.append((concept, language, text, weight))
            with_text.add(concept)
    unseen = {hashes[p[0]] for p in rows.pictures if p[2] in hidden.concepts}
    pictures = [p for p in rows.pictures if p[2] in with_text and hashes[p[0]] not in unseen]
    weights = frame.picture_weights(pictures)
    return [(path, c, w, kind, stage, flip) for (path, _, c, _, kind, stage, flip), w
            in zip(pictures, weights)], texts_kept


def eval_sets(rows, hidden, emoji):
    """[(file, [(path, concept)], [(concept, language, text)])] for E2, E3a and E3b."""
    styles = {"noto1", "google", "twitter", "fluent3d", "fluentflat"}
    styled = collections.defaultdict(list)  # style -> [(path, concept)]
    for path, part, concept, *_ in rows.pictures:
        style, _, code = path.rsplit("/", 1)[-1][:-4].partition("-")
        if part == "emoji" and style in styles and code == concept:
            styled[style].append((path, concept))
    e2 = sorted(c for c in hidden.concepts if c not in hidden.merged)
    english = emoji.names["en"]
    pictures = [p for style in sorted(styled) for p in styled[style] if p[1] in set(e2)]
    yield "e2", pictures, [(c, "en", english.get(c, emoji.english[c])) for c in e2]
    yield "e2-all", pictures, [(c, k, names[c]) for k, names in sorted(emoji.names.items())
                               for c in e2 if c in names]
    noto = [p for p in styled["google"] if p[1] not in hidden.concepts]
    shown = {c for _, c in noto}
    names = [(c, language, name) for language in sorted(emoji.names) if language not in E3_LANGUAGES
             for c, name in sorted(emoji.names[language].items())
             if c in shown and is_e3(language, c)]
    yield "e3a", noto, names
    yield "e3b", noto, [(c, language, name) for language in E3_LANGUAGES
                        for c, name in sorted(emoji.names[language].items()) if c in shown]
