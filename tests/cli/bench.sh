# akin bench: the one object and its fields.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL"
"$PROBE" png 40 30 1 "$TMP/a.png"
for what in image text preprocess; do
    exits "$what" 0 "$AKIN" bench --what $what --batch 2 --repeat 3 --threads 1 --json
    json "$what: what" "$TMP/out" what $what
    json "$what: items" "$TMP/out" items 6
    json "$what: batch" "$TMP/out" batch 2
    json "$what: threads" "$TMP/out" threads 1
    is "$what: time" "$("$PROBE" json "$TMP/out" seconds_per_item | awk '{ print ($1 > 0) }')" 1
    for field in isa precision seconds_per_item_min; do
        if [ "$("$PROBE" json "$TMP/out" $field)" != absent ]; then pass "$what: $field"; else fail "$what: $field"; fi
    done
done
exits "tokens" 0 "$AKIN" bench --what text --tokens 9 --repeat 1 --json
json "tokens: as many" "$TMP/out" tokens 9
most=$("$AKIN" model info --json | "$PROBE" json - text_tokens)
exits "as many tokens as fit" 0 "$AKIN" bench --what text --tokens "$most" --repeat 1 --json
json "as many tokens as fit: all" "$TMP/out" tokens "$most"
silent "as many tokens as fit: nothing cut" err
exits "too many tokens" 2 "$AKIN" bench --what text --tokens $((most + 1)) --repeat 1
exits "seconds" 0 "$AKIN" bench --what text --seconds 0.05
out_has "seconds: one line for people" "text: "
exits "a file" 0 "$AKIN" bench --what preprocess --repeat 1 --json "$TMP/a.png"
exits "a file that is not there" 1 "$AKIN" bench --what preprocess --repeat 1 "$TMP/none.png"
exits "file for text" 2 "$AKIN" bench --what text "$TMP/a.png"
exits "text for image" 2 "$AKIN" bench --what image --text a
exits "seconds of nothing" 2 "$AKIN" bench --what text --seconds 0
exits "seconds without end" 2 "$AKIN" bench --what text --seconds inf
finish
