# akin index over 240 photographs and what lies between photographs on real disks: every broken file is
# named, nothing stops, a second run does nothing, search equals brute force, and a drive that is away
# loses nothing.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache" XDG_DATA_HOME="$TMP/data"
unset AKIN_DB
db=$TMP/db
p=$TMP/p
mkdir -p "$p/trip/day one" "$p/旅行"
cp tests/photos/0*.jpg "$p/"
cp tests/photos/1*.jpg "$p/trip/"
cp tests/photos/20*.jpg tests/photos/21*.jpg "$p/trip/day one/"
cp tests/photos/22*.jpg tests/photos/23*.jpg tests/photos/240.jpg "$p/旅行/"
photos=240

# Names that are no easier to write than to read.
"$PROBE" png 30 20 1 "$TMP/a.png"
"$PROBE" png 30 20 2 "$TMP/b.png"
"$PROBE" png 30 20 3 "$TMP/c.png"
latin=$(printf 'caf\351.png')
line=$(printf 'two\nlines \033[31m.png')
cp "$TMP/a.png" "$p/with blanks  .png"
cp "$TMP/b.png" "$p/$latin" 2>/dev/null && odd=1 || odd=0
cp "$TMP/c.png" "$p/$line"

# What is broken.
: >"$p/empty.jpg"
head -c 2000 tests/photos/001.jpg >"$p/cut.jpg"
echo "not a picture" >"$p/text.jpg"
# 60000 x 60000 pixels in 51 bytes
printf '\211PNG\r\n\032\n\0\0\0\015IHDR\0\0\352\140\0\0\352\140\010\002\0\0\0\017\260\342\025\000\000\000\002\111\104\101\124\170\234\142\244\221\053' >"$p/bomb.png"
cp tests/photos/002.jpg "$p/unreadable.jpg"
chmod 0 "$p/unreadable.jpg"
[ -r "$p/unreadable.jpg" ] && { rm -f "$p/unreadable.jpg"; unreadable=0; } || unreadable=1
ln -s .. "$p/trip/loop"
ln -s "$p" "$p/trip/day one/up"
broken=$((4 + unreadable))
whole=$((photos + 2 + odd))

# index NAME STATUS [ARGUMENT...]: runs it with --json into $TMP/out.
index() {
    name=$1 wanted=$2
    shift 2
    exits "$name" "$wanted" "$AKIN" index --db "$db" --json "$@"
}
# counts NAME FIELD=N...
counts() {
    name=$1
    shift
    for pair in "$@"; do
        json "$name: $pair" "$TMP/out" "${pair%=*}" "${pair#*=}"
    done
}
seconds() { "$PROBE" json "$TMP/out" seconds; }

# ---- the first run and the second
index "first run" 3 "$p"
counts "first run" indexed=$whole unchanged=0 moved=0 returned=0 missing=0 skipped_before=0
json "first run: broken ones" "$TMP/out" skipped "array $broken"
for f in empty.jpg cut.jpg text.jpg bomb.png; do
    says "first run: names $f" "$p/$f"
done
if [ "$unreadable" = 1 ]; then says "first run: names unreadable.jpg" "$p/unreadable.jpg"
else skip "first run: names unreadable.jpg" "this user may read everything"; fi
json "first run: the bomb is a limit" "$TMP/out" 'skipped[0].code' limit
first=$(seconds)
index "second run" 0 "$p"
counts "second run" indexed=0 unchanged=$whole missing=0 skipped_before=$broken
json "second run: nothing named" "$TMP/out" skipped "array 0"
silent "second run: no message" err
second=$(seconds)
is "second run: under a tenth of the first" \
    "$(echo "$first $second" | awk '{ print ($2 < $1 / 10) ? "yes" : "no: " $2 " of " $1 }')" yes
exits "second run, for people" 0 "$AKIN" index --db "$db" "$p"
out_has "second run, for people: one line" "nothing to do: $whole unchanged"
exits "info" 0 "$AKIN" info --db "$db" --json
json "info: pictures" "$TMP/out" items "$whole"
json "info: skipped" "$TMP/out" skipped "$broken"
exits "info --skipped" 0 "$AKIN" info --db "$db" --skipped
out_has "info --skipped: the reason" "$p/text.jpg: "
exits "verify" 0 "$AKIN" verify --db "$db"

# ---- search is brute force over what embed prints
find "$p" -name '[0-9][0-9][0-9].jpg' | sort >"$TMP/list"
# shellcheck disable=SC2046  # names without blanks but for "day one"
tr '\n' '\0' <"$TMP/list" | xargs -0 "$AKIN" embed --model "$MODEL" >"$TMP/all.jsonl"
"$AKIN" embed --model "$MODEL" "$p/with blanks  .png" >>"$TMP/all.jsonl"
is "embed: all of them" "$(wc -l <"$TMP/all.jsonl" | tr -d ' ')" $((photos + 1))
only="path prefix '$p/0' or path prefix '$p/trip' or path prefix '$p/旅行' or path prefix '$p/with'"
n=0
for words in "a red fish" "a windmill" "tools on a table" "日本" "x"; do
    n=$((n + 1))
    # shellcheck disable=SC2086  # several words are one query
    exits "search $n" 0 "$AKIN" search --db "$db" --json -k 15 --where "$only" $words
    cp "$TMP/out" "$TMP/hits"
    "$AKIN" embed --model "$MODEL" --text "$words" >"$TMP/q.jsonl"
    is "search $n: brute force" "$("$PROBE" rank "$TMP/all.jsonl" "$TMP/q.jsonl" "$TMP/hits")" "ok 15"
