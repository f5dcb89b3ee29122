# Help, man page and completion come from one table.
. tests/cli/lib.sh
verbs="embed classify eval train tokenize preprocess bench model help"
exits "akin --help" 0 "$AKIN" --help
cp "$TMP/out" "$TMP/all"
for verb in $verbs; do
    if grep -q "akin $verb " "$TMP/all"; then pass "akin --help has $verb"; else fail "akin --help has $verb"; fi
    exits "akin $verb --help" 0 "$AKIN" $verb --help
    out_has "akin $verb --help: usage" "Usage: akin $verb"
    cp "$TMP/out" "$TMP/help.$verb"
    exits "akin help $verb" 0 "$AKIN" help $verb
    if cmp -s "$TMP/out" "$TMP/help.$verb"; then pass "akin help $verb is the same"; else fail "akin help $verb is the same"; fi
    is "akin $verb --help: no line over 80" "$(awk 'length > 80' "$TMP/out" | wc -l | tr -d ' ')" 0
done
exits "-h" 0 "$AKIN" embed -h
exits "help of what is not there" 2 "$AKIN" help frobnicate
exits "help needs no model and no processor" 0 env AKIN_CPU=foo "$AKIN" embed --help

exits "man page" 0 "$AKIN" help --man
cp "$TMP/out" "$TMP/akin.1"
for option in $(sed -n 's/^  \(-., \)\{0,1\}--\([a-z-]*\).*/\2/p' "$TMP"/help.* | sort -u); do
    if sed 's/\\-/-/g' "$TMP/akin.1" | grep -q -- "^\.B .*--$option"; then pass "man page has --$option"
    else fail "man page has --$option"; fi
done
if command -v groff >/dev/null 2>&1; then
    groff -man -Tascii -ww "$TMP/akin.1" >"$TMP/out" 2>"$TMP/err"
    silent "man page: groff has no complaint" err
else
    skip "man page: groff has no complaint" "no groff here"
fi
if cmp -s "$TMP/akin.1" "$BUILD/akin.1"; then pass "man page: the built one is it"; else fail "man page: the built one is it"; fi

exits "bash completion" 0 "$AKIN" help --completion bash
cp "$TMP/out" "$TMP/akin.bash"
if command -v bash >/dev/null 2>&1; then
    complete() {
        bash -c '. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _akin; echo "${COMPREPLY[*]}"' \
            bash "$TMP/akin.bash" "$@"
    }
    rc=0
    is "completes verbs" "$(complete akin em)" embed
    is "completes options of the verb" "$(complete akin embed --r)" --raw
    is "completes options only of the verb" "$(complete akin tokenize --r)" ""
    is "completes train and eval" "$(complete akin tr) $(complete akin ev)" "train eval"
    is "completes options of train" "$(complete akin train --warm-)" --warm-start
    is "completes choices" "$(complete akin embed --format n)" npy
    is "completes model info" "$(complete akin model i)" info
else
    skip "bash completion works" "no bash here"
fi
exits "zsh completion" 0 "$AKIN" help --completion zsh
if command -v zsh >/dev/null 2>&1; then
    exits "zsh completion: parses" 0 zsh -n "$BUILD/_akin"
else
    skip "zsh completion: parses" "no zsh here"
fi
exits "unknown shell" 2 "$AKIN" help --completion fish
finish
