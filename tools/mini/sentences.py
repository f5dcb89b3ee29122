"""Sentences about scenes: names, colours, places and sides, in English, Chinese, Japanese, German,
French and Spanish. The question of the demo is never one of them."""

PLACES = {
    "en": {
        "beach": ("on a beach", "on the beach", "at the beach", "on the sand by the sea"),
        "street": ("on a street", "on the street", "on a road", "on the road", "in the street"),
        "forest": ("in a forest", "in the forest", "in the woods", "among trees"),
        "snow": ("in the snow", "on snow", "in a snowy landscape", "in snowy mountains"),
        "night sky": ("in the night sky", "under the night sky", "at night under the stars"),
        "room": ("in a room", "indoors", "inside a house", "in a living room"),
        "desert": ("in a desert", "in the desert", "on desert sand"),
        "sea": ("on the sea", "at sea", "on the ocean", "on the water"),
        "meadow": ("on a meadow", "in a meadow", "on the grass", "in a green field"),
        "city": ("in a city", "in the city", "in front of skyscrapers", "downtown"),
        "underwater": ("underwater", "under the sea", "at the bottom of the sea"),
    },
    "zh": {
        "beach": ("沙滩上", "海滩上", "海边"), "street": ("街道上", "马路上", "公路上", "街上"),
        "forest": ("森林里", "树林里", "森林中"), "snow": ("雪地里", "雪地上", "雪山下"),
        "night sky": ("夜空中", "星空下", "夜空下"), "room": ("房间里", "室内", "屋子里"),
        "desert": ("沙漠里", "沙漠中"), "sea": ("大海上", "海面上", "海上"),
        "meadow": ("草地上", "草原上", "田野里"), "city": ("城市里", "都市里", "高楼前"),
        "underwater": ("水下", "海底"),
    },
    "ja": {
        "beach": ("砂浜", "海辺"), "street": ("道路", "通り"), "forest": ("森の中",),
        "snow": ("雪の中", "雪原"), "night sky": ("夜空",), "room": ("部屋の中", "室内"),
        "desert": ("砂漠",), "sea": ("海の上",), "meadow": ("草原", "草地"), "city": ("街の中", "都会"),
        "underwater": ("水中", "海の底"),
    },
    "de": {
        "beach": ("am Strand",), "street": ("auf der Straße", "auf einer Straße"),
        "forest": ("im Wald", "in einem Wald"), "snow": ("im Schnee", "in verschneiten Bergen"),
        "night sky": ("am Nachthimmel", "unter dem Sternenhimmel"),
        "room": ("in einem Zimmer", "im Haus"),
        "desert": ("in der Wüste",), "sea": ("auf dem Meer", "auf See"),
        "meadow": ("auf einer Wiese", "im Gras"), "city": ("in der Stadt", "vor Hochhäusern"),
        "underwater": ("unter Wasser",),
    },
    "fr": {
        "beach": ("sur la plage", "sur une plage"), "street": ("dans la rue", "sur la route"),
        "forest": ("dans la forêt", "dans les bois"), "snow": ("dans la neige",),
        "night sky": ("dans le ciel nocturne", "sous les étoiles"),
        "room": ("dans une pièce", "à l'intérieur"),
        "desert": ("dans le désert",), "sea": ("sur la mer", "en mer"),
        "meadow": ("dans un pré", "sur l'herbe"), "city": ("dans la ville", "en ville"),
        "underwater": ("sous l'eau",),
    },
    "es": {
        "beach": ("en la playa",), "street": ("en la calle", "en la carretera"),
        "forest": ("en el bosque",), "snow": ("en la nieve",),
        "night sky": ("en el cielo nocturno", "bajo las estrellas"),
        "room": ("en una habitación", "en casa"),
        "desert": ("en el desierto",), "sea": ("en el mar",),
        "meadow": ("en un prado", "sobre la hierba"),
        "city": ("en la ciudad",), "underwater": ("bajo el agua",),
    },
}
ZH = dict(zip(("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black",
               "white",
               "gray"), ("红", "橙", "黄", "绿", "蓝", "紫", "粉", "棕", "黑", "白", "灰")))
JA = dict(zip(ZH, ("赤い", "オレンジ色の", "黄色い", "緑の", "青い", "紫の", "ピンクの", "茶色の", "黒い",
                   "白い", "灰色の")))
DE = dict(zip(ZH, ("rot", "orangefarben", "gelb", "grün", "blau", "violett", "rosafarben", "braun",
                   "schwarz", "weiß", "grau")))
FR = dict(zip(ZH, (("rouge",) * 2, ("orange",) * 2, ("jaune",) * 2, ("vert", "verte"),
                   ("bleu", "bleue"),
                   ("violet", "violette"), ("rose",) * 2, ("marron",) * 2, ("noir", "noire"),
                   ("blanc", "blanche"), ("gris", "grise"))))
