# akin classify: labels, templates, the table and JSON.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL"
"$PROBE" png 40 30 1 "$TMP/a.png"
"$PROBE" png 64 80 2 "$TMP/b.png"
echo "no picture" >"$TMP/bad.png"

exits "JSON" 0 "$AKIN" classify --json --labels ' cat, dog ,red car' "$TMP/a.png" "$TMP/b.png"
cp "$TMP/out" "$TMP/all"
json "JSON: an array of pictures" "$TMP/all" '' 'array 2'
json "JSON: path" "$TMP/all" '[1].path' "$TMP/b.png"
json "JSON: every label" "$TMP/all" '[0].labels' 'array 3'
is "JSON: labels are trimmed" "$(for i in 0 1 2; do "$PROBE" json "$TMP/all" "[0].labels[$i].label"; done | sort)" "$(printf 'cat\ndog\nred car')"
is "JSON: sorted, adds up to 1" "$(for i in 0 1 2; do "$PROBE" json "$TMP/all" "[0].labels[$i].probability"; done |
    awk '{ s += $1; if (NR > 1 && $1 > last) bad = 1; last = $1 } END { printf "%d %.4f", bad, s }')" "0 1.0000"
printf ' cat\r\n dog \nred car\n' >"$TMP/labels"
run "$AKIN" classify --json --labels-file "$TMP/labels" "$TMP/a.png" "$TMP/b.png"
if cmp -s "$TMP/out" "$TMP/all"; then pass "labels from a file"; else fail "labels from a file"; fi
printf '\357\273\277cat\ndog\nred car' >"$TMP/labels"
run "$AKIN" classify --json --labels-file "$TMP/labels" "$TMP/a.png" "$TMP/b.png"
if cmp -s "$TMP/out" "$TMP/all"; then pass "labels from a file with a byte order mark"; else fail "labels from a file with a byte order mark"; fi
run "$AKIN" classify --json --labels 'cat,dog,red car' --template 'a photo of a {}' "$TMP/a.png" "$TMP/b.png"
if cmp -s "$TMP/out" "$TMP/all"; then pass "the default template"; else fail "the default template"; fi
exits "equal labels keep their order" 0 "$AKIN" classify --json --labels 'cat,cat' "$TMP/a.png"
json "equal labels are equally likely" "$TMP/out" '[0].labels[1].probability' 0.5
exits "top" 0 "$AKIN" classify --json --labels 'cat,dog,red car' --top 1 "$TMP/a.png"
json "top: one" "$TMP/out" '[0].labels' 'array 1'
json "top: the best" "$TMP/out" '[0].labels[0].label' "$("$PROBE" json "$TMP/all" '[0].labels[0].label')"
json "top: not scaled up" "$TMP/out" '[0].labels[0].probability' "$("$PROBE" json "$TMP/all" '[0].labels[0].probability')"
exits "top above the count" 0 "$AKIN" classify --json --labels 'cat,dog' --top 99 "$TMP/a.png"
exits "one label" 0 "$AKIN" classify --json --labels cat "$TMP/a.png"
json "one label: certain" "$TMP/out" '[0].labels[0].probability' 1
exits "many templates" 0 "$AKIN" classify --labels cat,dog --template '{}' --template 'a sketch of a {}' "$TMP/a.png"
for set in openai-80 openai-7 simple; do
    exits "--templates $set" 0 "$AKIN" classify --labels cat,dog --templates $set "$TMP/a.png"
done
exits "table" 0 "$AKIN" classify --labels cat,dog "$TMP/a.png" "$TMP/b.png"
is "table: names, then labels" "$(sed 's/^  [01]\.[0-9][0-9][0-9][0-9]  .*/LABEL/; s,^.*/,,' "$TMP/out" | tr '\n' ' ')" "a.png LABEL LABEL  b.png LABEL LABEL "

exits "blank label" 2 "$AKIN" classify --labels 'a,,b' "$TMP/a.png"
says "blank label: its position" "label 2"
exits "blank last label" 2 "$AKIN" classify --labels 'a,b, ' "$TMP/a.png"
says "blank last label: its position" "label 3"
printf 'a\n\nb\n' >"$TMP/labels"
exits "blank line" 2 "$AKIN" classify --labels-file "$TMP/labels" "$TMP/a.png"
says "blank line: its position and file" "$TMP/labels: label 2"
: >"$TMP/labels"
exits "empty file of labels" 2 "$AKIN" classify --labels-file "$TMP/labels" "$TMP/a.png"
exits "no file of labels" 1 "$AKIN" classify --labels-file "$TMP/none" "$TMP/a.png"
exits "labels that are not UTF-8" 1 "$AKIN" classify --labels "$(printf 'a,b\377')" "$TMP/a.png"
exits "no labels" 2 "$AKIN" classify "$TMP/a.png"
exits "labels twice" 2 "$AKIN" classify --labels a --labels-file "$TMP/labels" "$TMP/a.png"
exits "no pictures" 2 "$AKIN" classify --labels a,b
exits "template without {}" 2 "$AKIN" classify --labels a,b --template 'a photo' "$TMP/a.png"
says "template without {}: says so" "--template 'a photo' must hold {}"
exits "name of a set as a template" 2 "$AKIN" classify --labels a,b --template openai-80 "$TMP/a.png"
says "name of a set as a template: says how" "--templates openai-80"
exits "template that is not UTF-8" 1 "$AKIN" classify --labels a,b --template "$(printf '{}\351')" "$TMP/a.png"
says "template that is not UTF-8: named" "--template 1"
exits "template and set" 2 "$AKIN" classify --labels a,b --template '{}' --templates simple "$TMP/a.png"
exits "unknown set" 2 "$AKIN" classify --labels a,b --templates mine "$TMP/a.png"
exits "one broken" 3 "$AKIN" classify --json --labels a,b "$TMP/bad.png" "$TMP/a.png"
json "one broken: the other is there" "$TMP/out" '' 'array 1'
json "one broken: named" "$TMP/err" error.path "$TMP/bad.png"
exits "all broken" 1 "$AKIN" classify --json --labels a,b "$TMP/bad.png"
finish
