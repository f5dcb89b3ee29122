# akin search: pages, filters, cuts, output forms; and what each refuses.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache" XDG_DATA_HOME="$TMP/data"
export AKIN_DB="$TMP/db"
p=$TMP/p
mkdir -p "$p/fish" "$p/stone" "$p/odd"
cp tests/photos/00*.jpg tests/photos/01*.jpg "$p/fish/"
cp tests/photos/03*.jpg tests/photos/04*.jpg "$p/stone/"
echo "An arch in the evening" >"$p/stone/031.txt"
echo '{"caption":"A dome","tags":["sky","stone"],"rating":4}' >"$p/stone/032.jpg.json"
"$PROBE" png 40 30 1 "$p/odd/a.PNG"
line=$(printf 'two\nlines \033[31m<b>.png')
"$PROBE" png 60 20 2 "$p/odd/$line"
exits "index" 0 "$AKIN" index "$p"
n=41

search() { # NAME STATUS [ARGUMENT...]
    name=$1 wanted=$2
    shift 2
    exits "$name" "$wanted" "$AKIN" search "$@"
}
paths() { tr '\0' '\n' <"$TMP/out" | grep -c .; }

search "plain" 0 a fish
is "plain: ten lines" "$(grep -c . "$TMP/out")" 10
if grep -qE '^-?[0-9]\.[0-9]{3} +-?[0-9]+\.[0-9]  /' "$TMP/out"; then pass "plain: score, z, path"
else fail "plain: score, z, path"; fi
search "json" 0 --json a fish
json "json: ten" "$TMP/out" '' 'array 10'
json "json: rank" "$TMP/out" '[9].rank' 10
search "json, metadata" 0 --json --where "height = 30" a fish
json "json: width" "$TMP/out" '[0].metadata.width' 40
search "jsonl" 0 --jsonl -k 3 a fish
is "jsonl: lines" "$("$PROBE" lines "$TMP/out")" 3
search "paths" 0 -l -k 5 a fish
cp "$TMP/out" "$TMP/five"
search "head of fifteen" 0 -l -k 15 a fish
head -5 "$TMP/out" >"$TMP/head"
if cmp -s "$TMP/five" "$TMP/head"; then pass "the top 5 is the head of the top 15"
else fail "the top 5 is the head of the top 15"; fi
search "page 1" 0 -0 -k 10 a fish
cp "$TMP/out" "$TMP/pages"
for offset in 10 20 30 40; do
    search "page at $offset" 0 -0 -k 10 --offset $offset a fish
    cat "$TMP/out" >>"$TMP/pages"
done
search "all" 0 -0 -k 100 a fish
is "all of them: fewer than k is an answer" "$(tr -cd '\0' <"$TMP/out" | wc -c | tr -d ' ')" $n
if cmp -s "$TMP/pages" "$TMP/out"; then pass "pages are the whole"; else fail "pages are the whole"; fi
search "past the end" 0 --json --offset 1000 fish
json "past the end: empty" "$TMP/out" '' 'array 0'
search "several words are one query" 0 --json "a fish"
cp "$TMP/out" "$TMP/one"
search "the same unquoted" 0 --json a fish
if cmp -s "$TMP/one" "$TMP/out"; then pass "words are joined"; else fail "words are joined"; fi

# names in tables are escaped, in -0 whole
search "a name with a newline" 0 -k 100 --in "$p/odd" x
is "escaped: two lines" "$(grep -c . "$TMP/out")" 2
out_has "escaped: shown" 'two\nlines \x1b[31m<b>.png'
search "whole" 0 -0 -k 100 --in "$p/odd" x
if tr '\0' '@' <"$TMP/out" | grep -q "lines $(printf '\033')\[31m<b>.png@"; then pass "whole: as it is"
else fail "whole: as it is"; fi

# ---- filters
count() { # NAME WANTED ARGUMENT...
    counted=$1 number=$2
    shift 2
    search "$counted" 0 -l -0 -k 1000 "$@" x
    is "$counted: how many" "$(tr -cd '\0' <"$TMP/out" | wc -c | tr -d ' ')" "$number"
}
count "--in" 19 --in "$p/fish"
count "--in twice" 21 --in "$p/fish" --in "$p/odd"
count "--in a folder that is not there" 0 --in "$p/none"
count "--in a name's beginning is no folder" 0 --in "$p/fis"
count "--ext" 39 --ext jpg
count "--ext, any case" 2 --ext .PNG
count "--ext list" 41 --ext jpg,png
count "--where" 2 --where "width = 40 or height = 20"
count "--where: not, parentheses" 39 --where "not (ext in (png, gif))"
count "--where: caption contains" 1 --where "caption contains 'evening'"
count "--where: a number of the sidecar" 1 --where "rating >= 4"
count "--where: tags" 1 --where "tags = stone"
count "--where: path prefix" 20 --where "path prefix '$p/stone/'"
count "--after: no picture has a date" 0 --after 2000
search "--where: nonsense" 2 --where "width >" x
says "--where: where" "at byte 7"
search "--where: a word for a number" 2 --where "width = wide" x
search "--after: no date" 2 --after yesterday x
search "statistics stay those of the whole" 0 --json -k 1 --in "$p/odd" a fish
z=$("$PROBE" json "$TMP/out" '[0].z') path=$("$PROBE" json "$TMP/out" '[0].path')
search "without the filter" 0 --jsonl -k 1000 a fish
if grep -F "\"z\":$(echo "$z" | cut -c1-7)" "$TMP/out" >/dev/null; then pass "the same z without the filter"
else fail "the same z without the filter" "$z of $path"; fi