ES = dict(zip(ZH, (("rojo", "roja"), ("naranja",) * 2, ("amarillo", "amarilla"), ("verde",) * 2,
                   ("azul",) * 2, ("morado", "morada"), ("rosa",) * 2, ("marrón",) * 2,
                   ("negro", "negra"), ("blanco", "blanca"), ("gris",) * 2)))
# What things are, one word above their name.
KINDS = {"vehicle": ("vehicle", "辆", "车辆"), "animal": ("animal", "只", "动物"),
         "instrument": ("musical instrument", "件", "乐器"), "clothes": ("piece of clothing", "件",
                                                                      "衣物"),
         "furniture": ("piece of furniture", "件", "家具"), "plant": ("plant", "株", "植物"),
         "food": ("fruit", "个", "水果")}
NOT_ON_ROADS = ("rocket", "flying saucer", "airplane", "helicopter", "sailboat", "ship")


def article(word):
    hard = word.startswith(("uni", "UFO"))
    return "an" if word[0].lower() in "aeiou" and not hard else "a"


def shade(r, colour, language="en"):
    """A colour by one of its names."""
    if language == "en" and colour == "gray":
        return r.choice(["gray", "grey"])
    return colour


def noun(language, thing, colour, r=None):
    """'a red car', '一辆红色的汽车', '赤い車', 'ein rotes Auto', 'une voiture rouge'."""
    if language == "en":
        word = shade(r, colour) if r else colour
        return f"{article(word)} {word} {thing.en}"
    if language == "zh":
        of = r.choice(["的", ""]) if r else "的"
        return f"一{thing.measure}{ZH[colour]}色{of}{thing.zh}"
    if language == "ja":
        return JA[colour] + thing.ja
    if language == "de":
        gender, name = thing.de.split(" ", 1)
        ending = {"m": "er", "f": "e", "n": "es"}[gender]
        return f"{'eine' if gender == 'f' else 'ein'} {DE[colour]}{ending} {name}"
    if language == "fr":
        gender, name = thing.fr.split(" ", 1)
        return f"{'une' if gender == 'f' else 'un'} {name} {FR[colour][gender == 'f']}"
    gender, name = thing.es.split(" ", 1)
    return f"{'una' if gender == 'f' else 'un'} {name} {ES[colour][gender == 'f']}"


def full(language, thing, colour, place):
    """The sentence that E11 compares, in the first words of each language."""
    where = PLACES[language][place][0]
    if language == "zh":
        return f"{where}的{noun('zh', thing, colour)}"
    return f"{noun(language, thing, colour)} {where}"


def single(r, thing, colour, place):
    """Texts about one thing: [(language, text, weight)]; place None: on plain ground."""
    a, name = noun("en", thing, colour, r), thing.en
    word = shade(r, colour)
    zh, measure = f"{ZH[colour]}色", thing.measure
    kind = KINDS.get(thing.kind)
    if thing.en in NOT_ON_ROADS:
        kind = None  # 车辆 is said of what runs on wheels
    texts = []
    if place is None:
        texts += [("en", a, 3)]
        en = [f"{word} {name}", f"the {name} is {word}", f"a picture of {a}", f"this is {a}",
              f"what colour is the {name}? {word}", f"one {word} {name}",
              f"{article(name)} {name} in {word}", f"{article(name)} {name}, coloured {word}",
              f"the color of the {name} is {word}", f"show me {a}", f"find {a}"]
        texts += [("en", t, 1) for t in r.sample(en, 3)]
        if kind:
            texts.append(("en", f"{article(word)} {word} {kind[0]}", 0.6))
            texts.append(("zh", f"一{kind[1]}{zh}的{kind[2]}", 0.6))
        texts += [("zh", noun("zh", thing, colour), 3)]
        some = [f"{zh}{thing.zh}", f"{zh}的{thing.zh}", f"这{measure}{thing.zh}是{zh}的",
                f"{thing.zh}是什么颜色的？{zh}", f"一张{zh}{thing.zh}的图片", f"{thing.zh}的颜色是{zh}",
                f"找{noun('zh', thing, colour)}", f"图片里有{noun('zh', thing, colour)}"]
        texts += [("zh", t, 1) for t in r.sample(some, 2)]
        for language in r.sample(["ja", "de", "fr", "es"], 2):
            texts.append((language, noun(language, thing, colour), 1))
        return texts
    first, *_ = PLACES["en"][place]
    where = r.choice(PLACES["en"][place])
    there = r.choice(PLACES["zh"][place])
    texts.append(("en", f"{a} {first}", 3))
    en = [f"{a} {where}", f"{word} {name} {where}", f"the {word} {name} is {where}",
          f"a picture of {a} {where}", f"{where} there is {a}",
          f"the {name} is {word} and it is {where}",
          f"{article(name)} {name} {where}; the {name} is {word}",
          f"there is {a} {where}", f"{a}, {where}",
          f"what colour is the {name} and where is it? {word}, {where}",
          f"where is the {word} {name}? {where}", f"describe the {name}: {word}, {where}",
          f"what is {where}? {a}", f"I am looking for {a} {where}"]
    texts += [("en", t, 1) for t in r.sample(en, 4)]
    texts.append(("en", f"what colour is the {name} and where is it?", 0.15))
    if kind:
        texts.append(("en", f"{article(word)} {word} {kind[0]} {where}", 0.8))
        asked = f"what colour is the {kind[0]}, and what is around it?"
        texts.append(("en", f"{asked} it is {word}, {where}", 0.3))
        texts.append(("zh", f"{there}的一{kind[1]}{zh}{kind[2]}", 0.8))
        texts.append(("zh", r.choice([f"图中的{kind[2]}是{zh}的，位于{there}",
                                      f"{kind[2]}是{zh}的，在{there}",
                                      f"图片里的{kind[2]}是什么颜色，在哪里？{zh}，{there}"]), 0.5))
    texts.append(("zh", full("zh", thing, colour, place), 3))
    some = [f"{there}的{noun('zh', thing, colour, r)}", f"{noun('zh', thing, colour, r)}在{there}",
            f"{there}有{noun('zh', thing, colour, r)}", f"{there}的{zh}{thing.zh}",
            f"{thing.zh}是{zh}的，它在{there}", f"图中的{thing.zh}是{zh}的，场景是{there}",
            f"{zh}的{thing.zh}在哪里？在{there}", f"图片里的{thing.zh}是什么颜色，在什么地方？{zh}，{there}",
            f"一张图片：{there}有{noun('zh', thing, colour, r)}", f"找一张{there}的{zh}{thing.zh}的图片"]
    texts += [("zh", t, 1) for t in r.sample(some, 3)]
    texts.append(("zh", f"图中的{thing.zh}是什么颜色的，在哪里？", 0.15))
    for language in r.sample(["ja", "de", "fr", "es"], 2):
        at = r.choice(PLACES[language][place])
        thing_there = noun(language, thing, colour)
        texts.append((language, f"{at}{r.choice(['の', 'にある'])}{thing_there}" if language == "ja"
                      else f"{thing_there} {at}", 1))
    return texts


