# --lenient: JPEGs that were cut late are taken and marked, in every verb that reads pictures.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL"
good=tests/golden/pictures/size-640x480.jpg
head -c 20000 "$good" >"$TMP/cut.jpg"
head -c 8000 "$good" >"$TMP/early.jpg"
cp "$good" "$TMP/good.jpg"
"$PROBE" png 40 30 1 "$TMP/a.png"
head -c 120 "$TMP/a.png" >"$TMP/cut.png"
said="JPEG ends at row 351 of 480: the rest is made up"

exits "not asked for: refused" 1 "$AKIN" embed "$TMP/cut.jpg"
says "not asked for: says where it ends" "akin: $TMP/cut.jpg: JPEG ends at row"
exits "embed" 0 "$AKIN" embed --lenient "$TMP/cut.jpg" "$TMP/good.jpg"
says "embed: warned" "akin: warning: $TMP/cut.jpg: $said"
is "embed: one warning" "$(wc -l <"$TMP/err" | tr -d ' ')" 1
sed -n 1p "$TMP/out" >"$TMP/l1"; sed -n 2p "$TMP/out" >"$TMP/l2"
json "embed: marked" "$TMP/l1" damaged true
is "embed: a vector all the same" "$("$PROBE" norm "$TMP/l1" embedding)" 1.0000
json "embed: the whole one is not marked" "$TMP/l2" '' 'object 3'
exits "embed --json" 0 "$AKIN" embed --lenient --json "$TMP/cut.jpg"
json "embed --json: warning" "$TMP/err" warning.message "$said"
json "embed --json: path" "$TMP/err" warning.path "$TMP/cut.jpg"
exits "embed, npy" 0 "$AKIN" embed --lenient --format npy -o "$TMP/o.npy" "$TMP/cut.jpg" "$TMP/good.jpg"
says "embed, npy: warned" "$said"
exits "embed: quiet does not hide it" 0 "$AKIN" embed --lenient --quiet "$TMP/cut.jpg"
says "embed: quiet does not hide it: said" "$said"
exits "a whole picture" 0 "$AKIN" embed --lenient "$TMP/good.jpg"
silent "a whole picture: no word" err
"$AKIN" embed "$TMP/good.jpg" >"$TMP/l1"
if cmp -s "$TMP/out" "$TMP/l1"; then pass "a whole picture: the same vector"
else fail "a whole picture: the same vector"; fi
exits "texts are not damaged" 0 "$AKIN" embed --lenient "$TMP/cut.jpg" --text a
sed -n 1p "$TMP/out" >"$TMP/l1"
json "texts are not damaged: three fields" "$TMP/l1" '' 'object 3'

exits "cut early: refused" 1 "$AKIN" embed --lenient "$TMP/early.jpg"
says "cut early: why" "before half of it is there"
exits "cut early, among others" 3 "$AKIN" embed --lenient "$TMP/early.jpg" "$TMP/cut.jpg"
exits "a cut PNG is refused" 1 "$AKIN" embed --lenient "$TMP/cut.png"

exits "classify" 0 "$AKIN" classify --lenient --json --labels a,b "$TMP/cut.jpg" "$TMP/good.jpg"
json "classify: marked" "$TMP/out" '[0].damaged' true
json "classify: the whole one is not" "$TMP/out" '[1]' 'object 2'
json "classify: warning" "$TMP/err" warning.path "$TMP/cut.jpg"
exits "classify, plain" 0 "$AKIN" classify --lenient --labels a,b "$TMP/cut.jpg"
says "classify, plain: warned" "akin: warning: $TMP/cut.jpg: $said"

exits "preprocess" 0 "$AKIN" preprocess --lenient "$TMP/cut.jpg" -o "$TMP/p.npy"
says "preprocess: warned" "akin: warning: $TMP/cut.jpg: $said"
exits "preprocess, not asked for" 1 "$AKIN" preprocess "$TMP/cut.jpg" -o "$TMP/q.npy"
exits "tokenize has none" 2 "$AKIN" tokenize --lenient --text a
finish
