#!/usr/bin/env python3
"""Writes src/text/clip_merges.txt and, in tests/golden/text/, simple.txt and clean.txt.

Every answer comes from open_clip's SimpleTokenizer and its clean functions. Where ftfy's repair of
mojibake (fix_encoding) changes the cleaned text, the case is marked "~" and the answer is that of
the same code with fix_encoding off.

usage: simple_tokenizer.py ROOT OPEN_CLIP_WHEEL      ROOT is the top of the source tree
"""
import functools
import gzip
import html.entities
import importlib.util
import json
import random
import sys
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import ftfy
import regex

PYTHON, FTFY, REGEX, OPEN_CLIP, UNICODE = (3, 11), "6.3.1", "2026.11.15", "3.3.0", "14.0.0"
MODES = {"w": "whitespace", "l": "lower", "c": "canonicalize"}
COUNT = 3000
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
fix_text = ftfy.fix_text
fix_text_plain = functools.partial(fix_text, fix_encoding=False)

CAPTIONS = """a photo of a cat|A Photo Of A CAT!|two dogs playing in the snow.|a black-and-white photo of the Eiffel Tower, 1920|a close-up photo of a dog's nose
itap of a red car|art of the origami bird|a bad photo of my kitchen|the man's 2 bikes & 3 helmets|I'M YOU'RE THEY'VE WE'LL HE'D ISN'T|rock'n'roll o'clock 'tis
Une photo d'un château à Noël|Ein Foto von Übungsbällen auf der Straße|una foto de un niño en el jardín|фотография кошки на диване|Φωτογραφία μιας γάτας στον ΚΗΠΟΣ ΣΟΦΟΣ|صورة قطة على الأريكة
תמונה של חתול שָׁלוֹם|एक बिल्ली की तस्वीर|ภาพถ่ายของแมว|一只猫的照片，在沙发上。|ソファの上の猫の写真|소파 위의 고양이 사진|bức ảnh một con mèo|კატის ფოტო|კ ᲙᲐᲢᲐ|կատվի լուսանկար|ᎣᏏᏲ|በሶፋ ላይ ያለ ድመት
İstanbul'da bir kedi ISTANBUL ıi Iİ|ΑΣ|ΑΣΑ Σ ς|ΌΣΟΣ. ΣΑΣ! (ΑΣ) ΑΣ1 Α\u0301Σ\u0301 Α.Σ.Β|ΑΣ\u00ad ΑΣ\u00adΒ \u02b0Σ|ǄΣ ǅ ǆ Ĳ ĳ ŉ Ǆ|ﬁ ﬂ ﬀ ﬃ ﬄ ﬅ ﬆ ﬁne oﬃce|１２３ ａｂｃ ＡＢＣ！？　＆ａｍｐ；|ﾊﾟｿｺﾝ ｶﾞ ﾡￂ ￥ ￣ ￦
“curly” ‘single’ ‚low‛ „x‟ ʼn it’s don’t|it’s 5 o’clock‘|"straight" 'plain'|🙂👍🏽 👨‍👩‍👧‍👦 👩🏿‍🚀 🇩🇪🇫🇷 1️⃣#️⃣ ❤️|🏴\U000e0067\U000e0062\U000e007f|½ ¾ ² ₃ Ⅷ ⅷ ⑨ 五 ٣ ৪ 𝟗 𝔘𝔫𝔦|K Å Ω \u212a\u0301 \u037e \u1fef \u0340
café|cafe\u0301|Ệ ệ e\u0323\u0302 e\u0302\u0323|Å A\u030a \u212b|한글 한글|\u11935\u11930|\u0958 \ufb1d \u2adc \U0001d15e \U0001d160|a\u0345 \u03b9\u0345 \u0345 ᾳ|क़ ख़|\U00011935\U00011930 \U0001e130\U0001e2ec a\U0001e2ec\u0301\u0323
<start_of_text>|<end_of_text>|<START_OF_TEXT> <End_Of_Text>|a<start_of_text>b|!<start_of_text>|<start_of_text><end_of_text>|<start_of_text>'s <start_of_text|<ſtart_of_text> <end_of_teхt>|&lt;start_of_text&gt; &amp;lt;end_of_text&amp;gt;|<\x01start_of_text>|<|startoftext|> <|endoftext|>
'ſ 'S 's 'T 'RE 'Ve 'M 'LL 'D|'ſt it'ſ ''s '''t|'sa 'ta 'rex 'veal 'mom 'llama 'dog|' s ' t 'r 'v 'l|’ſ ’S ‘LL|'\u017f'\u017f|x'\u0301s
\x1b[31mred\x1b[0m|\x1b[1;33;44mx\x1b[m y|\x1b[ \x1b[1 \x1b[1;|\x1b[１m wide\x1b［0m|\x1b[٣m arabic|\x1b[1\u037em|\x1b[1\u212a|\x1b[1ﬁx|\x1b\x1b[0m[0m|\x1b[3&#49;m a|\x1b[3&amp;#49;m a|\x1b[2J\x1b[H cleared
a\x00b\x01c\x08d\x0be\x0ef\x1fg\x7fh|\u206a\u206f \ufff9\ufffa\ufffb\ufffc \ufffd \ufeff|\ufeffa photo|a\x1cb\x1dc\x1ed\x1fe|a\x80b\x81c\x85d\x8de\x91f\x92g\x99h\x9fi|soft\u00adhyphen zero\u200bwidth\u200c\u200d\u200e|\u202aa\u202e
line\nbreak|line\r\nbreak\r\n\r\nagain\r|a\rb\r\rc|a\u2028b\u2029c\u0085d|\x0ca\x0cb|tab\there  two   three|\u00a0a\u00a0b\u1680c\u2003d\u202fe\u205ff\u3000g|\n\n\n| \t |a\r\x01\nb
Tom &amp; Jerry|Tom &amp;amp; Jerry|&amp;amp;amp;amp;lt;b|&lt;b&gt;bold&lt;/b&gt;|<b>Tom &amp; Jerry</b>|one\n<b>two &amp;\nthree &amp; &eacute;|caf&eacute; CAF&EACUTE; &nTILDE; &NTILDE;|&quot;x&quot; &#39;y&#39; &apos;z|it&#x2019;s &rsquo;s &#8217;s &#146;s|&nbsp;&ensp;a&nbsp;b
&notit; &not; &notin; &copy2024 &copy;2024 &reg &ampamp; &amplt;|&ltb&gt &AMPb &Lt; &LT; &GT|&#65;&#066;&#x43;&#X44;&#x0045; &#70 &#x47 &#x48z|&#0; &#x0; &#13;x &#128; &#129; &#159; &#11; &#127; &#55296; &#xDFFF; &#1114111; &#1114112; &#99999999999; &#xFFFFFFFFFFFF; &#64976; &#65534;|&# &#; &#x; &#xg; &#a; & && &&amp; &; &a;
&#38;amp; &#38;#38;lt; &amp;#38;amp;|&am&#112; &am&#112;; &a&#109;p; &amp&semi; &amp&#59; &#59; &amp；＆amp;|&amp\u037e &am\x01p; &am\ufeffp; &am\x1b[0mp;|&fjlig; &filig; &ffilig; &FFILIG; &napos; &IJlig; &SZLIG;|&nGt; &NotEqualTilde; &bne; &nvlt; &ThickSpace;x|&CounterClockwiseContourIntegral; &DoubleLongLeftRightArrow;|&NewLine;&Tab;x&#10;&#13;&#10;y|&#x1100;&#x1161;&#x11a8; e&#x301; &equals;\u0338 =\u0338 &gt;\u0338
&zwj;&zwnj;&shy;&lrm; x&InvisibleComma;y|&#xFEFF;&#xFFFC;z|&#xFF21;&#xFF06;amp;|&#x3000;&#x2028;a|&#x01C4; &#xFB01;|&ls&#x71;uo; &l&#115quo;|&amp;copy &amp;notit; &amp;amp
it_s snake_case __init__ (a) [b] {c} <d> a-b/c\\d|$100.00 €5 £3 ¥9 10% #tag @me|C:\\path\\file.jpg https://example.com/a?b=c&d=e&lt=f&copy=1|!!!???...|---___===|a+b=c*d/e^f|… – — ‐ • ★ → √ ™ ® ©|3.14159 -2,000 1st a1b2c3
â€œmojibakeâ€\x9d|donâ€™t|cafÃ©|Ã¼ber Ã la mode|æ—¥æœ¬èªž|ðŸ˜€ smile|schÃ¶n|â€¦ â€“ â€”|naÃ¯ve cafÃ© â€œxâ€|l’humanitÃ©|Â£5 Â©|Ð¿Ñ€Ð¸Ð²ÐµÑ‚|Ã¢â‚¬â„¢|&Atilde;&copy; x|voilÃ le travail|IÃ±tÃ«rnÃ¢tiÃ´nÃ lizÃ¦tiÃ¸n|Ã\x83Â©|\x93quoted\x94 \x85|ã\x83\x84|sÃ³ Ã³""".replace("\n", "|").split("|")


