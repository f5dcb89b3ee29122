/* options.c - the table of verbs and options, and the parser over it.
 *
 * Rules: the verb comes first; options and files may be mixed; an option takes its next argument
 * whatever it looks like (`--text ''` and `--text '-x'` are texts) or what follows its '='; "--"
 * ends the options. Names are not abbreviated: an abbreviation that works today is ambiguous after
 * the next release.
 */
#include "options.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arith.h"
#include "base/error.h"
#include "verbs.h"

#define AT(field) offsetof(cli_args, field)
#define wrong_usage(err, ...) akin_fail(err, AKIN_E_ARGUMENT, NULL, __VA_ARGS__)

const cli_option cli_options[] = {
    { "text", 0, KIND_LIST, "TEXT", VERB_EMBED | VERB_TOKENIZE | VERB_BENCH, AT(text), 0,
      "a text; may be given many times" },
    { "raw", 0, KIND_FLAG, NULL, VERB_EMBED, AT(raw), 0, "do not scale vectors to length 1" },
    { "format", 0, KIND_CHOICE, "jsonl|npy", VERB_EMBED, AT(format), 0,
      "JSON lines (default), or one NumPy array, float32 [inputs, dimensions]" },
    { "skip-broken", 0, KIND_FLAG, NULL, VERB_EMBED, AT(skip_broken), 0,
      "with npy: leave out inputs that fail; OUT.txt lists those kept" },
    { "labels", 0, KIND_VALUE, "A,B,C", VERB_CLASSIFY, AT(labels), 0,
      "the labels, between commas" },
    { "labels-file", 0, KIND_VALUE, "FILE", VERB_CLASSIFY, AT(labels_file), 0,
      "the labels, one a line" },
    { "template", 0, KIND_LIST, "TEXT", VERB_CLASSIFY | VERB_EVAL, AT(templates_given), 0,
      "the sentence around a label, with one {}; may be given many times "
      "(default: a photo of a {}; eval: {})" },
    { "templates", 0, KIND_CHOICE, "openai-80|openai-7|simple", VERB_CLASSIFY | VERB_EVAL,
      AT(template_set), 0,
      "a published set of such sentences, whose mean is the label: CLIP's 80 for ImageNet, the 7 "
      "picked from them, or 'a photo of a {}'" },
    { "top", 0, KIND_COUNT, "N", VERB_CLASSIFY, AT(top), 1000000, "print only the N best labels" },
    { "output", 'o', KIND_VALUE, "OUT", VERB_EMBED | VERB_PREPROCESS | VERB_TRAIN,
      AT(output), 0, "write to this file, whole or not at all; of train, a folder" },
    { "what", 0, KIND_CHOICE, "image|text|preprocess|search|train", VERB_BENCH, AT(what), 0,
      "what to measure" },
    { "batch", 0, KIND_COUNT, "N", VERB_EMBED | VERB_CLASSIFY | VERB_BENCH | VERB_TRAIN |
          VERB_EVAL,
      AT(batch), CLI_BATCH_MAX,
      "inputs computed together (default 16; bench: 1; eval: 64; the pairs of a step of training: "
      "128)" },
    { "language", 0, KIND_VALUE, "L", VERB_EVAL, AT(language), 0,
      "only texts of this language, as the manifest writes it" },
    { "no-zero-shot", 0, KIND_FLAG, NULL, VERB_EVAL, AT(no_zero_shot), 0,
      "retrieval alone: no labels, no classes" },
    { "tokens", 0, KIND_COUNT, "N", VERB_BENCH, AT(tokens), 1000000,
      "measure a text of exactly N tokens; of train, each text's (default 16)" },
    { "repeat", 0, KIND_COUNT, "N", VERB_BENCH, AT(repeat), 1000000,
      "measure N times (default: for --seconds, at least 3 times)" },
    { "seconds", 0, KIND_SECONDS, "S", VERB_BENCH, AT(seconds), 0,
      "measure for S seconds (default 3)" },
    { "rows", 0, KIND_COUNT, "N", VERB_BENCH, AT(rows), 1000000000,
      "search over N made-up vectors (default 1000000)" },
    { "dimensions", 0, KIND_COUNT, "N", VERB_BENCH, AT(dimensions), 65536,
      "of each of them (default 512)" },

    { "db", 0, KIND_VALUE, "DIR", VERB_COLLECTION | VERB_BENCH, AT(db), 0,
      "where collections are (default: AKIN_DB, else .akin/ here or in a folder above, else akin/ "
      "in XDG_DATA_HOME or ~/.local/share)" },
    { "collection", 0, KIND_VALUE, "NAME", VERB_COLLECTION | VERB_BENCH, AT(collection), 0,
      "which of them (default: images)" },
    { "here", 0, KIND_FLAG, NULL, VERB_INDEX, AT(here), 0,
      "keep the index in .akin/ in this folder: pictures below it and the index can move "
      "together" },
    { "workers", 0, KIND_COUNT, "N", VERB_INDEX | VERB_REINDEX, AT(workers), 1024,
      "pictures read, decoded and embedded at once, each on its own core (default: --threads)" },
    { "exclude", 0, KIND_LIST, "GLOB", VERB_INDEX, AT(exclude), 0,
      "leave out what matches, as a line of .akinignore does; may be given many times" },
    { "include-hidden", 0, KIND_FLAG, NULL, VERB_INDEX, AT(include_hidden), 0,
      "take names that begin with a dot" },
    { "files-from", 0, KIND_VALUE, "FILE", VERB_INDEX, AT(files_from), 0,
      "more paths, one a line (with -0: ended by NUL); -: from standard input" },
    { "dry-run", 'n', KIND_FLAG, NULL, VERB_INDEX, AT(dry_run), 0,
      "say what would be done; change nothing" },
    { "prune", 0, KIND_FLAG, NULL, VERB_INDEX | VERB_REINDEX, AT(prune), 0,
      "what is gone is gone, even all of it: mark those pictures missing" },
    { "watch", 0, KIND_FLAG, NULL, VERB_INDEX, AT(watch), 0,
      "go on, and index again whenever something changes" },
    { "nice", 0, KIND_FLAG, NULL, VERB_INDEX | VERB_REINDEX, AT(nice), 0,
      "leave processor and disk to everyone else" },
    { "frames", 0, KIND_SECONDS, "S", VERB_INDEX, AT(frames), 0,
      "of a video, index a frame every S seconds (default 10)" },
    { "no-videos", 0, KIND_FLAG, NULL, VERB_INDEX, AT(no_videos), 0, "leave videos alone" },
    { "stored", 0, KIND_CHOICE, "f16|f32", VERB_INDEX | VERB_REINDEX | VERB_BENCH, AT(stored), 0,
      "how a new collection keeps vectors: f16 (default), half the bytes; f32" },
    { "wait", 0, KIND_SECONDS, "S", VERB_INDEX | VERB_REINDEX | VERB_COMPACT | VERB_VERIFY,
      AT(wait), 0, "wait this long for another process that is writing (default: do not)" },

    { "top", 'k', KIND_COUNT, "N", VERB_SEARCH | VERB_BENCH, AT(k), 1000000,
      "print the N best (default 10)" },
    { "offset", 0, KIND_OFFSET, "N", VERB_SEARCH, AT(offset), 1000000000,
      "behind the first N: the next page" },
    { "image", 0, KIND_VALUE, "FILE", VERB_SEARCH, AT(image), 0, "search by a picture" },
    { "weight", 0, KIND_NUMBER, "W", VERB_SEARCH, AT(weight), 0,
      "of a picture beside a text, 0 to 1 (default 0.5)" },
    { "not", 0, KIND_VALUE, "TEXT", VERB_SEARCH, AT(not_text), 0, "away from this" },
    { "with-self", 0, KIND_FLAG, NULL, VERB_SEARCH, AT(with_self), 0,
      "keep the query picture among its own results" },
    { "exclude-self", 0, KIND_FLAG, NULL, VERB_SEARCH, AT(exclude_self), 0,
      "leave it out, which is the default" },
    { "after", 0, KIND_VALUE, "DATE", VERB_SEARCH, AT(after), 0,
      "taken then or later: 2023, 2023-06, 2023-06-15, 2023-06-15T14:03" },
    { "before", 0, KIND_VALUE, "DATE", VERB_SEARCH, AT(before), 0, "taken before that began" },
    { "in", 0, KIND_LIST, "FOLDER", VERB_SEARCH, AT(in), 0,
      "below this folder; may be given many times" },
    { "ext", 0, KIND_LIST, "EXT", VERB_SEARCH, AT(ext), 0,
      "with this ending: jpg; may be given many times, or as jpg,png" },
    { "where", 0, KIND_VALUE, "EXPR", VERB_SEARCH, AT(where), 0,
      "what must hold of the metadata: \"width >= 1000 and camera contains 'canon'\" "
      "(docs/search.md)" },
    { "min-score", 0, KIND_NUMBER, "S", VERB_SEARCH, AT(min_score), 0,
      "only hits with at least this score" },
    { "min-z", 0, KIND_NUMBER, "Z", VERB_SEARCH, AT(min_z), 0,
      "only hits at least Z deviations above the collection's mean for this query" },
    { "relative", 0, KIND_NUMBER, "R", VERB_SEARCH, AT(relative), 0,
      "only hits with at least this share of the best score: 0.9" },
    { "paths", 'l', KIND_FLAG, NULL, VERB_SEARCH, AT(paths), 0, "print paths only" },
    { "null", '0', KIND_FLAG, NULL, VERB_SEARCH | VERB_INDEX, AT(null), 0,
      "paths end with NUL, for xargs -0" },
    { "jsonl", 0, KIND_FLAG, NULL, VERB_SEARCH, AT(jsonl), 0, "print a JSON object a line" },
    { "html", 0, KIND_VALUE, "FILE", VERB_SEARCH | VERB_EVAL, AT(html), 0,
      "write a page with thumbnails, which needs no network" },
    { "skipped", 0, KIND_FLAG, NULL, VERB_INFO, AT(skipped), 0,
      "list the files that could not be indexed, and why" },
    { "repair", 0, KIND_FLAG, NULL, VERB_VERIFY, AT(repair), 0, "make again what can be derived" },
    { "missing", 0, KIND_FLAG, NULL, VERB_COMPACT, AT(missing), 0,
      "first drop pictures that are marked missing, or left out by a rule" },

    { "config", 0, KIND_VALUE, "DIR", VERB_TRAIN, AT(config), 0,
      "train from scratch: a folder with open_clip_config.json and tokenizer.json" },
    { "from", 0, KIND_VALUE, "M", VERB_TRAIN, AT(from), 0, "train this model further" },
    { "preset", 0, KIND_CHOICE, "finetune", VERB_TRAIN, AT(preset), 0,
      "finetune: rate 1e-6, decay 1e-3, the temperature fixed, 10 epochs, stop when recall on "
      "--held-out has not risen for 5 measurements; other options change each of these" },
    { "projections", 0, KIND_FLAG, NULL, VERB_TRAIN, AT(projections), 0,
      "train the projections alone: fast, and the rest stays as good as it was" },
    { "held-out", 0, KIND_VALUE, "MANIFEST", VERB_TRAIN, AT(held_out), 0,
      "measure recall on these pictures and texts, and keep the best model" },
    { "hold-out", 0, KIND_NUMBER, "S", VERB_TRAIN, AT(hold_out), 0,
      "or on this share of the manifest's concepts, which then are not trained on (of the preset: "
      "0.1)" },
    { "steps", 0, KIND_COUNT, "N", VERB_TRAIN, AT(steps), 1000000000, "train for N steps" },
    { "epochs", 0, KIND_NUMBER, "N", VERB_TRAIN, AT(epochs), 0,
      "or for N passes over the pictures" },
    { "chunk", 0, KIND_COUNT, "N", VERB_TRAIN | VERB_BENCH, AT(chunk), CLI_TRAIN_BATCH_MAX,
      "pairs that pass through the towers together: less memory for the same loss (GradCache)" },
    { "rate", 0, KIND_NUMBER, "R", VERB_TRAIN, AT(rate), 0,
      "peak learning rate (default 1e-3 from scratch, 1e-5 from a model)" },
    { "warmup", 0, KIND_OFFSET, "N", VERB_TRAIN, AT(warmup), 1000000000,
      "steps until it is reached (default: a twentieth, at most 2000); then half a cosine" },
    { "decay", 0, KIND_NUMBER, "D", VERB_TRAIN, AT(decay), 0, "weight decay (default 0.1)" },
    { "clip", 0, KIND_NUMBER, "N", VERB_TRAIN, AT(clip), 0,
      "largest norm of the gradient (default 1; 0: any)" },
    { "loss", 0, KIND_CHOICE, "infonce|sigmoid", VERB_TRAIN, AT(loss), 0,
      "infonce (default), CLIP's; sigmoid, SigLIP's" },
    { "temperature", 0, KIND_NUMBER, "T", VERB_TRAIN, AT(temperature), 0,
      "the first one (default: the model's; from scratch 0.07)" },
    { "fixed-temperature", 0, KIND_FLAG, NULL, VERB_TRAIN, AT(fixed_temperature), 0,
      "do not learn it" },
    { "warm-start", 0, KIND_FLAG, NULL, VERB_TRAIN, AT(warm_start), 0,
      "begin with concepts: a learned prototype for each, whose loss fades into the pairs'; starts "
      "to learn many times sooner" },
    { "concept-floor", 0, KIND_NUMBER, "W", VERB_TRAIN, AT(concept_floor), 0,
      "the weight that loss keeps (default 0.2)" },
    { "patches", 0, KIND_NUMBER, "P", VERB_TRAIN, AT(patches), 0,
      "share of its patches that a vision transformer sees of a picture (default 1)" },
    { "stages", 0, KIND_VALUE, "S,S,...", VERB_TRAIN, AT(stages), 0,
      "from which shares of the training on rows of stage 1, 2, ... are used: 0.3,0.6" },
    { "any-batch", 0, KIND_FLAG, NULL, VERB_TRAIN, AT(any_batch), 0,
      "let a batch hold several pictures of a concept" },
    { "augment", 0, KIND_NUMBER, "A", VERB_TRAIN, AT(augment), 0,
      "how much pictures are changed, 0 to 1 (default 1 from scratch, 0.3 from a model)" },
    { "seed", 0, KIND_OFFSET, "N", VERB_TRAIN, AT(seed), SIZE_MAX, "another course of chance" },
    { "every", 0, KIND_COUNT, "N", VERB_TRAIN, AT(every), 1000000000,
      "steps between measurements on --held-out (default: 20 measurements)" },
    { "patience", 0, KIND_COUNT, "N", VERB_TRAIN, AT(patience), 1000000,
      "stop after N measurements without a better one" },
    { "save-every", 0, KIND_SECONDS, "S", VERB_TRAIN, AT(save_every), 0,
      "seconds between checkpoints (default 600)" },
    { "resume", 0, KIND_FLAG, NULL, VERB_TRAIN, AT(resume), 0,
      "go on where this training was stopped or killed" },
    { "f16", 0, KIND_FLAG, NULL, VERB_TRAIN, AT(f16), 0, "write weights in half precision" },
    { "loaders", 0, KIND_COUNT, "N", VERB_TRAIN, AT(loaders), 1024,
      "threads that read pictures (default: --threads)" },
    { "cache", 0, KIND_SIZE, "SIZE", VERB_TRAIN, AT(cache), 0,
      "memory for decoded pictures (default 4G)" },

    { "model", 0, KIND_VALUE, "M", VERB_MODEL_USING, AT(model), 0,
      "a folder with a checkpoint, the name of one in the hub's cache (ViT-B/32, "
      "organisation/name), or a weights file alone (default: AKIN_MODEL, else mini, which comes "
      "with akin and knows drawings; a collection keeps the model it was made with)" },
    { "precision", 0, KIND_CHOICE, "f32|bf16|auto", VERB_MODEL_USING | VERB_TRAIN, AT(precision), 0,
      "f32: the reference's numbers; bf16: cosine to them at least 0.9999; auto (default): bf16 "
      "where akin has a kernel for the processor's own bf16 products (training with AVX512-BF16), "
      "else f32" },
    { "threads", 0, KIND_COUNT, "N", VERB_MODEL_USING | VERB_TRAIN, AT(threads), 1024,
      "threads (default: AKIN_THREADS, else the processors this process may use)" },
    { "form", 0, KIND_CHOICE, "hf|open_clip", VERB_MODEL_USING | VERB_TRAIN, AT(form), 0,
      "the form of the checkpoint (default: found out)" },
    { "activation", 0, KIND_CHOICE, "quick_gelu|gelu", VERB_MODEL_USING, AT(activation), 0,
      "the activation of a weights file alone, which does not say: quick_gelu for OpenAI's own, "
      "gelu for most of open_clip's" },
    { "max-file", 0, KIND_SIZE, "SIZE", VERB_MODEL_USING | VERB_TRAIN, AT(max_file), 0,
      "refuse larger pictures, in bytes of file (default 256M)" },
    { "max-memory", 0, KIND_SIZE, "SIZE", VERB_MODEL_USING | VERB_TRAIN, AT(max_memory), 0,
      "refuse pictures that need more memory to read (default 2G)" },
    { "lenient", 0, KIND_FLAG, NULL,
      VERB_EMBED | VERB_CLASSIFY | VERB_PREPROCESS | VERB_INDEX | VERB_REINDEX | VERB_SEARCH |
          VERB_EVAL,
      AT(lenient), 0,
      "take a JPEG that was cut late (half of its rows must be there), with a warning; in the JSON "
      "of embed and classify, \"damaged\":true" },
    { "json", 0, KIND_FLAG, NULL, VERB_WORKING, AT(json), 0,
      "print JSON, errors included" },
    { "quiet", 0, KIND_FLAG, NULL, VERB_WORKING, AT(quiet), 0,
      "no progress; errors and skipped inputs are still told" },
    { "help", 'h', KIND_FLAG, NULL, VERB_WORKING | VERB_HELP, AT(help), 0, "print this" },

    { "man", 0, KIND_FLAG, NULL, VERB_HELP, AT(man), 0, NULL },
    { "completion", 0, KIND_CHOICE, "bash|zsh", VERB_HELP, AT(completion), 0, NULL },
};
const size_t cli_option_count = sizeof cli_options / sizeof *cli_options;

