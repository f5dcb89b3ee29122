# HEIC, AVIF and raw photographs: with the libraries that are here, and on a system without them.
. tests/cli/lib.sh
export AKIN_MODEL="$MODEL"
golden=$PWD/tests/golden/modules
cp "$golden/heic-turn6.heic" "$TMP/a.heic"
cp "$golden/avif-420.avif" "$TMP/a.avif"
cp "$golden/sony.arw" "$TMP/a.arw"
"$PROBE" png 40 30 1 "$TMP/a.png"

for kind in heic avif arw; do
    run "$AKIN" embed "$TMP/a.$kind"
    if [ "$rc" -ne 0 ] && grep -qE 'need (libheif|LibRaw)|has no (AV1|HEVC) dec' "$TMP/err"; then
        skip "$kind: embeds" "$(sed -n 1p "$TMP/err")"
    else
        is "$kind: embeds" "$rc" 0
        out_has "$kind: a row" '"type":"image"'
        silent "$kind: says nothing" err
    fi
done

# A library that is no library stands where the system looks first: as good as not installed, and
# nothing but these pictures fails.
mkdir "$TMP/lib"
for name in libheif.so.1 libraw_r.so.19 libraw_r.so.20 libraw_r.so.21 libraw_r.so.22 \
    libraw_r.so.23 libraw_r.so.24 libraw_r.so.25; do
    echo 'not a library' >"$TMP/lib/$name"
done
exits "absent: other pictures" 0 env LD_LIBRARY_PATH="$TMP/lib" "$AKIN" embed "$TMP/a.png"
silent "absent: other pictures: says nothing" err
for kind in heic avif; do
    exits "absent: $kind" 3 env LD_LIBRARY_PATH="$TMP/lib" "$AKIN" embed "$TMP/a.png" "$TMP/a.$kind"
    says "absent: $kind: by name" "$TMP/a.$kind: HEIC and AVIF need libheif: "
    out_has "absent: $kind: the other picture is embedded" '"type":"image"'
done
exits "absent: raw" 1 env LD_LIBRARY_PATH="$TMP/lib" "$AKIN" embed "$TMP/a.arw"
says "absent: raw: by name" "$TMP/a.arw: raw photographs need LibRaw: "

if command -v ldd >/dev/null 2>&1; then
    is "not linked" "$(ldd "$AKIN" | grep -E 'libheif|libraw')" ""
fi
finish
