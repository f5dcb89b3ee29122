# The fault layer does what its header says (tests/cli/fault.c), to a small program, to SQLite
# behind it, and to akin: other tests believe it.
. tests/cli/lib.sh
: "${FAULTY:=$BUILD/akin_faulty}" "${TRY:=$BUILD/fault_try}"
mkdir "$TMP/r" "$TMP/elsewhere"
TMP_REAL=$(cd "$TMP" && pwd -P)
R=$TMP_REAL/r

# faulty VARIABLE=VALUE... -- COMMAND...: with faults below $R.
faulty() {
    set -- AKIN_FAULT_ROOT="$R" AKIN_FAULT_COUNT="$TMP/count" AKIN_FAULT_LOG="$TMP/log" "$@"
    rm -f "$TMP/count" "$TMP/log"
    run env "$@"
}
# What was called, without numbers and folders: "write a.new fsync a.new".
log() { sed "s/^[0-9]* //; s|$R|.|; s|\./||" "$TMP/log" 2>/dev/null | tr '\n' ' ' | sed 's/ $//'; }
content() { cat "$1" 2>/dev/null || echo none; }

# Counting.
all='open a.new write a.new fsync a.new fdatasync a.new rename a'
faulty "$TRY" write "$R/a"
is "write: exit" "$rc" 0
is "write: what is called" "$(log)" "$all"
is "write: calls and syncs" "$(content "$TMP/count")" "5 2"
is "write: the file" "$(content "$R/a")" 0123456789
faulty "$TRY" write "$TMP_REAL/elsewhere/a"
is "elsewhere: not counted" "$(content "$TMP/count") $(log)" "0 0 "
faulty sh -c 'cd "$1" && "$2" write b' sh "$R" "$TRY"
is "from inside: counted" "$(log)" "$(echo "$all" | sed 's/a\.new/b.new/g; s/a$/b/')"
faulty "$TRY" stdio "$R/c"
is "stdio: what is called" "$(log)" "fopen c fwrite c fclose c"
is "stdio: the file" "$(content "$R/c")" "0123456789end"

