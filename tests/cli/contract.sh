# akin index and its relatives where experiment found them wrong once: lists of paths, rules that cannot
# be read, what info promises and compact keeps.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache" XDG_DATA_HOME="$TMP/data"
unset AKIN_DB
db=$TMP/db
p=$TMP/p
mkdir -p "$p/below"
cp tests/photos/01[0-4].jpg "$p/"
cp tests/photos/015.jpg "$p/below/"

# ---- lists of paths
exits "an empty list is nothing to do" 0 "$AKIN" index --db "$db" --json --files-from /dev/null
json "an empty list: none" "$TMP/out" indexed 0
exits "an empty list cannot be watched" 2 "$AKIN" index --db "$db" --watch --files-from /dev/null
mkfifo "$TMP/pipe"
(ls "$p"/010.jpg "$p"/011.jpg >"$TMP/pipe") &
exits "a list from a pipe" 0 "$AKIN" index --db "$db" --json --files-from "$TMP/pipe"
wait
json "a list from a pipe: both" "$TMP/out" indexed 2
printf '%s\0' "$p/012.jpg" "$p/013.jpg" >"$TMP/list"
exits "a list with NUL without -0" 2 "$AKIN" index --db "$db" --files-from "$TMP/list"
says "a list with NUL: says -0" "-0"
exits "a list with NUL and -0" 0 "$AKIN" index --db "$db" --json -0 --files-from "$TMP/list"
json "a list with NUL and -0: both" "$TMP/out" indexed 2

# ---- rules that cannot be read
exits "all" 0 "$AKIN" index --db "$db" "$p"
mkdir "$p/.akinignore"
rm "$p/010.jpg"
exits "rules that are a folder" 1 "$AKIN" index --db "$db" --json "$p"
says "rules that are a folder: named" "$p/.akinignore\""
exits "the same with --prune is told too" 3 "$AKIN" index --db "$db" --json --prune "$p"
json "the same with --prune: what is gone is" "$TMP/out" missing 1
json "the same with --prune: named" "$TMP/out" 'skipped[0].path' "$p/.akinignore"
rmdir "$p/.akinignore"

# ---- what info promises, compact keeps
exits "another model" 0 "$AKIN" reindex --db "$db" --model tests/golden/clip/tiny-b
exits "info" 0 "$AKIN" info --db "$db" --json
json "info: nothing to reclaim after reindex" "$TMP/out" reclaimable_bytes 0
exits "compact" 0 "$AKIN" compact --db "$db" --json
json "compact: nothing" "$TMP/out" reclaimed_bytes 0

# ---- a filter that says nothing is no filter of everything
exits "--ext without an ending" 2 "$AKIN" search --db "$db" --ext '' fish
exits "--ext with a comma" 2 "$AKIN" search --db "$db" --ext , fish

exits "--jsonl: an error is JSON too" 2 "$AKIN" search --db "$db" --jsonl --where '(' fish
json "--jsonl: an error is JSON: code" "$TMP/err" error.code argument

# ---- --json is one JSON value, whatever the verb
exits "copy" 0 "$AKIN" copy --db "$db" --json "$TMP/copied"
json "copy: JSON" "$TMP/out" path "$TMP/copied"
exits "export" 0 "$AKIN" export --db "$db" --json "$TMP/exported"
json "export: JSON" "$TMP/out" path "$TMP/exported"

# ---- a model that moved, and one that was changed in its place
cp -R "$MODEL" "$TMP/model"
exits "model: index" 0 "$AKIN" index --db "$TMP/moves" --model "$TMP/model" "$p"
mv "$TMP/model" "$TMP/model2"
exits "model: search when it is gone" 1 "$AKIN" search --db "$TMP/moves" fish
says "model: where it was" "$TMP/model"
exits "model: index says where it is" 0 \
    "$AKIN" index --db "$TMP/moves" --json --model "$TMP/model2" "$p"
json "model: nothing is embedded again" "$TMP/out" indexed 0
exits "model: search finds it from now on" 0 "$AKIN" search --db "$TMP/moves" fish
echo >>"$TMP/model2/tokenizer.json"
exits "model: changed in its place" 2 "$AKIN" search --db "$TMP/moves" fish
says "model: changed in its place: said" "not the model any more"

# ---- three at once make one collection
for i in 1 2 3; do
    "$AKIN" index --db "$TMP/race" --wait 60 --json "$p" >"$TMP/race.$i" 2>>"$TMP/race.err" &
    eval "job$i=\$!"
done
for i in 1 2 3; do
    eval "wait \$job$i"
    is "made at once by three: exit of $i" "$?" 0
done
exits "made at once by three: info" 0 "$AKIN" info --db "$TMP/race" --json
json "made at once by three: all are in" "$TMP/out" items 5

# ---- a summary that cannot be written
if [ -w /dev/full ]; then
    rc=0
    "$AKIN" index --db "$db" --json "$p" >/dev/full 2>"$TMP/err" </dev/null || rc=$?
    is "a full disk under the summary" "$rc" 1
    says "a full disk under the summary: said" "cannot write standard output"
else
    skip "a full disk under the summary" "no /dev/full"
    skip "a full disk under the summary: said" "no /dev/full"
fi

# ---- a pass that goes well says nothing (of tiny-b three names of weights are tried in vain)
timeout 2 "$AKIN" index --db "$db" --watch --quiet "$p" >"$TMP/out" 2>"$TMP/err" </dev/null
silent "watch: no word of what did not fail" err
finish
