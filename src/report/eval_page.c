/* eval_page.c - an evaluation as one HTML page.
 *
 * Labels and paths come from a manifest, which is anyone's: everything goes through akin_html_text,
 * and the page forbids itself scripts and the network, as contact_sheet.c's do.
 */
#include "eval_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contact_sheet.h"

enum {
    CLASSES = 100,  /* worst ones that are listed */
    CONFUSIONS = 24, /* of them with pictures */
    EXAMPLES = 3,   /* pictures of a confusion */
    EXTREMES = 24,  /* best and worst pictures, each */
    THUMBNAIL = 192
};

static const char STYLE[] =
    "<style>\n"
    ":root{color-scheme:light dark;--back:#fff;--text:#1a1a1a;--dim:#666;--card:#f4f4f4;"
    "--line:#e2e2e2;--bar:#3b82f6;--bad:#dc2626;--good:#16a34a}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#141414;--text:#e8e8e8;--dim:#9a9a9a;"
    "--card:#222;--line:#333;--bar:#60a5fa;--bad:#f87171;--good:#4ade80}}\n"
    "body{margin:2rem auto;padding:0 1.5rem;max-width:76rem;background:var(--back);"
    "color:var(--text);font:15px/1.45 system-ui,sans-serif}\n"
    "h1{font-size:1.5rem;margin:0 0 .3rem;overflow-wrap:anywhere}\n"
    "h2{font-size:1.1rem;margin:2.2rem 0 .4rem}\n"
    "p{margin:0 0 1rem;color:var(--dim)}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th{text-align:left;font-weight:600;color:var(--dim);font-size:.82rem;vertical-align:bottom}\n"
    "th,td{padding:.28rem .8rem;border-bottom:1px solid var(--line)}\n"
    "td:first-child,th:first-child{padding-left:0}\n"
    "td.n,th.n{text-align:right}\n"
    "tbody tr:first-child.all td{font-weight:600}\n"
    "tr:hover td{background:var(--card)}\n"
    "meter{width:5rem;height:.7rem;vertical-align:middle}\n"
    "main{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(10.5rem,1fr))}\n"
    "figure{margin:0;padding:.6rem;border-radius:.5rem;background:var(--card);min-width:0}\n"
    "figure a,.none{display:flex;aspect-ratio:1;align-items:center;justify-content:center}\n"
    "img{max-width:100%;max-height:100%;width:auto;height:auto;border-radius:.25rem}\n"
    ".none{padding:.5rem;text-align:center;color:var(--dim);border:1px dashed var(--dim);"
    "border-radius:.25rem;overflow-wrap:anywhere;overflow:auto;box-sizing:border-box;width:100%}\n"
    "figcaption{margin-top:.5rem;overflow-wrap:anywhere;font-size:.88rem}\n"
    "strong,small,b{display:block}\n"
    "b{font-weight:500}b.no{color:var(--bad)}b.yes{color:var(--good)}\n"
    "small{color:var(--dim)}\n"
    "</style>\n";

/* Adds to a page; after a failure nothing more, so that the reader sees the page and not checks. */
typedef struct page_out {
    akin_buffer *to;
    akin_error *err;
    akin_status status;
} page_out;

static void put(page_out *o, const char *html)
{
    if (o->status == AKIN_OK)
        o->status = akin_buffer_add_text(o->to, html, o->err);
}

static void put_text(page_out *o, const char *text)
{
    if (o->status == AKIN_OK)
        o->status = akin_html_text(text, strlen(text), o->to, o->err);
}

static void put_number(page_out *o, const char *before, double value, int digits,
                       const char *after)
{
    char number[48];
    akin_decimal(number, sizeof number, value, digits);
    put(o, before);
    put(o, number);
    put(o, after);
}

static void put_share(page_out *o, size_t of, double share)
{
    if (of == 0)
        put(o, "<td class=\"n\">&ndash;</td>");
    else
        put_number(o, "<td class=\"n\">", share * 100, 1, "</td>");
}

static void put_recall(page_out *o, akin_page_recall r)
{
    put_share(o, r.queries, r.at1);
    put_share(o, r.queries, r.at5);
    put_share(o, r.queries, r.at10);
    if (r.queries == 0)
        put(o, "<td class=\"n\">&ndash;</td>");
    else
        put_number(o, "<td class=\"n\">", r.median_rank, 1, "</td>");
}

