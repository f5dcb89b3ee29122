# akin train, as its user meets it: it learns, from a fixed seed, what the committed set teaches; it
# is killed anywhere and goes on with the same bits; and what it cannot do it says.
#
#   TRAIN_ALL=1    killed at every write, and a floor for other seeds as well (some minutes more)
[ -n "${TMPDIR:-}" ] || { [ -w /dev/shm ] && TMPDIR=/dev/shm && export TMPDIR; }
. tests/cli/lib.sh
: "${FAULTY:=$BUILD/akin_faulty}" "${TRAIN_ALL:=}"
set=$PWD/tests/training m=$PWD/tests/training/train.tsv T=$TMP/t
hf=tests/golden/clip/tiny-a resnet=tests/golden/open_clip/oc-i vit=tests/golden/open_clip/oc-h
TMP=$(cd "$TMP" && pwd -P)

# train OUT [OPTION...]: from scratch, small and the same everywhere.
small="--config $set --batch 12 --threads 1 --precision f32 --augment 0.5 --seed 7"
train() {
    out=$1
    shift
    # shellcheck disable=SC2086  # options
    run "$AKIN" train "$m" -o "$out" $small "$@"
}
# of OUT KEY: the last value of it in the metrics.
of() { sed -n "s/.*\"$2\":\([^,}]*\).*/\1/p" "$1/metrics.jsonl" | tail -n 1; }
# What must not differ: all of a line but the times.
course() { sed 's/"pairs_per_second":[^,]*,"waited":[^,]*,"seconds":[0-9.]*//' "$1/metrics.jsonl"; }
same() { # NAME A B: metrics and weights
    course "$2" >"$TMP/a" && course "$3" >"$TMP/b"
    if ! [ -s "$TMP/a" ] || ! cmp -s "$TMP/a" "$TMP/b"; then
        fail "$1: losses" "$(diff "$TMP/a" "$TMP/b" | head -n 4)"
    elif ! cmp -s "$2/open_clip_model.safetensors" "$3/open_clip_model.safetensors"; then
        fail "$1: weights"
    else
        pass "$1"
    fi
}
# holds NAME A OP B: of numbers
holds() { if awk "BEGIN { exit !($2 $3 $4) }"; then pass "$1"; else fail "$1" "not $2 $3 $4"; fi; }

# ---- It learns. 48 things in four styles of drawing are named in a fifth: chance is 0.02. The
# temperature begins too high, and must come down. docs/testing.md says what is reached with each
# part of the loss broken.
learns() { # SEED
    rm -rf "$TMP/l"
    exits "seed $1: trained" 0 "$AKIN" train "$m" -o "$TMP/l" --config "$set" --steps 500 \
        --batch 32 --rate 3e-3 --augment 0.3 --temperature 0.2 --warm-start --seed "$1" \
        --held-out "$set/held_out.tsv" --every 500
    recall=$(of "$TMP/l" recall_at_1) temperature=$(of "$TMP/l" temperature)
    loss=$(tail -n 100 "$TMP/l/metrics.jsonl" | sed 's/.*"pair_loss":\([^,]*\).*/\1/' |
        awk '{ s += $1 } END { print (NR == 100 ? s / NR : 9) }')
    echo "# seed $1: loss $loss, temperature $temperature, recall $recall"
    holds "seed $1: loss of the last 100 steps" "$loss" '<' 0.85
    holds "seed $1: temperature" "$temperature" '<' 0.115
    holds "seed $1: recall at 1 on an unseen style" "$recall" '>=' 0.42
}
if [ -n "$SANITIZE" ]; then
    skip "it learns" "minutes with a sanitizer"
