# Where a collection and its pictures lie: file systems that come over a network or from a program,
# folders of another user, drives that are away. tests/cli/fault.c makes them up, so that these
# cases run anywhere; the real ones run where they may, and say why where they may not.
. tests/cli/lib.sh
: "${FAULTY:=$BUILD/akin_faulty}"
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache"
TMP=$(cd "$TMP" && pwd -P)
chmod 755 "$TMP"
R=$TMP/r p=$TMP/p
mkdir "$R"
export AKIN_FAULT_ROOT="$R"

pictures() {
    rm -rf "$p"
    mkdir -p "$p/sub"
    for i in 1 2 3 4 5 6; do
        "$PROBE" png $((20 + i)) 30 $i "$p/$i.png"
    done
    "$PROBE" png 33 44 11 "$p/sub/a.png"
}
# holds NAME PROGRAM FOLDER N: search finds N, info counts N, verify is clean
holds() {
    exits "$1: search" 0 "$2" search --db "$3" -0 -k 1000 x
    is "$1: search finds" "$(tr -cd '\0' <"$TMP/out" | wc -c | tr -d ' ')" "$4"
    exits "$1: info" 0 "$2" info --db "$3" --json
    json "$1: info counts" "$TMP/out" items "$4"
    exits "$1: verify" 0 "$2" verify --db "$3"
}
# lacks NAME FILE TEXT
lacks() { if grep -qF -- "$3" "$2"; then fail "$1" "$(grep -F -- "$3" "$2")"; else pass "$1"; fi; }
# Indexes and is killed when all is committed, but still in the write-ahead log alone.
killed_in_log() {
    cp -R "$R/db" "$TMP/before"
    rm -f "$TMP/log2"
    AKIN_FAULT_LOG="$TMP/log2" run "$FAULTY" index --db "$R/db" "$p"
    at=$(grep -m 1 -e 'write.*collection.sqlite$' "$TMP/log2" | cut -d' ' -f1)
    rm -rf "$R/db"
    mv "$TMP/before" "$R/db"
    AKIN_FAULT_AT="$at" AKIN_FAULT_DO=kill-before run "$FAULTY" index --db "$R/db" "$p"
    is "killed: exit" "$rc" 137
    if [ -s "$R/db/images/collection.sqlite-wal" ]; then pass "killed: a log is left"
    else fail "killed: a log is left" "$(ls "$R/db/images")"; fi
}
advice="lies on a network file system"

# ---- kinds of file systems
for kind in "NFS 0x6969" "SMB 0xff534d42" "FUSE 0x65735546"; do
    type=${kind% *}
    pictures
    rm -rf "$R/db"
    export AKIN_FAULT_FS="$R=${kind#* }" AKIN_FAULT_LOG="$TMP/log"
    rm -f "$TMP/log"
    exits "$type: index" 0 "$FAULTY" index --db "$R/db" "$p"
    is "$type: a line of advice" "$(grep -c "$advice ($type)" "$TMP/err")" 1
    "$PROBE" png 30 30 30 "$p/new.png"
    exits "$type: index again" 0 "$FAULTY" index --db "$R/db" "$p"
    exits "$type: quiet" 0 "$FAULTY" index --db "$R/db" "$p" --quiet
    silent "$type: quiet: no advice" err
    holds "$type" "$FAULTY" "$R/db" 8
    out_has "$type: verify: clean" clean
    exits "$type: compact" 0 "$FAULTY" compact --db "$R/db"
    lacks "$type: no write-ahead log" "$TMP/log" "-wal"
    lacks "$type: no memory shared" "$TMP/log" "-shm"
    unset AKIN_FAULT_FS AKIN_FAULT_LOG
    holds "$type, then on a local disk" "$AKIN" "$R/db" 8
    exits "$type, then on a local disk: index" 0 "$AKIN" index --db "$R/db" "$p"
    holds "$type, then indexed on a local disk" "$AKIN" "$R/db" 8
    # The log is left lying: the writer was killed.
    "$PROBE" png 31 31 31 "$p/new.png"
    killed_in_log
    export AKIN_FAULT_FS="$R=${kind#* }"
    holds "$type, a local one with a log copied there" "$FAULTY" "$R/db" 8
    exits "$type, a local one copied there: index" 0 "$FAULTY" index --db "$R/db" "$p"
    holds "$type, a local one copied there and indexed" "$FAULTY" "$R/db" 8
    if [ -e "$R/db/images/collection.sqlite-wal" ]; then fail "$type: the log is gone"
    else pass "$type: the log is gone"; fi
    unset AKIN_FAULT_FS