const cli_verb cli_verbs[] = {
    { "index", VERB_INDEX, "PATH... [--model M] [--here]",
      "index folders of pictures for searching",
      "Reads every picture below each PATH and keeps its vector, for good. A second run reads only "
      "what is new or changed; moved and copied files are recognised by their content. A file that "
      "cannot be read is named with its reason, kept in a list (akin info --skipped) and not tried "
      "again until it changes: exit 3.\n"
      "\n"
      "A picture whose file is gone is no longer found, but its vector is kept: a file that comes "
      "back costs nothing. If a PATH is missing, empty, unreadable or on another device than "
      "before, or more than half of its pictures (and more than 20) are gone, a drive is probably "
      "away: none of them is touched, and the exit is 1. --prune says that they are really gone.\n"
      "\n"
      "Left out: names that begin with a dot, @eaDir, #recycle, .thumbnails, node_modules and "
      "their like, folders with a file .nomedia, and what .akinignore and --exclude say; a raw "
      "photograph beside a JPEG or HEIC of its name. Captions are taken from photo.txt, photo.json "
      "and XMP. Of videos, frames. Ctrl-C keeps what is done; the next run goes on there.",
      "akin index --model ViT-B-32/laion2b_s34b_b79k ~/Pictures\n"
      "akin index --here .\n"
      "akin index --watch --nice ~/Pictures\n",
      cli_index },
    { "search", VERB_SEARCH, "[TEXT...] [--image FILE]", "find pictures by a sentence or a picture",
      "Several words are one query. Each hit has a score, the cosine of query and picture, of "
      "which 0.2 to 0.35 is normal between a text and a picture; and z, how many deviations that "
      "is above the mean of the whole collection for this query. When the best z is what chance "
      "alone would reach, one line says that there is no clear match. The model is the "
      "collection's own.",
      "akin search a red car\n"
      "akin search --image cat.jpg --after 2023-06 --in ~/Pictures/home\n"
      "akin search -l -0 beach --not people --min-z 3 | xargs -0 feh\n"
      "akin search dog --where \"camera contains 'canon' and width >= 4000\" --html dogs.html\n",
      cli_search },
    { "info", VERB_INFO, "[--skipped]", "describe a collection",
      "Model, counts, sizes, how much compact would give back; with --skipped the files that could "
      "not be indexed, with reason and time.",
      "akin info --json\n", cli_info },
    { "verify", VERB_VERIFY, "[--repair]", "check a collection end to end",
      "Reads everything: the database's own check, every vector against its checksum, every count "
      "against the items. Exit 1 when something is wrong. --repair makes again what can be "
      "derived; pictures whose vector is lost are embedded again by the next index.",
      "akin verify --repair\n", cli_verify },
    { "compact", VERB_COMPACT, "[--missing]", "give back the space of replaced vectors",
      "Index does it by itself when more than half of the vectors are of no use. Pictures marked "
      "missing stay, unless --missing.",
      "akin compact --missing\n", cli_compact },
    { "reindex", VERB_REINDEX, "--model NEW", "give a collection another model",
      "Embeds every picture again beside the old vectors, which answer until all are done. Stopped "
      "or killed, the same command goes on where it was.",
      "akin reindex --model ViT-L-14/datacomp_xl_s13b_b90k\n", cli_reindex },
    { "copy", VERB_COPY, "DIR", "copy a collection while it may be written to",
      "The collection as it is at one moment, as a new one in DIR, which is then a --db.",
      "akin copy /mnt/backup/akin\n", cli_copy },
    { "export", VERB_EXPORT, "FOLDER", "write a collection as NumPy and JSON",
      "vectors.npy, items.jsonl and collection.json in a new folder.",
      "akin export photos-export\n", cli_export },
    { "import", VERB_IMPORT, "FOLDER", "add what export wrote",
      "Into a collection that is there, of the same model, or a new one. All or nothing.",
      "akin import photos-export\n", cli_import },
    { "embed", VERB_EMBED, "[--text TEXT]... [FILE...] [-o OUT]",
      "turn texts and pictures into vectors",
      "Prints one JSON object a line, "
      "{\"input\":...,\"type\":\"image\"|\"text\",\"embedding\":[...]}: texts first, then files, "
      "each in the order given. Vectors have length 1 unless --raw. An input that fails is named "
      "with its reason, and the others are done: exit 3.\n"
      "\n"
      "With --format npy there is one row an input; if any fails nothing is written, unless "
      "--skip-broken.",
      "akin embed --model clip-vit-base-patch32 --text 'a red car' cat.jpg\n"
      "akin embed --format npy -o photos.npy photos/*.jpg\n",
      cli_embed },
    { "classify", VERB_CLASSIFY, "(--labels A,B,C | --labels-file FILE) FILE...",
      "say which of some labels fits a picture",
      "Zero-shot: each label is put into the sentence of --template, and the picture's probability "
      "for it comes from how near the two vectors are. Probabilities of a picture add up to 1 over "
      "the labels given, so they compare these labels and nothing else; but of a model trained "
      "with the sigmoid loss (SigLIP: 'akin model info' shows its logit bias) each label has its "
      "own, whatever the others.",
      "akin classify --labels cat,dog,car photo.jpg\n"
      "akin classify --labels-file names.txt --templates openai-80 --top 5 *.jpg\n",
      cli_classify },
    { "eval", VERB_EVAL, "MANIFEST", "measure a model on pictures with texts",
      "MANIFEST is a table (TSV with column names, JSON lines, open_clip's CSV) of pictures and "
      "texts, or a folder of pictures with captions beside them; columns are path, text, language, "
      "concept, weight and others (docs/eval.md).\n"
      "\n"
      "Retrieval: for each text, whether a picture of its concept is among the first 1, 5, 10 of "
      "all, and back. Zero-shot: for each picture, whether the label of its concept scores "
      "highest among all labels of a language; a label is the text of the largest weight. Equal "
      "scores count as the mean over their orders. A picture that cannot be read is named with "
      "its reason and left out: exit 3.",
      "akin eval --model mini pictures.tsv\n"
      "akin eval --model ViT-B/32 --language en --html report.html pictures.tsv\n",
      cli_eval },
    { "tokenize", VERB_TOKENIZE, "--text TEXT...", "print the token ids of texts",
      "Prints one JSON object a line, {\"text\":...,\"ids\":[...]}: start and end tokens included, "
      "cut to the model's length, never padded. A text that was cut is a warning.",
      "akin tokenize --text 'a photo of a cat' --text ''\n", cli_tokenize },
    { "preprocess", VERB_PREPROCESS, "FILE -o OUT.npy",
      "write the pixels the model sees of a picture",
      "Writes a NumPy array, float32 [3, height, width]: the picture turned as its EXIF "
      "orientation says, resized, cropped and normalised as the checkpoint asks.",
      "akin preprocess photo.jpg -o photo.npy\n", cli_preprocess },
    { "bench", VERB_BENCH, "--what image|text|preprocess|search|train [FILE...]",
      "measure the time an item takes",
      "image measures the picture tower on made-up pixels, text the tokenizer and text tower, "
      "preprocess the way from a file's bytes to pixels (of the files given, read beforehand, else "
      "of a made-up PNG of 1024x768). One run comes before the measured ones. seconds_per_item is "
      "the median of the repeats.\n"
      "\n"
      "search measures the exact search for one query's vector: every score, their mean and "
      "deviation, the --top best. It runs over made-up vectors in memory and needs no model; or, "
      "with --db or --collection, over that collection, and then the whole way from --text to the "
      "hits' paths and metadata is measured.\n"
      "\n"
      "train measures steps of training over made-up pairs, of which --batch pass at once; of the "
      "model only the configuration counts.",
      "akin bench --what image --batch 16 --json\n"
      "akin bench --what text --tokens 77 --threads 1\n"
      "akin bench --what search --rows 1000000 --stored f32\n",
      cli_bench },
    { "train", VERB_TRAIN, "MANIFEST -o DIR (--config DIR | --from M) [OPTION...]",
      "train a CLIP on pictures and their texts",
      "Pulls each picture and its text together and pushes all others of a batch away. MANIFEST is "
      "a TSV file with columns path and text (and language, concept, weight, stage, kind, flip), "
      "JSON lines with the same keys, open_clip's CSV (filepath, title), or a folder of pictures "
      "with captions beside them (photo.jpg, photo.txt).\n"
      "\n"
      "Pictures of one concept are never taken for each other's mistakes. DIR gets the model in "
      "the form of what it began with, metrics.jsonl, and training/, from which --resume goes on, "
      "after Ctrl-C or a crash, to the same losses. A picture that cannot be read is named, and "
      "the training goes on: exit 3.\n"
      "\n"
      "akin train plot DIR/metrics.jsonl -o FILE.svg draws how it went.",
      "akin train a.tsv -o mine --from ViT-B-32 --preset finetune "
      "--held-out b.tsv\n"
      "akin train pairs.tsv -o mine --config DIR --warm-start --epochs 30\n"
      "akin train plot mine/metrics.jsonl -o curves.svg\n",
      cli_train },
    { "model", VERB_MODEL, "info [M]", "show what a checkpoint is",
      "Finds M, checks every tensor's name and shape, and prints what it found. M is one of:\n"
      "\n"
      "a folder with config.json or open_clip_config.json, the weights and the tokenizer's files "
      "(one of sentence-transformers leads to its 0_CLIPModel);\n"
      "\n"
      "a name of OpenAI's (ViT-B/32), of open_clip's (ViT-B-32/laion2b_s34b_b79k) or of the hub "
      "(organisation/name), whose files are in the hub's cache: nothing is fetched;\n"
      "\n"
      "a weights file alone in OpenAI's or open_clip's names (.pt, .bin, .safetensors), with "
      "--activation.",
      "akin model info ViT-B-32/laion2b_s34b_b79k --json\n"
      "akin model info --activation quick_gelu ~/.cache/clip/ViT-B-32.pt\n",
      cli_model },
    { "help", VERB_HELP, "[VERB]", "print help", "Prints what akin does, or how a verb is used.",
      "akin help embed\n", cli_help },
};
const size_t cli_verb_count = sizeof cli_verbs / sizeof *cli_verbs;

