#!/usr/bin/env python3
"""Writes tests/golden/tokenizer_json/: small byte-level BPE tokenizers in many forms, and golden ids.

Every id comes from AutoTokenizer.from_pretrained on the files written here, called as open_clip's
HFTokenizer calls it.

usage: tokenizer_json.py ROOT      ROOT is the top of the source tree
"""
import collections
import copy
import json
import os
import random
import re
import shutil
import sys
import unicodedata
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers
import transformers
from tokenizers import ByteLevelBPETokenizer, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

TRANSFORMERS, TOKENIZERS = "5.23.0", "0.23.3"

SUBJECTS = "a cat|two dogs|the old man|a woman in red|three children|a black horse|an astronaut|my brother's friend|the 2024 team|a flock of birds".split("|")
ACTIONS = "sits on|is running through|don't like|jumps over|looks at|is standing near|they've painted|sleeping under|it's holding|walks along".split("|")
PLACES = "the mat|a green field|an ancient bridge|the beach at sunset|a wooden table|1990s cars|the snowy mountains|a café in Paris|the river, early in the morning|Tokyo (東京)|Привет мир|Ελλάδα 🙂".split("|")


def corpus():
    lines = [f"{s} {a} {p}." for s in SUBJECTS for a in ACTIONS for p in PLACES]
    return lines + [x.title() for x in lines[::7]] + [x.upper() for x in lines[::11]] + ["def f(x):\n    return x  +  1\n\n\treturn 12345"] * 40


def train(size, special, normalizer=None, pre=None, **options):
    t = Tokenizer(models.BPE())
    if normalizer is not None:
        t.normalizer = normalizer
    t.pre_tokenizer = pre or pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), **options)
    t.train_from_iterator(corpus(), trainer)
    return t


def clip_model():
    """Vocabulary and merges with "</w>"; the library's trainer gives others from run to run."""
    words = collections.Counter(w for line in corpus() for w in re.findall(r"[a-z]+|[0-9]|[^\sa-z0-9]+", line.lower()))
    split = {w: [*w[:-1], w[-1] + "</w>"] for w in words if w.isascii()}
    merges = []
    while len(merges) < 200:
        pairs = collections.Counter()
        for w, parts in split.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[w]
        if not pairs:
            break
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(list(best))
        for parts in split.values():
            i = 0
            while i + 1 < len(parts):
                if (parts[i], parts[i + 1]) == best:
                    parts[i : i + 2] = ["".join(best)]
                i += 1
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = ["<|startoftext|>", "<|endoftext|>", *alphabet, *(c + "</w>" for c in alphabet), *("".join(m) for m in merges)]
    return {t: i for i, t in enumerate(dict.fromkeys(vocab))}, merges


def as_json(t):
    return json.loads(t.to_str())