else
    learns 1
    exits "eval reads what was trained" 0 "$AKIN" eval --json --no-zero-shot --model "$TMP/l" "$set/held_out.tsv"
    holds "eval: the same recall" "$("$PROBE" json "$TMP/out" 'languages[0].text_to_picture.recall_at_1')" \
        '>=' 0.42
    exits "plot" 0 "$AKIN" train plot "$TMP/l/metrics.jsonl" -o "$TMP/curves.svg"
    is "plot: a picture" "$(grep -c '<svg' "$TMP/curves.svg")" 1
    # shellcheck disable=SC2046  # seeds
    for seed in $([ -n "$TRAIN_ALL" ] && echo 2 3 4); do learns "$seed"; done
fi
exits "plot without an output" 2 "$AKIN" train plot "$TMP/l/metrics.jsonl"
exits "plot of nothing" 1 "$AKIN" train plot "$TMP/none.jsonl" -o "$TMP/curves.svg"

# ---- Bits
measured="--held-out $set/held_out.tsv --every 10"
# shellcheck disable=SC2086
train "$TMP/whole" --steps 30 --warm-start $measured
is "uninterrupted" "$rc" 0
is "a line a step" "$("$PROBE" lines "$TMP/whole/metrics.jsonl")" 30
is "measured" "$(grep -c recall_at_1 "$TMP/whole/metrics.jsonl")" 3
# shellcheck disable=SC2086
train "$TMP/two" --steps 30 --warm-start $measured --threads 2 --loaders 3
same "two threads: the same bits" "$TMP/whole" "$TMP/two"

# resumed OUT OPTION...: goes on, or begins when there is nothing to go on with.
resumed() {
    out=$1
    shift
    if [ -e "$out/training/state.safetensors" ]; then train "$out" --resume "$@"
    else rm -rf "$out"; train "$out" "$@"; fi
}
# Killed at moments nobody chose, again and again.
n=0 kills=0
while :; do
    n=$((n + 1))
    go=
    [ ! -e "$TMP/killed/training/state.safetensors" ] || go=--resume
    # shellcheck disable=SC2086
    "$AKIN" train "$m" -o "$TMP/killed" $small --steps 30 --warm-start $measured \
        --save-every 0.01 $go >"$TMP/out" 2>"$TMP/err" </dev/null &
    pid=$!
    [ $n -gt 6 ] || { sleep "0.$n"; kill -9 $pid 2>/dev/null; }
    rc=0
    wait $pid || rc=$?
    [ $rc = 137 ] || break
    kills=$((kills + 1))
done
is "killed $kills times: resumed" "$rc" 0
holds "killed at all" "$kills" '>' 0
same "killed $kills times: the same bits" "$TMP/whole" "$TMP/killed"

