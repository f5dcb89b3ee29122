# Models by name, over a cache of the hub made here of links to tiny checkpoints; and weights alone.
. tests/cli/lib.sh
golden=$PWD/tests/golden
commit=0123456789abcdef0123456789abcdef01234567
mkdir "$TMP/hub"
export HF_HUB_CACHE="$TMP/hub"

# repository ENTRY FOLDER [IN]: a repository of the cache with that checkpoint (as its folder IN).
repository() {
    at="$TMP/hub/models--$1"
    mkdir -p "$at/refs" "$at/snapshots"
    printf %s $commit >"$at/refs/main"
    if [ $# -eq 3 ]; then
        mkdir "$at/snapshots/$commit"
        ln -s "$2" "$at/snapshots/$commit/$3"
    else
        ln -s "$2" "$at/snapshots/$commit"
    fi
}
repository openai--clip-vit-base-patch32 "$golden/clip/tiny-a"
repository laion--CLIP-ViT-B-32-laion2B-s34B-b79K "$golden/open_clip/oc-a"
repository sentence-transformers--clip-ViT-B-32 "$golden/clip/tiny-a" 0_CLIPModel
mkdir "$TMP/st"
ln -s "$golden/clip/tiny-a" "$TMP/st/0_CLIPModel"

at() { echo "$TMP/hub/models--$1/snapshots/$commit"; }
hf=$(at openai--clip-vit-base-patch32)
laion=$(at laion--CLIP-ViT-B-32-laion2B-s34B-b79K)

# leads NAME FOLDER FORM: model info and tokenize take the name, and the folder is the one used.
leads() {
    exits "model info '$1'" 0 "$AKIN" model info --json "$1"
    json "model info '$1': path" "$TMP/out" path "$2"
    json "model info '$1': form" "$TMP/out" form "$3"
    case $("$PROBE" json "$TMP/out" weights) in
        "$2"/*) pass "model info '$1': its weights" ;;
        *) fail "model info '$1': its weights" ;;
    esac
    exits "tokenize, '$1'" 0 "$AKIN" tokenize --model "$1" --text 'a cat'
}
leads openai/clip-vit-base-patch32 "$hf" hf
leads hf-hub:openai/clip-vit-base-patch32 "$hf" hf
leads "openai/clip-vit-base-patch32@$commit" "$hf" hf
leads ViT-B/32 "$hf" hf
leads ' vit-b/32 ' "$hf" hf
leads clip-vit-base-patch32 "$hf" hf
leads ViT-B-32/laion2b_s34b_b79k "$laion" open_clip
leads ViT-B-32__laion2b_s34b_b79k "$laion" open_clip
leads 'vit-b-32 LAION2B_s34b_b79k' "$laion" open_clip
leads hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K "$laion" open_clip
leads "local-dir:$golden/open_clip/oc-a" "$golden/open_clip/oc-a" open_clip
leads "$TMP/st" "$TMP/st/0_CLIPModel" hf
leads "$TMP/hub/models--openai--clip-vit-base-patch32" "$hf" hf
st=$(at sentence-transformers--clip-ViT-B-32)/0_CLIPModel
leads sentence-transformers/clip-ViT-B-32 "$st" hf
export AKIN_MODEL=ViT-B/32
exits "AKIN_MODEL may be a name" 0 "$AKIN" model info --json
json "AKIN_MODEL may be a name: path" "$TMP/out" path "$hf"
unset AKIN_MODEL
cd "$TMP" || exit 1
exits "a relative folder" 0 "$AKIN" model info --json st
json "a relative folder: path" "$TMP/out" path st/0_CLIPModel
cd - >/dev/null || exit 1

# The same vectors by name and by folder.
photo=$golden/clip/pictures/photo.jpg
by() {
    "$AKIN" embed --model "$1" --text 'a cat' "$photo" >"$TMP/$2" 2>"$TMP/err" ||
        echo "failed by $2" >>"$TMP/$2"
}
same() {
    rc=0
    if [ -s "$TMP/x" ] && cmp -s "$TMP/x" "$TMP/y"; then pass "$1"; else fail "$1"; fi
}
by "$golden/clip/tiny-a" x; by ViT-B/32 y
same "embed by OpenAI's name: the folder's vectors"
by "$TMP/st" y
same "embed, 0_CLIPModel: the folder's vectors"
by "$golden/open_clip/oc-a" x; by ViT-B-32/laion2b_s34b_b79k y
same "embed by open_clip's name: the folder's vectors"

exits "a name that is not there" 1 "$AKIN" model info ViT-L/14
says "a name that is not there: where" "$TMP/hub: 'ViT-L/14' is not in this cache"
says "a name that is not there: what for" "openai/clip-vit-large-patch14"
exits "no name at all" 1 "$AKIN" model info nothing-like-it
exits "an architecture without weights" 2 "$AKIN" model info ViT-B-32
says "an architecture without weights: which there are" "laion2b_s34b_b79k"
repository me--twin "$golden/clip/tiny-a"
repository you--twin "$golden/clip/tiny-a"
exits "several of one name" 2 "$AKIN" model info twin
says "several of one name: listed" "you--twin"
exits "an empty cache elsewhere" 1 env HF_HUB_CACHE="$TMP/none" "$AKIN" model info ViT-B/32
says "an empty cache elsewhere: named" "$TMP/none"
exits "HF_HOME" 0 env -u HF_HUB_CACHE HF_HOME="$TMP" "$AKIN" model info --json ViT-B/32
mkdir "$TMP/huggingface"; mv "$TMP/hub" "$TMP/huggingface/hub"
unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME
exits "XDG_CACHE_HOME" 0 env XDG_CACHE_HOME="$TMP" "$AKIN" model info ViT-B/32
mkdir "$TMP/.cache"; mv "$TMP/huggingface" "$TMP/.cache"
exits "HOME" 0 env HOME="$TMP" "$AKIN" model info ViT-B/32

# Weights alone.
vit=$golden/open_clip/bare-vit/ViT.pt
exits "weights alone" 2 "$AKIN" embed --model "$vit" --text 'a cat'
says "weights alone: says what is missing" "--activation quick_gelu"
exits "weights alone, JSON" 2 "$AKIN" model info --json "$vit"
json "weights alone, JSON: code" "$TMP/err" error.code argument
exits "weights alone, an activation of no name" 2 "$AKIN" model info --activation relu "$vit"
says "weights alone, an activation of no name: lists them" "quick_gelu|gelu"
exits "weights alone with --activation" 0 "$AKIN" model info --json --activation quick_gelu "$vit"
json "weights alone with --activation: path" "$TMP/out" path "$vit"
json "weights alone with --activation: activation" "$TMP/out" activation quick_gelu
json "weights alone with --activation: heads" "$TMP/out" text_heads 2
cp "$vit" "$TMP/named at will"
exits "weights alone of any name" 0 \
    "$AKIN" tokenize --activation gelu --model "$TMP/named at will" --text 'a cat'
exits "weights alone: embed" 0 \
    "$AKIN" embed --activation quick_gelu --model "$vit" --text 'a cat' "$photo"
cp "$TMP/out" "$TMP/x"
exits "weights alone: embed, gelu" 0 \
    "$AKIN" embed --activation gelu --model "$vit" --text 'a cat' "$photo"
rc=0
cmp -s "$TMP/out" "$TMP/x" || rc=$?
is "weights alone: the activation counts" "$rc" 1
exits "weights alone: preprocess" 0 \
    "$AKIN" preprocess --activation quick_gelu --model "$vit" "$photo" -o "$TMP/p.npy"
is "weights alone: preprocess, its size" "$("$PROBE" npy "$TMP/p.npy")" "3 30 30"
exits "weights alone, --form hf" 2 "$AKIN" model info --form hf --activation gelu "$vit"
exits "a folder and --activation" 2 "$AKIN" model info --activation gelu "$golden/clip/tiny-a"
says "a folder and --activation: why" "the config in this folder"
exits "another vocabulary" 1 \
    "$AKIN" model info --activation gelu "$golden/open_clip/bare-gelu/epoch_3.safetensors"
says "another vocabulary: named" "'text.token_embedding.weight' has 60 rows"
exits "Hugging Face's weights alone" 1 \
    "$AKIN" model info --activation gelu "$golden/clip/tiny-a/model.safetensors"
says "Hugging Face's weights alone: what to do" "a folder that holds it together with config.json"
exits "no weights" 1 "$AKIN" model info --activation gelu "$photo"
says "no weights: named" "photo.jpg"
finish