const cli_topic cli_exit_statuses[] = {
    { "0", "done" },
    { "1", "failed" },
    { "2", "wrong usage: nothing was done" },
    { "3", "done, but some inputs were skipped; each is named with its reason" },
    { "130, 143", "stopped by SIGINT or SIGTERM, after finishing what was begun; a second signal "
                  "stops at once" },
};
const size_t cli_exit_status_count = sizeof cli_exit_statuses / sizeof *cli_exit_statuses;

const cli_topic cli_environment[] = {
    { "AKIN_MODEL", "the model when --model is not given (default: mini)" },
    { "AKIN_DB", "where collections are when --db is not given" },
    { "AKIN_HOME",
      "what akin remembers to be faster (default: akin in XDG_CACHE_HOME or ~/.cache)" },
    { "AKIN_THREADS", "the threads when --threads is not given" },
    { "AKIN_CPU", "the instruction set to use instead of the best that the processor has: scalar, "
                  "avx2, avx512, avx512bf16" },
    { "HF_HUB_CACHE", "the hub's cache, where models are found by name (default: hub in HF_HOME, "
                      "else huggingface/hub in XDG_CACHE_HOME, else in ~/.cache)" },
    { "HF_HOME", "what the hub keeps" },
};
const size_t cli_environment_count = sizeof cli_environment / sizeof *cli_environment;

