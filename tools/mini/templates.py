"""Questions and requests around a name, by language: {} is the name, {a} the name with its
article."""

TEMPLATES = {
    "en": [
        "a picture of {a}", "a drawing of {a}", "an icon of {a}", "a photo of {a}", "{a}",
        "what colour is the {}?", "what color is the {}?", "where is the {}?", "show me the {}",
        "show me {a}", "find {a}", "find a picture with {a}", "is there {a} in the picture?",
        "is this {a}?", "which picture shows {a}?", "describe the {} in the picture",
        "what does the {} look like?", "how many of these are there: {}?", "I am looking for {a}",
        "can you find the {}?", "a simple drawing of {a}", "an emoji of {a}", "the symbol for {}",
        "clip art of {a}", "an illustration of {a}", "this is {a}", "here you can see {a}",
        "what is the {} doing there?", "please describe the {} and where it is",
        "search: {}", "image of {a}", "a small {}", "a cartoon of {a}", "a sticker of {a}",
        "pictures of {}", "do you see the {}?",
    ],
    "zh": [
        "{}的图片", "一张{}的图片", "{}的图标", "{}的照片", "{}的插图", "这是{}吗？", "这是{}",
        "{}是什么颜色的？", "图片中的{}是什么颜色的？", "{}在哪里？", "请描述图片中的{}",
        "请描述图片中的{}是什么颜色的", "请描述{}的颜色和场景", "{}在什么场景下？", "图中有{}吗？",
        "帮我找{}的图片", "请给我看{}", "我想找{}", "查找{}", "哪张图片里有{}？", "画面里有{}",
        "一幅{}的画", "一个{}的表情符号", "搜索{}", "图片里有{}", "{}长什么样？", "有{}的图片",
        "请找出{}", "{}的卡通画", "描述一下这个{}",
    ],
    "zh-Hant": [
        "{}的圖片", "一張{}的照片", "{}的圖示", "這是{}嗎？", "{}是什麼顏色的？", "請描述圖片中的{}",
        "{}在哪裡？", "圖中有{}嗎？", "請找出{}",
    ],
    "de": [
        "ein Bild: {}", "Bild von {}", "Zeichnung: {}", "Foto von {}", "Symbol für {}",
        "zeig mir {}", "welche Farbe hat das: {}?", "suche {}", "ist das {}?",
        "wo ist hier {} zu sehen?",
    ],
    "fr": [
        "une image : {}", "une photo de {}", "un dessin de {}", "symbole : {}", "montre-moi {}",
        "cherche {}", "de quelle couleur est-ce : {} ?", "est-ce que c’est {} ?", "où voit-on {} ?",
    ],
    "es": [
        "una imagen de {}", "un dibujo de {}", "una foto de {}", "icono de {}", "muéstrame {}",
        "busca {}", "¿de qué color es: {}?", "¿es esto {}?", "¿dónde se ve {}?",
    ],
    "pt": [
        "uma imagem de {}", "um desenho de {}", "uma foto de {}", "ícone de {}", "mostre-me {}",
        "procure {}", "de que cor é: {}?", "isto é {}?", "onde se vê {}?",
    ],
    "it": [
        "un’immagine di {}", "un disegno di {}", "una foto di {}", "icona di {}", "mostrami {}",
        "cerca {}", "di che colore è: {}?", "questo è {}?", "dove si vede {}?",
    ],
    "ru": [
        "картинка: {}", "рисунок: {}", "фото: {}", "значок: {}", "покажи мне: {}", "найди: {}",
        "какого это цвета: {}?", "это {}?", "где здесь {}?",
    ],
    "ja": [
        "{}の絵", "{}の画像", "{}の写真", "{}のアイコン", "{}は何色ですか？", "これは{}ですか？",
        "{}を見せてください", "{}を探してください", "{}はどこにありますか？",
    ],
    "ko": [
        "{} 그림", "{} 사진", "{} 아이콘", "{} 이미지", "{} 색깔은 무엇인가요?", "이것은 {}인가요?",
        "{} 보여 주세요", "{} 찾아 주세요", "{} 어디에 있나요?",
    ],
    "ar": [
        "صورة {}", "رسم {}", "رمز {}", "أرني {}", "ابحث عن {}", "ما لون {}؟", "هل هذا {}؟",
        "أين {}؟",
    ],
    "hi": [
        "{} की तस्वीर", "{} का चित्र", "{} का चिह्न", "{} दिखाओ", "{} का रंग क्या है?",
        "क्या यह {} है?", "{} कहाँ है?", "{} खोजो",
    ],
    "tr": [
        "{} resmi", "{} çizimi", "{} fotoğrafı", "{} simgesi", "bana şunu göster: {}", "bul: {}",
        "bu ne renk: {}?", "nerede: {}?",
    ],
    "id": [
        "gambar {}", "foto {}", "ikon {}", "tunjukkan {}", "cari {}", "apa warna {}?",
        "apakah ini {}?", "di mana {}?",
    ],
    "vi": [
        "hình ảnh {}", "bức vẽ {}", "biểu tượng {}", "ảnh {}", "cho tôi xem {}", "tìm {}",
        "{} có màu gì?", "đây có phải là {} không?",
    ],
    "pl": [
        "obrazek: {}", "rysunek: {}", "zdjęcie: {}", "ikona: {}", "pokaż mi: {}", "znajdź: {}",
        "jaki to kolor: {}?", "czy to jest {}?",
    ],
}

PLURALS = ("s", "people", "men", "women", "children", "hands", "feet", "teeth", "dice", "rice",
           "hair", "water", "weather", "money", "music", "bread", "cheese", "meat", "ice")


def with_article(name):
    words = name.split()
    last = words[-1].lower()
    many = last in PLURALS or (last.endswith("s") and not last.endswith(("ss", "us", "is", "bus")))
    if many or words[0].lower() in ("a", "an", "the", "my", "no", "one", "two", "three") \
            or ":" in name or words[0].isupper() or not words[0][0].isalpha():
        return name
    hard = words[0].lower().startswith(("uni", "use", "euro", "one", "ufo", "u-"))
    vowel = words[0][0].lower() in "aeiou" and not hard or words[0].lower() in ("hour", "hourglass")
    return ("an " if vowel else "a ") + name


def fill(template, name, language):
    if "{a}" in template:
        return template.replace("{a}", with_article(name))
    return template.replace("{}", name)