done
for f in 001 050 099; do
    exits "picture $f" 0 "$AKIN" search --db "$db" --json --with-self --image "$p/$f.jpg"
    json "picture $f: finds itself" "$TMP/out" '[0].path' "$p/$f.jpg"
    is "picture $f: score" \
        "$("$PROBE" json "$TMP/out" '[0].score' | awk '{ print ($1 >= 0.999) ? "yes" : $1 }')" yes
    exits "picture $f without itself" 0 "$AKIN" search --db "$db" -l --image "$p/$f.jpg"
    if grep -qxF "$p/$f.jpg" "$TMP/out"; then fail "picture $f is left out"
    else pass "picture $f is left out"; fi
done

# ---- changes
echo later >>"$p/text.jpg"
cp tests/photos/003.jpg "$p/new copy.jpg"
mv "$p/004.jpg" "$p/trip/moved.jpg"
mv "$p/005.jpg" "$TMP/away.jpg"
cp "$p/007.jpg" "$p/006.jpg"
index "changes" 3 "$p"
counts "changes" indexed=0 moved=1 missing=1 duplicates=2 skipped_before=$((broken - 1))
says "changes: the broken one that changed is named again" "$p/text.jpg"
exits "the missing one is not found" 0 "$AKIN" search --db "$db" -l -k 1000 fish
if grep -qxF "$p/005.jpg" "$TMP/out"; then fail "the missing one is not found: path"
else pass "the missing one is not found: path"; fi
mv "$TMP/away.jpg" "$p/005.jpg"
index "it is back" 0 "$p"
counts "it is back" indexed=0 returned=1 missing=0

# ---- the disk that is not there
exits "how many" 0 "$AKIN" info --db "$db" --json
all=$("$PROBE" json "$TMP/out" items)
whole_is() { # NAME: nothing was lost
    exits "$1: info" 0 "$AKIN" info --db "$db" --json
    json "$1: nothing lost" "$TMP/out" items "$all"
}
mv "$p" "$TMP/unplugged"
index "root missing" 1 "$p"
says "root missing: says so" "$p"
counts "root missing" missing=0 indexed=0
whole_is "root missing"
mkdir "$p"
index "root empty" 1 "$p"
whole_is "root empty"
mkdir "$TMP/other"
cp "$TMP/c.png" "$TMP/other/other.png"
index "another folder, while it is away" 0 "$TMP/other"
all=$((all + 1))
whole_is "another folder"
index "both: the one that is there is done" 1 "$p" "$TMP/other"
counts "both" unchanged=1
rmdir "$p"
mv "$TMP/unplugged" "$p"
index "plugged in again" 0 "$p"
counts "plugged in again" indexed=0 missing=0 returned=0
mkdir "$TMP/gone"
mv "$p/trip" "$p/旅行" "$TMP/gone/"
index "two thirds gone" 1 "$p"
says "two thirds gone: how to say that it is meant" "--prune"
whole_is "two thirds gone"
index "two thirds gone, meant" 0 "$p" --prune
is "two thirds gone, meant: marked" \
    "$("$PROBE" json "$TMP/out" missing | awk '{ print ($1 > 100) ? "yes" : $1 }')" yes
mv "$TMP/gone/trip" "$TMP/gone/旅行" "$p/"
index "all back" 0 "$p"
counts "all back" indexed=0
whole_is "all back"
exits "verify at the end" 0 "$AKIN" verify --db "$db"

# ---- wrong usage and other models
exits "no path" 2 "$AKIN" index --db "$db"
exits "another model is refused" 2 "$AKIN" index --db "$db" --model tests/golden/clip/tiny-b "$p"
says "another model: the command to type" "akin reindex --model"
exits "AKIN_MODEL does not change a collection" 0 \
    env AKIN_MODEL=tests/golden/clip/tiny-b "$AKIN" index --db "$db" "$p"
exits "a slip of the finger" 1 "$AKIN" index --db "$TMP/slip" "$TMP/othre"
says "a slip of the finger: named" "$TMP/othre: no such file or folder"
[ -e "$TMP/slip" ] && fail "a slip of the finger makes nothing" || pass "a slip of the finger makes nothing"
exits "dry run" 0 "$AKIN" index --db "$TMP/dry" --dry-run "$TMP/other"
out_has "dry run: says" "would read 1 new"
[ -e "$TMP/dry" ] && fail "dry run writes nothing" || pass "dry run writes nothing"

# ---- what was replaced is given back by itself
mkdir "$TMP/one"
for seed in 1 2 3; do
    "$PROBE" png 3$seed 20 $seed "$TMP/one/a.png"
    exits "replaced $seed" 0 "$AKIN" index --db "$TMP/one.db" "$TMP/one"
    exits "replaced $seed: info" 0 "$AKIN" info --db "$TMP/one.db" --json
    # one of two is not more than half; two of three are
    json "replaced $seed: dead vectors" "$TMP/out" dead $((seed == 2))
done
exits "replaced: verify" 0 "$AKIN" verify --db "$TMP/one.db"

# ---- .akin beside the pictures: both move together
mkdir "$TMP/here"
cp tests/photos/01*.jpg "$TMP/here/"
(cd "$TMP/here" && "$AKIN" index --here --model "$MODEL" . >/dev/null)
mv "$TMP/here" "$TMP/there"
run sh -c "cd '$TMP/there' && '$AKIN' search -l -k 100 fish"
is "moved together: found" "$(grep -c "^$TMP/there/0" "$TMP/out")" 10
run sh -c "cd '$TMP/there' && '$AKIN' index . --json"
json "moved together: nothing embedded again" "$TMP/out" indexed 0
json "moved together: unchanged" "$TMP/out" unchanged 10
finish