const cli_verb *cli_verb_named(const char *name)
{
    for (size_t i = 0; i < cli_verb_count; i++)
        if (strcmp(cli_verbs[i].name, name) == 0)
            return &cli_verbs[i];
    return NULL;
}

/* ---- Suggestions ---------------------------------------------------------------------------- */

enum { NAME_MAX_COMPARED = 32 };

/* Insertions, deletions, replacements and swaps of neighbours that make b of a, capitals aside. */
static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n >= NAME_MAX_COMPARED || m >= NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    size_t d[NAME_MAX_COMPARED][NAME_MAX_COMPARED];
    for (size_t i = 0; i <= n; i++) {
        for (size_t j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int x = tolower((unsigned char)a[i - 1]), y = tolower((unsigned char)b[j - 1]);
            size_t best = d[i - 1][j - 1] + (x != y);
            best = akin_min(best, akin_min(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
                y == tolower((unsigned char)a[i - 2]))
                best = akin_min(best, d[i - 2][j - 2] + 1);
            d[i][j] = best;
        }
    }
    return d[n][m];
}

/* Near enough to be meant: a third of the letters may be wrong, or the rest is missing. */
static bool resembles(const char *typed, const char *name, size_t *score)
{
    size_t n = strlen(typed);
    *score = distance(typed, name);
    if (*score <= akin_max(1, strlen(name) / 3))
        return true;
    if (n >= 2 && strncasecmp(typed, name, n) == 0) {
        *score = 3;
        return true;
    }
    return false;
}

