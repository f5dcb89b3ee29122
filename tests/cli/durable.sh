# A collection survives everything: akin is killed at every write, loses power there, every write
# fails in turn; and the next run completes what was begun, with every picture there exactly once,
# `verify` clean, and nothing lost that was there before. tests/cli/fault.c counts the writes and
# does the harm.
#
#   DURABLE_ALL=1                every deed at every write, some 6,300 runs
#   DURABLE_ONLY="create copy"   these scenarios alone
#
# What dies here is a process, not the machine, so that memory will do for a disk.
[ -n "${TMPDIR:-}" ] || { [ -w /dev/shm ] && TMPDIR=/dev/shm && export TMPDIR; }
. tests/cli/lib.sh
: "${FAULTY:=$BUILD/akin_faulty}" "${DURABLE_ONLY:=}" "${DURABLE_ALL:=}"
export AKIN_MODEL="$MODEL" AKIN_HOME="$TMP/cache"
TMP=$(cd "$TMP" && pwd -P)
R=$TMP/r p=$TMP/p
export AKIN_FAULT_ROOT="$R" AKIN_FAULT_COUNT="$TMP/count"
other=tests/golden/clip/tiny-b
writes='^[0-9]+ (p?write(64)?|writev|fwrite) '

# ---- pictures: twelve, two of equal content, one broken, one in a folder below
mkdir -p "$p/sub"
for i in 1 2 3 4 5 6 7 8 9; do
    "$PROBE" png $((20 + i)) 30 $i "$p/$i.png"
done
cp "$p/1.png" "$p/same.png"
"$PROBE" png 33 44 11 "$p/sub/a.png"
echo "not a picture" >"$p/broken.jpg"
"$PROBE" png 30 30 12 "$TMP/new.png"
"$PROBE" png 31 30 13 "$TMP/other.png"

# list FOLDER: what a search finds, sorted, into $TMP/list.
list() {
    "$AKIN" search --db "$1" -0 -k 1000 x >"$TMP/list.0" 2>"$TMP/list.err" || return
    tr '\0' '\n' <"$TMP/list.0" | sort >"$TMP/list"
}
found() { # FOLDER FILE: what is found is what FILE says
    list "$1" || { why="search: $(cat "$TMP/list.err")"; return 1; }
    cmp -s "$TMP/list" "$2" || { why="found: $(diff "$TMP/list" "$2" | tr '\n' ' ')"; return 1; }
}
whole() { # FOLDER FILE: and verify is clean
    "$AKIN" verify --db "$1" >"$TMP/verify" 2>&1 || {
        why="verify: $(head -n 2 "$TMP/verify")"
        return 1
    }
    found "$1" "$2"
}
index() { "$1" index --db "$R/db" --workers "${2:-1}" "$p"; }

# ---- scenarios: begin_NAME makes what is there before, do_NAME PROGRAM the work, kept_NAME what
# holds at any moment, done_NAME what holds when it was done
begin_create() { :; }
do_create() { index "$1" 1; }
kept_create() { :; }
done_create() { whole "$R/db" "$TMP/wanted.1"; }

begin_two() { :; }
do_two() { index "$1" 2; }
kept_two() { :; }
done_two() { whole "$R/db" "$TMP/wanted.1"; }

begin_changes() { cp -R "$TMP/db.1" "$R/db"; }
do_changes() { index "$1" 1; }
kept_changes() { # what is in both stays, and nothing is there that is in neither
    list "$R/db" || { why="search: $(cat "$TMP/list.err")"; return 1; }
    lost=$(comm -13 "$TMP/list" "$TMP/kept") added=$(comm -23 "$TMP/list" "$TMP/either")
    [ -z "$lost$added" ] || { why="lost: $lost, added: $added"; return 1; }
}
done_changes() { whole "$R/db" "$TMP/wanted.2"; }

# Nothing of a write-ahead log is ever called.
done_journal() {
    whole "$R/db" "$TMP/wanted.2" || return
    ! grep -q -e '-wal' "$TMP/log" || { why="a write-ahead log"; return 1; }
}
begin_journal() { cp -R "$TMP/db.j" "$R/db"; }
do_journal() { index "$1" 1; }
kept_journal() { kept_changes; }

