# lib.sh - what the command-line tests share. Each test is a sh script that prints TAP and ends with
# `finish`. It runs from the root of the source tree with
#   AKIN  the program     PROBE  probe.c     MODEL  a model folder     BUILD  the build folder
set -u
: "${AKIN:=$PWD/build/akin}" "${PROBE:=$PWD/build/probe}" "${BUILD:=$PWD/build}"
: "${MODEL:=tests/golden/clip/tiny-a}" "${SANITIZE:=}" "${CC:=cc}"
case $MODEL in /*) ;; *) MODEL=$PWD/$MODEL ;; esac
unset AKIN_MODEL AKIN_THREADS AKIN_CPU
TMP=$(mktemp -d "${TMPDIR:-/tmp}/akin-test.XXXXXX") || exit 1
trap 'rm -rf "$TMP"' EXIT
count=0
failures=0

# run COMMAND...: leaves the exit status in $rc, the output in $TMP/out and $TMP/err.
run() {
    rc=0
    "$@" >"$TMP/out" 2>"$TMP/err" </dev/null || rc=$?
}

pass() {
    count=$((count + 1))
    echo "ok $count - $1"
}

fail() {
    count=$((count + 1))
    failures=$((failures + 1))
    echo "not ok $count - $1"
    shift
    printf '%s\n' "$@" "exit $rc" | sed 's/^/# /'
    for f in out err; do
        [ -s "$TMP/$f" ] && head -c 600 "$TMP/$f" | tr -c '[:print:]\n' '?' | sed "s/^/# $f: /"
    done
    echo
}

skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

# is NAME GOT WANTED
is() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got:    $2" "wanted: $3"; fi
}

# exits NAME STATUS COMMAND...
exits() {
    name=$1 wanted=$2
    shift 2
    run "$@"
    is "$name" "$rc" "$wanted"
}

# says NAME TEXT: standard error holds TEXT. out_has NAME TEXT: standard output does.
says() { if grep -qF -- "$2" "$TMP/err"; then pass "$1"; else fail "$1" "standard error lacks: $2"; fi; }
out_has() { if grep -qF -- "$2" "$TMP/out"; then pass "$1"; else fail "$1" "output lacks: $2"; fi; }
silent() { if [ -s "$TMP/$2" ]; then fail "$1" "$2 is not empty"; else pass "$1"; fi; }

# json NAME FILE PATH WANTED
json() { is "$1" "$("$PROBE" json "$2" "$3")" "$4"; }

finish() {
    echo "1..$count"
    [ "$failures" -eq 0 ]
    exit
}