static akin_status unknown_option(const cli_verb *verb, const char *typed, akin_error *err)
{
    size_t length = strcspn(typed, "=");
    char name[NAME_MAX_COMPARED] = "";
    if (length < sizeof name)
        memcpy(name, typed, length);
    const cli_option *best = NULL, *elsewhere = NULL;
    size_t best_score = SIZE_MAX, score;
    for (size_t i = 0; i < cli_option_count; i++) {
        const cli_option *o = &cli_options[i];
        if (o->help == NULL)
            continue;
        if ((o->verbs & verb->bit) != 0 && resembles(name, o->name, &score) && score < best_score) {
            best = o;
            best_score = score;
        }
        if ((o->verbs & verb->bit) == 0 && strcmp(name, o->name) == 0)
            elsewhere = o;
    }
    if (best != NULL)
        return wrong_usage(err, "unknown option --%.*s; did you mean --%s?", (int)length, typed,
                           best->name);
    for (size_t i = 0; elsewhere != NULL && i < cli_verb_count; i++)
        if ((elsewhere->verbs & cli_verbs[i].bit) != 0)
            return wrong_usage(err, "--%s belongs to 'akin %s', not to 'akin %s'", elsewhere->name,
                               cli_verbs[i].name, verb->name);
    return wrong_usage(err, "unknown option --%.*s; 'akin %s --help' lists those there are",
                       (int)length, typed, verb->name);
}

