# What lies in a collection's folder may be damaged, foreign or made to do harm: a clear error with
# the file's name, or nothing at all when it does not matter; never a crash, and never a lost
# picture that could be had again.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache"
TMP=$(cd "$TMP" && pwd -P)
p=$TMP/p db=$TMP/db
c=$db/images
mkdir "$p"
for i in 1 2 3 4 5 6; do
    "$PROBE" png $((20 + i)) 30 $i "$p/$i.png"
done
exits "index" 0 "$AKIN" index --db "$db" "$p"
cp -R "$db" "$TMP/whole"
fresh() {
    chmod -R u+w "$db" && rm -rf "$db"
    cp -R "$TMP/whole" "$db"
}
patch() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; } # FILE OFFSET BYTES
finds() { # NAME N
    exits "$1: search" 0 "$AKIN" search --db "$db" -0 -k 1000 x
    is "$1: search finds" "$(tr -cd '\0' <"$TMP/out" | wc -c | tr -d ' ')" "$2"
}
# Every verb that opens it ends with 1 and names a file in it; none crashes.
refused() { # NAME TEXT
    for verb in "search x" info verify compact "index $p" "copy $TMP/to" "export $TMP/to"; do
        # shellcheck disable=SC2086  # words
        exits "$1: $verb" 1 "$AKIN" $verb --db "$db"
        says "$1: $verb: says so" "$2"
        says "$1: $verb: names a file" "$c"
        rm -rf "$TMP/to"
    done
}

# ---- what does not matter
: >"$c/notes.txt"
mkdir "$c/old" "$c/segments/more"
echo x >"$c/segments/00000001.vec.bak"
echo x >"$c/segments/1.vec"
echo x >"$c/collection.sqlite.old"
ln -s nowhere "$c/link"
finds "unknown files" 6
exits "unknown files: index" 0 "$AKIN" index --db "$db" "$p"
exits "unknown files: verify" 0 "$AKIN" verify --db "$db"
exits "unknown files: compact" 0 "$AKIN" compact --db "$db"
finds "unknown files, compacted" 6
is "unknown files: they stay" "$(cat "$c/segments/1.vec" "$c/collection.sqlite.old")" "x
x"
fresh
echo junk >"$c/collection.sqlite.new"
head -c 5000 /dev/zero >"$c/segments/00000002.vec"
: >"$c/segments/00000003.vec"
"$PROBE" png 40 40 40 "$p/new.png"
exits "left by one that was killed: index" 0 "$AKIN" index --db "$db" "$p"
finds "left by one that was killed" 7
exits "left by one that was killed: verify" 0 "$AKIN" verify --db "$db"
rm "$p/new.png"
for junk in '' 'junk' '99999999999999999999 host' '1 \033[31m\nhost\001 when' '%s%s%s%n 1 1'; do
    fresh
    printf "%b" "$junk" >"$c/writer.lock"
    exits "a lock file with junk: index" 0 "$AKIN" index --db "$db" "$p"
done
fresh
rm "$c/writer.lock"
mkdir "$c/writer.lock"
exits "a lock file that is a folder" 1 "$AKIN" index --db "$db" "$p"
says "a lock file that is a folder: is named" "$c/writer.lock"
finds "a lock file that is a folder" 6
fresh
rm "$c/writer.lock"
ln -s "$TMP/elsewhere" "$c/writer.lock"
exits "a lock file that is a link" 1 "$AKIN" index --db "$db" "$p"
says "a lock file that is a link: is named" "$c/writer.lock"
if [ -e "$TMP/elsewhere" ]; then fail "a lock file that is a link: nothing is made there"
else pass "a lock file that is a link: nothing is made there"; fi