static void put_languages(page_out *o, const akin_eval_page *page)
{
    put(o, "<h2>Languages</h2>\n<div class=\"wide\"><table><thead><tr><th rowspan=\"2\">language"
           "</th><th class=\"n\" rowspan=\"2\">texts</th><th colspan=\"4\">text to picture, %</th>"
           "<th colspan=\"4\">picture to text, %</th><th colspan=\"4\">zero-shot, %</th></tr>\n"
           "<tr>");
    for (int i = 0; i < 2; i++)
        put(o, "<th class=\"n\">R@1</th><th class=\"n\">R@5</th><th class=\"n\">R@10</th>"
               "<th class=\"n\">median</th>");
    put(o, "<th class=\"n\">labels</th><th class=\"n\">top-1</th><th class=\"n\">top-5</th>"
           "<th class=\"n\">chance</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < page->row_count; i++) {
        const akin_page_row *r = &page->rows[i];
        put(o, r->language == NULL ? "<tr class=\"all\"><td>" : "<tr><td>");
        put_text(o, r->language == NULL ? "all" : r->language[0] != '\0' ? r->language : "unknown");
        put_number(o, "</td><td class=\"n\">", (double)r->texts, 0, "</td>");
        put_recall(o, r->text_to_picture);
        put_recall(o, r->picture_to_text);
        put_number(o, "<td class=\"n\">", (double)r->labels, 0, "</td>");
        put_share(o, r->classified, r->top1);
        put_share(o, r->classified, r->top5);
        put_share(o, r->classified, r->chance);
        put(o, "</tr>\n");
    }
    put(o, "</tbody></table></div>\n");
}

static double share_of(const akin_page_class *c)
{
    return (double)c->top1 / (double)c->pictures;
}

