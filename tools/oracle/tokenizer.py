#!/usr/bin/env python3
"""Writes tests/golden/text/: CLIP's vocabulary, small tokenizers in many forms, and golden ids.

Every id comes from transformers' CLIPTokenizer.from_pretrained on the files written here.

usage: tokenizer.py ROOT OPEN_CLIP_WHEEL      ROOT is the top of the source tree
"""
import gzip
import json
import random
import shutil
import sys
import unicodedata
import zipfile
from pathlib import Path

import tokenizers
import transformers
from transformers import CLIPTokenizer

TRANSFORMERS, TOKENIZERS = "5.23.0", "0.23.3"
SOT, EOT = "<|startoftext|>", "<|endoftext|>"
rng = random.Random(77)


def byte_characters():
    prints = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in prints]
    return [chr(b) for b in prints] + [chr(256 + i) for i in range(len(others))]


def vocabulary(merges, lacking=()):
    symbols = byte_characters()
    tokens = symbols + [s + "</w>" for s in symbols] + [a + b for a, b in merges]
    tokens = [t for t in dict.fromkeys(tokens) if t not in lacking] + [SOT, EOT]
    return {t: i for i, t in enumerate(tokens)}


def write(path, value):
    if isinstance(value, str):
        path.write_text(value, encoding="utf-8", newline="\n")
    else:
        path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def merges_text(merges):
    return "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges)