static akin_status unknown_verb(const char *typed, akin_error *err)
{
    char list[256] = "";
    const char *best = NULL;
    size_t best_score = SIZE_MAX, score;
    for (size_t i = 0, used = 0; i < cli_verb_count; i++) {
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : ", ",
                                 cli_verbs[i].name);
        if (resembles(typed, cli_verbs[i].name, &score) && score < best_score) {
            best = cli_verbs[i].name;
            best_score = score;
        }
    }
    if (typed[0] == '-')
        return wrong_usage(err, "the verb comes first, before '%s'; akin has: %s", typed, list);
    if (best != NULL)
        return wrong_usage(err, "unknown verb '%s'; did you mean '%s'? akin has: %s", typed, best,
                           list);
    return wrong_usage(err, "unknown verb '%s'; akin has: %s", typed, list);
}

/* ---- Values --------------------------------------------------------------------------------- */

/* Decimal digits only: strtoull would take "-1", " 1" and "+1". Moves *text past them. */
static bool digits(const char **text, size_t *out)
{
    size_t value = 0;
    const char *p = *text;
    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if (!akin_mul(value, 10, &value) || !akin_add(value, (size_t)(*p - '0'), &value))
            return false;
    *text = p;
    *out = value;
    return true;
}

static akin_status parse_count(const char *name, const char *text, size_t max, size_t *out,
                               akin_error *err)
{
    const char *p = text;
    size_t value;
    if (!digits(&p, &value) || *p != '\0' || value < 1 || value > max)
        return wrong_usage(err, "%s must be a number from 1 to %zu, not '%s'", name, max, text);
    *out = value;
    return AKIN_OK;
}

