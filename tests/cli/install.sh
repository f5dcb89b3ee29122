# The installed tree: files, exported symbols, and a program built against it with pkg-config.
. tests/cli/lib.sh
if [ -n "$SANITIZE" ]; then
    skip "install" "a library with sanitizers is not one to install"
    finish
fi
export DESTDIR="$TMP/root"
exits "install" 0 cmake --install "$BUILD" --prefix /opt/akin
unset DESTDIR
root=$TMP/root/opt/akin
for file in bin/akin include/akin.h include/akin_error.h share/man/man1/akin.1 \
    share/bash-completion/completions/akin share/zsh/site-functions/_akin; do
    if [ -s "$root/$file" ]; then pass "installed $file"; else fail "installed $file"; fi
done
if [ -d models/mini ]; then
    exits "installed models/mini, whole" 0 diff -r models/mini "$root/share/akin/models/mini"
    exits "the installed program finds it" 0 env -u AKIN_MODEL AKIN_HOME="$TMP/cache" \
        "$root/bin/akin" model info --json
    json "and in its own tree" "$TMP/out" path "$root/share/akin/models/mini"
fi
pc=$(find "$root" -name akin.pc)
lib=$(dirname "$(dirname "$pc")")
for file in libakin.a libakin.so libakin.so.0; do
    if [ -s "$lib/$file" ]; then pass "installed $file"; else fail "installed $file"; fi
done
if [ -e "$BUILD/akin_video.so" ]; then
    if [ -s "$lib/akin/akin_video.so" ]; then
        pass "installed akin/akin_video.so"
    else
        fail "installed akin/akin_video.so"
    fi
    is "akin_video.so shows one function" "$(nm -D --defined-only "$lib/akin/akin_video.so" | awk '{ print $3 }')" akin_video_module_1
else
    skip "installed akin/akin_video.so" "this build has no FFmpeg"
fi
is "soname" "$(objdump -p "$lib/libakin.so" | awk '/SONAME/ { print $2 }')" libakin.so.0
exits "exported symbols" 0 sh tools/check-exports "$lib/libakin.so"
cp src/api/exports.txt "$TMP/list"
echo akin_planted >>"$TMP/list"
exits "exported symbols: a missing one is found" 1 sh tools/check-exports "$lib/libakin.so" "$TMP/list"
says "exported symbols: by name" akin_planted
sed 1d src/api/exports.txt >"$TMP/list"
exits "exported symbols: one too many is found" 1 sh tools/check-exports "$lib/libakin.so" "$TMP/list"
is "pkg-config: version" "akin $(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --modversion akin)" "$("$root/bin/akin" --version)"

# Pictures and a video to search, in a collection made by the installed program.
"$PROBE" png 40 30 1 "$TMP/a.png"
mkdir "$TMP/photos"
cp "$TMP/a.png" tests/golden/video/short.mp4 "$TMP/photos"
export AKIN_HOME="$TMP/cache" AKIN_DB="$TMP/db"
frames() {
    if [ -e "$BUILD/akin_video.so" ]; then
        exits "$1" 0 "$2" index --model "$MODEL" --db "$TMP/$3" "$TMP/photos"
    else
        exits "$1" 3 "$2" index --model "$MODEL" --db "$TMP/$3" "$TMP/photos"
        says "$1: says what is missing" "videos need FFmpeg"
    fi
}
frames "a video is read by the installed program" "$root/bin/akin" db
mv "$root" "$TMP/moved"
frames "a video is read by a program that was moved" "$TMP/moved/bin/akin" db2
ln -s "$TMP/moved/bin/akin" "$TMP/link"
frames "a video is read by a program behind a link" "$TMP/link" db3
mv "$TMP/moved" "$root"

warnings='-Wall -Wextra -Werror'
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs akin)
exits "embed.c: compiles" 0 "$CC" -std=c11 $warnings examples/embed.c $flags -lm -o "$TMP/embed"
exits "search.c: compiles" 0 "$CC" -std=c11 $warnings examples/search.c $flags -o "$TMP/search"
export LD_LIBRARY_PATH="$lib"
exits "embed.c: runs" 0 "$TMP/embed" "$MODEL" 'a red car' "$TMP/a.png"
out_has "embed.c: prints a cosine" "cosine "
exits "embed.c: names what fails" 1 "$TMP/embed" "$MODEL" 'a red car' "$TMP/none.png"
says "embed.c: names what fails: file" "$TMP/none.png: "
exits "search.c: runs" 0 "$TMP/search" 'a red car'
out_has "search.c: prints a path" "  $TMP/photos/a.png"
cp "$TMP/out" "$TMP/shared"
exits "search.c: names what fails" 1 env AKIN_DB="$TMP/none" "$TMP/search" 'a red car'
says "search.c: names what fails: folder" "$TMP/none"
unset LD_LIBRARY_PATH
# Without libakin.so in sight, so that all the static one needs has to be in akin.pc.
mkdir "$TMP/static"
cp "$lib/libakin.a" "$TMP/static"
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs --static akin)
for example in embed search; do
    exits "$example.c: links the static library" 0 "$CC" -std=c11 "examples/$example.c" \
        -L"$TMP/static" -Wl,-Bstatic -lakin -Wl,-Bdynamic ${flags%%-lakin*} ${flags#*-lakin} \
        -o "$TMP/$example"
done
exits "search.c: runs, static" 0 "$TMP/search" 'a red car'
is "search.c: static and shared agree" "$(cat "$TMP/out")" "$(cat "$TMP/shared")"
echo '#include "akin.h"
akin_model_info info = AKIN_MODEL_INFO_INIT;
akin_model_options model_options = AKIN_MODEL_OPTIONS_INIT;
akin_session_options session_options = AKIN_SESSION_OPTIONS_INIT;
akin_collection_options collection_options = AKIN_COLLECTION_OPTIONS_INIT;
akin_collection_info collection_info = AKIN_COLLECTION_INFO_INIT;
akin_index_options index_options = AKIN_INDEX_OPTIONS_INIT;
akin_index_report index_report = AKIN_INDEX_REPORT_INIT;
akin_query query = AKIN_QUERY_INIT;
akin_search_trial_options trial_options = AKIN_SEARCH_TRIAL_OPTIONS_INIT;
akin_train_options train_options = AKIN_TRAIN_OPTIONS_INIT;
akin_train_report train_report = AKIN_TRAIN_REPORT_INIT;
akin_train_trial_options train_trial_options = AKIN_TRAIN_TRIAL_OPTIONS_INIT;
akin_eval_options eval_options = AKIN_EVAL_OPTIONS_INIT;
int main() { return akin_version()[0] == 0; }' >"$TMP/c++.cc"
if command -v c++ >/dev/null 2>&1; then
    exits "header: C++" 0 c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -c "$TMP/c++.cc" -o "$TMP/c++.o"
else
    skip "header: C++" "no C++ compiler here"
fi
finish
