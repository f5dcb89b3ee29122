# akin eval: the numbers of an independent computation (tools/oracle/eval.py verb), table, JSON, page.
. tests/cli/lib.sh
export AKIN_MODEL="$PWD/tests/golden/clip/tiny-a"
golden=tests/golden/eval

# agrees NAME GOLDEN: each "path value" line of GOLDEN against the JSON in $TMP/all.
agrees() {
    wrong=
    lines=0
    while read -r path value; do
        got=$("$PROBE" json "$TMP/all" "$path")
        lines=$((lines + 1))
        echo "$got $value" | awk '{ d = $1 - $2; if (d < 0) d = -d
            exit !($1 == $2 || ($1 + 0 == $1 && d < 1e-9)) }' || wrong="$wrong $path=$got"
    done <"$2"
    is "$1" "$lines:$wrong" "$(wc -l <"$2" | tr -d ' '):"
}

exits "JSON" 0 "$AKIN" eval --json "$golden/pictures.tsv"
cp "$TMP/out" "$TMP/all"
json "JSON: pictures" "$TMP/all" pictures 34
json "JSON: all languages are null" "$TMP/all" 'languages[0].language' null
json "JSON: languages in the manifest's order" "$TMP/all" 'languages[2].language' de
json "JSON: the table's language" "$TMP/all" table_language en
agrees "JSON: as computed elsewhere" "$golden/verb.txt"
run "$AKIN" eval --json --threads 1 --batch 3 "$golden/pictures.tsv"
if cmp -s "$TMP/out" "$TMP/all"; then pass "threads and batches change nothing"; else fail "threads and batches change nothing"; fi
exits "templates" 0 "$AKIN" eval --json --template 'a photo of the {}.' --template 'art of the {}.' "$golden/pictures.tsv"
cp "$TMP/out" "$TMP/all"
agrees "templates: as computed elsewhere" "$golden/verb-templates.txt"

exits "one language" 0 "$AKIN" eval --json --language de "$golden/pictures.tsv"
cp "$TMP/out" "$TMP/de"
json "one language: it and all" "$TMP/de" languages 'array 2'
json "one language: its texts" "$TMP/de" texts 11
sed -n 's/^languages\[2\]/languages[1]/p' "$golden/verb.txt" >"$TMP/de.txt"
cp "$TMP/de" "$TMP/all"
agrees "one language: the same numbers" "$TMP/de.txt"
json "one language: the table's" "$TMP/de" table_language de
exits "another language" 2 "$AKIN" eval --language fr "$golden/pictures.tsv"
says "another language: lists those there are" "en, de"

exits "table" 0 "$AKIN" eval "$golden/pictures.tsv"
out_has "table: counts" "pictures.tsv: 34 pictures, 33 texts, 17 concepts"
is "table: all, then most texts first" "$(awk '/^(all|en|de) / { printf "%s ", $1 }' "$TMP/out")" "all en de "
out_has "table: classes" "worst classes (en)"
out_has "table: not all of them" "and 7 more"
exits "no zero-shot" 0 "$AKIN" eval --no-zero-shot "$golden/pictures.tsv"
is "no zero-shot: none" "$(grep -c 'zero-shot\|worst' "$TMP/out")" 0
exits "no zero-shot: JSON" 0 "$AKIN" eval --no-zero-shot --json "$golden/pictures.tsv"
json "no zero-shot: null" "$TMP/out" 'languages[0].zero_shot.top1' null
json "no zero-shot: no table" "$TMP/out" table_language null

cp tests/photos/001.jpg "$TMP/a <b>.jpg"
cp tests/photos/002.jpg "$TMP/b.jpg"
echo no >"$TMP/bad.jpg"
printf 'text\tpath\tlanguage\n<script>cat\ta <b>.jpg\ten\na dog\tb.jpg\ten\na bird\tbad.jpg\ten\nein Hund\tgone.jpg\t\n' >"$TMP/m.tsv"
exits "skipped pictures" 3 "$AKIN" eval --json --html "$TMP/page.html" "$TMP/m.tsv"
json "skipped: counted" "$TMP/out" skipped 2
json "skipped: its text still counts among texts" "$TMP/out" texts 4
json "skipped: not as a query" "$TMP/out" 'languages[0].text_to_picture.queries' 2
says "skipped: named" "bad.jpg"
says "skipped: the other too" "gone.jpg"
is "page: escaped" "$(grep -c '<script\|<b>.jpg' "$TMP/page.html")" 0
is "page: labels are there" "$(grep -c '&#60;script&#62;cat' "$TMP/page.html" | awk '{ print ($1 > 0) }')" 1
is "page: pictures inside" "$(grep -o 'src="[^"]\{22\}' "$TMP/page.html" | sort -u)" 'src="data:image/jpeg;base64'
is "page: nothing from outside" "$(grep -c 'http://\|https://' "$TMP/page.html")" 0
exits "all broken" 1 "$AKIN" eval --json "$TMP/none.tsv"
printf 'path\ttext\nbad.jpg\ta\n' >"$TMP/none.tsv"
exits "no picture can be read" 1 "$AKIN" eval --json "$TMP/none.tsv"

exits "no manifest" 2 "$AKIN" eval
exits "two manifests" 2 "$AKIN" eval a b
exits "template without {}" 2 "$AKIN" eval --template cat "$golden/pictures.tsv"
exits "template and set" 2 "$AKIN" eval --template '{}' --templates simple "$golden/pictures.tsv"
exits "templates of no labels" 2 "$AKIN" eval --templates simple --no-zero-shot "$golden/pictures.tsv"
printf 'path\ttext\tweight\nb.jpg\ta\tx\n' >"$TMP/wrong.tsv"
exits "a wrong manifest" 1 "$AKIN" eval "$TMP/wrong.tsv"
says "a wrong manifest: file and line" "wrong.tsv"
finish
