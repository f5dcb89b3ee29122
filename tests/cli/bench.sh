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
for stored in f16 f32; do
    exits "search $stored: no model" 0 env AKIN_MODEL= "$AKIN" bench --what search --rows 3000 \
        --dimensions 33 --stored $stored --top 5 --batch 2 --repeat 3 --threads 2 --json
    for pair in what=search items=6 batch=2 threads=2 precision=f32 rows=3000 dimensions=33 \
        stored=$stored top=5; do
        json "search $stored: ${pair%%=*}" "$TMP/out" "${pair%%=*}" "${pair#*=}"
    done
    case $stored in f16) bytes=198000 ;; f32) bytes=396000 ;; esac
    json "search $stored: bytes" "$TMP/out" bytes $bytes
    time=$("$PROBE" json "$TMP/out" seconds_per_item)
    is "search $stored: time" "$(echo "$time" | awk '{ print ($1 > 0) }')" 1
done
exits "search: fewer rows than asked for" 0 "$AKIN" bench --what search --rows 3 --top 10 --repeat 1
out_has "search: one line for people" "3 rows of 512 f16"
exits "search: more than there is memory" 1 "$AKIN" bench --what search --rows 1000000000 \
    --dimensions 65536
exits "search: rows for text" 2 "$AKIN" bench --what text --rows 10
exits "search: rows of a collection" 2 "$AKIN" bench --what search --rows 10 --db "$TMP"
exits "search: a text for made-up vectors" 2 "$AKIN" bench --what search --text a
exits "search: a file" 2 "$AKIN" bench --what search "$TMP/a.png"
exits "search: no collection there" 1 "$AKIN" bench --what search --db "$TMP/none"
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
