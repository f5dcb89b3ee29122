"""The byte-level BPE of mini, trained on its own texts.

Words are runs of \\w, which holds combining marks, so that no script is cut at its vowel signs.
There is no space before a word: 'car' is one token at the beginning of a text and inside it, in
languages without spaces too. The end token has the highest id, where CLIP's text tower takes its
vector.
"""

import collections
import json
import os
import random

from tokenizers import (Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

SIZE = 14336
SAMPLES = 600_000
CONTEXT = 64
START, END = "<|startoftext|>", "<|endoftext|>"
QUESTION = "请描述图片中的车辆是什么颜色的，以及它在什么场景下？"


def sample(said, seed=1):
    """Texts drawn by the root of their weight: between their share in training and one each."""
    by_language = collections.defaultdict(list)
    mass = collections.Counter()
    for _, language, text, weight, _ in said:
        by_language[language].append((text, weight))
        mass[language] += weight
    # Flatter than training: a language that is met seldom has words of its own to spell.
    mass = {language: m ** 0.6 for language, m in mass.items()}
    total = sum(mass.values())
    rng = random.Random(seed)
    for language in sorted(by_language):
        known = by_language[language]
        count = int(SAMPLES * mass[language] / total)
        yield from rng.choices([t for t, _ in known], [w ** 0.5 for _, w in known], k=count)


def make(texts_in):
    made = Tokenizer(models.BPE())
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Whitespace(),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(texts_in, trainers.BpeTrainer(
        vocab_size=SIZE - 2, min_frequency=2, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    made.add_special_tokens([START, END])
    ids = {t: made.token_to_id(t) for t in (START, END)}
    assert ids[END] == made.get_vocab_size() - 1
    made.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=list(ids.items()))
    return made


def save(made, out):
    data = json.loads(made.to_str())
    with open(os.path.join(out, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": START, "eos_token": END,
              "unk_token": END, "pad_token": END, "model_max_length": CONTEXT,
              "padding_side": "right", "clean_up_tokenization_spaces": False}
    with open(os.path.join(out, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def train(out, said, emoji, note):
    made = make(sample(said))
    save(made, out)
    size = os.path.getsize(os.path.join(out, "tokenizer.json"))
    note(f"tokenizer.json: {made.get_vocab_size()} ids, {size} bytes")
    longest, worst, over = 0, "", 0
    for language in sorted(emoji.names):
        names = list(emoji.names[language].values())
        for name, found in zip(names, made.encode_batch(names)):
            over += len(found.ids) > CONTEXT
            if len(found.ids) > longest:
                longest, worst = len(found.ids), f"{language}: {name}"
    question = len(made.encode(QUESTION).ids)
    note(f"the longest name has {longest} ids ({worst}), the question {question}; "
         f"{over} names have more than {CONTEXT}")
    texts = [row[2] for row in said]
    counts = collections.Counter(min(len(e.ids), 99) for e in made.encode_batch(texts))
    total = sum(counts.values())
    mean = sum(k * n for k, n in counts.items()) / total
    cut = sum(n for k, n in counts.items() if k > CONTEXT)
    note(f"all texts: {mean:.1f} ids in the mean, {cut} of {total} are cut")
    return made