static akin_status parse_size(const char *name, const char *text, size_t *out, akin_error *err)
{
    static const char letters[] = "KMGT";
    const char *p = text;
    size_t value;
    bool good = digits(&p, &value) && value > 0;
    const char *letter = good && *p != '\0' ? strchr(letters, toupper((unsigned char)*p)) : NULL;
    if (letter != NULL) {
        for (const char *l = letters; l <= letter; l++)
            good = good && akin_mul(value, 1024, &value);
        p++;
        if (*p == 'i')
            p++;
    }
    if (good && *p == 'B')
        p++;
    if (!good || *p != '\0')
        return wrong_usage(
            err,
            "%s must be a size such as 4096, 512M or 2G (K, M, G, T: powers of 1024), not '%s'",
            name, text);
    *out = value;
    return AKIN_OK;
}

static akin_status parse_seconds(const char *name, const char *text, double *out, akin_error *err)
{
    char *end;
    double value = strtod(text, &end); /* no setlocale in this program: the point is a point */
    if (!isdigit((unsigned char)text[0]) || *end != '\0' || !isfinite(value) || value <= 0 ||
        value > 86400)
        return wrong_usage(err, "%s must be above 0 and at most 86400, not '%s'", name, text);
    *out = value;
    return AKIN_OK;
}

static akin_status parse_number(const char *name, const char *text, double *out, akin_error *err)
{
    char *end;
    double value = strtod(text, &end);
    if (strspn(text, "0123456789.-+eE") != strlen(text) || end == text || *end != '\0' ||
        !isfinite(value))
        return wrong_usage(err, "%s must be a number, not '%s'", name, text);
    *out = value;
    return AKIN_OK;
}

static akin_status parse_offset(const char *name, const char *text, size_t max, size_t *out,
                                akin_error *err)
{
    const char *p = text;
    size_t value;
    if (!digits(&p, &value) || *p != '\0' || value > max)
        return wrong_usage(err, "%s must be a number from 0 to %zu, not '%s'", name, max, text);
    *out = value;
    return AKIN_OK;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);
    for (const char *c = choices; c != NULL; c = strchr(c, '|'), c = c != NULL ? c + 1 : NULL)
        if (n != 0 && strncmp(c, text, n) == 0 && (c[n] == '|' || c[n] == '\0'))
            return true;
    return false;
}