def token(content, **flags):
    base = dict(single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    return {"content": content, **{**base, **flags}}


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def byte_level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def pre_sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def norm_sequence(*parts):
    return {"type": "Sequence", "normalizers": list(parts)}


CLIP = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
CL100K = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
TIKTOKEN = "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"
GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
EXTRAS = [token("<cat>"), token("<Dog>", normalized=True), token("word", single_word=True), token("Word", single_word=True, normalized=True),
          token("[L]", lstrip=True), token("[R]", rstrip=True), token("[B]", lstrip=True, rstrip=True, normalized=True),
          token("cats", normalized=True), token("ca"), token("<cat><cat>"), token(" sp "), token("É", normalized=True),
          token("日本", special=True), token("  x", normalized=True), token("[S]", special=True, lstrip=True)]


def without(j, lacking):
    """The model without the entries that contain one of these symbols, and the merges that then cannot be."""
    j = copy.deepcopy(j)
    m = j["model"]
    keep = [t for t in m["vocab"] if not any(c in t for c in lacking) or t.startswith("<")]
    m["merges"] = [x for x in m["merges"] if not any(c in x[0] + x[1] for c in lacking)]
    m["vocab"] = {t: i for i, t in enumerate(keep)}
    for t in j["added_tokens"]:
        t["id"] = m["vocab"][t["content"]]
    return j


def variants():
    """{name: ({file: content}, options)}; options: strip, lengths."""
    base = train(640, ["<s>", "</s>", "<pad>", "<unk>", "<mask>"])
    j = as_json(base)

    def change(j=j, model=None, tokens=(), **parts):
        out = copy.deepcopy(j)
        out["model"].update(model or {})
        out["added_tokens"] += [dict(id=900 + i, **t) for i, t in enumerate(tokens)]
        out.update(parts)
        return out

    # The form of a model that is trained here: nothing by hand, everything by the libraries.
    own = train(900, ["<|start|>", "<|end|>", "<|pad|>"])
    own.post_processor = processors.TemplateProcessing(single="<|start|> $A <|end|>", pair="<|start|> $A <|end|> $B <|end|>",
                                                       special_tokens=[("<|start|>", 0), ("<|end|>", 1)])
    saved = Path(os.environ["SCRATCH"])
    PreTrainedTokenizerFast(tokenizer_object=own, bos_token="<|start|>", eos_token="<|end|>", pad_token="<|pad|>",
                            model_max_length=64).save_pretrained(saved)
    own_files = {n: json.loads((saved / n).read_text()) for n in ("tokenizer.json", "tokenizer_config.json")}
    lower = ByteLevelBPETokenizer(add_prefix_space=True, lowercase=True, unicode_normalizer="nfc")
    lower.train_from_iterator(corpus(), vocab_size=560, show_progress=False, special_tokens=["<s>", "<pad>", "</s>"])
    clip = train(300, ["<|startoftext|>", "<|endoftext|>"], end_of_word_suffix="</w>",
                 normalizer=normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex("\\s+"), " "), normalizers.Lowercase()]),
                 pre=pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(CLIP), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    cj = as_json(clip)
    cj["model"]["vocab"], cj["model"]["merges"] = clip_model()
    cj["model"].update(unk_token="<|endoftext|>", continuing_subword_prefix="")
    cj["post_processor"] = {"type": "RobertaProcessing", "sep": ["<|endoftext|>", 1], "cls": ["<|startoftext|>", 0], "trim_offsets": False, "add_prefix_space": False}
    clip_config = {"pad_token": "<|endoftext|>", "model_max_length": 77}
    roberta = {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": False}
    single = lambda *ids: {"type": "TemplateProcessing", "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
                           "single": [{"Sequence": {"id": "A", "type_id": 0}} if t is None else {"SpecialToken": {"id": t, "type_id": 0}} for t in ids],
                           "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "two": {"id": "two", "ids": [1, 4], "tokens": ["</s>", "<mask>"]}}}
    fast = "PreTrainedTokenizerFast"
    fallback_vocab = {**without(j, "zqÃ")["model"]["vocab"]}
    for b in [*range(0x60), *range(0x70, 0x7A), *range(0x7B, 0xD0)]:
        fallback_vocab[f"<0x{b:02X}>"] = len(fallback_vocab)
    lacking = without(j, "zqÃ")
    return {
        "own": (own_files, {}),
        "own-lower": ({"tokenizer.json": change(own_files["tokenizer.json"], normalizer=norm_sequence({"type": "NFC"}, {"type": "Lowercase"})),
                       "tokenizer_config.json": {**own_files["tokenizer_config.json"], "sep_token": "<|end|>", "padding_side": "left"}, "config.json": {"model_type": "clip"}}, {"strip": True}),
        "alone": ({"tokenizer.json": change(normalizer=norm_sequence({"type": "Strip", "strip_left": True, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
                                                                     {"type": "Replace", "pattern": {"String": "''"}, "content": "\""}),
                                            padding={"strategy": "BatchLongest", "direction": "Left", "pad_to_multiple_of": None, "pad_id": 2, "pad_type_id": 0, "pad_token": "<pad>"},
                                            truncation={"direction": "Left", "max_length": 12, "strategy": "LongestFirst", "stride": 0})}, {}),
        "lower": ({"tokenizer.json": as_json(lower._tokenizer), "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<pad>"}}, {}),
        "gpt2": ({"tokenizer.json": change(normalizer={"type": "Lowercase"}, post_processor=byte_level()),
                  "tokenizer_config.json": {"tokenizer_class": "GPT2TokenizerFast", "pad_token": "<pad>", "add_prefix_space": True, "model_max_length": 1024},
                  "special_tokens_map.json": {"mask_token": token("<mask>", lstrip=True), "additional_special_tokens": ["<one>", "<mask>"]}}, {}),
        "roberta": ({"tokenizer.json": change(post_processor=single("<s>", None), added_tokens=[*j["added_tokens"][:4], dict(id=4, **token("<mask>", lstrip=True, special=True))]),
                     "tokenizer_config.json": {"model_max_length": 512, "cls_token": "<unk>"}, "config.json": {"model_type": "roberta"}}, {"strip": True}),
        "roberta-file": ({"tokenizer.json": change(post_processor=roberta, pre_tokenizer=byte_level(True)),
                          "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "</s>", "sep_token": "</s>", "truncation_side": "left", "padding_side": "left"}}, {"strip": True}),
        "clip-file": ({"tokenizer.json": cj, "tokenizer_config.json": {**clip_config, "tokenizer_class": fast}}, {}),
        "clip-class": ({"tokenizer.json": cj, "tokenizer_config.json": clip_config, "config.json": {"model_type": "clip"}}, {}),
        "llama3": ({"tokenizer.json": change(pre_tokenizer=pre_sequence(split({"Regex": CL100K}), byte_level(False, False)), model={"ignore_merges": True},
                                             post_processor={"type": "Sequence", "processors": [byte_level(), single("<s>", None)]}),
                    "tokenizer_config.json": {"tokenizer_class": "LlamaTokenizerFast", "pad_token": "<pad>", "bos_token": "<s>", "model_max_length": 1e30}}, {}),
        "tiktoken": ({"tokenizer.json": change(pre_tokenizer=pre_sequence(split({"Regex": "\\p{N}{1,3}"}), split({"Regex": TIKTOKEN}, "Removed", True), byte_level(True, False)),
                                               post_processor={"type": "Sequence", "processors": [byte_level(), {"type": "BertProcessing", "sep": ["</s>", 1], "cls": ["<unk>", 3]}]}),
                      "tokenizer_config.json": {"tokenizer_class": "NoSuchTokenizer", "pad_token": "<pad>"}}, {}),
        "qwen2": ({"tokenizer.json": change(pre_tokenizer=byte_level(True), tokens=[token("<|endoftext|>"), token("<|im|>", normalized=True, lstrip=True)]),
                   "tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer", "extra_special_tokens": ["<|im|>"]}}, {}),
        "digits": ({"tokenizer.json": change(pre_tokenizer=pre_sequence({"type": "Digits", "individual_digits": True}, split({"String": " "}, "MergedWithNext"), byte_level(False, False)),
                                             normalizer={"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "__"}),
                    "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<pad>"}}, {}),
        "splits": ({"tokenizer.json": change(pre_tokenizer=pre_sequence({"type": "Digits", "individual_digits": False}, split({"Regex": "\\s"}, "MergedWithPrevious"), split({"String": "ab"}, "Contiguous"),
                                                                        split({"Regex": "\\p{N}"}, "MergedWithNext", True), split({"Regex": GPT2}, "Isolated"), byte_level(False, False))),
                    "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<pad>"}}, {}),
        "words": ({"tokenizer.json": change(pre_tokenizer=pre_sequence({"type": "Whitespace"}, byte_level(True, True)), normalizer=norm_sequence({"type": "Prepend", "prepend": "ab "}, {"type": "Replace", "pattern": {"Regex": "\\s"}, "content": " "}),
                                            post_processor=single(None, "<s>")),
                   "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<unk>"}}, {}),
        "spaces": ({"tokenizer.json": change(pre_tokenizer=pre_sequence({"type": "WhitespaceSplit"}, split({"Regex": "\\s+"}, "Removed"), byte_level(True, False)), model={"end_of_word_suffix": "</w>"}),
                    "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<new>"}}, {}),
        "lacking": ({"tokenizer.json": lacking, "tokenizer_config.json": {"pad_token": "<pad>"}}, {}),
        "unknown": ({"tokenizer.json": change(lacking, model={"unk_token": "<unk>", "fuse_unk": False}), "tokenizer_config.json": {"pad_token": "<pad>"}}, {}),
        "fused": ({"tokenizer.json": change(lacking, model={"unk_token": "<unk>", "fuse_unk": True, "ignore_merges": True}), "tokenizer_config.json": {"pad_token": "<pad>"}}, {}),
        "fallback": ({"tokenizer.json": change(lacking, model={"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True, "vocab": fallback_vocab}), "tokenizer_config.json": {"pad_token": "<pad>"}}, {}),
        "added": ({"tokenizer.json": change(tokens=EXTRAS, normalizer={"type": "Lowercase"}, post_processor=single("<s>", None, "two")),
                   "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<pad>", "image_token": "<image>", "extra_special_tokens": ["<one>", "<cat>"]}}, {}),
        "decoder": ({"tokenizer.json": change(tokens=EXTRAS, normalizer={"type": "Lowercase"}),
                     "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<pad>", "mask_token": {**token("<mask>", lstrip=True), "__type": "AddedToken"},
                                               "added_tokens_decoder": {"0": token("<s>", special=True), "2": token("<pad>", special=True, rstrip=True), "4": token("<mask>", special=True, lstrip=True),
                                                                        "905": token("[R]", rstrip=True, single_word=True), "990": token("<Late>", normalized=True), "904": token("[L]", lstrip=True)}}}, {}),
        "special": ({"tokenizer.json": change(tokens=EXTRAS), "tokenizer_config.json": {"tokenizer_class": fast, "pad_token": "<pad>", "split_special_tokens": True},
                     "added_tokens.json": {"<new>": 950, "<pad>": 2, "<cat>": 900}}, {}),
    }


def texts(count):
    rng = random.Random(64)
    out = []
    add = out.append
    for s in """|a cat sits on the mat.|A Cat Sits On The Mat|two dogs don't like it's they've I'M YOU'RE he'd we'll 'S 'Ll 'ſ 'VE|it’s|  leading|trailing  |a  b   c    d|tab\there|\ta|line\nbreak\r\nagain\n\n\n  x|\n|\r\n\r\n| |   |a\u0085b\u00a0c\u3000d|x\u001cy
1|12|123|1234567|3.14159 -2,000|a1b22c333d4444|½ ² Ⅷ ٣ 12٣4|\U00011de0\U00011de3 5|abab ab cab abc|<s>|</s>|a<s>b</s>c <pad> <unk> <mask>|a <mask> b  <mask>|<S> <MASK>|<|start|> x <|end|>|<|startoftext|>a<|ENDOFTEXT|>|<|endoftext|>'s|<|im|> a <|im|>|<one> <image> <new> <Late> <late>
the cat<cat>cat <CAT> ca cats Cats|<Dog> <dog> <DOG>!|word sword words word-word Word WORD (word)|a [L] b  [L]|a [R] b [R]   c|a [B] b  [b]  c|<cat><cat><cat>|a sp b sp  c|é É e\u0301 E\u0301|日本語 日 本|  x   x|x [S] [s]|zebra quiz buzz zq z|q|é ã Ã|'' ''' '|a''b
def f(x):\n    return x  +  1\n\n\treturn 12345|!!!???...|---___===|a_b _c_ d__e|(東京) Привет мир Ελλάδα 🙂👍🏽|ΑΣ İstanbul ß ẞ|नमस्ते สวัสดี مرحبا 안녕|\u200b\ufeff\u00ad|\x00|a\x00b|\x7f\x80\x9f|\U0010ffff\ue000|#hashtag @mention https://example.com/a?b=c|x' y's' 's's 't t'll|' s|''s| 's| 't x|\r a|\n a|a \n b|a\n \nb|  \n  \n  x|!\n\n!|! \n|.\r\n.|1 \n2""".replace("\n1|12", "|1|12").replace("\nthe", "|the").replace("\ndef", "|def").split("|"):
        add(s)
    for c in ("<s>", "</s>", "<mask>", "<cat>", "[B]", "<|end|>", "<|endoftext|>"):
        for form in ("{}", " {} ", "a{}b", "a {} b", "{}{}", "{} {}", "  {}  x", "1{}2", "\n{}\t"):
            add(form.replace("{}", c))
    lines = corpus()
    for n in (1, 1, 1, 2, 2, 3, 5, 8):
        add(" ".join(rng.choice(lines) for _ in range(n)))
    for unit, n in (("a", 400), ("ab", 100), (" ", 90), ("\n", 40), (" \n", 40), ("1", 100), ("é", 70), ("!", 200), ("a ", 62), ("a ", 63), ("a ", 64), ("'s", 40), ("z", 70), ("🙂", 30), ("<s>", 30)):
        add(unit * n)
    by_category = {}
    for c in range(0x110000):
        if not 0xD800 <= c <= 0xDFFF:
            by_category.setdefault(unicodedata.category(chr(c)), []).append(c)
    categories = sorted(by_category)
    everyday = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJ      0123456789.,!?'-\"&%()"
    pools = [everyday] * 6 + ["abcXYZ 'stremvldSTREMVLD", "<|>startofendxmk/ ", "éèêñçßøåÆŒ ", "абвгДЕЖ ", "αβγΣΩς ", "漢字仮名交日本 ", "🙂😀👍🏽🏿‍♂️🇩🇪 ", "\u0300\u0301\u0323ae ", "½²Ⅷ٣1 2", "\t\n\r\u0085\u00a0 ab",
                              " \n\r!a1", "[]LRBS x", "zqéã ", "ab 1"]
    literals = ["<s>", "</s>", "<mask>", "<cat>", "[L]", "[R]", "[B]", "word", "cats", "  ", "\n", "'s", "'LL", " the", "ab", " sp ", "<|end|>", "<|start|>"]
    while len(out) < count:
        kind = rng.randrange(8)
        if kind < 4:
            add("".join(rng.choice(rng.choice(pools) if kind == 3 else pool) for pool in [rng.choice(pools)] for _ in range(rng.randrange(1, 40))))
        elif kind == 4:
            add("".join(chr(rng.choice(by_category[rng.choice(categories)])) for _ in range(rng.randrange(1, 9))))
        elif kind == 5:
            add("".join(rng.choice(literals) if rng.random() < 0.4 else rng.choice(everyday) for _ in range(rng.randrange(1, 20))))
        elif kind == 6:
            s = rng.choice(lines)
            a = rng.randrange(len(s))
            add(s[a : a + rng.randrange(1, 60)])
        else:
            add("".join(rng.choice("  \t\n\r\u3000\u0085ab1!") for _ in range(rng.randrange(1, 16))))
    return out


def escape(text):
    return "".join(chr(b) if 0x20 < b < 0x7F and b != 0x5C else f"\\{b:02x}" for b in text.encode())


def shorten(text):
    for size in range(1, 10):
        n, rest = divmod(len(text), size)
        if n > 8 and not rest and text[:size] * n == text:
            return f"={n}:{escape(text[:size])}"
    return ":" + escape(text)


def encode(t, strings, n, strip):
    """As HFTokenizer.__call__; each without its padding, and whether it was cut."""
    out = t(strings, max_length=n, padding="max_length", truncation=True)
    whole = t(strings)["input_ids"]
    rows = []
    for ids, mask, full in zip(out["input_ids"], out["attention_mask"], whole):
        kept = [i for i, m in zip(ids, mask) if m]
        padding = [t.pad_token_id] * (n - len(kept))
        assert ids == (padding + kept if t.padding_side == "left" else kept + padding) and len(ids) == n
        if strip:
            kept = [0 if i == t.sep_token_id else i for i in kept]
        rows.append((kept, len(full) > len(kept)))
    return rows


def write(path, value):
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
    path.write_text(value, encoding="utf-8", newline="\n")


def make(folder, scratch):
    scratch.mkdir(parents=True, exist_ok=True)
    os.environ["SCRATCH"] = str(scratch)
    made = variants()
    shutil.rmtree(scratch)
    for name, (files, _) in made.items():
        (folder / name).mkdir(parents=True)
        for file, content in files.items():
            write(folder / name / file, content)
    return made


def load(folder, name, options):
    t = AutoTokenizer.from_pretrained(folder / name)
    strip = options.get("strip", False)
    size = max(max(t.get_vocab().values()), max(t.added_tokens_decoder, default=0)) + 1
    limit = int(t.model_max_length) if t.model_max_length < 2**31 else 0
    pad = 0 if strip and t.pad_token_id == t.sep_token_id else t.pad_token_id
    return t, f"@ {name} {size} {limit} {pad} {int(t.padding_side == 'left')} {int(strip)}\n"


READ = ("TokenizersBackend", "GPT2Tokenizer", "RobertaTokenizer", "Qwen2Tokenizer")
PROBE = "A Cat 1990  don't"


def classes(folder, tokenizer):
    """What AutoTokenizer makes of tokenizer_class, config.json's tokenizer_class and model_type: a line each."""
    names = ["-", "PreTrainedTokenizerFast", "PreTrainedTokenizer", "TokenizersBackend", "GPT2TokenizerFast", "GPT2Tokenizer", "RobertaTokenizerFast", "BartTokenizerFast",
             "LongformerTokenizer", "LEDTokenizerFast", "Qwen2TokenizerFast", "LlamaTokenizerFast", "GPTNeoXTokenizerFast", "CodeGenTokenizerFast", "WhisperTokenizer",
             "BertTokenizer", "DebertaTokenizerFast", "BloomTokenizerFast", "NoSuchTokenizer", "NoSuchTokenizerFast", "DebertaV2Tokenizer", "CohereTokenizerFast"]
    cases = [(n, "-", "-") for n in names] + [("-", n, "-") for n in names[1:] if n != "PreTrainedTokenizer"]
    cases += [(n, "-", m) for m in ("clip", "gpt2", "roberta", "bart", "bert", "qwen2", "qwen2_vl", "opt", "gpt_neo", "gpt_neox", "gpt_bigcode", "stablelm", "modernbert", "phi3", "siglip2", "no_such_model")
              for n in ("-", "PreTrainedTokenizerFast", "GPT2TokenizerFast", "RobertaTokenizer", "Qwen2Tokenizer", "BertTokenizer", "NoSuchTokenizer")]
    cases += [("GPT2Tokenizer", "RobertaTokenizer", "-"), ("-", "GPT2Tokenizer", "roberta"), ("-", "NoSuchTokenizer", "roberta")]
    lines = []
    for of_tokenizer, of_model, model_type in cases:
        config = {k: v for k, v in (("tokenizer_class", of_model), ("model_type", model_type)) if v != "-"}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        write(folder / "tokenizer.json", tokenizer)
        write(folder / "tokenizer_config.json", {"pad_token": "<pad>"} | ({"tokenizer_class": of_tokenizer} if of_tokenizer != "-" else {}))
        if config:
            write(folder / "config.json", config)
        result = "refused"
        try:
            t = AutoTokenizer.from_pretrained(folder)
            if type(t).__name__ in READ:
                result = " ".join(map(str, t(PROBE)["input_ids"]))
        except Exception as e:
            print("AutoTokenizer:", of_tokenizer, of_model, model_type, type(e).__name__, str(e)[:60])
        if (of_tokenizer, model_type) != ("-", "clip"):  # the file is not CLIP's
            lines.append(f"{of_tokenizer} {of_model} {model_type} {result}\n")
    shutil.rmtree(folder)
    return "".join(lines)


def main(root):
    assert transformers.__version__ == TRANSFORMERS and tokenizers.__version__ == TOKENIZERS
    golden = root / "tests/golden/tokenizer_json"
    shutil.rmtree(golden, ignore_errors=True)
    made = make(golden, golden / "scratch")
    strings = texts(300)
    head = f"# generated by tools/oracle/tokenizer_json.py; transformers {TRANSFORMERS}, tokenizers {TOKENIZERS}\n"
    write(golden / "texts.txt", head + "# :text, or =N:text for N times\n" + "".join(shorten(s) + "\n" for s in strings))
    lines = []
    for name, (_, options) in made.items():
        t, line = load(golden, name, options)
        lines.append(line)
        for n in (64, 9):
            lines.append(f"> {n}\n")
            for (ids, cut) in encode(t, strings, n, options.get("strip", False)):
                lines.append(("+" if cut else "-") + "".join(f" {i}" for i in ids) + "\n" if n == 64 or cut else "\n")
    write(golden / "ids.txt", head + "# @ folder, size, model_max_length, pad id, pad left, strip_sep; > max_tokens; then a line a text: + when cut, the ids.\n"
          "# An empty line: as without a limit, and not looked at.\n" + "".join(lines))
    probe = json.loads((golden / "added/tokenizer.json").read_text())
    write(golden / "classes.txt", head + f"# added/tokenizer.json: tokenizer_class, config.json's, model_type, ids of '{PROBE}'\n" + classes(golden / "scratch", probe))
    sizes = {p.relative_to(golden).as_posix(): p.stat().st_size for p in sorted(golden.rglob("*")) if p.is_file()}
    manifest = {"script": "tools/oracle/tokenizer_json.py", "transformers": TRANSFORMERS, "tokenizers": TOKENIZERS,
                "unicodedata (choice of strings only)": unicodedata.unidata_version, "texts": len(strings), "tokenizers written": len(made), "bytes": sizes}
    (golden / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    print(len(made), "tokenizers,", len(strings), "texts,", sum(sizes.values()), "bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
