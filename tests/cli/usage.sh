# Wrong usage ends with 2, says what to write instead and does nothing.
. tests/cli/lib.sh

exits "no verb" 2 "$AKIN"
says "no verb: lists verbs" "akin embed"
exits "--version" 0 "$AKIN" --version
is "--version: the form" "$(sed 's/[0-9][0-9.]*$/N/' "$TMP/out")" "akin N"
exits "unknown verb" 2 "$AKIN" frobnicate x
says "unknown verb: lists verbs" "embed, classify, eval, tokenize, preprocess, bench, train, model, help"
exits "misspelt verb" 2 "$AKIN" embd
says "misspelt verb: suggests" "did you mean 'embed'?"
exits "option before the verb" 2 "$AKIN" --json embed
says "option before the verb: says so" "the verb comes first"

exits "unknown option" 2 "$AKIN" embed --modle "$MODEL" x.png
says "unknown option: suggests" "--modle; did you mean --model?"
exits "unknown option with value" 2 "$AKIN" embed --Format=npy x.png
says "unknown option with value: suggests" "did you mean --format?"
exits "option of another verb" 2 "$AKIN" embed --labels a,b x.png
says "option of another verb: says whose" "belongs to 'akin classify'"
exits "unknown option, nothing near" 2 "$AKIN" embed --zzzz
says "unknown option, nothing near: points to help" "akin embed --help"
exits "unknown letter" 2 "$AKIN" embed -x.png
says "unknown letter: a file is meant" "./-x.png"
exits "missing value" 2 "$AKIN" tokenize --text
says "missing value: says which" "--text needs a value"
exits "value for a flag" 2 "$AKIN" embed --raw=yes x.png
exits "no abbreviations" 2 "$AKIN" embed --mod "$MODEL" x.png
says "no abbreviations: suggests" "did you mean --model?"

exits "an empty place for mini" 1 env AKIN_HOME=/nowhere "$AKIN" tokenize --model mini2 --text a
says "a name that is none: says what to do" "a model is a folder"
exits "empty model" 2 "$AKIN" tokenize --model '' --text a
run env AKIN_HOME=/nowhere AKIN_MODEL=mini "$AKIN" tokenize --text a
exits "empty AKIN_MODEL is mini" "$rc" env AKIN_HOME=/nowhere AKIN_MODEL= "$AKIN" tokenize --text a
exits "AKIN_MODEL" 0 env AKIN_MODEL="$MODEL" "$AKIN" tokenize --text a
exits "--model wins over AKIN_MODEL" 0 env AKIN_MODEL=/nowhere "$AKIN" tokenize --model "$MODEL" --text a
exits "model that is not there" 1 "$AKIN" tokenize --model "$TMP/none" --text a
says "model that is not there: named" "$TMP/none"

for value in 0 x -1 1.5 '' 99999999999999999999 1025 ' 2'; do
    exits "--threads '$value'" 2 "$AKIN" tokenize --model "$MODEL" --text a --threads "$value"
done
exits "--threads 2" 0 "$AKIN" tokenize --model "$MODEL" --text a --threads 2
exits "--threads=2" 0 "$AKIN" tokenize --model "$MODEL" --text a --threads=2
exits "AKIN_THREADS=x" 2 env AKIN_THREADS=x "$AKIN" tokenize --model "$MODEL" --text a
says "AKIN_THREADS=x: named" "AKIN_THREADS"
exits "AKIN_THREADS empty" 0 env AKIN_THREADS= "$AKIN" tokenize --model "$MODEL" --text a
exits "--threads wins over AKIN_THREADS" 0 env AKIN_THREADS=x "$AKIN" tokenize --model "$MODEL" --text a --threads 1
exits "AKIN_CPU=foo" 2 env AKIN_CPU=foo "$AKIN" tokenize --model "$MODEL" --text a
says "AKIN_CPU=foo: lists" "scalar"
exits "AKIN_CPU=foo before the model" 2 env AKIN_CPU=foo "$AKIN" embed --model /nowhere --text a
exits "AKIN_CPU=scalar" 0 env AKIN_CPU=scalar "$AKIN" tokenize --model "$MODEL" --text a

for value in 0 M 12X 1.5G -1 '' 99999999999999T 5MM; do
    exits "--max-file '$value'" 2 "$AKIN" tokenize --model "$MODEL" --text a --max-file "$value"
done
for value in 4096 512M 2G 1k 1KiB 10MB 7B; do
    exits "--max-memory $value" 0 "$AKIN" tokenize --model "$MODEL" --text a --max-memory "$value"
done
exits "--precision f16" 2 "$AKIN" tokenize --model "$MODEL" --text a --precision f16
says "--precision f16: lists" "f32|bf16|auto"
exits "--precision f32" 0 "$AKIN" tokenize --model "$MODEL" --text a --precision f32
exits "--precision auto" 0 "$AKIN" tokenize --model "$MODEL" --text a --precision auto
exits "--precision part of a name" 2 "$AKIN" tokenize --model "$MODEL" --text a --precision f3
exits "--form hf" 0 "$AKIN" tokenize --model "$MODEL" --text a --form hf
exits "--form open_clip" 1 "$AKIN" tokenize --model "$MODEL" --text a --form open_clip
exits "--form other" 2 "$AKIN" tokenize --model "$MODEL" --text a --form gguf

exits "embed nothing" 2 "$AKIN" embed --model "$MODEL"
exits "tokenize nothing" 2 "$AKIN" tokenize --model "$MODEL"
exits "tokenize takes no files" 2 "$AKIN" tokenize --model "$MODEL" words
says "tokenize takes no files: says how" "--text 'words'"
exits "preprocess without -o" 2 "$AKIN" preprocess --model "$MODEL" x.png
exits "preprocess of two" 2 "$AKIN" preprocess --model "$MODEL" x.png y.png -o "$TMP/o.npy"
exits "bench without --what" 2 "$AKIN" bench --model "$MODEL"
exits "bench of what there is not" 2 "$AKIN" bench --model "$MODEL" --what everything
exits "model without a word" 2 "$AKIN" model
exits "model list" 2 "$AKIN" model list
exits "skip-broken without npy" 2 "$AKIN" embed --model "$MODEL" --skip-broken --text a
exits "skip-broken without -o" 2 "$AKIN" embed --model "$MODEL" --skip-broken --format npy --text a

run "$AKIN" embed --zzzz --json
is "JSON: a mistake before --json" "$rc" 2
json "JSON: usage error code" "$TMP/err" error.code argument
json "JSON: usage error path" "$TMP/err" error.path null
run "$AKIN" frobnicate --json
json "JSON: unknown verb" "$TMP/err" error.code argument
run "$AKIN" tokenize --model "$TMP/none" --text a --json
is "JSON: failure" "$rc" 1
json "JSON: failure has a code" "$TMP/err" error.code not-found
silent "JSON: failure prints no data" out
finish
