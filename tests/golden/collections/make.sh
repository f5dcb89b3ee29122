#!/bin/sh
# make.sh AKIN PROBE MODEL OUT - a small collection of the format that AKIN writes, with its
# pictures: once for each released format, never again; tests/cli/released.sh reads them all.
# MODEL: tests/golden/clip/tiny-a. Absolute paths; OUT: tests/golden/collections/format-N.
#
# In it: three pictures and a copy of one, a caption beside one, a file that is none (in the skip
# list), one that is missing, one that a rule leaves out.
set -eu
akin=$1 probe=$2 model=$3 out=$4
at=/tmp/akin-released
[ ! -e "$at" ] || { echo "make.sh: $at is there" >&2; exit 1; }
trap 'rm -rf "$at"' EXIT
mkdir -p "$at/pictures/below" "$at/home"
cp -r "$model" "$at/model"
cd "$at/pictures"
"$probe" png 16 16 1 a.png
"$probe" png 16 16 2 below/b.png
"$probe" png 24 16 3 "c d.png"
cp a.png below/copy.png
"$probe" png 16 16 4 gone.png
"$probe" png 16 16 5 hidden.png
echo 'An arch in the evening' >below/b.txt
echo 'no picture' >broken.jpg
export AKIN_HOME="$at/home"
"$akin" index --here --model "$at/model" . || [ $? -eq 3 ]
rm gone.png
"$akin" index --exclude hidden.png .
rm .akin/images/writer.lock # which names a host
cp -r "$at/pictures" "$out"
