# akin embed: JSON lines and arrays, names of every kind, broken inputs, full disks.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL"
"$PROBE" png 40 30 1 "$TMP/a.png"
"$PROBE" png 64 80 2 "$TMP/b.png"
echo "no picture" >"$TMP/bad.png"

exits "texts and files" 0 "$AKIN" embed "$TMP/a.png" --text 'a cat' "$TMP/b.png" --text=dog
is "texts and files: lines" "$("$PROBE" lines "$TMP/out")" 4
cp "$TMP/out" "$TMP/all"
for i in 1 2 3 4; do sed -n ${i}p "$TMP/all" >"$TMP/l$i"; done
json "texts first" "$TMP/l1" input 'a cat'
json "texts first: type" "$TMP/l1" type text
json "texts in order" "$TMP/l2" input dog
json "then files" "$TMP/l3" input "$TMP/a.png"
json "then files: type" "$TMP/l3" type image
json "files in order" "$TMP/l4" input "$TMP/b.png"
for i in 1 3; do is "length 1, line $i" "$("$PROBE" norm "$TMP/l$i" embedding)" 1.0000; done
silent "nothing on standard error" err

run "$AKIN" embed --json "$TMP/a.png" --text 'a cat' "$TMP/b.png" --text=dog
if cmp -s "$TMP/out" "$TMP/all"; then pass "--json: the same lines"; else fail "--json: the same lines"; fi
run "$AKIN" embed --batch 1 --threads 1 "$TMP/a.png" --text 'a cat' "$TMP/b.png" --text=dog
if cmp -s "$TMP/out" "$TMP/all"; then pass "batch and threads change nothing"
else fail "batch and threads change nothing"; fi
exits "-o" 0 "$AKIN" embed "$TMP/a.png" --text 'a cat' "$TMP/b.png" --text=dog -o "$TMP/o.jsonl"
if cmp -s "$TMP/o.jsonl" "$TMP/all"; then pass "-o: the same lines"; else fail "-o: the same lines"; fi
silent "-o: nothing on standard output" out
exits "-oOUT" 0 "$AKIN" embed --text x "-o$TMP/joined"
is "-oOUT: written" "$("$PROBE" lines "$TMP/joined")" 1

