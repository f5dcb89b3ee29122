# akin tokenize, preprocess, model info.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL"
"$PROBE" png 40 30 1 "$TMP/a.png"
echo "no picture" >"$TMP/bad.png"

exits "tokenize" 0 "$AKIN" tokenize --text 'a cat' --text '' --text '-x' --text "$(printf 'q"\\\n')"
is "tokenize: a line a text" "$("$PROBE" lines "$TMP/out")" 4
for i in 1 2 3 4; do sed -n ${i}p "$TMP/out" >"$TMP/l$i"; done
json "tokenize: text" "$TMP/l1" text 'a cat'
json "tokenize: empty text is start and end" "$TMP/l2" ids 'array 2'
json "tokenize: text like an option" "$TMP/l3" text -x
is "tokenize: text with controls" "$("$PROBE" json "$TMP/l4" text)" "$(printf 'q"\\\n')"
cp "$TMP/out" "$TMP/all"
run "$AKIN" tokenize --json --text 'a cat' --text '' --text '-x' --text "$(printf 'q"\\\n')"
if cmp -s "$TMP/out" "$TMP/all"; then pass "tokenize --json: the same lines"; else fail "tokenize --json: the same lines"; fi
long=$(awk 'BEGIN { for (i = 0; i < 400; i++) printf "word " }')
exits "a text that is cut" 0 "$AKIN" tokenize --text "$(printf 'see\033')$long"
says "a text that is cut: warned by name, escaped" 'text 1 ("see\x1bword'
is "a text that is cut: a line" "$("$PROBE" lines "$TMP/out")" 1
exits "a text that is cut, JSON" 0 "$AKIN" tokenize --json --text "$long"
json "a text that is cut, JSON: warning" "$TMP/err" warning 'object 1'
run "$AKIN" model info --json
json "a text that is cut: to the model's length" "$TMP/out" text_tokens "$("$AKIN" tokenize --text "$long" 2>/dev/null | "$PROBE" json - ids | sed 's/array //')"
exits "text that is not UTF-8" 1 "$AKIN" tokenize --text "$(printf 'b\351d')"
says "text that is not UTF-8: named" 'b\xe9d'
exits "text that is not UTF-8 among others" 3 "$AKIN" tokenize --json --text ok --text "$(printf 'b\351d')"
json "text that is not UTF-8: code" "$TMP/err" error.code utf8

exits "preprocess" 0 "$AKIN" preprocess "$TMP/a.png" -o "$TMP/p.npy"
silent "preprocess: silent" out
h=$("$AKIN" model info --json | "$PROBE" json - image_height)
w=$("$AKIN" model info --json | "$PROBE" json - image_width)
is "preprocess: shape" "$("$PROBE" npy "$TMP/p.npy")" "3 $h $w"
exits "preprocess --json" 0 "$AKIN" preprocess "$TMP/a.png" --output="$TMP/p.npy" --json
json "preprocess --json: shape" "$TMP/out" 'shape[1]' "$h"
exits "preprocess, broken" 1 "$AKIN" preprocess "$TMP/bad.png" -o "$TMP/q.npy"
says "preprocess, broken: named" "akin: $TMP/bad.png: "
if [ -e "$TMP/q.npy" ]; then fail "preprocess, broken: nothing written"; else pass "preprocess, broken: nothing written"; fi
exits "preprocess to /dev/stdout" 0 "$AKIN" preprocess "$TMP/a.png" -o /dev/stdout
is "preprocess to /dev/stdout: the same" "$(cksum <"$TMP/out")" "$(cksum <"$TMP/p.npy")"
is "preprocess to a pipe: the same" "$("$AKIN" preprocess "$TMP/a.png" -o /dev/stdout | cksum)" "$(cksum <"$TMP/p.npy")"
if [ -L /dev/stdout ]; then pass "/dev/stdout is left alone"; else fail "/dev/stdout is left alone"; fi

exits "model info" 0 "$AKIN" model info "$MODEL"
out_has "model info: family" "family           clip"
exits "model info --json" 0 "$AKIN" model info --json
json "model info --json: fields" "$TMP/out" '' 'object 27'
json "model info --json: family" "$TMP/out" family clip
exits "model info, open_clip form" 0 "$AKIN" model info --json tests/golden/open_clip/oc-d
json "model info, open_clip form: form" "$TMP/out" form open_clip
json "model info, open_clip form: pooling" "$TMP/out" pooling last
json "model info, open_clip form: activation" "$TMP/out" activation gelu
json "model info, open_clip form: tokenizer" "$TMP/out" tokenizer simple
exits "model info, not of that form" 1 "$AKIN" model info --form hf tests/golden/open_clip/oc-d
exits "model info, nothing there" 1 "$AKIN" model info "$TMP/none"
exits "model info, two" 2 "$AKIN" model info a b
finish