# ---- the database
fresh
patch "$c/collection.sqlite" 60 '\000\000\000\143'
refused "a newer format" "format 99"
fresh
patch "$c/collection.sqlite" 60 '\000\000\000\000'
refused "no format" "format number"
fresh
patch "$c/collection.sqlite" 68 '\000\000\000\001'
refused "another program's" "another program"
fresh
: >"$c/collection.sqlite"
refused "an empty database" "not a collection"
fresh
head -c 5000 tests/photos/001.jpg >"$c/collection.sqlite"
refused "no database" "not an SQLite database"
fresh
rm "$c/collection.sqlite"
mkdir "$c/collection.sqlite"
exits "a folder for a database" 1 "$AKIN" search --db "$db" x
says "a folder for a database: is named" "$c"
size=$(wc -c <"$TMP/whole/images/collection.sqlite")
crashed=
for part in 1 2 3 4 5 6 7; do # cut at an eighth, two, ...
    fresh
    head -c $((size * part / 8)) "$TMP/whole/images/collection.sqlite" >"$c/collection.sqlite"
    for verb in "search x" info verify "index $p" "verify --repair" compact "search x"; do
        # shellcheck disable=SC2086
        run "$AKIN" $verb --db "$db"
        case $rc in
        0) ;;
        1)
            grep -qF "$c" "$TMP/err" "$TMP/out" ||
                crashed="$crashed $part/8 $verb: $(cat "$TMP/err")"
            ;;
        *) crashed="$crashed $part/8 $verb: exit $rc $(cat "$TMP/err")" ;;
        esac
    done
done
is "a database that was cut: errors that name a file" "$crashed" ""
crashed=
page=0
while [ $page -lt $((size / 4096)) ]; do # a page of zeros, then one of ones
    for bytes in '\000' '\377'; do
        fresh
        head -c 4096 /dev/zero | tr '\000' "$bytes" |
            dd of="$c/collection.sqlite" bs=4096 seek=$page conv=notrunc 2>/dev/null
        for verb in "search x" verify "index $p" "verify --repair" "index $p" compact; do
            # shellcheck disable=SC2086
            run "$AKIN" $verb --db "$db"
            case $rc in
            0 | 1) ;;
            *) crashed="$crashed page $page $verb: exit $rc $(cat "$TMP/err")" ;;
            esac
        done
    done
    page=$((page + $([ -n "$SANITIZE" ] && echo 5 || echo 1)))
done
is "a page of the database is lost: no crash" "$crashed" ""

# ---- vectors
segment=$c/segments/00000001.vec
mended() { # NAME: verify sees it, repair mends it, and the next index has all again
    exits "$1: verify" 1 "$AKIN" verify --db "$db"
    exits "$1: repair" 0 "$AKIN" verify --repair --db "$db"
    exits "$1: index" 0 "$AKIN" index --db "$db" "$p"
    finds "$1: in the end" 6
    exits "$1: verify in the end" 0 "$AKIN" verify --db "$db"
}
fresh
rm "$segment"
exits "a segment is gone: search" 1 "$AKIN" search --db "$db" x
says "a segment is gone: is named" "$segment"
mended "a segment is gone"
fresh
head -c 4200 "$TMP/whole/images/segments/00000001.vec" >"$segment"
exits "a segment was cut: search" 1 "$AKIN" search --db "$db" x
says "a segment was cut: is named" "$segment"
mended "a segment was cut"
fresh
: >"$segment"
exits "a segment is empty: search" 1 "$AKIN" search --db "$db" x
says "a segment is empty: is named" "$segment"
mended "a segment is empty"
for offset in 0 8 12 16 20 24 32 48; do
    fresh
    patch "$segment" $offset '\251'
    exits "a header that is wrong at $offset: search" 1 "$AKIN" search --db "$db" x
    says "a header that is wrong at $offset: is named" "$segment"
    mended "a header that is wrong at $offset"
done
fresh
patch "$segment" 4100 '\000\174' # an infinity
mended "a vector that is not finite"
fresh
patch "$segment" 4120 'aaaa'
exits "a vector was changed: search" 0 "$AKIN" search --db "$db" x
mended "a vector was changed"
fresh
head -c 100 /dev/urandom >>"$segment"
finds "bytes behind a segment" 6
"$PROBE" png 40 40 40 "$p/new.png"
exits "bytes behind a segment: index" 0 "$AKIN" index --db "$db" "$p"
finds "bytes behind a segment: indexed" 7
exits "bytes behind a segment: verify" 0 "$AKIN" verify --db "$db"
rm "$p/new.png"
finish