def several(r, pairs, place, side=None):
    """Texts about two or three things; side 'left' or 'above': the first is there of the second."""
    def listed(language):
        nouns = [noun(language, t, c, r) for t, c in pairs]
        if language == "zh":
            return "、".join(nouns[:-1]) + "和" + nouns[-1]
        if language == "ja":
            return "と".join(nouns)
        word = {"en": "and", "de": "und", "fr": "et", "es": "y"}[language]
        return ", ".join(nouns[:-1]) + f" {word} " + nouns[-1]

    where = r.choice(PLACES["en"][place]) if place else ""
    there = r.choice(PLACES["zh"][place]) if place else ""
    texts = [("en", f"{listed('en')} {where}".strip(), 2)]
    turned = pairs[1:] + pairs[:1]
    nouns = [noun("en", t, c, r) for t, c in turned]
    texts.append(("en", f"{', '.join(nouns[:-1])} and {nouns[-1]} {where}".strip(), 1))
    thing, colour = r.choice(pairs)
    answer = f"what colour is the {thing.en}? {shade(r, colour)}"
    texts.append(("en", r.choice([f"a picture of {listed('en')} {where}".strip(), answer,
                                  f"how many things are there? {len(pairs)}: {listed('en')}",
                                  f"the {thing.en} is {colour}, {where}".strip(", ")]), 0.7))
    texts.append(("zh", f"{there}的{listed('zh')}" if place else listed("zh"), 2))
    texts.append(("zh", r.choice([f"{there or '图中'}有{listed('zh')}",
                                  f"{thing.zh}是什么颜色的？{ZH[colour]}色",
                                  f"图片里有{listed('zh')}" + (f"，在{there}" if place else "")]), 1))
    language = r.choice(["ja", "de", "fr", "es"])
    at = r.choice(PLACES[language][place]) if place else ""
    if language == "ja":
        texts.append((language, f"{at}にある{listed('ja')}" if place else listed("ja"), 1))
    else:
        texts.append((language, f"{listed(language)} {at}".strip(), 1))
    if side:
        (one, first), (two, second) = pairs
        a, b = noun("en", one, first, r), noun("en", two, second, r)
        za, zb = noun("zh", one, first), noun("zh", two, second)
        if side == "left":
            texts += [("en", r.choice([f"{a} to the left of {b}",
                                       f"{a} on the left and {b} on the right"]), 2),
                      ("en", r.choice([f"{b} to the right of {a}",
                                       f"{b} right of {a} {where}".strip()]), 1.5),
                      ("zh", r.choice([f"左边是{za}，右边是{zb}", f"{za}在{zb}的左边"]), 2)]
        else:
            texts += [("en", r.choice([f"{a} above {b}", f"{a} at the top and {b} at the bottom"]),
                       2),
                      ("en", r.choice([f"{b} below {a}", f"{b} under {a} {where}".strip()]), 1.5),
                      ("zh", r.choice([f"上面是{za}，下面是{zb}", f"{za}在{zb}的上方"]), 2)]
    return texts