begin_compact() { cp -R "$TMP/db.2" "$R/db"; }
do_compact() { "$1" compact --db "$R/db" --missing; }
kept_compact() { found "$R/db" "$TMP/wanted.2"; }
done_compact() {
    whole "$R/db" "$TMP/wanted.2" || return
    "$AKIN" info --db "$R/db" --json >"$TMP/info" || { why="info"; return 1; }
    [ "$("$PROBE" json "$TMP/info" missing)$("$PROBE" json "$TMP/info" dead)" = 00 ] ||
        { why="still there: $(cat "$TMP/info")"; return 1; }
}

begin_reindex() { cp -R "$TMP/db.2" "$R/db"; }
do_reindex() { (is_new) || "$1" reindex --db "$R/db" --model "$other" --workers 1; }
kept_reindex() { found "$R/db" "$TMP/wanted.2"; }
is_new() {
    "$AKIN" info --db "$R/db" --json >"$TMP/info" || { why="info"; return 1; }
    model=$("$PROBE" json "$TMP/info" model)
    [ "$model" = "$other" ] || { why="its model is $model"; return 1; }
}
done_reindex() { whole "$R/db" "$TMP/wanted.2" && is_new; }

# The copy is whole or not there; one that is there is not made again.
begin_copy() { cp -R "$TMP/db.2" "$R/db"; }
do_copy() { [ -e "$R/to/images" ] || "$1" copy --db "$R/db" "$R/to"; }
kept_copy() { [ ! -e "$R/to/images" ] || whole "$R/to" "$TMP/wanted.2"; }
done_copy() { whole "$R/to" "$TMP/wanted.2" && whole "$R/db" "$TMP/wanted.2"; }

begin_export() { cp -R "$TMP/db.2" "$R/db"; }
do_export() { [ -e "$R/out" ] || "$1" export --db "$R/db" "$R/out"; }
kept_export() { [ ! -e "$R/out" ] || done_export; }
done_export() {
    diff -r "$R/out" "$TMP/out.2" >"$TMP/diff" 2>&1 || {
        why="differs: $(head -c 300 "$TMP/diff")"
        return 1
    }
}

begin_import() { :; }
do_import() { "$1" import --db "$R/db" "$TMP/out.2"; }
kept_import() { :; }
done_import() { whole "$R/db" "$TMP/wanted.2"; }

# ---- harm

fresh() {
    rm -rf "$R"
    mkdir "$R"
    "begin_$1"
}

# harm SCENARIO DEED NUMBER...: for each number the deed is done there. Leaves what went wrong in
# $bad, and how many runs there were in $runs.
harm() {
    s=$1 deed=$2
    shift 2
    bad= runs=0
    for at; do
        runs=$((runs + 1)) why=
        fresh "$s"
        rc=0
        export AKIN_FAULT_AT="$at" AKIN_FAULT_DO="$deed"
        "do_$s" "$FAULTY" >"$TMP/out" 2>"$TMP/err" || rc=$?
        unset AKIN_FAULT_AT AKIN_FAULT_DO
        case $deed,$rc in
        kill*,137 | short,137 | power,137) ;;
        kill*,* | short,* | power,*) why="was not killed: exit $rc" ;;
        *,0 | *,3) "done_$s" || why="said that it is done: $why" ;;
        *,1) grep -qF "$R" "$TMP/err" || why="no file is named: $(cat "$TMP/err")" ;;
        *) why="exit $rc: $(cat "$TMP/err")" ;;
        esac
        [ -n "$why" ] || "kept_$s" || why="before the next run: $why"
        if [ -z "$why" ]; then
            rc=0
            "do_$s" "$again" >"$TMP/out" 2>"$TMP/err" || rc=$?
            case $rc in
            0 | 3) "done_$s" || why="after the next run: $why" ;;
            *) why="the next run: exit $rc: $(cat "$TMP/err")" ;;
            esac
        fi
        [ -z "$why" ] || bad="$bad
at $at: $why"
    done
}

# every FROM STEP TO: with DURABLE_ALL each of them.
every() { seq "$1" "$([ -n "$DURABLE_ALL" ] && echo 1 || echo "$2")" "$3"; }