exits "odd texts" 0 "$AKIN" embed --text '' --text '-x' --text -- --text "$(printf 'q"\\\n\033[1m')"
sed -n 1p "$TMP/out" >"$TMP/l1"; sed -n 2p "$TMP/out" >"$TMP/l2"; sed -n 3p "$TMP/out" >"$TMP/l3"
sed -n 4p "$TMP/out" >"$TMP/l4"
json "empty text" "$TMP/l1" input ''
json "text like an option" "$TMP/l2" input -x
json "text of two dashes" "$TMP/l3" input --
is "text with controls: whole" "$("$PROBE" json "$TMP/l4" input)" "$(printf 'q"\\\n\033[1m')"
cp "$TMP/a.png" "$TMP/--raw"
run sh -c 'cd "$1" && "$2" embed -- --raw' sh "$TMP" "$AKIN"
is "-- ends the options" "$rc" 0
json "-- ends the options: a file" "$TMP/out" input --raw

exits "raw" 0 "$AKIN" embed --raw --text 'a cat'
json "raw: still a vector" "$TMP/out" type text

# Names are bytes.
odd=$(printf '%s/\377\033[31m.png' "$TMP")
cp "$TMP/a.png" "$odd"
exits "name that is not UTF-8" 0 "$AKIN" embed "$odd"
is "name that is not UTF-8: valid JSON" "$("$PROBE" lines "$TMP/out")" 1
is "name that is not UTF-8: base64" "$("$PROBE" json "$TMP/out" input_base64)" "$(printf %s "$odd" | base64 | tr -d '\n')"
cp "$TMP/bad.png" "$odd"
exits "error about such a name" 1 "$AKIN" embed "$odd"
says "error about such a name: escaped" '\xff\x1b[31m.png: '
exits "JSON error about such a name" 1 "$AKIN" embed --json "$odd"
is "JSON error about such a name: base64" "$("$PROBE" json "$TMP/err" error.path_base64)" "$(printf %s "$odd" | base64 | tr -d '\n')"
bidi=$(printf '%s/a\342\200\256gnp.x' "$TMP")
exits "name that turns the writing round" 1 "$AKIN" embed "$bidi"
says "name that turns the writing round: escaped" '/a\u{202e}gnp.x: '

# Broken inputs.
exits "one of three is broken" 3 "$AKIN" embed "$TMP/a.png" "$TMP/bad.png" "$TMP/b.png"
is "one of three is broken: two lines" "$("$PROBE" lines "$TMP/out")" 2
says "one of three is broken: named" "akin: $TMP/bad.png: "
exits "quiet does not hide it" 3 "$AKIN" embed --quiet "$TMP/a.png" "$TMP/bad.png"
says "quiet does not hide it: named" "akin: $TMP/bad.png: "
exits "all broken" 1 "$AKIN" embed "$TMP/bad.png" "$TMP/none.png"
silent "all broken: no data" out
says "all broken: second named too" "akin: $TMP/none.png: "
exits "broken, JSON" 3 "$AKIN" embed --json "$TMP/bad.png" "$TMP/a.png"
json "broken, JSON: path" "$TMP/err" error.path "$TMP/bad.png"
exits "a folder" 1 "$AKIN" embed "$TMP"
says "a folder: named" "$TMP: "
exits "an empty name" 1 "$AKIN" embed ''
says "an empty name: said" "empty"
exits "text that is not UTF-8" 3 "$AKIN" embed --text good --text "$(printf 'b\351d')" --text more
is "text that is not UTF-8: others done" "$("$PROBE" lines "$TMP/out")" 2
says "text that is not UTF-8: named" 'text 2 ("b\xe9d")'
sed -n 2p "$TMP/out" >"$TMP/l2"
run "$AKIN" embed --text more
if cmp -s "$TMP/out" "$TMP/l2"; then pass "the text after it has its own vector"
else fail "the text after it has its own vector"; fi
exits "text that is not UTF-8, JSON" 1 "$AKIN" embed --json --text "$(printf 'b\351d')"
json "text that is not UTF-8, JSON: code" "$TMP/err" error.code utf8
exits "--max-file" 1 "$AKIN" embed --max-file 10 "$TMP/a.png"
says "--max-file: what to do" "--max-file"
run "$AKIN" embed --json --max-file 10 "$TMP/a.png"
json "--max-file: code" "$TMP/err" error.code limit

# Arrays.
exits "npy" 0 "$AKIN" embed --format npy -o "$TMP/v.npy" "$TMP/a.png" --text 'a cat' "$TMP/b.png"
d=$("$PROBE" npy "$TMP/v.npy" | cut -d' ' -f2)
is "npy: shape" "$("$PROBE" npy "$TMP/v.npy")" "3 $d"
run "$AKIN" embed --text 'a cat'
is "npy: row 0 is the text" "$("$PROBE" row "$TMP/v.npy" 0)" "$(sed 's/.*"embedding":\(\[[^]]*\]\).*/\1/' "$TMP/out")"
run "$AKIN" embed "$TMP/b.png"
is "npy: row 2 is the last file" "$("$PROBE" row "$TMP/v.npy" 2)" "$(sed 's/.*"embedding":\(\[[^]]*\]\).*/\1/' "$TMP/out")"
"$AKIN" embed --format npy "$TMP/a.png" --text 'a cat' "$TMP/b.png" >"$TMP/w.npy"
if cmp -s "$TMP/v.npy" "$TMP/w.npy"; then pass "npy: to standard output"; else fail "npy: to standard output"; fi
exits "npy, one broken" 1 "$AKIN" embed --format npy -o "$TMP/x.npy" "$TMP/a.png" "$TMP/bad.png"
says "npy, one broken: named" "$TMP/bad.png"
if [ -e "$TMP/x.npy" ]; then fail "npy, one broken: nothing written"; else pass "npy, one broken: nothing written"; fi
exits "npy, one broken, standard output" 1 "$AKIN" embed --format npy "$TMP/a.png" "$TMP/bad.png"
silent "npy, one broken, standard output: nothing written" out
exits "npy, skip-broken" 3 "$AKIN" embed --format npy --skip-broken -o "$TMP/x.npy" --text 'a cat' "$TMP/bad.png" "$TMP/b.png"
is "npy, skip-broken: shape" "$("$PROBE" npy "$TMP/x.npy")" "2 $d"
is "npy, skip-broken: list" "$(cat "$TMP/x.npy.txt")" "$(printf 'a cat\n%s/b.png' "$TMP")"
is "npy, skip-broken: rows stay in order" "$("$PROBE" row "$TMP/x.npy" 1)" "$("$PROBE" row "$TMP/v.npy" 2)"
exits "npy, skip-broken, none broken" 0 "$AKIN" embed --format npy --skip-broken -o "$TMP/y.npy" --text 'a cat'
is "npy, skip-broken, none broken: list" "$(cat "$TMP/y.npy.txt")" "a cat"
exits "npy, skip-broken, all broken" 1 "$AKIN" embed --format npy --skip-broken -o "$TMP/z.npy" "$TMP/bad.png"
if [ -e "$TMP/z.npy" ]; then fail "npy, all broken: nothing written"; else pass "npy, all broken: nothing written"; fi
is "no unfinished files are left" "$(ls "$TMP" | grep -c '\.tmp$')" 0

# Disks and folders.
exits "output folder is not there" 1 "$AKIN" embed --text a -o "$TMP/none/o"
says "output folder is not there: named" "$TMP/none/o: "
echo old >"$TMP/target"
ln -s target "$TMP/link"
exits "output is a link" 0 "$AKIN" embed --text a -o "$TMP/link"
is "output is a link: its target is written" "$("$PROBE" lines "$TMP/target") $(readlink "$TMP/link")" "1 target"
exits "output is a folder" 1 "$AKIN" embed --text a -o "$TMP"
if [ -w /dev/full ]; then
    rc=0; "$AKIN" embed --text a >/dev/full 2>"$TMP/err" || rc=$?
    is "full disk" "$rc" 1
    says "full disk: said" "No space left"
    rc=0; "$AKIN" embed --format npy --text a >/dev/full 2>"$TMP/err" || rc=$?
    is "full disk, npy" "$rc" 1
    exits "full disk, -o" 1 "$AKIN" embed --text a -o /dev/full
    exits "full disk, preprocess" 1 "$AKIN" preprocess "$TMP/a.png" -o /dev/full
    says "full disk, preprocess: said" "No space left"
    rc=0; "$AKIN" tokenize --text a >/dev/full 2>"$TMP/err" || rc=$?
    is "full disk, tokenize" "$rc" 1
    rc=0; "$AKIN" classify --labels a,b "$TMP/a.png" >/dev/full 2>"$TMP/err" || rc=$?
    is "full disk, classify" "$rc" 1
    rc=0; "$AKIN" help embed >/dev/full 2>"$TMP/err" || rc=$?
    is "full disk, help" "$rc" 1
    rc=0; "$AKIN" --version >/dev/full 2>"$TMP/err" || rc=$?
    is "full disk, version" "$rc" 1
else
    skip "full disk" "no /dev/full here"
fi
rc=0; "$AKIN" embed --text a >&- 2>"$TMP/err" || rc=$?
is "standard output is closed" "$rc" 1
rc=0; "$AKIN" embed "$TMP/none.png" --text a -o "$TMP/closed" <&- >&- 2>&- || rc=$?
is "all three streams are closed" "$rc" 3
is "all three streams are closed: no message in the data" "$(cat "$TMP/closed")" "$("$AKIN" embed --text a)"

# A locale that writes numbers with a comma changes nothing.
locale=$(locale -a 2>/dev/null | grep -i '^de_.*utf-\{0,1\}8$' | head -n 1)
if [ -z "$locale" ] && localedef -i de_DE -f UTF-8 "$TMP/de_DE.UTF-8" 2>/dev/null; then
    locale=de_DE.UTF-8
    export LOCPATH="$TMP"
fi
if [ -n "$locale" ]; then
    run env LC_ALL="$locale" "$AKIN" embed "$TMP/a.png" --text 'a cat' "$TMP/b.png" --text=dog
    if cmp -s "$TMP/out" "$TMP/all"; then pass "German locale"; else fail "German locale"; fi
else
    skip "German locale" "no de_* locale is installed, and none can be made"
fi
finish