def texts(merges, rng):
    out = list(CAPTIONS)
    add = out.append
    add("")
    for s in (" ", "\t\n ", "\u3000", "\x85\u2028", " " * 300, "\x1c", "\x01", "\ufeff", "\x80\x9f", "&nbsp;", "&#1;", "&", ";", "<", "\x1b", "_", "&zwnj;"):
        add(s)
        add("a" + s + "b")
    # Bars inside the literals were separators above.
    for lit in ("<start_of_text>", "<end_of_text>", "<START_of_TEXT>", "<|startoftext|>", "<|endoftext|>"):
        for form in ("{}", " {} ", "a{}", "{}b", "a {} b", "{}{}", "!{}", "{}!", "'{}'s", "{}1", "{}\u0301", "日{}本", "{}s", "<{}>", "a {} &amp; b"):
            add(form.replace("{}", lit))
    for i in range(1, 15):
        add("<start_of_text>"[:i] + " " + "<start_of_text>"[i:])
        add("<end_of_text>"[:i])
    for c in range(0x20):
        add(f"x{chr(c)}y{chr(c)}{chr(c)} z")
    for c in range(0x7E, 0x180, 2):
        add(f"{chr(c)} a{chr(c)}{chr(c + 1)}1")
    names = sorted(html.entities.html5)
    upper = sorted(set(ftfy.chardata.HTML_ENTITIES) - {"&" + n for n in names})

    def entity():
        k = rng.random()
        if k < 0.35:
            e = "&" + rng.choice(names)
        elif k < 0.5:
            e = rng.choice(upper)
        elif k < 0.7:
            e = f"&#{rng.choice([rng.choice(CODE_POINTS), rng.randrange(256), rng.randrange(0x3000)])}{rng.choice([';', ';', ''])}"
        elif k < 0.85:
            e = f"&#{rng.choice('xX')}{rng.choice([rng.choice(CODE_POINTS), rng.randrange(256), 0x26, 0x3B]):x}{rng.choice([';', ';', ''])}"
        else:
            e = "&" + rng.choice(["amp", "lt", "gt", "notit", "copyx", "", "#", "#x", "AMP", "Amp", "nbsp", "euml"]) + rng.choice(["", ";"])
        for _ in range(rng.choice([0, 0, 0, 1, 1, 2, 3])):
            e = e.replace("&", rng.choice(["&amp;", "&amp;", "&#38;", "＆", "&amp", "&AMP;"]))
        if rng.random() < 0.15:
            e = e.replace(";", rng.choice(["&semi;", "\u037e", "；", "&#59;", "&#xff1b;"]))
        if rng.random() < 0.1:
            i = rng.randrange(len(e) + 1)
            e = e[:i] + rng.choice(["\x01", "\ufeff", "\x1b[0m", "&#1;", "\u212a", "\u0301"]) + e[i:]
        return e

    for _ in range(450):
        add("".join(rng.choice([entity(), entity(), "a cat ", "E\u0301", " ", "=", "Σ"]) for _ in range(rng.randrange(1, 6))))
    for _ in range(120):
        add("".join(rng.choice("&amp;#x3b;lt1279 ") for _ in range(rng.randrange(1, 40))))
    marks = [chr(c) for c in CODE_POINTS if unicodedata.combining(chr(c))]
    for _ in range(130):
        add(rng.choice("aeiouAEIOUsncΣΩ=<") + "".join(rng.choice(marks) for _ in range(rng.randrange(1, 6))) + rng.choice(["", "x", " "]))
    jamo = [chr(c) for c in [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3), *range(0xFFA1, 0xFFDD)]]
    for _ in range(40):
        add("".join(rng.choice(jamo + ["가", "각", " "]) for _ in range(rng.randrange(1, 9))))
    by_category = {}
    for c in CODE_POINTS:
        by_category.setdefault(unicodedata.category(chr(c)), []).append(c)
    for category, members in sorted(by_category.items()):
        for c in rng.sample(members, min(9, len(members))):
            add(f"{chr(c)} a{chr(c)}1{chr(c)}{chr(c)}!")
    # Letters, numbers and marks that the libraries' Unicode versions disagree about.
    for c in (0x1C89, 0xA7CB, 0xA7CE, 0xA7DC, 0x10D50, 0x10D40, 0x16EA0, 0x2EBF0, 0x2EE5D, 0x323B0, 0x11938, 0x1DFA, 0x0897, 0x1E4D0, 0x1E4EC, 0x105C9, 0x3D000, 0x18D09):
        add(f"{chr(c)} a{chr(c)}b {chr(c)}{chr(c)}1")
    words = [a + b for a, b in merges if (a + b).isascii() and (a + b).replace("</w>", "").isalpha()]
    for i in range(0, len(merges), 290):
        raw = "".join(merges[i]).replace("</w>", " ")
        if raw.isascii():
            add(rng.choice([raw, raw.strip().upper() + "x", raw.title()]))
    for unit in ("a", "the", "na", "é", "日", "🙂", "!", "-=", "1", "'", "'s", "x\u0301", "&amp;", "Σ", "antidisestablishmentarianism"):
        for n in (10, 76, 200):
            add(unit * n)
    for unit in ("a", "ab", "&amp;", "e\u0301"):
        add(unit * 4000)
    for n in (1, 2, 3, 5, 8, 13, 21, 34, 55, 74, 75, 76, 77, 100):
        for _ in range(5):
            add(" ".join(rng.choice(words).replace("</w>", "") for _ in range(n)))
    for n in (74, 75, 76):
        add(" ".join(["a"] * n))
        add("a " * n + "<end_of_text>")
    everyday = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ      0123456789.,!?'-\"&%()_<;"
    pools = ["abcXYZ 'stremvldſ", "<|>_startofendxSTARTOFENDX ", "éèêñçßøåÆŒ’“ ", "абвгДЕЖ ", "αβγΣΩςΣΣ.'1\u0301 ", "אבגד ", "ابتث٣ ", "กขคงเแ่้ ", "漢字仮名交 ", "가나다라 ", "🙂😀👍🏽🏿‍♂️🇩🇪 ",
             "\u0300\u0301\u0323\u0327\u0345ae ", "½²Ⅷ٣1 ", "\t\n\r\u0085\u00a0 ab", "\x01\x1c\x1f\x7f\u200b x\ufeff", "ﬁＡ１㎏℃ǅŉ ", "\x1b[;1m٣ ", "\x80\x91\x93\x99 abc", "Iİıi "]
    for pool in pools:
        for _ in range(14):
            add("".join(rng.choice(pool) for _ in range(rng.randrange(1, 24))))
    mixed = "".join(pools)
    for _ in range(170):
        add("".join(rng.choice(everyday) for _ in range(rng.randrange(1, 60))))
        add("".join(rng.choice(mixed) for _ in range(rng.randrange(1, 30))))
    # Mojibake: UTF-8 read as a single-byte encoding.
    for text in CAPTIONS[10:90] + ["“x” ’", "é", "日本", "Привет", "façade — naïve"]:
        for encoding in ("latin-1", "cp1252", "cp1251"):
            try:
                broken = text.encode().decode(encoding)
            except (UnicodeDecodeError, UnicodeEncodeError):
                continue
            if broken != text and rng.random() < 0.8:
                add(broken[:60])
    out = list(dict.fromkeys(out))
    while len(out) < COUNT:
        s = "".join(chr(rng.choice(by_category[rng.choice(list(by_category))])) for _ in range(rng.randrange(1, 9)))
        if not any(0xD800 <= ord(c) <= 0xDFFF for c in s) and s not in out:
            out.append(s)
    assert not any(0xD800 <= ord(c) <= 0xDFFF for s in out for c in s)
    return out