# sweep SCENARIO DEED NUMBERS
sweep() {
    # shellcheck disable=SC2086  # numbers
    harm "$1" "$2" $3
    total=$((total + runs))
    if [ -z "$bad" ]; then pass "$1: $2: $runs runs of $calls calls, $syncs syncs"
    else fail "$1: $2: $runs runs" "$(echo "$bad" | head -n 12)"; fi
}

# survives SCENARIO STEP: the whole of it; STEP thins out what is much the same elsewhere.
survives() {
    set -- "$1" $(($2 * slow))
    case " $DURABLE_ONLY " in "  " | *" $1 "*) ;; *) return ;; esac
    fresh "$1"
    rm -f "$TMP/log"
    AKIN_FAULT_LOG="$TMP/log" run "do_$1" "$FAULTY"
    case $rc in 0 | 3) rc=0 ;; esac
    is "$1: without harm" "$rc" 0
    [ "$rc" = 0 ] || return
    calls=$(cut -d' ' -f1 "$TMP/count") syncs=$(cut -d' ' -f2 "$TMP/count")
    why=
    if "done_$1"; then pass "$1: without harm: whole"
    else fail "$1: without harm: whole" "$why"; fi
    [ -z "$why" ] || return
    sweep "$1" kill "$(every 1 "$2" "$calls")"
    sweep "$1" kill-before 1
    # Half is left of what is written; of other calls there is no half.
    sweep "$1" short "$(every 1 $(($2 * 3)) "$(grep -cE "$writes" "$TMP/log")" | while read -r n; do
        grep -E "$writes" "$TMP/log" | sed -n "${n}s/ .*//p"
    done)"
    sweep "$1" power "$(every 2 $(($2 * 3)) "$calls")"
    sweep "$1" enospc "$(every 1 $(($2 * 5)) "$calls")"
    sweep "$1" eio "$(every 2 $(($2 * 7)) "$calls")"
    sweep "$1" partial "$(every 3 $(($2 * 9)) "$calls")"
    [ "$syncs" = 0 ] || sweep "$1" fsync "$(every 1 $((($2 + 2) / 3)) "$syncs")"
    AKIN_FAULT_STICKY=all
    export AKIN_FAULT_STICKY
    sweep "$1" enospc "$(every 4 $(($2 * 11)) "$calls")"
    unset AKIN_FAULT_STICKY
}

# ---- what is there before
total=0 again=$AKIN slow=$([ -n "$SANITIZE" ] && echo 25 || echo 1)
find "$p" -name '*.png' | sort >"$TMP/wanted.1"
mkdir "$R"
exits "first state" 3 index "$AKIN"
cp -R "$R/db" "$TMP/db.1"
rm -rf "$R"
mkdir "$R"
export AKIN_FAULT_FS="$R=0x6969" # an NFS
exits "first state, without a write-ahead log" 3 index "$FAULTY"
unset AKIN_FAULT_FS
cp -R "$R/db" "$TMP/db.j"
survives create 1
survives two 24
mv "$p/2.png" "$p/sub/moved.png"
mv "$p/3.png" "$TMP/away.png"
cp "$TMP/new.png" "$p/4.png"
cp "$TMP/other.png" "$p/new.png"
cp "$p/5.png" "$p/same as 5.png"
echo "still no picture" >"$p/broken.jpg"
find "$p" -name '*.png' | sort >"$TMP/wanted.2"
comm -12 "$TMP/wanted.1" "$TMP/wanted.2" >"$TMP/kept"
sort -u "$TMP/wanted.1" "$TMP/wanted.2" >"$TMP/either"
survives changes 1
again=$FAULTY
export AKIN_FAULT_FS="$R=0x6969"
survives journal 4
unset AKIN_FAULT_FS
again=$AKIN
rm -rf "$R"
mkdir "$R"
cp -R "$TMP/db.1" "$R/db"
exits "second state" 3 index "$AKIN"
cp -R "$R/db" "$TMP/db.2"
survives compact 3
survives reindex 3
survives copy 5
exits "exported" 0 "$AKIN" export --db "$TMP/db.2" "$TMP/out.2"
survives export 3
survives import 8
echo "# $total runs"
finish