# Killed at writes: of the state, of the model, of their renames.
R=$TMP/r
export AKIN_FAULT_ROOT="$R" AKIN_FAULT_COUNT="$TMP/count"
faulty() { # OPTION...
    # shellcheck disable=SC2086
    run "$FAULTY" train "$m" -o "$R/o" $small --steps 6 --save-every 0.000001 "$@"
}
mkdir "$R"
train "$TMP/six" --steps 6
faulty
is "writes: none fails" "$rc" 0
same "writes: none fails: the same bits" "$TMP/six" "$R/o"
calls=$(cut -d' ' -f1 "$TMP/count")
for deed in kill short enospc; do
    bad= at=3
    while [ "$at" -le "$calls" ]; do
        rm -rf "${R:?}"/*
        export AKIN_FAULT_AT=$at AKIN_FAULT_DO=$deed
        faulty
        unset AKIN_FAULT_AT AKIN_FAULT_DO
        case $deed,$rc in
        kill,137 | short,137) ;;
        enospc,1) grep -qF "$R/o" "$TMP/err" || bad="$bad $at(names no file)" ;;
        *,0) ;; # of a call that may fail
        *) bad="$bad $at(exit $rc)" ;;
        esac
        resumed "$R/o" --steps 6
        [ "$rc" = 0 ] || bad="$bad $at(again: $rc $(head -n 1 "$TMP/err"))"
        course "$TMP/six" >"$TMP/a" && course "$R/o" >"$TMP/b"
        cmp -s "$TMP/a" "$TMP/b" || bad="$bad $at(losses)"
        cmp -s "$TMP/six/open_clip_model.safetensors" "$R/o/open_clip_model.safetensors" ||
            bad="$bad $at(weights)"
        at=$((at + $([ -n "$TRAIN_ALL" ] && echo 1 || echo "$((calls / 8))")))
    done
    is "$deed at one of $calls writes, resumed: the same bits" "$bad" ""
done

# Signals: a checkpoint is written, the exit is 128 + signal, and it goes on from there.
for pair in "15 143" "2 130"; do
    rm -rf "$TMP/s"
    # shellcheck disable=SC2086,SC2016
    "$PROBE" signal "${pair% *}" -- sh -c '(sleep 2; echo) & exec "$@"' sh \
        "$AKIN" train "$m" -o "$TMP/s" $small --steps 100000 >"$TMP/out" 2>"$TMP/err"
    is "signal ${pair% *}: exit" "$(head -n 1 "$TMP/out")" "exit ${pair#* }"
    says "signal ${pair% *}: says how to go on" "--resume"
    done=$(of "$TMP/s" step)
    is "signal ${pair% *}: the checkpoint is of that step" "$("$PROBE" lines "$TMP/s/metrics.jsonl")" "$done"
    "$AKIN" train "$m" -o "$TMP/s" --resume --steps 100000 --config "$set" --batch 12 --threads 1 \
        --precision f32 --augment 0.5 --seed 7 --quiet >"$TMP/out" 2>"$TMP/err" &
    pid=$!
    i=0
    while [ "$(of "$TMP/s" step)" -le "$done" ] && [ $i -lt 200 ]; do sleep 0.1; i=$((i + 1)); done
    train "$TMP/s" --steps 100000 --resume
    is "two at once: refused" "$rc" 1
    says "two at once: names the process" "process $pid"
    kill -15 $pid
    rc=0
    wait $pid || rc=$?
    is "signal ${pair% *}: goes on, and stops again" "$rc" 143
    holds "signal ${pair% *}: further than before" "$(of "$TMP/s" step)" '>' "$done"
done

# ---- Resuming what is not there, or is another
train "$TMP/no" --steps 6 --resume
is "nothing to resume" "$rc" 1
says "nothing to resume: said" "no training to go on with"
[ ! -e "$TMP/no" ]
is "nothing to resume: nothing is made" $? 0
train "$TMP/six" --steps 6
is "a training was there" "$rc" 2
says "a training was there: said" "--resume"
for other in "--steps 7" "--rate 1e-4" "--warm-start" "--loss sigmoid" "--temperature 0.1" \
    "--any-batch" "--stages 0.5" "--chunk 5" "--batch 13" "--seed 8" "--decay 0" "--clip 2"; do
    # shellcheck disable=SC2086
    train "$TMP/six" --steps 6 --resume $other
    is "resumed with $other: refused" "$rc" 2
    says "resumed with $other: said" "other options"
done
mkdir -p "$TMP/changed"
sed "s|^pictures|$set/pictures|" "$m" >"$TMP/m.tsv"
m2=$m m=$TMP/m.tsv
train "$TMP/changed" --steps 6
is "another manifest: trained" "$rc" 0
echo "	en	one more	x" >>"$TMP/m.tsv"
train "$TMP/changed" --steps 6 --resume
is "a manifest that changed: refused" "$rc" 2
m=$m2
cp "$TMP/six/training/state.safetensors" "$TMP/state"
bytes=$(wc -c <"$TMP/state")
damaged() { # NAME
    train "$TMP/six" --steps 6 --resume
    is "$1: refused" "$rc" 1
    says "$1: named" "state.safetensors"
}
head -c $((bytes / 2)) "$TMP/state" >"$TMP/six/training/state.safetensors"
damaged "half a state"
: >"$TMP/six/training/state.safetensors"
damaged "an empty state"
head -c 4096 /dev/zero | cat - "$TMP/state" >"$TMP/six/training/state.safetensors"
damaged "not a state"
cp "$set/../golden/weights/small.safetensors" "$TMP/six/training/state.safetensors"
damaged "another safetensors file"
sed 's/akin-training-1/akin-training-9/' "$TMP/state" >"$TMP/six/training/state.safetensors"
damaged "a state of another version"
cp "$TMP/state" "$TMP/six/training/state.safetensors"
train "$TMP/six" --steps 6 --resume
is "resumed when it is done: nothing to do" "$rc" 0

# ---- From a model
printf 'path\ttext\n' >"$TMP/p.tsv"
mkdir "$TMP/p"
for i in 1 2 3 4 5 6 7 8 9 10 11 12; do
    "$PROBE" png $((20 + i)) 30 $i "$TMP/p/$i.png"
    echo "a thing of number $i" >"$TMP/p/$i.txt"
    printf 'p/%s.png\ta thing of number %s\n' $i $i >>"$TMP/p.tsv"
done
tuned() { # OUT MODEL OPTION...
    to=$1 source=$2
    shift 2
    run "$AKIN" train "$TMP/p.tsv" -o "$to" --from "$source" --batch 6 --threads 1 --precision f32 "$@"
}
embeds() { # NAME MODEL
    run "$AKIN" embed --model "$2" --text "a thing" "$TMP/p/1.png"
    is "$1: read again" "$rc" 0
}
for from in "$hf" "$resnet" "$vit"; do
    name=$(basename "$from") out=$TMP/$(basename "$from")
    tuned "$out" "$from" --steps 4 --rate 1e-3
    is "$name: trained" "$rc" 0
    out_has "$name: reports" "parameters for 4 steps"
    embeds "$name" "$out"
    for f in config.json open_clip_config.json tokenizer.json preprocessor_config.json; do
        [ ! -e "$from/$f" ] || cmp -s "$from/$f" "$out/$f"
        is "$name: $f is the source's" $? 0
    done
    tuned "$out.p" "$from" --steps 4 --rate 1e-2 --projections --json
    is "$name, projections: trained" "$rc" 0
    holds "$name, projections: few learn" "$("$PROBE" json "$TMP/out" trained)" '<' \
        "$("$PROBE" json "$TMP/out" parameters) / 4"
    tuned "$out.h" "$from" --steps 4 --rate 1e-3 --f16
    is "$name, f16: trained" "$rc" 0
    embeds "$name, f16" "$out.h"
    holds "$name, f16: smaller" "$(cat "$out.h"/*.safetensors | wc -c)" '<' \
        "$(cat "$out"/*.safetensors | wc -c) * 0.7"
    "$AKIN" embed --model "$out" "$TMP/p/1.png" -o "$TMP/a.npy" --format npy 2>/dev/null
    "$AKIN" embed --model "$out.h" "$TMP/p/1.png" -o "$TMP/b.npy" --format npy 2>/dev/null
    "$PROBE" row "$TMP/a.npy" 0 >"$TMP/a" && "$PROBE" row "$TMP/b.npy" 0 >"$TMP/b"
    far=$(paste "$TMP/a" "$TMP/b" | awk '{ n = NF / 2; for (i = 1; i <= n; i++) { d = $i - $(i + n)
        if (d < 0) d = -d; if (d > far) far = d } } END { print (NR > 0 ? far + 0 : 9) }')
    holds "$name, f16: near" "$far" '<' 2e-2
done
tuned "$TMP/self" "$TMP/tiny-a" --steps 2
is "a model that was trained: trained again" "$rc" 0

tuned "$TMP/self" "$TMP/self/../self" --steps 2
is "into the model it begins with: refused" "$rc" 2
says "into the model it begins with: said" "the model to begin with"

tuned "$TMP/pre" "$hf" --preset finetune --epochs 4 --held-out "$TMP/p.tsv" --every 2
is "preset finetune" "$rc" 0
out_has "preset finetune: the best" "best recall at 1"
is "preset finetune: the temperature is fixed" "$(sed -n 's/.*"temperature":\([^,]*\).*/\1/p' "$TMP/pre/metrics.jsonl" | sort -u | wc -l | tr -d ' ')" 1
tuned "$TMP/early" "$hf" --rate 1e-9 --steps 400 --held-out "$TMP/p.tsv" --every 2 --patience 3 --json
is "patience: exit" "$rc" 0
json "patience: stopped early" "$TMP/out" early true
json "patience: what was best" "$TMP/out" best_step 2
json "patience: when" "$TMP/out" steps 8
tuned "$TMP/early" "$hf" --rate 1e-9 --steps 400 --held-out "$TMP/p.tsv" --every 2 --patience 3 --json --resume
json "patience, resumed: the best is known" "$TMP/out" best_step 2