done

# ---- a real one
why=
[ -c /dev/fuse ] || why="no /dev/fuse"
[ -n "$why" ] || command -v bindfs >/dev/null || why="no bindfs"
mkdir "$TMP/under" "$TMP/fuse"
if [ -z "$why" ]; then
    run bindfs "$TMP/under" "$TMP/fuse"
    [ $rc = 0 ] || why="bindfs: $(head -c 100 "$TMP/err" | head -n 1)"
fi
if [ -n "$why" ]; then
    skip "a real FUSE" "$why"
else
    trap 'fusermount3 -u "$TMP/fuse" 2>/dev/null || fusermount -u "$TMP/fuse" || umount "$TMP/fuse"
          rm -rf "$TMP"' EXIT
    pictures
    cp -R "$p" "$TMP/fuse/p"
    export AKIN_FAULT_ROOT="$TMP/fuse" AKIN_FAULT_LOG="$TMP/log"
    rm -f "$TMP/log"
    exits "a real FUSE: index" 0 "$FAULTY" index --db "$TMP/fuse/db" "$TMP/fuse/p"
    is "a real FUSE: a line of advice" "$(grep -c "$advice (FUSE)" "$TMP/err")" 1
    rm "$TMP/fuse/p/1.png"
    exits "a real FUSE: index again" 0 "$FAULTY" index --db "$TMP/fuse/db" "$TMP/fuse/p"
    holds "a real FUSE" "$FAULTY" "$TMP/fuse/db" 6
    exits "a real FUSE: compact" 0 "$FAULTY" compact --db "$TMP/fuse/db" --missing
    lacks "a real FUSE: no write-ahead log" "$TMP/log" "-wal"
    calls=$(wc -l <"$TMP/log" | tr -d ' ')
    bad=
    for at in $(seq 1 7 "$calls"); do
        rm -rf "$TMP/fuse/db"
        AKIN_FAULT_AT=$at AKIN_FAULT_DO=kill run "$FAULTY" index --db "$TMP/fuse/db" "$TMP/fuse/p"
        run "$AKIN" index --db "$TMP/fuse/db" "$TMP/fuse/p"
        [ $rc = 0 ] && run "$AKIN" verify --db "$TMP/fuse/db"
        [ $rc = 0 ] || bad="$bad $at: $(cat "$TMP/err" "$TMP/out")"
    done
    is "a real FUSE: killed and run again" "$bad" ""
    holds "a real FUSE, killed and run again" "$AKIN" "$TMP/fuse/db" 6
    export AKIN_FAULT_ROOT="$R"
    unset AKIN_FAULT_LOG
fi

# ---- drives and folders that are away, made up
pictures
rm -rf "$R/db"
exits "drives: index" 0 "$AKIN" index --db "$R/db" "$p"
stays() { # NAME: nothing was lost
    exits "$1: info" 0 "$AKIN" info --db "$R/db" --json
    json "$1: nothing is lost" "$TMP/out" items 7
    json "$1: nothing is missing" "$TMP/out" missing 0
}
export AKIN_FAULT_DEVICE="$p=4711"
exits "another device, all there" 0 "$FAULTY" index --db "$R/db" "$p"
stays "another device, all there"
unset AKIN_FAULT_DEVICE
mkdir "$TMP/away"
mv "$p/1.png" "$p/2.png" "$TMP/away/"
export AKIN_FAULT_DEVICE="$p=4712"
exits "another device, two gone" 1 "$FAULTY" index --db "$R/db" "$p"
says "another device, two gone: says so" "another device"
stays "another device, two gone"
unset AKIN_FAULT_DEVICE
mv "$TMP/away/"* "$p/"
export AKIN_FAULT_EACCES="$p"
exits "a root that may not be read" 1 "$FAULTY" index --db "$R/db" "$p"
says "a root that may not be read: says so" "Permission denied"
stays "a root that may not be read"
export AKIN_FAULT_EACCES="$p/sub"
exits "a folder in it that may not be read" 3 "$FAULTY" index --db "$R/db" "$p"
says "a folder in it that may not be read: is named" "$p/sub"
stays "a folder in it that may not be read"
export AKIN_FAULT_EACCES="$p/3.png"
touch "$p/3.png"
exits "a picture that may not be read" 3 "$FAULTY" index --db "$R/db" "$p"
says "a picture that may not be read: is named" "$p/3.png"
stays "a picture that may not be read"
for part in images images/collection.sqlite images/segments/00000001.vec; do
    export AKIN_FAULT_EACCES="$R/db/$part"
    exits "no $part: search" 1 "$FAULTY" search --db "$R/db" x
    says "no $part: says so" "Permission denied"
    says "no $part: is named" "$R/db/images"
