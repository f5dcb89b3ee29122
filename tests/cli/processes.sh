# One process writes to a collection without a pause and four search it: every search succeeds and
# sees one state, whole. Then who else wants to write: told who holds the lock, or waits; and a lock
# ends with its process.
#
#   PROCESSES_SECONDS=60   how long (default 5; as long again without a write-ahead log)
. tests/cli/lib.sh
: "${FAULTY:=$BUILD/akin_faulty}" "${PROCESSES_SECONDS:=5}"
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache"
TMP=$(cd "$TMP" && pwd -P)
R=$TMP/r

# ---- pictures: those of stay/ never change, the others come, go, move and change
pictures() {
    rm -rf "$R"
    mkdir -p "$R/p/stay" "$R/p/here" "$R/p/there" "$R/pool"
    for i in 1 2 3 4 5 6 7 8; do
        "$PROBE" png $((20 + i)) 30 $i "$R/p/stay/$i.png"
    done
    for i in 1 2 3 4 5 6; do
        "$PROBE" png 40 $((20 + i)) $i "$R/pool/$i.png"
        cp "$R/pool/$i.png" "$R/p/here/$i.png"
    done
}

# What may be found: all names that any moment can have, and how many at once at most.
names() {
    for i in 1 2 3 4 5 6 7 8; do echo "$R/p/stay/$i.png"; done
    for i in 1 2 3 4 5 6; do echo "$R/p/here/$i.png" && echo "$R/p/there/$i.png"; done
    echo "$R/p/same.png"
}

# A search's JSON lines: each path is known, once, with a score of a cosine; nothing of stay/ lacks.
check='
    FNR == NR { known[$0] = 1; if ($0 ~ "/stay/") stay++; next }
    {
        if (!match($0, /"score":-?[0-9.e-]+/)) { print "no score: " $0; exit }
        score = substr($0, RSTART + 8, RLENGTH - 8) + 0
        if (score < -1.001 || score > 1.001) { print "score: " $0; exit }
        if (!match($0, /"path":"[^"]*"/)) { print "no path: " $0; exit }
        path = substr($0, RSTART + 8, RLENGTH - 9)
        if (!(path in known)) { print "unknown: " path; exit }
        if (path in seen) { print "twice: " path; exit }
        seen[path] = 1
        kept += path ~ "/stay/"
        if (path ~ "/(here|there)/") {
            split(path, part, "/")
            if (part[length(part)] in at) { print "in two places: " path; exit }
            at[part[length(part)]] = 1
        }
    }
    END { if (kept != stay) print kept " of " stay " that never change" }'

# reader N PROGRAM: until $R/stop is there. What is wrong goes into $TMP/wrong.N, the count into
# $TMP/reads.N.
reader() {
    reads=0
    : >"$TMP/wrong.$1"
    while [ ! -e "$R/stop" ]; do
        reads=$((reads + 1)) rc=0
        "$2" search --db "$R/db" --jsonl -k 1000 "x $reads" \
            >"$TMP/hits.$1" 2>"$TMP/said.$1" || rc=$?
        if [ "$rc" != 0 ]; then
            echo "search $reads: exit $rc: $(cat "$TMP/said.$1")" >>"$TMP/wrong.$1"
        else
            awk "$check" "$TMP/names" "$TMP/hits.$1" >>"$TMP/wrong.$1"
        fi
    done
    echo "$reads" >"$TMP/reads.$1"
}

# writer PROGRAM: changes something, indexes, and so on; now and then it compacts or copies.
writer() {
    n=0
    : >"$TMP/wrong.0"
    end=$(($(date +%s) + PROCESSES_SECONDS))
    while [ "$(date +%s)" -lt $end ]; do
        n=$((n + 1))
        i=$((n % 6 + 1)) j=$(((n + 3) % 6 + 1))
        case $((n % 7)) in
        0) touch "$R/p/here/"*.png ;;
        1) mv "$R/p/here/$i.png" "$R/p/there/$i.png" ;;
        2) cp "$R/pool/$i.png" "$R/p/same.png" ;;
        3) rm -f "$R/p/here/$j.png" "$R/p/there/$j.png" ;;
        4) "$PROBE" png 50 50 $((n % 200)) "$R/p/new" && mv "$R/p/new" "$R/p/same.png" ;;
        5) rm -f "$R/p/same.png" ;;
        6) rm -f "$R/p/there/"*.png && cp "$R/pool/"*.png "$R/p/here/" ;;
        esac 2>/dev/null
        did index "$1" index --db "$R/db" "$R/p"
        [ $((n % 5)) != 0 ] || did compact "$1" compact --db "$R/db" --missing
        [ $((n % 11)) != 0 ] || { rm -rf "$R/to" && did copy "$1" copy --db "$R/db" "$R/to"; }
        [ $((n % 13)) != 0 ] || did verify "$1" verify --db "$R/db"
    done
    echo "$n" >"$TMP/reads.0"
}
did() { # NAME COMMAND...: it succeeds
    what=$1 rc=0
    shift
    "$@" >"$TMP/said.0" 2>&1 || rc=$?
    [ "$rc" = 0 ] || echo "$what: exit $rc: $(cat "$TMP/said.0")" >>"$TMP/wrong.0"
}