tuned "$TMP/sig" "$resnet" --loss sigmoid --steps 4
is "sigmoid: trained" "$rc" 0
is "sigmoid: its bias is in the configuration" "$(grep -c init_logit_bias "$TMP/sig/open_clip_config.json")" 1
exits "sigmoid: classify" 0 "$AKIN" classify --model "$TMP/sig" --json --labels "cat,dog,a thing" "$TMP/p/1.png"
sum=$(grep -o '"probability":[^,}]*' "$TMP/out" | awk -F: '{ s += $2; n++ } END { print n == 3 ? s : 1 }')
holds "sigmoid: each label by itself" "($sum - 1) ^ 2" '>' 1e-4
tuned "$TMP/sig.hf" "$hf" --loss sigmoid --steps 4
is "sigmoid in Hugging Face form: refused" "$rc" 1
says "sigmoid in Hugging Face form: said" "logit_bias"

tuned "$TMP/chunk" "$vit" --steps 3 --chunk 4 --augment 0
tuned "$TMP/unchunked" "$vit" --steps 3 --augment 0
holds "chunks: the same loss" "($(of "$TMP/chunk" loss) - $(of "$TMP/unchunked" loss)) ^ 2" '<' 1e-8
tuned "$TMP/patches" "$vit" --steps 3 --patches 0.5
is "patches" "$rc" 0
tuned "$TMP/patches.r" "$resnet" --steps 3 --patches 0.5
is "patches of a ResNet: refused" "$rc" 2
says "patches of a ResNet: said" "ResNet"
tuned "$TMP/epochs" "$vit" --epochs 3
is "epochs" "$(of "$TMP/epochs" step)" 6
tuned "$TMP/both" "$vit" --epochs 3 --steps 3
is "epochs and steps: refused" "$rc" 2
tuned "$TMP/none" "$vit"
is "neither: refused" "$rc" 2