def escape(text):
    """One line, printable ASCII; \\HH a byte."""
    return "".join(chr(b) if 0x20 < b < 0x7F and b != 0x5C else f"\\{b:02x}" for b in text.encode())


def shorten(text):
    """=N:UNIT for a long repetition, so that the file stays small."""
    for size in range(1, 40):
        n, rest = divmod(len(text), size)
        if n > 8 and not rest and text[:size] * n == text:
            return f"={n}:{escape(text[:size])}"
    return ":" + escape(text)


def clean(tokenizer, text):
    """The cleaned text without repair of mojibake, and whether the repair would change it."""
    ftfy.fix_text = fix_text
    whole = tokenizer.clean_fn(text)
    ftfy.fix_text = fix_text_plain
    cleaned = tokenizer.clean_fn(text)
    return cleaned, whole != cleaned


def case(mode, tokenizer, text, n):
    _, mended = clean(tokenizer, text)
    whole = tokenizer.encode(text)
    ids = tokenizer(text, context_length=n)[0].tolist()
    kept = min(len(whole), n - 2)
    assert ids == [49406] + whole[:kept] + [49407] + [0] * (n - 2 - kept)
    mark, cut = "~" if mended else "=", "+" if len(whole) > kept else ""
    line = f"{mode}{mark} {n}{cut} {shorten(text)} {' '.join(map(str, whole[:kept]))}".rstrip() + "\n"
    return line, mended


