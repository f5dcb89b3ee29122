# SIGINT and SIGTERM: the chunk is finished and printed, the exit is 128 + signal; a second one ends
# the program at once.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL"
"$PROBE" png 40 30 1 "$TMP/a.png"
rc=0
set --
i=0
while [ $i -lt 3000 ]; do
    set -- "$@" --text "a picture of number $i"
    i=$((i + 1))
done
for pair in "2 130" "15 143"; do
    number=${pair% *}
    "$PROBE" signal "$number" -- "$AKIN" embed --batch 1 "$@" >"$TMP/out" 2>"$TMP/err"
    is "signal $number: exit" "$(head -n 1 "$TMP/out")" "exit ${pair#* }"
    lines=$(sed -n 2p "$TMP/out")
    if [ "$lines" -gt 0 ] && [ "$lines" -lt 3000 ]; then pass "signal $number: whole lines, not all"
    else fail "signal $number: whole lines, not all" "$lines lines"; fi
    says "signal $number: summary" "$lines of 3000 inputs done"
    if [ "$SANITIZE" = thread ]; then
        skip "signal $number twice: at once" "ThreadSanitizer holds signals back during a write that waits"
        continue
    fi
    "$PROBE" signal "$number" "$number" -- "$AKIN" embed --batch 1 "$@" >"$TMP/out" 2>"$TMP/err"
    is "signal $number twice: at once" "$(head -n 1 "$TMP/out")" "exit ${pair#* }"
done
"$PROBE" signal 15 -- sh -c 'echo; exec "$@"' sh "$AKIN" bench --what text --seconds 60 >"$TMP/out" 2>"$TMP/err"
first=$(head -n 1 "$TMP/out")
case $first in "exit 143" | "signal 15") pass "bench stops" ;; *) fail "bench stops" "$first" ;; esac

# An ignored signal stays ignored (nohup, background commands of sh).
(trap '' INT; "$AKIN" embed --batch 1 --text a --text b >"$TMP/out" & wait)
is "an ignored signal is left alone" "$("$PROBE" lines "$TMP/out")" 2
finish
