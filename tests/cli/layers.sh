# tools/check-layers and tools/run-tests find what is planted for them.
. tests/cli/lib.sh
exits "this tree" 0 sh tools/check-layers
tree() {
    rm -rf "$TMP/t"
    mkdir -p "$TMP/t/src/base" "$TMP/t/src/cpu" "$TMP/t/src/image" "$TMP/t/cli" "$TMP/t/include"
    : >"$TMP/t/include/akin.h"
    : >"$TMP/t/include/akin_error.h"
    echo '#include "akin_error.h"' >"$TMP/t/src/base/error.h"
    echo '#include "base/error.h"' >"$TMP/t/src/cpu/kernels.h"
    echo '#include "cpu/kernels.h"' >"$TMP/t/src/image/resize.c"
    printf '#include "akin.h"\n#include "base/error.h"\n' >"$TMP/t/cli/main.c"
}
tree
exits "a good tree" 0 sh tools/check-layers "$TMP/t"
# plant NAME FILE LINE WANTED: adds LINE to FILE, and wants WANTED said.
plant() {
    tree
    printf '\n%s\n' "$3" >>"$TMP/t/$2"
    exits "$1" 1 sh tools/check-layers "$TMP/t"
    says "$1: where and why" "$4"
}
plant "up a layer" src/cpu/kernels.h '#include "image/resize.h"' "src/cpu/kernels.h:3: cpu may not include image"
plant "up a layer, with blanks" src/base/error.h ' #  include  "cpu/kernels.h"' "base may not include cpu"
plant "the program into the library" cli/main.c '#include "image/picture.h"' "cli/main.c:4: cli may not include image"
plant "the library into the public header" src/image/resize.c '#include "akin.h"' "image may not include akin.h"
plant "around by a path" src/image/resize.c '#include "../cpu/kernels.h"' "relative to src/"
plant "a file that is not there" src/image/resize.c '#include "cpu/none.h"' "no such file"
plant "a library of another room" src/cpu/kernels.h '#include <png.h>' "cpu may not include <png.h>"
mkdir -p "$TMP/t/src/soup"; echo 'int x;' >"$TMP/t/src/soup/x.c"
exits "a room that is not in the table: found" 1 sh tools/check-layers "$TMP/t"
tree; echo 'int x;' >"$TMP/t/src/image/error.h"
exits "two files of one name" 1 sh tools/check-layers "$TMP/t"
says "two files of one name: said" "error.h"
tree; awk 'BEGIN { for (i = 0; i < 2001; i++) print "" }' >"$TMP/t/cli/long.c"
exits "a file too long" 1 sh tools/check-layers "$TMP/t"
says "a file too long: said" "cli/long.c:2001"

# The runner: what fails, crashes, stops early or is skipped is counted.
mkdir -p "$TMP/b"
cat >"$TMP/b/CTestTestfile.cmake" <<END
add_test(good sh -c "echo ok 1 - a; echo ok 2 - b; echo 1..2")
END
exits "runner: good" 0 sh tools/run-tests "$TMP/b"
is "runner: good: last line" "$(tail -n 1 "$TMP/out")" "2 passed, 0 failed"
cat >>"$TMP/b/CTestTestfile.cmake" <<END
add_test(bad sh -c "echo ok 1 - c; echo not ok 2 - broken; echo 1..2; exit 1")
add_test(crash sh -c "echo ok 1 - d; kill -9 \$\$")
add_test(short sh -c "echo ok 1 - e; echo 1..3")
add_test(skips sh -c "echo 'ok 1 - f # SKIP no such machine'; echo 1..1")
add_test(quiet sh -c "exit 0")
add_test(liar sh -c "echo not ok 1 - g; echo 1..1; exit 0")
END
exits "runner: bad" 1 sh tools/run-tests "$TMP/b"
is "runner: bad: last line" "$(tail -n 1 "$TMP/out")" "5 passed, 5 failed"
out_has "runner: bad: counts the skipped" "1 skipped"
out_has "runner: bad: names the test" "broken"
out_has "runner: bad: names the crash" "crash"
out_has "runner: bad: why skipped" "no such machine"
finish