def texts(merges):
    """Strings for the real vocabulary."""
    out = []
    add = out.append

    def random_text(alphabet, low, high):
        return "".join(rng.choice(alphabet) for _ in range(rng.randrange(low, high)))

    for s in """a photo of a cat|a photo of a cat.|A Photo Of A CAT!|two dogs playing in the snow|don't 2024 x&amp;y
it’s|it's|IT'S|１２３ ａｂｃ|ﬁ ligature ﬀ ﬃ|café|cafe\u0301|日本語 テキスト|🙂👍🏽|ΑΣ|ΑΣΑ Σ ς|İstanbul|ISTANBUL ıi|straße STRASSE ẞ
Ǆ ǅ ǆ|Ⱥ ȿ Ȿ|Ω K Å|<|STARTOFTEXT|>|<|startoftext|>|<|endoftext|>|a<|endoftext|>b|a <|startoftext|> b|<|startoftext|><|endoftext|>
!<|STARTOFTEXT|>!!|<|EndOfText|>'s|<|endoftext|>'s|'<|ENDOFTEXT|>|x<|STARTOFTEXT|>'ll|<|startoftext|<|startoftext|>|<<|endoftext|>>
<start_of_text>|<end_of_text>|&lt;b&gt; &amp;amp; &#39;|<b>bold</b>|I'm you're they've we'll he'd isn't that's|I'M YOU'RE THEY'VE WE'LL HE'D ISN'T
'sa 'ta 'rex 'veal 'mom 'llama 'dog|''s '''t|'S 'T 'RE|' s ' t|'ſ|’s ‘t|rock'n'roll|o'clock 'tis|a'b'c'd's|'r 'v 'l
1234567890|3.14159 -2,000|½ ¾ ² ₃ Ⅷ ⑨ 五 ٣ ৪ 𝟗|a1b2c3|x²y|№ 5|1st 2nd 3rd|٠١٢٣|๑๒๓|𝔘𝔫𝔦𝔠𝔬𝔡𝔢|ＡＢＣ|ﾊﾝｶｸ
สวัสดีครับ ภาษาไทย|مرحبا بالعالم|שלום עולם שָׁלוֹם|नमस्ते दुनिया|привет МИР|გამარჯობა ᲒᲐᲛᲐᲠᲯᲝᲑᲐ|ᎣᏏᏲ ꭰꭱ|안녕하세요 세계|한글|한글|你好，世界！|漢字かなカナ|Việt Nam tiếng|Ệ ệ Ệ
👨‍👩‍👧‍👦|👩🏿‍🚀|🇩🇪🇫🇷🇯🇵|1️⃣2️⃣#️⃣|🏳️‍🌈 🏴‍☠️|❤️ ❤|😀😀😀|☺︎☺️|\u200f\u200eabc\u202e def\u202c|a\u200bb\u200cc\u200dd|\ufeffbom|soft\u00adhyphen
a\u0085b|a\u00a0b|a\u1680b\u2003c\u2028d\u2029e\u3000f|a\u001cb\u001dc\u001ed\u001fe|tab\there|line\nbreak\r\nagain\x0b\x0c|\ufffe \uffff \U0001fffe|\ue000\uf8ff|\U000e0001\U000e0041|\u0378\U0003fffd|\U0010ffff
C:\\path\\file.jpg|https://example.com/a?b=c&d=e#f|user@example.com|#hashtag @mention|$100.00 €5 £3 ¥9|a+b=c*d/e^f|!!!???...|---___===|"quoted" 'single'|(paren) [brack] {brace}|\\n\\t|~`|… – — ‐|•◦‣|★☆♥♦|→←↑↓|√∞≈≠|™®©""".replace("\n", "|").split("|"):
        add(s)
    # The separator above eats the bars of the literals: they come again, whole.
    literals = [SOT, EOT, SOT.upper(), EOT.upper(), "<|StartOfText|>", "<|endOfText|>"]
    for lit in literals:
        for form in ("{}", " {}", "{} ", "  {}  ", "a{}", "{}b", "a{}b", "a {} b", "{}{}", "{} {}", "!{}", "{}!", "{}!!'s",
                     "<{}>", "|{}|", "'{}'", "{}'s", "{}1", "1{}1", "{}\u0301", "e{}\u0301", "\t{}\n", "{}\u0085", "日{}本",
                     "{}<|", "<|{}", "{}s", "{}|>", "<|startoftext{}", "a cat {} a dog"):
            add(form.replace("{}", lit))
    for i in range(len(SOT)):
        add(SOT[:i] + " " + SOT[i:])
        add(EOT[:-1] * (i + 1))
        add(SOT[: i + 1])
    add("")
    for s in (" ", "  ", "\t\n ", "\u3000", "\u0085\u2028", " " * 1000, "\x1c", "\x01", "\x7f", "\x80\x9f"):
        add(s)
        add("a" + s + "b")
    for c in range(1, 0x180):
        add(chr(c))
        if c < 0x40:
            add(f"x{chr(c)}y{chr(c)}{chr(c)} z")
    # Some of every category, alone and between letters and digits.
    by_category = {}
    for c in range(0x110000):
        if not 0xD800 <= c <= 0xDFFF:
            by_category.setdefault(unicodedata.category(chr(c)), []).append(c)
    for category, members in sorted(by_category.items()):
        for c in rng.sample(members, min(14, len(members))):
            add(chr(c))
            add(f"a{chr(c)}1{chr(c)}{chr(c)}!")
    # What unicodedata's version and the library's say differently about: late additions.
    for c in (0x1C89, 0x1C8A, 0xA7CB, 0xA7CE, 0xA7D2, 0xA7DC, 0x10D50, 0x16EA0, 0x2EBF0, 0x2EE5D, 0x10D40, 0x11938, 0x1133, 0x16FF0, 0x1DFA, 0x31350, 0x323AF, 0x1E4D0, 0x105C9):
        add(chr(c))
        add(f"a{chr(c)}b {chr(c)}{chr(c)}1")
    for c in (0x212B, 0x2126, 0x1F71, 0x0958, 0x2ADC, 0xFB1D, 0x1D15E, 0xF900, 0x2F800, 0x0344, 0x0F73, 0x1E9B, 0x0374, 0x037E, 0x0387):
        add(chr(c))
        add(f"x{chr(c)}\u0323\u0301y")
    marks = [chr(c) for c in range(0x300, 0x370)] + list("\u05b0\u05b4\u064b\u0651\u093c\u094d\u0e38\u0f71\u3099\u302a\u1dce\u20d0")
    for _ in range(160):
        add(rng.choice("aeiouAEIOUsnc") + "".join(rng.choice(marks) for _ in range(rng.randrange(1, 7))) + rng.choice(["", "x", " "]))
    for n in (10, 31, 32, 33, 34, 100, 1000):
        add("a" + "".join(rng.choice(marks) for _ in range(n)))
    jamo = [chr(c) for c in [*range(0x1100, 0x1113), *range(0x1161, 0x1176), *range(0x11A7, 0x11C3)]]
    for _ in range(40):
        add("".join(rng.choice(jamo + ["가", "각", " "]) for _ in range(rng.randrange(1, 9))))
    for s in ("Äpfel ÖL Übung", "naïve façade", "Ångström", "ạ̈ ậ ệ", "ñ Ñ", "가각갂", "ཱི", "क़ ख़", "が ガ ぱ"):
        add(unicodedata.normalize("NFC", s))
        add(unicodedata.normalize("NFD", s))
    # Long words and texts.
    words = [(a + b) for a, b in merges if (a + b).isascii() and (a + b).replace("</w>", "").isalpha()]
    for i in range(0, 700):
        a, b = merges[i]
        w = (a + b).replace("</w>", "")
        if w.isascii():
            add(w)
    for i in range(700, len(merges), 160):
        a, b = merges[i]
        raw = (a + b).replace("</w>", " ")
        if raw.isascii():
            add(raw)
            add(raw.strip().upper() + "x")
    for unit in ("a", "ab", "the", "na", "ha", "lol", "é", "日", "🙂", "!", "-=", "1", "'", "'s", "x\u0301"):
        for n in (10, 77, 333):
            add(unit * n)
    for unit in ("a", "ab", "é", "antidisestablishmentarianism", "!?"):
        add(unit * (10000 // len(unit)))
    sentence = lambda n: " ".join(rng.choice(words).replace("</w>", "") for _ in range(n))
    for n in (1, 2, 3, 5, 8, 13, 21, 34, 55, 74, 75, 76, 77, 78, 100, 200, 500):
        for _ in range(8):
            add(sentence(n))
    for n in (73, 74, 75, 76, 77):
        add(" ".join(["a"] * n))
        add(" ".join(["a"] * n) + " " + EOT)
        add("1" * n)
    everyday = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ      0123456789.,!?'-\"&%()"
    for _ in range(350):
        add(random_text(everyday, 1, 60))
    pools = ["abcXYZ 'stremvld", "<|>startofendx ", "éèêñçßøåÆŒ ", "абвгДЕЖ ", "αβγΣΩς ", "אבגד ", "ابتث ", "กขคงเแ่้ ", "漢字仮名交 ", "가나다라 ",
             "🙂😀👍🏽🏿‍♂️🇩🇪 ", "\u0300\u0301\u0323\u0327ae ", "½²Ⅷ٣1 ", "\t\n\r\u0085\u00a0 ab", "\x01\x1c\x1f\x7f\u200b x", "ﬁＡ１㎏℃ "]
    for pool in pools:
        for _ in range(14):
            add(random_text(pool, 1, 24))
    mixed = "".join(pools)
    for _ in range(400):
        add(random_text(mixed, 1, 30))
    for _ in range(150):
        add("".join(chr(rng.choice(by_category[rng.choice(list(by_category))])) for _ in range(rng.randrange(1, 9))).replace("\0", "")
            .encode("utf-8", "ignore").decode())
    out += ["\0", "a\0b", " \0\0 x"]
    return [t for t in dict.fromkeys(out) if all(not 0xD800 <= ord(c) <= 0xDFFF for c in t)]


def escape(text):
    """One line, printable ASCII: backslash forms as in C for what is not; \\xHH a byte."""
    return "".join(chr(b) if 0x20 < b < 0x7F and b != 0x5C else f"\\{b:02x}" for b in text.encode())


def shorten(text):
    """UNIT*N for a long repetition, so that the file stays small: written as =N:UNIT."""
    for size in range(1, 40):
        n, rest = divmod(len(text), size)
        if n > 8 and not rest and text[:size] * n == text:
            return f"={n}:{escape(text[:size])}"
    return ":" + escape(text)


def case(tokenizer, text, n):
    ids = tokenizer(text, truncation=True, max_length=n)["input_ids"]
    whole = tokenizer(text)["input_ids"]
    return f"{n}{'+' if len(whole) > len(ids) else ''} {shorten(text)} {' '.join(map(str, ids[1:-1]))}".rstrip() + "\n", ids


def token(content, **flags):
    base = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"content": content, **{**base, **flags}}


def variants(root, merges):
    """Small tokenizers: {name: {file: content}}.

    No two normalized tokens of one tokenizer have the same lower case: which of them the reference
    then finds changes from run to run.
    """
    few = merges[:400]
    vocab = vocabulary(few)
    sot, eot = vocab[SOT], vocab[EOT]
    next_id = len(vocab)
    scratch = root / "scratch"
    scratch.mkdir(exist_ok=True)
    write(scratch / "vocab.json", vocab)
    write(scratch / "merges.txt", merges_text(few))
    CLIPTokenizer.from_pretrained(scratch, model_max_length=77).save_pretrained(scratch / "saved")
    saved = json.loads((scratch / "saved/tokenizer.json").read_text())
    saved_config = json.loads((scratch / "saved/tokenizer_config.json").read_text())
    CLIPTokenizer.from_pretrained(scratch).save_pretrained(scratch / "unlimited")
    unlimited_config = json.loads((scratch / "unlimited/tokenizer_config.json").read_text())
    shutil.rmtree(scratch)

    def with_tokens(*tokens, merges_as_text=False, model=None, **parts):
        j = json.loads(json.dumps(saved))
        j["added_tokens"] = [dict(id=i, **t) for i, t in tokens]
        if merges_as_text:
            j["model"]["merges"] = [" ".join(m) for m in j["model"]["merges"]]
        j["model"].update(model or {})
        j.update(parts)
        return j

    published = [(sot, token(SOT, normalized=True, special=True)), (eot, token(EOT, normalized=True, special=True))]
    plain = [(sot, token(SOT, special=True)), (eot, token(EOT, special=True))]
    old_token = lambda c: {"content": c, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "__type": "AddedToken"}
    published_config = {"unk_token": old_token(EOT), "bos_token": old_token(SOT), "eos_token": old_token(EOT), "pad_token": EOT,
                        "add_prefix_space": False, "errors": "replace", "do_lower_case": True, "model_max_length": 77,
                        "special_tokens_map_file": "./special_tokens_map.json", "tokenizer_class": "CLIPTokenizer"}
    map_token = lambda c: {k: v for k, v in old_token(c).items() if k != "__type"}
    published_map = {"bos_token": map_token(SOT), "eos_token": map_token(EOT), "unk_token": map_token(EOT), "pad_token": EOT}
    old_pattern = json.loads(json.dumps(saved["pre_tokenizer"]))
    old_pattern["pretokenizers"][0]["pattern"]["Regex"] = old_pattern["pretokenizers"][0]["pattern"]["Regex"].split("endoftext\\|>|")[1]
    extras = [token("<cat>"), token("<Dog>", normalized=True), token("word", single_word=True), token("Word", single_word=True, normalized=True),
              token("[L]", lstrip=True), token("[R]", rstrip=True), token("[B]", lstrip=True, rstrip=True, normalized=True),
              token("cat", normalized=True), token("ca"), token("<cat><cat>"), token(" sp "), token("É", normalized=True),
              token("Straße"), token("日本", special=True), token("[LS]", lstrip=True, single_word=True), token("  x", normalized=True)]
    numbered = [(next_id + i, t) for i, t in enumerate(extras)]
    no_start = {t: i for i, t in enumerate(t for t in vocab if t != SOT)}
    no_both = {t: i for i, t in enumerate(t for t in vocab if t not in (SOT, EOT))}
    lacking = vocabulary(few, lacking=("z", "z</w>", "q</w>", "Ã", "©</w>", "!</w>"))
    lacking_merges = [m for m in few if "z" not in m and "z</w>" not in m and "q</w>" not in m and "Ã" not in m and "©</w>" not in m and "!</w>" not in m]
    lacking = {t: i for i, t in enumerate(t for t in lacking if all(t != a + b for a, b in few) or any(t == a + b for a, b in lacking_merges))}
    files = {"vocab.json": vocab, "merges.txt": merges_text(few)}
    return {
        "saved": {"tokenizer.json": saved, "tokenizer_config.json": saved_config},
        "alone": {"tokenizer.json": saved},
        "published": {"tokenizer.json": with_tokens(*published, merges_as_text=True, pre_tokenizer=old_pattern),
                      "tokenizer_config.json": published_config, "special_tokens_map.json": published_map},
        "escaped": {"tokenizer.json": json.dumps(with_tokens(*plain, *numbered, merges_as_text=True), indent=2)},
        "files": files,
        "files-config": {**files, "tokenizer_config.json": published_config, "special_tokens_map.json": published_map},
        "files-config-only": {**files, "tokenizer_config.json": published_config},
        "files-crlf": {"vocab.json": vocab, "merges.txt": merges_text(few).replace("\n", "\r\n")},
        "unlimited": {**files, "tokenizer_config.json": unlimited_config},
        "added": {"tokenizer.json": with_tokens(*plain, *numbered)},
        "added-published": {"tokenizer.json": with_tokens(*published, *numbered), "tokenizer_config.json": published_config},
        "added-reversed": {"tokenizer.json": with_tokens(*[(next_id + 90 - i, t) for i, t in enumerate(extras)], *plain)},
        "added-json": {**files, "added_tokens.json": {"<new>": next_id, "<old>": next_id + 1, "<|x|>": next_id + 7},
                       "special_tokens_map.json": {"additional_special_tokens": ["<|x|>", "<|y|>"]}},
        "added-json-start": {**files, "added_tokens.json": {"<|startoftext|>": sot, "<|endoftext|>": eot, "<c>": 7}},
        "added-json-named": {**files, "added_tokens.json": {"<|startoftext|>": sot, "<|endoftext|>": eot, "<Mask>": next_id},
                             "special_tokens_map.json": {"bos_token": SOT, "mask_token": "<Mask>", "cls_token": map_token("<Cls>")}},
        "decoder": {"tokenizer.json": with_tokens(*published, *numbered),
                    "tokenizer_config.json": {"added_tokens_decoder": {str(sot): token(SOT, lstrip=True, special=True), str(eot): token(EOT, rstrip=True, special=True),
                                                                       str(next_id): token("<z>", normalized=True)}, "model_max_length": 20,
                                              "additional_special_tokens": ["<extra>", "<EXTRA>"], "mask_token": "<mask>", "image_token": "<image>"}},
        "extra": {**files, "tokenizer_config.json": {"extra_special_tokens": ["<one>", "<two>"], "cls_token": "<cls>", "model_max_length": 32.0}},
        "twice": {"tokenizer.json": with_tokens(*plain, (next_id, token("<t>")), (next_id + 1, token("<t>", lstrip=True, normalized=True)), (next_id + 2, token("<W>", normalized=True)),
                                                (next_id + 3, token("<u>", lstrip=True)), (next_id + 4, token("<u>", special=True)),
                                                (next_id + 5, token("<v>", normalized=True)), (next_id + 6, token("<v>", rstrip=True)))},
        "left": {**files, "tokenizer_config.json": {"truncation_side": "left"}},
        "left-json": {"tokenizer.json": with_tokens(*plain, truncation={"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0})},
        "split-special": {"tokenizer.json": with_tokens(*plain, *numbered), "tokenizer_config.json": {"split_special_tokens": True}},
        "no-start": {"vocab.json": no_start, "merges.txt": merges_text(few)},
        "no-start-no-end": {"tokenizer.json": with_tokens((len(no_both), token(SOT, special=True)), (len(no_both) + 1, token(EOT, special=True)), model={"vocab": no_both})},
        "named": {**files, "tokenizer_config.json": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "!", "pad_token": None}},
        "lacking": {"vocab.json": lacking, "merges.txt": merges_text(lacking_merges)},
        "lacking-json": {"tokenizer.json": with_tokens((lacking[SOT], token(SOT, special=True)), (lacking[EOT], token(EOT, special=True)),
                                                       model={"vocab": lacking, "merges": lacking_merges, "unk_token": "a"}),
                         "tokenizer_config.json": {"unk_token": "a</w>"}},
        "merge-twice": {"vocab.json": vocab, "merges.txt": merges_text(few + few[:40])},
        # Two ways to one symbol: "ab"+"c" may be merged at the rank of "a"+"bc".
        "two-ways": {"vocab.json": vocabulary([tuple(m.split()) for m in TWO_WAYS]), "merges.txt": merges_text([tuple(m.split()) for m in TWO_WAYS])},
    }


TWO_WAYS = ["b c", "a bc", "a b", "ab c", "abc d", "b c</w>", "a bc</w>", "ab c</w>", "c d", "ab cd", "a a", "aa a", "a aa", "aa aa", "d d", "d d</w>", "dd d</w>", "d dd</w>"]

VARIANT_TEXTS = [
    "", " ", "a photo of a cat", "A Photo of the Dog", "the cat<cat>cat <CAT> ca", "<Dog> <dog> <DOG>!", "word sword words word-word wordé word\u0301 Word WORD",
    "_word 1word word1 word_ (word) 日word", "a [L] b", "a  [L]  b", "a [R] b", "a  [R]   b", "a [B] b [b]  c", "[L][R] [L] [R]", "  [L]", "[R]  ", "[R] [L]", "[L]  [L]  [R]  [R]  x",
    "<cat><cat><cat>", "a sp b sp  c", "é É e\u0301 E\u0301", "Straße STRASSE straße", "日本語 日 本", "x [LS] y[LS]z [LS]", "a   x b  x", "  x",
    SOT, EOT, SOT.upper(), f"a {SOT} b", f"a  {EOT}  b", f"{SOT}{EOT}", f"a{EOT.upper()}b", f"{SOT.upper()}'s!", f" {SOT} ", f"x {EOT}  {EOT} y",
    "zebra quiz buzz", "z", "zz", "q", "aq bq", "wow!", "wow!!", "é ©", "caf\u00e9 \u00e9\u00a9", "zqzq!z", "!", "!!",
    "<new> <old> <|x|> <|y|> <NEW> <|X|>", "<extra> <EXTRA> <Extra> <mask> <MASK> <image> <z> <Z>", "<one><two> <cls> <ONE>", "<t> <T>  <t>x", " <u> <U>", "<v>  <V> <w> <W>", "<c> <C> <Mask> <mask> <Cls> <cls>", "<s> </s> <S>",
    "abc abcd aabc abcabc abcd bc ab", "aaaa aaaaa aaaaaaa abcdabcd dddd dd ddd ddddd", "aaabcdaaabcccddd", "abab cdcd bcbc abbc",
    "the the the the the the the the the the the the the the the the the the the the the the the the the the the the the the",
    "one two three four five six seven eight nine ten", "don't DON'T it's", "1234 5678", "a\u0085b\x1cc", "🙂👍🏽",
]


def main(root, wheel):
    assert transformers.__version__ == TRANSFORMERS and tokenizers.__version__ == TOKENIZERS
    golden = root / "tests/golden/text"
    clip = golden / "clip-vocab"
    clip.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as z:
        lines = gzip.decompress(z.read("open_clip/bpe_simple_vocab_16e6.txt.gz")).decode("utf-8").split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    vocab = vocabulary(merges)
    assert len(merges) == 48894 and len(vocab) == 49408 and vocab[SOT] == 49406
    write(clip / "vocab.json", vocab)
    write(clip / "merges.txt", merges_text(merges))
    tokenizer = CLIPTokenizer.from_pretrained(clip)
    lines, lengths = [], (2, 3, 5, 16, 77, 300)
    strings = texts(merges)
    for i, text in enumerate(strings):
        lines.append(case(tokenizer, text, 77)[0])
        if i % 16 == 0:
            lines.append(case(tokenizer, text, lengths[i // 16 % len(lengths)])[0])
    head = f"# generated by tools/oracle/tokenizer.py; transformers {TRANSFORMERS}, tokenizers {TOKENIZERS}\n"
    write(golden / "tokens.txt", head + "# max_length (+ when cut) :text, or =N:text for N times; ids without start and end\n" + "".join(lines))

    small = golden / "tokenizers"
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir()
    made, lines = variants(golden, merges), []
    whole = {}
    for name, files in made.items():
        folder = small / name
        folder.mkdir()
        for file, content in files.items():
            write(folder / file, content)
        t = CLIPTokenizer.from_pretrained(folder)
        largest = max(max(t.get_vocab().values()), max(t.added_tokens_decoder)) + 1
        limit = t.model_max_length if t.model_max_length < 2**31 else 0
        lines.append(f"@ {name} {t.bos_token_id} {t.eos_token_id} {largest} {int(limit)}\n")
        for text in VARIANT_TEXTS:
            for n in (77, 6):
                line, ids = case(t, text, n)
                assert ids[0] == t.bos_token_id and ids[-1] == t.eos_token_id
                if n == 77 or "+ " in line[:4]:
                    lines.append(line)
        whole[name] = len(files)
    write(golden / "variants.txt", head + "# @ folder, start id, end id, size, model_max_length; then cases as in tokens.txt\n" + "".join(lines))
    write(clip / "README.md", """CLIP's vocabulary (49,408 entries) and merges (48,894), in the form Hugging Face repositories carry.
Made by tools/oracle/tokenizer.py from `bpe_simple_vocab_16e6.txt.gz` of open-clip-torch 3.3.0, which
is OpenAI's file (github.com/openai/CLIP), MIT licence, Copyright (c) 2021 OpenAI.
""")
    manifest = {"script": "tools/oracle/tokenizer.py", "transformers": TRANSFORMERS, "tokenizers": TOKENIZERS, "open-clip-torch": "3.3.0",
                "unicodedata (choice of strings only)": unicodedata.unidata_version, "texts": len(strings), "tokenizers written": whole,
                "bytes": {p.relative_to(golden).as_posix(): p.stat().st_size for p in sorted(golden.rglob("*")) if p.is_file() and p.suffix != ".md" and "manifest" not in p.name and "unicode" not in p.name and "tokenizers" not in p.parts[-3:]}}
    (golden / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(json.dumps(manifest, indent=1))


main(Path(sys.argv[1]), sys.argv[2])
