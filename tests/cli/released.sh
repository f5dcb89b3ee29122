# Collections of every released format (tests/golden/collections, made once by make.sh there) are read,
# searched, checked and written to by this akin.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache" XDG_DATA_HOME="$TMP/data"
unset AKIN_DB
for old in tests/golden/collections/format-*; do
    n=${old##*-}
    cp -r "$old" "$TMP/p$n"
    db=$TMP/p$n/.akin
    exits "format $n: info" 0 "$AKIN" info --db "$db" --json
    json "format $n: its number" "$TMP/out" format "$n"
    json "format $n: pictures" "$TMP/out" items 4
    json "format $n: missing" "$TMP/out" missing 1
    json "format $n: left out" "$TMP/out" hidden 1
    json "format $n: skipped" "$TMP/out" skipped 1
    exits "format $n: verify" 0 "$AKIN" verify --db "$db"
    (cd "$TMP/p$n" && "$AKIN" embed --model "$MODEL" a.png below/b.png below/copy.png "c d.png") |
        sed "s|\"input\":\"|\"input\":\"$TMP/p$n/|" >"$TMP/all.jsonl"
    "$AKIN" embed --text "a red car" >"$TMP/q.jsonl"
    exits "format $n: search" 0 "$AKIN" search --db "$db" --model "$MODEL" --json a red car
    cp "$TMP/out" "$TMP/hits"
    is "format $n: search is brute force" \
        "$("$PROBE" rank "$TMP/all.jsonl" "$TMP/q.jsonl" "$TMP/hits")" "ok 4"
    exits "format $n: by caption" 0 "$AKIN" search --db "$db" --model "$MODEL" -l --where "caption contains evening" x
    is "format $n: by caption, path" "$(cat "$TMP/out")" "$TMP/p$n/below/b.png"
    # 3: to the copy's new file the old reason no longer applies
    exits "format $n: index" 3 sh -c "cd '$TMP/p$n' && '$AKIN' index --model '$MODEL' --json ."
    json "format $n: nothing embedded again" "$TMP/out" indexed 0
    json "format $n: the one that was left out is back" "$TMP/out" returned 1
    "$PROBE" png 20 20 9 "$TMP/p$n/new.png"
    exits "format $n: a new picture" 0 sh -c "cd '$TMP/p$n' && '$AKIN' index --model '$MODEL' --json ."
    json "format $n: a new picture: embedded" "$TMP/out" indexed 1
    exits "format $n: compact" 0 "$AKIN" compact --db "$db" --missing
    exits "format $n: verify again" 0 "$AKIN" verify --db "$db"
done
finish