done
unset AKIN_FAULT_EACCES
stays "all that"
exits "and back" 0 "$AKIN" index --db "$R/db" "$p"
stays "and back"

# ---- another user, a real one
why=
if [ "$(id -u)" = 0 ]; then
    user() { setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
    run user sh -c "test -r '$MODEL' && '$AKIN' help && '$FAULTY' help"
    [ $rc = 0 ] ||
        why="root here, and no other user may run akin: $(head -c 100 "$TMP/err" | head -n 1)"
else
    user() { "$@"; }
fi
if [ -n "$why" ]; then
    skip "another user" "$why"
    finish
fi
chmod -R a+rX "$p" "$R"
readable() { chmod -R a+rX,a-w "$R/db"; } # and not writable, for whoever made it
writable() { chmod -R u+w "$R/db"; }
readable
list=$(ls -lR "$R/db")
become=
[ "$(id -u)" != 0 ] || become='setpriv --reuid=65534 --regid=65534 --clear-groups'
printf '#!/bin/sh\nexec %s "%s" "$@"\n' "$become" "$AKIN" >"$TMP/as_user"
chmod 755 "$TMP/as_user"
holds "another's collection" "$TMP/as_user" "$R/db" 7
exits "another's collection: index" 1 "$TMP/as_user" index --db "$R/db" "$p"
says "another's collection: why not" "Permission denied"
says "another's collection: which" "$R/db/images"
exits "another's collection: copy" 1 "$TMP/as_user" copy --db "$R/db" "$R/to"
says "another's collection: no place for a copy" "Permission denied"
is "another's collection: nothing was touched" "$(ls -lR "$R/db")" "$list"
writable
# What its owner began and did not end is in the log, which only the owner can put away.
"$PROBE" png 32 32 32 "$p/new.png"
chmod a+r "$p/new.png"
killed_in_log
readable
holds "a log that was left" "$TMP/as_user" "$R/db" 8
writable
rm "$R/db/images/collection.sqlite-shm"
readable
exits "a log without its index: search" 1 "$TMP/as_user" search --db "$R/db" x
says "a log without its index: what to do" "its owner"
writable
exits "a log without its index: its owner" 0 "$AKIN" info --db "$R/db"
readable
holds "a log that was put away" "$TMP/as_user" "$R/db" 8
writable
exits "its owner goes on" 0 "$AKIN" index --db "$R/db" "$p"
holds "its owner goes on" "$AKIN" "$R/db" 8

# Its own collection of pictures that it may not read.
mkdir "$TMP/own"
chmod 777 "$TMP/own"
exits "unreadable: index" 0 "$TMP/as_user" index --db "$TMP/own" "$p"
chmod 0 "$p/sub"
exits "unreadable folder" 3 "$TMP/as_user" index --db "$TMP/own" "$p"
says "unreadable folder: is named" "$p/sub"
chmod 0 "$p"
exits "unreadable root" 1 "$TMP/as_user" index --db "$TMP/own" "$p"
says "unreadable root: why" "Permission denied"
chmod 755 "$p" "$p/sub"
"$PROBE" png 35 35 35 "$p/secret.png"
chmod 0 "$p/secret.png"
exits "unreadable picture" 3 "$TMP/as_user" index --db "$TMP/own" "$p"
says "unreadable picture: is named" "$p/secret.png"
holds "unreadable: nothing is lost" "$TMP/as_user" "$TMP/own" 8
chmod 644 "$p/secret.png"
exits "readable again" 0 "$TMP/as_user" index --db "$TMP/own" "$p"
holds "readable again" "$TMP/as_user" "$TMP/own" 9
finish