# ---- cuts
search "best" 0 --json -k 1 a fish
best=$("$PROBE" json "$TMP/out" '[0].score')
search "--min-score above the best" 0 --json --min-score 0.999 a fish
json "--min-score: none" "$TMP/out" '' 'array 0'
search "--min-z" 0 --jsonl -k 100 --min-z 1 a fish
is "--min-z: all above" "$(grep -o '"z":[-0-9.]*' "$TMP/out" | awk -F: '$2 < 1' | wc -l | tr -d ' ')" 0
search "--relative 1" 0 -l --relative 1 a fish
is "--relative 1: the best alone" "$(paths)" 1
search "--relative" 0 --jsonl -k 100 --relative 0.5 a fish
is "--relative: none below half" "$(grep -o '"score":[-0-9.]*' "$TMP/out" |
    awk -F: -v b="$best" '$2 < b / 2 - 1e-6' | wc -l | tr -d ' ')" 0
search "fewer than 100: no verdict" 0 a fish
silent "fewer than 100: no word of it" err

# ---- pictures, both, minus
q=tests/photos/005.jpg
search "a picture that is elsewhere" 0 --json --image "$q"
json "elsewhere: the one in the collection is first" "$TMP/out" '[0].path' "$p/fish/005.jpg"
search "--exclude-self" 0 -0 -k 100 --image "$p/fish/005.jpg" --exclude-self
is "--exclude-self: one fewer" "$(tr -cd '\0' <"$TMP/out" | wc -c | tr -d ' ')" $((n - 1))
search "stored vector: no model needed" 0 --json --with-self --image "$p/fish/005.jpg"
json "stored vector" "$TMP/out" '[0].path' "$p/fish/005.jpg"
search "weight 1 is the picture" 0 -l --image "$q" --weight 1 a fish
cp "$TMP/out" "$TMP/one"
search "the picture" 0 -l --image "$q"
if cmp -s "$TMP/one" "$TMP/out"; then pass "weight 1 is the picture: same"; else fail "weight 1"; fi
search "weight 0 is the text" 0 -l --image "$q" --weight 0 a fish
cp "$TMP/out" "$TMP/one"
search "the text" 0 -l a fish
if cmp -s "$TMP/one" "$TMP/out"; then pass "weight 0 is the text: same"; else fail "weight 0"; fi
search "--not" 0 -l a fish --not water
search "minus itself is nothing" 2 a fish --not "a fish"
search "a query picture that is none" 1 --image "$p/stone/031.txt"
says "a query picture that is none: named" "031.txt"
search "a query that is no UTF-8" 1 "$(printf 'caf\351')"

# ---- pages with pictures
search "--html" 0 --html "$TMP/page.html" -k 50 a fish
if head -c 200 "$TMP/page.html" | grep -q 'akin contact sheet'; then pass "--html: written"
else fail "--html: written"; fi
is "--html: a thumbnail each" "$(grep -o 'data:image/jpeg;base64,' "$TMP/page.html" | wc -l | tr -d ' ')" $n
if grep -q '<b>.png' "$TMP/page.html"; then fail "--html: names are escaped"
else pass "--html: names are escaped"; fi
if grep -qE '(src|href)="(https?:)?//' "$TMP/page.html"; then fail "--html: no network"
else pass "--html: no network"; fi

# ---- wrong usage
search "nothing asked" 2
search "--not alone" 2 --not x
search "k 0" 2 -k 0 x
search "weight without both" 2 --weight 0.3 x
search "weight past 1" 2 --weight 1.5 --image "$q" x
search "self both ways" 2 --with-self --exclude-self --image "$q"
search "no collection" 1 --db "$TMP/none" x
says "no collection: what to do" "akin index"
exits "no collection anywhere" 1 env -u AKIN_DB sh -c "cd / && '$AKIN' search x"
says "no collection anywhere: places" ".akin/"
says "no collection anywhere: places, the last" "$TMP/data/akin"
exits "a model that is gone" 1 sh -c "cp -r '$MODEL' '$TMP/m' && '$AKIN' index --db '$TMP/d2' --model '$TMP/m' '$p/odd' >/dev/null && mv '$TMP/m' '$TMP/m2' && '$AKIN' search --db '$TMP/d2' x"
says "a model that is gone: what to do" "--model"
exits "and where it is now" 0 "$AKIN" search --db "$TMP/d2" --model "$TMP/m2" x
exits "another one" 2 "$AKIN" search --db "$TMP/d2" --model tests/golden/clip/tiny-b x
finish