def main(root, wheel):
    assert sys.version_info[:2] == PYTHON and unicodedata.unidata_version == UNICODE
    assert ftfy.__version__ == FTFY and regex.__version__ == REGEX
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as z:
        z.extract("open_clip/tokenizer.py", folder)
        z.extract("open_clip/bpe_simple_vocab_16e6.txt.gz", folder)
        assert f'"{OPEN_CLIP}"' in z.read("open_clip/version.py").decode().replace("'", '"')
        spec = importlib.util.spec_from_file_location("tokenizer", f"{folder}/open_clip/tokenizer.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        lines = gzip.open(module.default_bpe()).read().decode("utf-8").split("\n")
        tokenizers = {mode: module.SimpleTokenizer(clean=name) for mode, name in MODES.items()}
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    # clip_merges.c and bpe.c rest on this: no symbol is made twice, and each before it is used. Then
    # the pair of lowest rank, leftmost first, is what the reference's sweeps come to.
    known = set(module.bytes_to_unicode().values())
    known |= {s + "</w>" for s in known}
    for a, b in merges:
        assert a in known and b in known and a + b not in known and len((a + b).encode()) < 2000
        known.add(a + b)
    (root / "src/text/clip_merges.txt").write_text(
        "#version: 0.2\n"
        "#OpenAI's merge list of CLIP (github.com/openai/CLIP, bpe_simple_vocab_16e6.txt), its first 48,894.\n"
        "#MIT licence, Copyright (c) 2021 OpenAI. Written by tools/oracle/simple_tokenizer.py.\n"
        + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8", newline="\n")

    golden, rng = root / "tests/golden/text", random.Random(2021)
    made = f"# generated by tools/oracle/simple_tokenizer.py; open_clip {OPEN_CLIP}, ftfy {FTFY}, regex {REGEX}, CPython 3.11\n"
    strings, lines, counts, mended_texts = texts(merges, rng), [], {m: [0, 0] for m in MODES}, []
    for i, text in enumerate(strings):
        for mode in MODES:
            if mode == "l" or i % 8 == 0:
                n = (2, 3, 5, 16, 300)[i // 16 % 5] if i % 16 == 0 and mode != "l" else 77
                line, mended = case(mode, tokenizers[mode], text, n)
                lines.append(line)
                counts[mode][0] += 1
                counts[mode][1] += mended
                if mended and mode == "l":
                    mended_texts.append(text)
    (golden / "simple.txt").write_text(
        made + "# mode (w l c: whitespace, lower, canonicalize), = or ~ (fix_encoding would change it), context\n"
        "# length (+ when cut), :text or =N:text for N times; ids without start, end and padding\n" + "".join(lines))

    # Cleaned text: every entity, every code point between two letters, and a quarter of the strings.
    cleaned = []
    for text in ["1&" + n + "2" for n in sorted(html.entities.html5)] + [e for e in sorted(ftfy.chardata.HTML_ENTITIES)] + [s for s in strings[1::8] if len(s) < 400]:
        result, mended = clean(tokenizers["l"], text)
        cleaned.append(f"l{'~' if mended else '='} :{escape(text)} :{escape(result)}\n")
    ftfy.fix_text = fix_text_plain
    changed = {"l": 0}
    for mode in changed:
        for c in CODE_POINTS:
            text = f"x{chr(c)}y"
            result = tokenizers[mode].clean_fn(text)
            if result != text:
                changed[mode] += 1
                cleaned.append(f"{mode}@ {c:x} :{escape(result)}\n")
    (golden / "clean.txt").write_text(
        made + "# mode and mark as in simple.txt, :text :cleaned; or mode@, a code point, what becomes of it between x\n"
        "# and y; the code points that are not listed stay as they are\n" + "".join(cleaned))
    manifest = {"script": "tools/oracle/simple_tokenizer.py", "open-clip-torch": OPEN_CLIP, "ftfy": FTFY, "regex": REGEX, "python": "3.11",
                "unicodedata": UNICODE, "strings": len(strings), "cases [all, changed by fix_encoding]": {MODES[m]: c for m, c in counts.items()},
                "cleaned": len(cleaned), "code points changed": {MODES[m]: n for m, n in changed.items()},
                "bytes": {f: (golden / f).stat().st_size for f in ("simple.txt", "clean.txt")}}
    (golden / "simple.manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps(manifest, indent=1))
    for text in mended_texts[:60]:
        print(ascii(text))


main(Path(sys.argv[1]), sys.argv[2])
