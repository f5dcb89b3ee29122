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

flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs akin)
exits "example: compiles" 0 "$CC" -std=c11 -Wall -Wextra -Werror examples/embed.c $flags -lm -o "$TMP/example"
"$PROBE" png 40 30 1 "$TMP/a.png"
exits "example: runs" 0 env LD_LIBRARY_PATH="$lib" "$TMP/example" "$MODEL" 'a red car' "$TMP/a.png"
out_has "example: prints a cosine" "cosine "
exits "example: names what fails" 1 env LD_LIBRARY_PATH="$lib" "$TMP/example" "$MODEL" 'a red car' "$TMP/none.png"
says "example: names what fails: file" "$TMP/none.png: "
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --cflags --libs --static akin)
exits "example: links the static library" 0 "$CC" -std=c11 examples/embed.c -static-libgcc "$lib/libakin.a" $flags -lm -o "$TMP/example"
echo '#include "akin.h"
akin_model_info info = AKIN_MODEL_INFO_INIT;
akin_model_options model_options = AKIN_MODEL_OPTIONS_INIT;
akin_session_options session_options = AKIN_SESSION_OPTIONS_INIT;
int main() { return akin_version()[0] == 0; }' >"$TMP/c++.cc"
if command -v c++ >/dev/null 2>&1; then
    exits "header: C++" 0 c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -c "$TMP/c++.cc" -o "$TMP/c++.o"
else
    skip "header: C++" "no C++ compiler here"
fi
finish