# ---- What it reads
m2=$m
reads() { # NAME MANIFEST [EXIT]
    run "$AKIN" train "$2" -o "$TMP/m.out" --from "$vit" --batch 6 --steps 2 --threads 1
    is "$1" "$rc" "${3:-0}"
    rm -rf "$TMP/m.out"
}
reads "a folder with captions" "$TMP/p"
{ echo 'filepath,title'; i=1; while [ $i -le 8 ]; do echo "p/$i.png,\"one, $i\""; i=$((i + 1)); done; } >"$TMP/c.csv"
reads "open_clip's CSV" "$TMP/c.csv"
i=1
while [ $i -le 8 ]; do echo "{\"path\":\"p/$i.png\",\"text\":\"thing $i\",\"weight\":$i}"; i=$((i + 1)); done >"$TMP/j.jsonl"
reads "JSON lines" "$TMP/j.jsonl"
mkdir "$TMP/ü 图片"
cp "$TMP/p"/*.png "$TMP/ü 图片"
sed 's|^p/|ü 图片/|; s|thing|图|' "$TMP/p.tsv" >"$TMP/u.tsv"
reads "names and texts beyond ASCII" "$TMP/u.tsv"
awk 'BEGIN { OFS = FS = "\t" } NR == 1 { print $0, "concept", "weight", "stage" }
    NR > 1 { print $0, NR % 2 ? "odd" : "", NR % 3 ? 1 : 0, (NR > 6) }' "$TMP/p.tsv" >"$TMP/w.tsv"
reads "weights of 0, concepts, stages" "$TMP/w.tsv"
run "$AKIN" train "$TMP/w.tsv" -o "$TMP/st" --from "$vit" --batch 2 --steps 4 --threads 1 --stages 0.5
is "stages" "$rc" 0
awk 'BEGIN { OFS = FS = "\t" } NR == 1 { print $0, "weight" } NR > 1 { print $0, 0 }' "$TMP/p.tsv" >"$TMP/zero.tsv"
reads "all weights are 0" "$TMP/zero.tsv" 1
head -n 2 "$TMP/p.tsv" >"$TMP/one.tsv"
run "$AKIN" train "$TMP/one.tsv" -o "$TMP/o1" --from "$vit" --batch 2 --steps 2 --threads 1
echo "# one picture, a batch of two: exit $rc: $(head -n 1 "$TMP/err")"
case $rc in 0 | 1 | 2) pass "one picture alone" ;; *) fail "one picture alone" ;; esac
run "$AKIN" train "$TMP/p.tsv" -o "$TMP/o2" --from "$vit" --batch 64 --steps 2 --threads 1
echo "# 12 pictures, a batch of 64: exit $rc: $(head -n 1 "$TMP/err")"
case $rc in 0 | 1 | 2) pass "a batch larger than the pictures" ;; *) fail "a batch larger than the pictures" ;; esac
printf 'path\ttext\nonly\n' >"$TMP/bare.tsv"
reads "a row without its text" "$TMP/bare.tsv" 1
: >"$TMP/empty.tsv"
reads "an empty manifest" "$TMP/empty.tsv" 1
says "an empty manifest: named" "empty.tsv"
printf 'path\ttext\n' >"$TMP/head.tsv"
reads "no row" "$TMP/head.tsv" 1
reads "no manifest" "$TMP/gone.tsv" 1
says "no manifest: named" "gone.tsv"
awk 'BEGIN { print "path\ttext"; for (i = 1; i <= 40000; i++)
    printf "p/%d.png\ta caption with some words in it, of which there are many: number %d ........................................................\n", i % 12 + 1, i }' >"$TMP/long.tsv"
reads "5 MB of captions" "$TMP/long.tsv"

# ---- Warnings, and what stops
awk 'NR == 1 || NR % 1 == 0 { print }' "$TMP/p.tsv" | sed '2,$s/a thing of number .*/the same/' >"$TMP/same.tsv"
run "$AKIN" train "$TMP/same.tsv" -o "$TMP/w1" --from "$vit" --batch 6 --steps 3 --threads 1
is "one caption for all: exit" "$rc" 0
says "one caption for all: warned" 'the caption "the same"'
run "$AKIN" train "$TMP/same.tsv" -o "$TMP/w2" --from "$vit" --batch 6 --steps 150 --rate 1e-9 --warmup 1 --threads 1 --json --temperature 1
is "ln(batch): exit" "$rc" 0
says "ln(batch): warned, as JSON" '{"warning":{"message":"the loss sits at ln(6)'
run "$AKIN" train "$TMP/p.tsv" -o "$TMP/w3" --from "$vit" --batch 6 --steps 3 --threads 1 --warm-start
says "a warm start without concepts: warned" "no concept has two pictures"

