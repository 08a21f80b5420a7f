/* SPDX-License-Identifier: Apache-2.0 */
#include "document_int.h"

#include "utf8_int.h"

/* More than a terminal shows in a line; beyond it an underline says nothing. */
#define WIDTH_LIMIT 200

const struct conf_node *conf_document_root(const struct conf_document *document)
{
    return document->root;
}

const char *conf_document_name(const struct conf_document *document)
{
    return document->name;
}

struct slice conf_document_source(const struct conf_document *document)
{
    return document->source.text;
}

const struct conf_node *conf_node_get(const struct conf_node *node, const char *key)
{
    const struct slice wanted = slice_of_text(key);

    if (node == NULL || node->kind != CONF_NODE_MAPPING)
        return NULL;
    for (const struct conf_node *child = node->first; child != NULL; child = child->next)
        if (slice_equal(child->key, wanted))
            return child;
    return NULL;
}

bool conf_node_is_null(const struct conf_node *node)
{
    return node->kind == CONF_NODE_SCALAR && node->style == CONF_SCALAR_PLAIN &&
           (node->text.length == 0 || slice_equal(node->text, SLICE("~")) ||
            slice_equal(node->text, SLICE("null")));
}

const char *conf_node_kind_name(const struct conf_node *node)
{
    static const char *const names[] = {
        [CONF_NODE_SCALAR] = "text",
        [CONF_NODE_SEQUENCE] = "list",
        [CONF_NODE_MAPPING] = "section",
    };

    return names[node->kind];
}

/* Characters from `offset` to `past`, at most to the end of the line. */
static uint32_t width_on_line(const struct conf_source *source, uint32_t offset, uint32_t past)
{
    struct slice text = slice_first(slice_from(source->text, offset), past - offset);
    size_t length = slice_find(text, '\n');

    length = slice_find(slice_first(text, length), '\r');
    return conf_utf8_count(slice_first(text, length), WIDTH_LIMIT);
}

struct conf_place conf_node_place(const struct conf_document *document,
                                  const struct conf_node *node)
{
    uint32_t width = 1;

    if (node->kind == CONF_NODE_SCALAR)
        width = width_on_line(&document->source, node->offset, node->past);
    return conf_source_place(&document->source, node->line, node->column, width);
}

struct conf_place conf_node_key_place(const struct conf_document *document,
                                      const struct conf_node *node)
{
    if (node->key_line == 0)
        return conf_node_place(document, node);
    return conf_source_place(&document->source, node->key_line, node->key_column,
                             conf_utf8_count(node->key, WIDTH_LIMIT));
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* What a piece of source text stands for: its length there, and how many bytes of the value that
 * are no white space. */
struct piece {
    size_t length;
    size_t solid;
};

static size_t utf8_length(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* An escape of double quotes; text[0] is the backslash and libyaml has accepted it. */
static struct piece escape_piece(struct slice text)
{
    static const struct {
        char letter;
        uint8_t digits;
    } numeric[] = {{'x', 2}, {'u', 4}, {'U', 8}};
    const char letter = text.length > 1 ? text.data[1] : '\0';
    uint32_t code = 0;

    for (size_t i = 0; i < sizeof(numeric) / sizeof(numeric[0]); i++) {
        if (letter != numeric[i].letter)
            continue;
        for (size_t j = 2; j < 2U + numeric[i].digits && j < text.length; j++) {
            const char digit = text.data[j];

            code = code << 4 | (uint32_t)(digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }
        return (struct piece){2U + numeric[i].digits,
                              code < 0x80 && is_blank((char)code) ? 0 : utf8_length(code)};
    }
    if (is_blank(letter) || letter == 't' || letter == 'n' || letter == 'r')
        return (struct piece){2, 0};
    /* \N and \_ are two bytes in UTF-8, \L and \P three. */
    if (letter == 'N' || letter == '_')
        return (struct piece){2, 2};
    return (struct piece){2, letter == 'L' || letter == 'P' ? 3 : 1};
}

static struct piece next_piece(struct slice text, enum conf_scalar_style style)
{
    if (style == CONF_SCALAR_DOUBLE_QUOTED && text.data[0] == '\\')
        return escape_piece(text);
    if (style == CONF_SCALAR_SINGLE_QUOTED && text.data[0] == '\'')
        return (struct piece){2, 1};
    return (struct piece){1, is_blank(text.data[0]) ? 0 : 1};
}

/* Where the value's characters begin in the source: behind a quote or a block's header. */
static uint32_t content_start(const struct conf_source *source, const struct conf_node *node)
{
    struct slice text =
        slice_first(slice_from(source->text, node->offset), node->past - node->offset);

    switch ((enum conf_scalar_style)node->style) {
    case CONF_SCALAR_PLAIN:
        return node->offset;
    case CONF_SCALAR_SINGLE_QUOTED:
    case CONF_SCALAR_DOUBLE_QUOTED:
        return node->offset + 1;
    case CONF_SCALAR_LITERAL:
    case CONF_SCALAR_FOLDED:
        break;
    }

    size_t header = slice_find(text, '\n');

    header = slice_find(slice_first(text, header), '\r');
    return node->offset + (uint32_t)header;
}

/*
 * Folding, indentation and line continuation change white space only, whatever the style. So the
 * n-th byte of the value that is not white space is the n-th such byte of the source, and white
 * space is placed by its distance from the byte before it.
 */
static uint32_t source_offset(const struct conf_source *source, const struct conf_node *node,
                              size_t offset)
{
    struct slice before = slice_first(node->text, offset);
    bool at_solid = offset < node->text.length && !is_blank(node->text.data[offset]);
    size_t wanted = 0;
    size_t trailing = 0;
    size_t seen = 0;
    uint32_t at = content_start(source, node);

    for (size_t i = 0; i < before.length; i++) {
        bool blank = is_blank(before.data[i]);

        wanted += !blank;
        trailing = blank ? trailing + 1 : 0;
    }
    while (at < node->past) {
        struct piece piece = next_piece(slice_from(source->text, at), node->style);

        if (seen >= wanted && (!at_solid || piece.solid > 0))
            break;
        seen += piece.solid;
        at += (uint32_t)piece.length;
    }
    while (!at_solid && trailing > 0 && at < node->past && is_blank(source->text.data[at]) &&
           source->text.data[at] != '\n' && source->text.data[at] != '\r') {
        at++;
        trailing--;
    }
    return at < node->past ? at : node->past;
}

struct conf_place conf_node_place_within(const struct conf_document *document,
                                         const struct conf_node *node, size_t offset, size_t length)
{
    const struct conf_source *source = &document->source;

    if (node->kind != CONF_NODE_SCALAR)
        return conf_node_place(document, node);

    uint32_t first = source_offset(source, node, offset);
    uint32_t past = length > 0 ? source_offset(source, node, offset + length - 1) + 1 : first;
    uint32_t line = node->line;

    while (line < source->line_count && source->lines[line] <= first)
        line++;

    struct slice before =
        slice_between(source->text.data + source->lines[line - 1], source->text.data + first);

    return conf_source_place(source, line, conf_utf8_count(before, UINT32_MAX - 1) + 1,
                             past > first ? width_on_line(source, first, past) : 0);
}