# Each fault at each call. The shell says who died.
for how in kill kill-before short power; do
    for n in 1 2 3 4 5; do
        rm -f "$R"/*
        faulty AKIN_FAULT_AT=$n AKIN_FAULT_DO=$how "$TRY" write "$R/a"
        there="$(content "$R/a.new") $(content "$R/a")"
        case $how,$n in
        kill,1 | kill-before,2 | power,2 | power,3) wanted=" none" ;;
        kill,5) wanted="none 0123456789" ;;
        short,2) wanted="01234 none" ;;
        kill-before,1 | short,1 | power,1) wanted="none none" ;;
        *) wanted="0123456789 none" ;;
        esac
        is "$how at call $n" "$rc $there" "137 $wanted"
    done
done
for error in "enospc No space left on device" "eio Input/output error"; do
    n=0
    for name in open write fsync fdatasync rename; do
        n=$((n + 1))
        rm -f "$R"/*
        faulty AKIN_FAULT_AT=$n AKIN_FAULT_DO="${error%% *}" "$TRY" write "$R/a"
        is "${error%% *} at call $n" "$rc $(cat "$TMP/out")" "1 $name: ${error#* }"
    done
done
rm -f "$R"/*
faulty AKIN_FAULT_AT=2 AKIN_FAULT_DO=enospc "$TRY" write "$R/a"
is "enospc: nothing is written" "$(content "$R/a.new")" ""
faulty AKIN_FAULT_AT=2 AKIN_FAULT_DO=partial "$TRY" write "$R/a"
is "partial: the rest follows" "$rc $(content "$R/a")" "0 0123456789"
is "partial: in two" "$(log | grep -o write | wc -l | tr -d ' ')" 2
for n in 1 2; do
    faulty AKIN_FAULT_AT=$n AKIN_FAULT_DO=fsync "$TRY" write "$R/a"
    name=$([ $n = 1 ] && echo fsync || echo fdatasync)
    is "fsync $n fails" "$rc $(cat "$TMP/out")" "1 $name: Input/output error"
done
n=0
for name in fopen fwrite fclose; do
    n=$((n + 1))
    faulty AKIN_FAULT_AT=$n AKIN_FAULT_DO=enospc "$TRY" stdio "$R/c"
    is "stdio: enospc at call $n" "$rc $(cat "$TMP/out")" "1 $name: No space left on device"
done
rm -f "$R"/*
faulty AKIN_FAULT_AT=2 AKIN_FAULT_DO=short "$TRY" stdio "$R/c"
is "stdio: half" "$rc $(content "$R/c")" "137 01234"
faulty AKIN_FAULT_AT=2 AKIN_FAULT_DO=partial "$TRY" stdio "$R/c"
is "stdio: partial" "$rc $(cat "$TMP/out")" "1 fwrite: No space left on device"
for wrong in "AKIN_FAULT_AT=0 AKIN_FAULT_DO=kill" "AKIN_FAULT_AT=1 AKIN_FAULT_DO=nothing" \
    "AKIN_FAULT_AT=1" "AKIN_FAULT_DO=kill" "AKIN_FAULT_FS=/" "AKIN_FAULT_DEVICE=/=x"; do
    # shellcheck disable=SC2086  # two words
    faulty $wrong "$TRY" write "$R/a"
    is "refuses $wrong" "$rc" 99
done

# SQLite's calls come by, and it notices.
rm -f "$R"/*
faulty "$TRY" sqlite "$R/db"
is "sqlite: exit" "$rc" 0
if log | grep -q 'pwrite[0-9]* db-wal'; then pass "sqlite: writes of the log are seen"
else fail "sqlite: writes of the log are seen" "$(log)"; fi
if log | grep -q 'f[a-z]*sync db-wal'; then pass "sqlite: syncs of the log are seen"
else fail "sqlite: syncs of the log are seen" "$(log)"; fi
calls=$(cut -d' ' -f1 "$TMP/count")
at=$(grep -n 'write[0-9]* .*db-wal' "$TMP/log" | head -n 1 | cut -d: -f1)
for how in enospc eio kill; do
    rm -f "$R"/*
    faulty AKIN_FAULT_AT="$at" AKIN_FAULT_DO=$how "$TRY" sqlite "$R/db"
    case $how in
    enospc) wanted="1 sqlite: database or disk is full" ;;
    eio) wanted="1 sqlite: disk I/O error" ;;
    kill) wanted="137 " ;;
    esac
    is "sqlite: $how at call $at of $calls" "$rc $(cat "$TMP/out")" "$wanted"
done
rm -f "$R"/*
faulty AKIN_FAULT_AT="$at" AKIN_FAULT_DO=enospc AKIN_FAULT_STICKY=all "$TRY" sqlite "$R/db"
is "sqlite: a disk that stays full" "$rc $(cat "$TMP/out")" "1 sqlite: database or disk is full"

# Lies.
mkdir -p "$R/in/side"
: >"$R/in/side/file"
for path in in in/side in/side/file; do
    faulty AKIN_FAULT_DEVICE="$R/in=4711" AKIN_FAULT_FS="$R/in=0x6969" "$TRY" look "$R/$path"
    is "device and type of $path" "$rc $(cat "$TMP/out")" "0 4711 4711 0x6969"
done
run "$TRY" look "$R"
cp "$TMP/out" "$TMP/true"
faulty AKIN_FAULT_DEVICE="$R/in=4711" AKIN_FAULT_FS="$R/in=0x6969" "$TRY" look "$R"
is "above it the truth" "$(cat "$TMP/out")" "$(cat "$TMP/true")"
faulty AKIN_FAULT_EACCES="$R/in" "$TRY" look "$R/in"
is "denied: it can be seen, not opened" "$rc $(cat "$TMP/out")" "1 open: Permission denied"
faulty AKIN_FAULT_EACCES="$R/in" "$TRY" look "$R/in/side"
is "denied: what is in it cannot" "$rc $(cat "$TMP/out")" "1 lstat: Permission denied"
faulty AKIN_FAULT_EACCES="$R/in" "$TRY" look "$R"
is "denied: others can" "$rc" 0

# akin behind it.
export AKIN_MODEL="$MODEL"
rm -rf "$R"/*
"$PROBE" png 40 30 1 "$TMP/a.png"
cp "$TMP/a.png" "$R/a.png"
faulty "$FAULTY" embed --text a -o "$R/out"
is "akin: exit" "$rc" 0
calls=$(cut -d' ' -f1 "$TMP/count")
cp "$R/out" "$TMP/whole"
if [ "$calls" -ge 4 ]; then pass "akin: $calls calls"; else fail "akin: calls" "$(log)"; fi
whole=0 none=0 n=0
while [ $n -lt "$calls" ]; do
    n=$((n + 1))
    rm -f "$R/out"
    faulty AKIN_FAULT_AT=$n AKIN_FAULT_DO=kill "$FAULTY" embed --text a -o "$R/out"
    if [ ! -e "$R/out" ]; then none=$((none + 1))
    elif cmp -s "$R/out" "$TMP/whole"; then whole=$((whole + 1)); fi
done
is "akin: killed at each call, all or nothing" "$((whole + none))" "$calls"
[ $none -gt 0 ] && [ $whole -gt 0 ]
is "akin: both happened" $? 0
faulty AKIN_FAULT_EACCES="$R/a.png" "$FAULTY" embed "$R/a.png"
is "akin: a picture that may not be read" "$rc" 1
says "akin: says so" "Permission denied"
finish