/* Worst first; of equal shares the one with more pictures, then the first. */
static int by_badness(const void *a, const void *b)
{
    const akin_page_class *x = *(const akin_page_class *const *)a;
    const akin_page_class *y = *(const akin_page_class *const *)b;
    if (share_of(x) != share_of(y))
        return share_of(x) < share_of(y) ? -1 : 1;
    if (x->pictures != y->pictures)
        return x->pictures > y->pictures ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void put_classes(page_out *o, const akin_page_class *const *sorted, size_t count)
{
    put(o, "<h2>Classes, worst first</h2>\n<div class=\"wide\"><table><thead><tr><th>class</th>"
           "<th class=\"n\">pictures</th><th class=\"n\">top-1</th><th></th>"
           "<th class=\"n\">top-5</th><th>taken for</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < count && i < CLASSES; i++) {
        const akin_page_class *c = sorted[i];
        put(o, "<tr><td dir=\"auto\">");
        put_text(o, c->label);
        put_number(o, "</td><td class=\"n\">", (double)c->pictures, 0, "</td>");
        put_number(o, "<td class=\"n\">", share_of(c) * 100, 1, "</td>");
        put_number(o, "<td><meter value=\"", share_of(c), 3, "\"></meter></td>");
        put_number(o, "<td class=\"n\">", (double)c->top5 / (double)c->pictures * 100, 1, "</td>");
        put(o, "<td dir=\"auto\">");
        for (int k = 0; k < 3 && c->taken_for[k] != NULL; k++) {
            put(o, k == 0 ? "" : ", ");
            put_text(o, c->taken_for[k]);
            put_number(o, " &times;", (double)c->taken[k], 0, "");
        }
        put(o, "</td></tr>\n");
    }
    put(o, "</tbody></table></div>\n");
    if (count > CLASSES)
        put_number(o, "<p>and ", (double)(count - CLASSES), 0, " more</p>\n");
}

static void put_picture(page_out *o, const akin_eval_page *page, const akin_page_picture *p)
{
    const char *slash = strrchr(p->path, '/');
    const char *name = slash != NULL && slash[1] != '\0' ? slash + 1 : p->path;
    const bool linked = p->path[0] == '/', right = p->rank == 1.0;
    put(o, "<figure>");
    if (linked) {
        put(o, "<a href=\"");
        if (o->status == AKIN_OK)
            o->status = akin_file_url(p->path, o->to, o->err);
        put(o, "\">");
    } else {
        put(o, "<a>");
    }
    if (o->status == AKIN_OK)
        o->status = akin_html_picture(p->path, -1, THUMBNAIL, &page->limits, name, o->to, o->err);
    put(o, "</a>\n<figcaption><strong dir=\"auto\">");
    put_text(o, p->label);
    put(o, "</strong>");
    if (!right) {
        put(o, "<b class=\"no\" dir=\"auto\">");
        put_text(o, p->best);
        put(o, "</b>");
    }
    put_number(o, "<small>rank ", p->rank, p->rank == (double)(long long)p->rank ? 0 : 1, "");
    put_number(o, " &middot; ", (double)p->own, 3, "");
    if (!right)
        put_number(o, " against ", (double)p->top, 3, "");
    put(o, "</small><small dir=\"auto\">");
    put_text(o, name);
    put(o, "</small></figcaption></figure>\n");
}

static double margin(const akin_page_picture *p) { return (double)p->own - (double)p->top; }

/* Worst first: by rank, then by how much another label scored above its own. */
static int by_rank(const void *a, const void *b)
{
    const akin_page_picture *x = *(const akin_page_picture *const *)a;
    const akin_page_picture *y = *(const akin_page_picture *const *)b;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    if (margin(x) != margin(y))
        return margin(x) < margin(y) ? -1 : 1;
    if (x->own != y->own)
        return x->own < y->own ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void put_confusions(page_out *o, const akin_eval_page *page,
                           const akin_page_class *const *sorted)
{
    size_t shown = 0;
    for (size_t i = 0; i < page->class_count && shown < CONFUSIONS; i++) {
        const akin_page_class *c = sorted[i];
        if (c->taken_for[0] == NULL)
            continue;
        if (shown == 0)
            put(o, "<h2>Confusions</h2>\n<p>Pictures of the worst classes, and what they were "
                   "taken for.</p>\n<main>\n");
        int here = 0;
        for (size_t k = 0; k < page->found_count && here < EXAMPLES && shown < CONFUSIONS; k++) {
            const akin_page_picture *p = &page->found[k];
            if (strcmp(p->label, c->label) != 0 || strcmp(p->best, c->taken_for[0]) != 0)
                continue;
            put_picture(o, page, p);
            here++;
            shown++;
        }
    }
    if (shown != 0)
        put(o, "</main>\n");
}

static void put_extremes(page_out *o, const akin_eval_page *page)
{
    const akin_page_picture **sorted = calloc(page->found_count + 1, sizeof *sorted);
    if (sorted == NULL) {
        o->status = akin_fail_nomem(o->err, "a page", page->found_count * sizeof *sorted);
        return;
    }
    for (size_t i = 0; i < page->found_count; i++)
        sorted[i] = &page->found[i];
    qsort(sorted, page->found_count, sizeof *sorted, by_rank);
    size_t worst = 0, best = 0;
    for (; worst < EXTREMES && worst < page->found_count && sorted[worst]->rank > 1; worst++) {
        if (worst == 0)
            put(o, "<h2>Worst pictures</h2>\n<p>Their own label is farthest down.</p>\n<main>\n");
        put_picture(o, page, sorted[worst]);
    }
    if (worst != 0)
        put(o, "</main>\n");
    for (; best < EXTREMES && best < page->found_count - worst; best++) {
        const akin_page_picture *p = sorted[page->found_count - 1 - best];
        if (p->rank > 1)
            break;
        if (best == 0)
            put(o, "<h2>Best pictures</h2>\n<p>Right, and nearest to their label.</p>\n<main>\n");
        put_picture(o, page, p);
    }
    if (best != 0)
        put(o, "</main>\n");
    free(sorted);
}

static void put_head(page_out *o, const akin_eval_page *page)
{
    const char *title = page->title != NULL ? page->title : "";
    put(o, AKIN_SHEET_MARK
        "<meta charset=\"utf-8\">\n"
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        "img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>");
    put_text(o, title);
    put(o, "</title>\n");
    put(o, STYLE);
    put(o, "<h1 dir=\"auto\">");
    put_text(o, title);
    put_number(o, "</h1>\n<p>", (double)page->pictures, 0, " pictures");
    if (page->skipped != 0)
        put_number(o, " (", (double)page->skipped, 0, " could not be read)");
    put_number(o, ", ", (double)page->texts, 0, " texts, ");
    put_number(o, "", (double)page->concepts, 0, " concepts. ");
    put(o, "A query counts when one of its concept is among the first 1, 5, 10; equal scores count "
           "as the mean over their orders.</p>\n");
}

akin_status akin_eval_page_write(const akin_eval_page *page, akin_buffer *out, akin_error *err)
{
    page_out o = { out, err, AKIN_OK };
    const akin_page_class **sorted = calloc(page->class_count + 1, sizeof *sorted);
    if (sorted == NULL)
        return akin_fail_nomem(err, "a page", page->class_count * sizeof *sorted);
    for (size_t i = 0; i < page->class_count; i++)
        sorted[i] = &page->classes[i];
    qsort(sorted, page->class_count, sizeof *sorted, by_badness);
    put_head(&o, page);
    put_languages(&o, page);
    if (page->class_count != 0) {
        if (page->table_language != NULL && page->table_language[0] != '\0') {
            put(&o, "<p>What follows is by the labels in <q>");
            put_text(&o, page->table_language);
            put(&o, "</q>.</p>\n");
        }
        put_classes(&o, sorted, page->class_count);
        put_confusions(&o, page, sorted);
        if (o.status == AKIN_OK)
            put_extremes(&o, page);
    }
    free(sorted);
    return o.status;
}
