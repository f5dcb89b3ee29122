"""The emoji concepts and what they are called in CLDR's languages and in emojilib.

A concept's id is its lower-case hex code points joined by '-', without fe0f, 200d and skin tones.
"""

import collections
import json
import os

LEAST = 500  # names a locale must have to count as a language of its own
MANY = 30  # a keyword of more concepts than this names none of them
KEPT = {"en": 12, "zh": 8}  # keywords of a concept that are kept; elsewhere:
KEPT_ELSEWHERE = 5
# What people say for what CLDR names otherwise, with the weight of a name.
ALIASES = {
    "en": {"automobile": "car", "bicycle": "bike", "airplane": "plane", "mobile phone": "phone",
           "television": "TV", "person": "human", "hamburger": "burger", "red apple": "apple",
           "sport utility vehicle": "SUV", "delivery truck": "truck", "laptop": "computer",
           "camera": "photo camera", "motorcycle": "motorbike", "light bulb": "lamp",
           "hot beverage": "coffee", "bus": "coach", "chair": "seat", "wrapped gift": "present",
           "T-shirt": "tee shirt", "money bag": "bag of money", "deciduous tree": "tree",
           "soccer ball": "football", "wine glass": "glass of wine", "beer mug": "beer",
           "sailboat": "boat", "graduation cap": "academic hat", "crescent moon": "moon",
           "shortcake": "cake", "running shoe": "sneaker", "taxi": "cab", "red heart": "heart",
           "rose": "red rose", "envelope": "letter", "house": "home", "dog": "puppy",
           "teacup without handle": "tea", "cooked rice": "bowl of rice", "sun": "sunshine",
           "eyeglasses": "glasses", "glass of milk": "milk", "oncoming police car": "police"},
    "zh": {"汽车": "车辆", "飞机": "客机", "自行车": "单车", "手机": "电话", "电视机": "电视",
           "红苹果": "苹果", "狗": "小狗", "猫": "小猫", "房子": "房屋"},
}
HIDDEN = (0xFE0F, 0x200D)
TONES = range(0x1F3FB, 0x1F400)


def code_of(text):
    return "-".join(f"{ord(c):x}" for c in text if ord(c) not in HIDDEN and ord(c) not in TONES)


def code_of_file(stem):
    """(concept, skin tones) of a file name like 1F44B-1F3FB."""
    parts = [int(p, 16) for p in stem.split("-")]
    tones = tuple(p for p in parts if p in TONES)
    return "-".join(f"{p:x}" for p in parts if p not in HIDDEN and p not in TONES), tones


def slug(text):
    """'flag: Côte d’Ivoire' -> 'flag cote d ivoire', to compare names of files and icons by."""
    import unicodedata
    text = unicodedata.normalize("NFD", text.lower().replace("&", " and "))
    text = "".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
    return " ".join(text.split())


class Emoji:
    """order: the concepts; group, english: of each; names: language -> concept -> CLDR's name;
    keywords: language -> concept -> [keyword], the rarest first; by_slug: English -> concept."""

    def __init__(self, packages):
        with open(os.path.join(packages.folder("unicode-emoji-json"), "data-by-emoji.json"),
                  encoding="utf-8") as file:
            listed = json.load(file)
        self.order, self.group, self.english, self.by_slug = [], {}, {}, {}
        for char, about in listed.items():
            concept = code_of(char)
            if concept in self.group:
                continue
            self.order.append(concept)
            self.group[concept], self.english[concept] = about["group"], about["name"]
        self.names = collections.defaultdict(dict)
        raw = collections.defaultdict(dict)
        self.read(packages.folder("cldr-annotations-full") + "/annotations", raw)
        self.read(packages.folder("cldr-annotations-derived-full") + "/annotationsDerived", raw)
        few = [k for k, names in self.names.items() if len(names) < LEAST]
        for language in few:
            del self.names[language]
        with open(os.path.join(packages.folder("emojilib"), "dist/emoji-en-US.json"),
                  encoding="utf-8") as file:
            for char, words in json.load(file).items():
                concept = code_of(char)
                if concept in self.group and concept in raw["en"]:
                    raw["en"][concept] += [w.replace("_", " ") for w in words[1:]
                                           if len(w) > 1 and w[0].isalnum()]
        self.keywords = {k: self.sifted(k, raw[k]) for k in self.names}
        for concept in self.order:
            english = self.names["en"].get(concept, self.english[concept])
            for name in (english, self.english[concept]):
                self.by_slug.setdefault(slug(name), concept)
        for concept in self.order:
            alias = ALIASES["en"].get(self.names["en"].get(concept))
            if alias:
                self.by_slug.setdefault(slug(alias), concept)
        # English keywords that one concept alone has, and no name is.
        owners = collections.defaultdict(set)
        for concept, words in raw["en"].items():
            for word in words:
                owners[slug(word)].add(concept)
        self.by_keyword = {w: next(iter(c)) for w, c in owners.items() if len(c) == 1}

    def read(self, folder, raw):
        for locale in sorted(os.listdir(folder)):
            path = os.path.join(folder, locale, "annotations.json")
            with open(path, encoding="utf-8") as file:
                root = json.load(file)
            root = root.get("annotations") or root.get("annotationsDerived")
            for char, about in root.get("annotations", {}).items():
                concept = code_of(char)
                if concept not in self.group or any(ord(c) in TONES for c in char):
                    continue
                name = " ".join(about.get("tts", [""])[0].split())
                if name and "↑" not in name:
                    self.names[locale].setdefault(concept, name)
                raw[locale].setdefault(concept, []).extend(about.get("default", []))

    def sifted(self, language, raw):
        """The keywords that name a concept rather than a crowd, and not another concept."""
        names = self.names[language]
        taken = {n.lower() for n in names.values()}
        count = collections.Counter()
        for words in raw.values():
            count.update({" ".join(w.lower().split()) for w in words})
        kept = {}
        for concept, words in raw.items():
            if concept not in names:
                continue
            name, found = names[concept].lower(), {}
            for word in words:
                word = " ".join(word.split())
                low = word.lower()
                if low and low != name and low not in taken and count[low] <= MANY \
                        and "↑" not in low:
                    found.setdefault(low, word)
            order = list(found)
            ranked = sorted(order, key=lambda w: (count[w], order.index(w)))
            kept[concept] = [(found[w], 1 / count[w] ** 0.5)
                             for w in ranked[:KEPT.get(language, KEPT_ELSEWHERE)]]
        return kept

    def texts(self, concept):
        """[(language, text, weight)]: the name weighs half, the keywords share the rest."""
        found = []
        for language in sorted(self.names):
            name = self.names[language].get(concept)
            if not name:
                continue
            found.append((language, name, 1.0))
            if name in ALIASES.get(language, ()):
                found.append((language, ALIASES[language][name], 0.8))
            if language == "en" and slug(self.english[concept]) != slug(name):
                found.append((language, self.english[concept], 0.5))
            words = self.keywords[language].get(concept, [])
            total = sum(w for _, w in words)
            share = 0.8 * min(1, len(words) / 3)
            found += [(language, text, share * w / total) for text, w in words]
        return found

    def people(self, concept):
        return self.group[concept] == "People & Body"

    def object(self, concept):
        return self.group[concept] not in ("People & Body", "Flags", "Symbols", "Smileys & Emotion")