static akin_status set_option(cli_args *args, const cli_option *o, const char *value,
                              akin_error *err)
{
    void *field = (char *)args + o->offset;
    char name[40];
    snprintf(name, sizeof name, "--%s", o->name);
    switch (o->kind) {
    case KIND_FLAG: *(bool *)field = true; return AKIN_OK;
    case KIND_VALUE:
        if (value[0] == '\0')
            return wrong_usage(err, "%s needs a value that is not empty", name);
        *(const char **)field = value;
        return AKIN_OK;
    case KIND_CHOICE:
        if (!is_choice(o->value, value))
            return wrong_usage(err, "%s must be one of %s, not '%s'", name, o->value, value);
        *(const char **)field = value;
        return AKIN_OK;
    case KIND_LIST: {
        cli_list *list = field;
        list->items[list->count++] = value;
        return AKIN_OK;
    }
    case KIND_COUNT: return parse_count(name, value, o->max, field, err);
    case KIND_SIZE: return parse_size(name, value, field, err);
    case KIND_SECONDS: return parse_seconds(name, value, field, err);
    case KIND_NUMBER: return parse_number(name, value, field, err);
    case KIND_OFFSET: return parse_offset(name, value, o->max, field, err);
    }
    return AKIN_OK;
}

/* ---- The command line ----------------------------------------------------------------------- */

/* argv[*i], which begins with '-': sets the option and moves *i over a value taken from argv. */
static akin_status parse_option(cli_args *args, int argc, char **argv, int *i, akin_error *err)
{
    const char *arg = argv[*i], *value = NULL;
    const cli_option *option = NULL;
    bool is_long = arg[1] == '-';
    size_t length = is_long ? strcspn(arg + 2, "=") : 1;
    for (size_t k = 0; k < cli_option_count && option == NULL; k++) {
        const cli_option *o = &cli_options[k];
        if ((o->verbs & args->verb->bit) == 0)
            continue;
        if (is_long ? strlen(o->name) == length && strncmp(o->name, arg + 2, length) == 0
                    : o->letter != 0 && o->letter == arg[1])
            option = o;
    }
    if (option == NULL && is_long)
        return unknown_option(args->verb, arg + 2, err);
    if (option == NULL)
        return wrong_usage(
            err, "unknown option %s; a file of this name is written ./%s, or after --", arg, arg);
    if (is_long && arg[2 + length] == '=')
        value = arg + 2 + length + 1;
    else if (!is_long && arg[2] != '\0')
        value = arg + 2;
    if (option->kind == KIND_FLAG && value != NULL)
        return wrong_usage(err, "--%s takes no value", option->name);
    if (option->kind != KIND_FLAG && value == NULL) {
        if (*i + 1 >= argc)
            return wrong_usage(err, "--%s needs a value: --%s %s", option->name, option->name,
                               option->value);
        value = argv[++*i];
    }
    return set_option(args, option, value, err);
}

static bool allocate_list(cli_list *list, int argc)
{
    list->items = calloc((size_t)argc + 1, sizeof *list->items);
    return list->items != NULL;
}

akin_status cli_args_parse(cli_args *args, int argc, char **argv, akin_error *err)
{
    akin_status status = AKIN_OK;
    *args = (cli_args){ .weight = NAN, .min_score = NAN, .min_z = NAN, .relative = NAN,
                        .epochs = NAN, .rate = NAN, .decay = NAN, .clip = NAN, .hold_out = NAN,
                        .temperature = NAN,
                        .concept_floor = NAN, .patches = NAN, .augment = NAN,
                        .warmup = SIZE_MAX };
    bool room = allocate_list(&args->files, argc);
    for (size_t i = 0; i < cli_option_count; i++) {
        cli_list *list = (cli_list *)(void *)((char *)args + cli_options[i].offset);
        if (cli_options[i].kind == KIND_LIST && list->items == NULL)
            room &= allocate_list(list, argc);
    }
    if (!room)
        return akin_fail_nomem(err, "command line", 0);
    args->verb = cli_verb_named(argv[1]);
    if (args->verb == NULL) {
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
            args->json |= strcmp(argv[i], "--json") == 0;
        return unknown_verb(argv[1], err);
    }
    /* The first mistake is the one told, but reading goes on: a later --json says how. */
    bool options_end = false;
    for (int i = 2; i < argc; i++) {
        if (options_end || argv[i][0] != '-' || argv[i][1] == '\0') {
            args->files.items[args->files.count++] = argv[i];
        } else if (strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else {
            akin_status this_one =
                parse_option(args, argc, argv, &i, status == AKIN_OK ? err : NULL);
            if (status == AKIN_OK)
                status = this_one;
        }
    }
    args->json |= args->jsonl; /* messages in the form of the hits */
    if (status != AKIN_OK || args->help)
        return status;
    const char *threads = getenv("AKIN_THREADS"), *model = getenv("AKIN_MODEL");
    if (args->threads == 0 && threads != NULL && threads[0] != '\0')
        status = parse_count("AKIN_THREADS", threads, 1024, &args->threads, err);
    args->model_given = args->model != NULL;
    if (args->model == NULL && model != NULL && model[0] != '\0')
        args->model = model;
    return status;
}

void cli_args_clear(cli_args *args)
{
    free(args->files.items);
    for (size_t i = 0; i < cli_option_count; i++) {
        cli_list *list = (cli_list *)(void *)((char *)args + cli_options[i].offset);
        if (cli_options[i].kind == KIND_LIST) {
            free(list->items);
            list->items = NULL;
        }
    }
    *args = (cli_args){ 0 };
}