run "$AKIN" train "$m" -o "$TMP/nan2" --config "$set" --batch 12 --steps 300 --rate 10 --clip 0 --decay 10 --warmup 0 --threads 1 --precision f32
is "a loss that is not finite: exit" "$rc" 1
says "a loss that is not finite: said" "not finite"
says "a loss that is not finite: the step" "at step"
says "a loss that is not finite: a picture" ".png: "
[ ! -e "$TMP/nan2/training/state.safetensors" ] && [ ! -e "$TMP/nan2/open_clip_model.safetensors" ]
is "a loss that is not finite: nothing is written" $? 0
wild() { # OPTION...
    run "$AKIN" train "$m" -o "$TMP/wild" --config "$set" --batch 12 --steps 300 --rate 10 --clip 0 \
        --decay 10 --warmup 0 --threads 1 --precision f32 --save-every 0.000001 "$@"
}
wild
cp "$TMP/err" "$TMP/said"
cp "$TMP/wild/training/state.safetensors" "$TMP/state"
is "a loss that is not finite: the checkpoint before it" \
    "$(sed -n 's/.*at step \([0-9]*\) .*/\1/p' "$TMP/said")" $(($(of "$TMP/wild" step) + 1))
wild --resume
if cmp -s "$TMP/err" "$TMP/said"; then pass "a loss that is not finite: again the same"
else fail "a loss that is not finite: again the same" "$(cat "$TMP/said")"; fi
cmp -s "$TMP/state" "$TMP/wild/training/state.safetensors"
is "a loss that is not finite: the checkpoint is as it was" $? 0
head -c 60 "$TMP/p/2.png" >"$TMP/p/bad.png"
{ cat "$TMP/p.tsv"; printf 'p/bad.png\tbroken\n'; } >"$TMP/bad.tsv"
run "$AKIN" train "$TMP/bad.tsv" -o "$TMP/b1" --from "$vit" --batch 6 --steps 30 --threads 1 --precision f32
is "a broken picture: exit" "$rc" 3
is "a broken picture: named once" "$(grep -c bad.png "$TMP/err")" 1
run "$AKIN" train "$TMP/bad.tsv" -o "$TMP/b1" --from "$vit" --batch 6 --steps 30 --threads 1 --precision f32 --resume --quiet
is "a broken picture: quiet says nothing of the end" "$(wc -c <"$TMP/out" | tr -d ' ')" 0
printf 'path\ttext\np/bad.png\ta\np/gone.png\tb\n' >"$TMP/allbad.tsv"
reads "all pictures are broken" "$TMP/allbad.tsv" 1
echo x >"$TMP/file"
tuned "$TMP/file" "$vit" --steps 2
is "the output is a file: refused" "$rc" 1
says "the output is a file: named" "$TMP/file"
tuned "$TMP/file/below" "$vit" --steps 2
is "the output is below a file: refused" "$rc" 1
exits "no output" 2 "$AKIN" train "$m" --config "$set" --steps 2
exits "no manifest named" 2 "$AKIN" train -o "$TMP/x" --config "$set" --steps 2
exits "neither --config nor --from" 2 "$AKIN" train "$m" -o "$TMP/x" --steps 2
exits "both" 2 "$AKIN" train "$m" -o "$TMP/x" --config "$set" --from "$vit" --steps 2
exits "patience without held-out" 2 "$AKIN" train "$m" -o "$TMP/x" --config "$set" --steps 2 --patience 2
exits "stages that fall" 2 "$AKIN" train "$m" -o "$TMP/x" --config "$set" --steps 2 --stages 0.5,0.2
exits "a batch of one" 2 "$AKIN" train "$m" -o "$TMP/x" --config "$set" --steps 2 --batch 1
exits "no such configuration" 1 "$AKIN" train "$m" -o "$TMP/x" --config "$TMP/gone" --steps 2
exits "weights alone" 2 "$AKIN" train "$m" -o "$TMP/x" --from tests/golden/open_clip/bare-gelu/epoch_3.safetensors --steps 2
train "$TMP/json" --steps 2 --json
json "JSON: steps" "$TMP/out" steps 2
json "JSON: not measured" "$TMP/out" best null
json "JSON: precision" "$TMP/out" precision f32
json "JSON: where" "$TMP/out" model "$TMP/json"
train "$TMP/quiet" --steps 2 --quiet
silent "quiet: standard output" out
silent "quiet: standard error" err
finish