# together NAME PROGRAM
together() {
    pictures
    names >"$TMP/names"
    exits "$1: first index" 0 "$2" index --db "$R/db" "$R/p"
    for reader in 1 2 3 4; do
        reader $reader "$2" &
    done
    writer "$2"
    : >"$R/stop"
    wait
    is "$1: the writer" "$(head -n 5 "$TMP/wrong.0")" ""
    for reader in 1 2 3 4; do
        is "$1: reader $reader" "$(head -n 5 "$TMP/wrong.$reader")" ""
    done
    done=$(cat "$TMP"/reads.[1-4] | awk '{ n += $1 } END { print n }')
    if [ "$done" -ge 4 ]; then pass "$1: $(cat "$TMP/reads.0") changes, $done searches"
    else fail "$1: searches" "$done"; fi
    exits "$1: verify" 0 "$2" verify --db "$R/db"
}
together local "$AKIN"
export AKIN_FAULT_FS="$R=0x6969"
together "no write-ahead log" "$FAULTY"
unset AKIN_FAULT_FS

# ---- the lock: a writer that stands still in the middle of its work
pictures
exits "index" 0 "$AKIN" index --db "$R/db" "$R/p"
cp "$R/pool/1.png" "$R/p/copy.png"
"$PROBE" png 33 33 33 "$R/p/other.png"
# Where it begins to write vectors.
cp -R "$R/db" "$TMP/before"
AKIN_FAULT_ROOT="$R" AKIN_FAULT_LOG="$TMP/log" run "$FAULTY" index --db "$R/db" "$R/p"
at=$(grep -m 1 ' pwrite .*\.vec' "$TMP/log" | cut -d' ' -f1)
rm -rf "$R/db"
cp -R "$TMP/before" "$R/db"
stopped() { # leaves its number in $pid
    AKIN_FAULT_ROOT="$R" AKIN_FAULT_AT="$at" AKIN_FAULT_DO=stop \
        "$FAULTY" index --db "$R/db" "$R/p" >"$TMP/stopped.out" 2>&1 &
    pid=$!
    state= tries=0
    while [ "$state" != T ] && [ $tries -lt 200 ]; do
        state=$(sed 's/.*) //; s/ .*//' "/proc/$pid/stat" 2>/dev/null)
        tries=$((tries + 1))
        sleep 0.05
    done
    is "a writer stands still" "$state" T
}
stopped
exits "a second writer: exit" 1 "$AKIN" index --db "$R/db" "$R/p"
says "a second writer: is told the process" "process $pid on host $(uname -n), since "
exits "a second writer, for programs" 1 "$AKIN" compact --db "$R/db" --json
json "a second writer, for programs: code" "$TMP/err" error.code busy
exits "verify --repair is one" 1 "$AKIN" verify --repair --db "$R/db"
exits "verify is none" 0 "$AKIN" verify --db "$R/db"
exits "search is none" 0 "$AKIN" search --db "$R/db" -0 -k 100 x
is "search: what was there before" "$(tr -cd '\0' <"$TMP/out" | wc -c | tr -d ' ')" 14
exits "copy is none" 0 "$AKIN" copy --db "$R/db" "$R/to"
exits "--wait, and it does not end" 1 "$AKIN" index --db "$R/db" --wait 0.3 "$R/p"
"$AKIN" index --db "$R/db" --wait 60 "$R/p" >"$TMP/waited" 2>&1 &
waiting=$!
sleep 0.3
kill -CONT $pid
rc=0
wait $pid || rc=$?
is "it goes on: done" "$rc" 0
rc=0
wait $waiting || rc=$?
is "--wait, and it ends: done" "$rc $(cat "$TMP/waited")" "0 nothing to do: 16 unchanged"
touch "$R/p/other.png"
"$PROBE" png 34 34 34 "$R/p/other.png"
stopped
kill -9 $pid
wait $pid 2>/dev/null
exits "killed: it leaves no lock" 0 "$AKIN" index --db "$R/db" "$R/p"
exits "killed: verify" 0 "$AKIN" verify --db "$R/db"
finish
