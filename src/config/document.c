/* SPDX-License-Identifier: Apache-2.0 */
#include "document_int.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/file.h"
#include "names_int.h"
#include "utf8_int.h"

/* One collection that is open while events arrive. */
struct frame {
    struct conf_node *node;
    struct conf_node *last;
    bool has_key; /* in a mapping: the next event is a value */
    struct slice key;
    uint32_t key_line, key_column;
};

struct builder {
    struct conf_document *document;
    struct conf_report *report;
    struct conf_limits limits;
    size_t nodes;
    struct conf_node *root;
    struct frame *frames;
    unsigned depth;
    yaml_parser_t parser;
};

static const uint8_t styles[] = {
    [YAML_ANY_SCALAR_STYLE] = CONF_SCALAR_PLAIN,
    [YAML_PLAIN_SCALAR_STYLE] = CONF_SCALAR_PLAIN,
    [YAML_SINGLE_QUOTED_SCALAR_STYLE] = CONF_SCALAR_SINGLE_QUOTED,
    [YAML_DOUBLE_QUOTED_SCALAR_STYLE] = CONF_SCALAR_DOUBLE_QUOTED,
    [YAML_LITERAL_SCALAR_STYLE] = CONF_SCALAR_LITERAL,
    [YAML_FOLDED_SCALAR_STYLE] = CONF_SCALAR_FOLDED,
};

static struct conf_place event_place(const struct builder *builder, const yaml_event_t *event)
{
    uint32_t width = event->end_mark.line == event->start_mark.line
                         ? (uint32_t)(event->end_mark.column - event->start_mark.column)
                         : 1;

    return conf_source_place(&builder->document->source, (uint32_t)event->start_mark.line + 1,
                             (uint32_t)event->start_mark.column + 1, width);
}

/* Gives the node its place among the children of the collection that is open. */
static int attach(struct builder *builder, struct conf_node *node)
{
    if (builder->depth == 0) {
        builder->root = node;
        return 0;
    }

    struct frame *frame = &builder->frames[builder->depth - 1];

    if (frame->node->kind == CONF_NODE_MAPPING) {
        node->key = frame->key;
        node->key_line = frame->key_line;
        node->key_column = frame->key_column;
        frame->has_key = false;
    }
    if (frame->last == NULL)
        frame->node->first = node;
    else
        frame->last->next = node;
    frame->last = node;
    frame->node->count++;
    return 0;
}

/* A node for the event; NULL with *error set when a limit is reached or memory is out. */
static struct conf_node *make_node(struct builder *builder, const yaml_event_t *event,
                                   enum conf_node_kind kind, int *error)
{
    struct conf_source *source = &builder->document->source;

    if (builder->nodes == builder->limits.nodes) {
        struct conf_place place = event_place(builder, event);

        conf_report_add(builder->report, CONF_ERROR, &place, "the file has more than %zu values",
                        builder->limits.nodes);
        conf_report_hint(builder->report, "move long lists of numbers into list files");
        *error = ERROR_CONFIG;
        return NULL;
    }

    struct conf_node *node = arena_zalloc(builder->document->arena, sizeof(*node));

    if (node == NULL) {
        *error = -ENOMEM;
        return NULL;
    }
    builder->nodes++;
    node->kind = (uint8_t)kind;
    node->line = (uint32_t)event->start_mark.line + 1;
    node->column = (uint32_t)event->start_mark.column + 1;
    conf_source_clamp(source, &node->line, &node->column);
    node->offset = conf_source_offset(source, event->start_mark.line, event->start_mark.column);
    node->past = conf_source_offset(source, event->end_mark.line, event->end_mark.column);
    return node;
}

static int refuse(struct builder *builder, const yaml_event_t *event, const char *message,
                  const char *hint)
{
    struct conf_place place = event_place(builder, event);

    conf_report_add(builder->report, CONF_ERROR, &place, "%s", message);
    conf_report_hint(builder->report, "%s", hint);
    return ERROR_CONFIG;
}

/* Anchors make YAML bombs and tags make objects; we need neither. */
static int refuse_marks(struct builder *builder, const yaml_event_t *event,
                        const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL)
        return refuse(builder, event, "YAML anchors (&name) are not supported",
                      "write the value out, or put a text that begins with \"&\" into quotes");
    if (tag != NULL)
        return refuse(builder, event, "YAML tags (!name) are not supported",
                      "put a text that begins with \"!\" into quotes");
    return 0;
}

static bool wants_key(const struct builder *builder)
{
    if (builder->depth == 0)
        return false;

    const struct frame *frame = &builder->frames[builder->depth - 1];

    return frame->node->kind == CONF_NODE_MAPPING && !frame->has_key;
}

static int open_collection(struct builder *builder, const yaml_event_t *event,
                           enum conf_node_kind kind)
{
    int error = 0;

    if (wants_key(builder))
        return refuse(builder, event, "a key must be a plain text",
                      "check the indentation; a text that begins with [ or { needs quotes");
    if (builder->depth == builder->limits.depth) {
        struct conf_place place = event_place(builder, event);

        conf_report_add(builder->report, CONF_ERROR, &place, "more than %u levels of nesting",
                        builder->limits.depth);
        return ERROR_CONFIG;
    }

    struct conf_node *node = make_node(builder, event, kind, &error);

    if (node == NULL)
        return error;
    error = attach(builder, node);
    builder->frames[builder->depth++] = (struct frame){.node = node};
    return error;
}

static int on_sequence_start(struct builder *builder, const yaml_event_t *event)
{
    int error = refuse_marks(builder, event, event->data.sequence_start.anchor,
                             event->data.sequence_start.tag);

    return error ? error : open_collection(builder, event, CONF_NODE_SEQUENCE);
}

static int on_mapping_start(struct builder *builder, const yaml_event_t *event)
{
    int error = refuse_marks(builder, event, event->data.mapping_start.anchor,
                             event->data.mapping_start.tag);

    return error ? error : open_collection(builder, event, CONF_NODE_MAPPING);
}

static int on_sequence_end(struct builder *builder, const yaml_event_t *event)
{
    (void)event;
    builder->depth--;
    return 0;
}

static void report_twice(const struct conf_name *again, const struct conf_name *first,
                         void *argument)
{
    struct builder *builder = argument;
    struct conf_place place = conf_node_key_place(builder->document, again->node);
    struct conf_quote quote;

    conf_report_add(builder->report, CONF_ERROR, &place,
                    "%s is given twice; the first is on line %" PRIu32,
                    conf_quote(&quote, again->name), first->node->key_line);
}

static int on_mapping_end(struct builder *builder, const yaml_event_t *event)
{
    const struct conf_node *mapping = builder->frames[--builder->depth].node;
    struct conf_name *names;
    size_t count = 0;

    (void)event;
    if (mapping->count < 2)
        return 0;
    names = malloc(mapping->count * sizeof(names[0]));
    if (names == NULL)
        return -ENOMEM;
    for (const struct conf_node *child = mapping->first; child != NULL; child = child->next)
        names[count++] = (struct conf_name){child->key, child};
    conf_names_check(names, count, report_twice, builder);
    free(names);
    return 0;
}

static int on_scalar(struct builder *builder, const yaml_event_t *event)
{
    const struct slice value =
        slice_make((const char *)event->data.scalar.value, event->data.scalar.length);
    int error = refuse_marks(builder, event, event->data.scalar.anchor, event->data.scalar.tag);

    if (error)
        return error;
    if (slice_find(value, '\0') < value.length)
        return refuse(builder, event, "a text cannot contain a NUL character",
                      "remove the \\0 or \\x00");

    struct slice text = arena_copy(builder->document->arena, value);

    if (text.data == NULL)
        return -ENOMEM;
    if (wants_key(builder)) {
        struct frame *frame = &builder->frames[builder->depth - 1];

        frame->key = text;
        frame->key_line = (uint32_t)event->start_mark.line + 1;
        frame->key_column = (uint32_t)event->start_mark.column + 1;
        conf_source_clamp(&builder->document->source, &frame->key_line, &frame->key_column);
        frame->has_key = true;
        return 0;
    }

    struct conf_node *node = make_node(builder, event, CONF_NODE_SCALAR, &error);

    if (node == NULL)
        return error;
    node->text = text;
    node->style = styles[event->data.scalar.style];
    return attach(builder, node);
}

static int on_alias(struct builder *builder, const yaml_event_t *event)
{
    return refuse(builder, event, "YAML aliases (*name) are not supported",
                  "write the value out, or put a text that begins with \"*\" into quotes");
}

static int on_document_start(struct builder *builder, const yaml_event_t *event)
{
    if (builder->root == NULL)
        return 0;
    return refuse(builder, event, "a second document begins here",
                  "one file is one document; remove the \"---\" or split the file");
}

static int on_nothing(struct builder *builder, const yaml_event_t *event)
{
    (void)builder;
    (void)event;
    return 0;
}

static int (*const handlers[])(struct builder *builder, const yaml_event_t *event) = {
    [YAML_NO_EVENT] = on_nothing,
    [YAML_STREAM_START_EVENT] = on_nothing,
    [YAML_STREAM_END_EVENT] = on_nothing,
    [YAML_DOCUMENT_START_EVENT] = on_document_start,
    [YAML_DOCUMENT_END_EVENT] = on_nothing,
    [YAML_ALIAS_EVENT] = on_alias,
    [YAML_SCALAR_EVENT] = on_scalar,
    [YAML_SEQUENCE_START_EVENT] = on_sequence_start,
    [YAML_SEQUENCE_END_EVENT] = on_sequence_end,
    [YAML_MAPPING_START_EVENT] = on_mapping_start,
    [YAML_MAPPING_END_EVENT] = on_mapping_end,
};

static int read_events(struct builder *builder)
{
    bool at_end = false;

    while (!at_end) {
        yaml_event_t event;
        int error;

        if (!yaml_parser_parse(&builder->parser, &event)) {
            if (builder->parser.error == YAML_MEMORY_ERROR)
                return -ENOMEM;
            conf_yaml_problem(&builder->document->source, &builder->parser, builder->report);
            return ERROR_CONFIG;
        }
        at_end = event.type == YAML_STREAM_END_EVENT;
        error = handlers[event.type](builder, &event);
        yaml_event_delete(&event);
        if (error)
            return error;
    }
    return 0;
}

/* A file of nothing but comments is a section without settings. */
static int ensure_root(struct builder *builder)
{
    bool is_empty = builder->root == NULL || conf_node_is_null(builder->root);

    if (is_empty) {
        builder->root = arena_zalloc(builder->document->arena, sizeof(*builder->root));
        if (builder->root == NULL)
            return -ENOMEM;
        builder->root->kind = CONF_NODE_MAPPING;
        builder->root->line = 1;
        builder->root->column = 1;
    }
    builder->document->root = builder->root;
    return 0;
}

static int build(struct conf_document *document, const struct conf_limits *limits,
                 struct conf_report *report)
{
    struct builder builder = {.document = document, .report = report, .limits = *limits};
    size_t errors = conf_report_count(report, CONF_ERROR);
    int error = 0;

    builder.frames = calloc(limits->depth, sizeof(builder.frames[0]));
    if (builder.frames == NULL || !yaml_parser_initialize(&builder.parser)) {
        free(builder.frames);
        return -ENOMEM;
    }
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)document->source.text.data,
                                 document->source.text.length);
    error = read_events(&builder);
    if (!error && conf_report_count(report, CONF_ERROR) > errors)
        error = ERROR_CONFIG;
    if (!error)
        error = ensure_root(&builder);
    yaml_parser_delete(&builder.parser);
    free(builder.frames);
    return error;
}

static struct conf_limits with_defaults(const struct conf_limits *limits)
{
    struct conf_limits result = limits != NULL ? *limits : (struct conf_limits){0};

    if (result.file_bytes == 0)
        result.file_bytes = CONF_DEFAULT_FILE_BYTES;
    if (result.depth == 0)
        result.depth = CONF_DEFAULT_DEPTH;
    if (result.nodes == 0)
        result.nodes = CONF_DEFAULT_NODES;
    assert(result.file_bytes <= 1U << 30);
    return result;
}

/* Takes over the memory, also on failure. */
static int parse_memory(const char *name, char *memory, size_t length,
                        const struct conf_limits *limits, struct conf_report *report,
                        struct conf_document **document)
{
    struct conf_document *made = calloc(1, sizeof(*made));
    int error = -ENOMEM;

    if (made == NULL) {
        free(memory);
        return -ENOMEM;
    }
    made->name = strdup(name);
    if (made->name == NULL) {
        free(memory);
        goto out;
    }
    error = conf_source_open(made->name, memory, length, report, &made->source);
    if (error)
        goto out;
    error = arena_create(64 * 1024, 0, &made->arena);
    if (error)
        goto out;
    error = build(made, limits, report);
out:
    if (error)
        conf_document_destroy(made);
    else
        *document = made;
    return error;
}

static int report_too_large(const char *name, size_t limit, struct conf_report *report)
{
    const struct conf_place place = {.file = slice_of_text(name)};

    conf_report_add(report, CONF_ERROR, &place, "the file is larger than %zu bytes", limit);
    conf_report_hint(report, "move long lists of numbers into list files");
    return ERROR_CONFIG;
}

int conf_document_load(const char *path, const struct conf_limits *limits,
                       struct conf_report *report, struct conf_document **document)
{
    const struct conf_limits bounds = with_defaults(limits);
    char *memory = NULL;
    size_t length = 0;
    int error = file_read(path, bounds.file_bytes, &memory, &length);

    if (error == -ENOMEM)
        return error;
    if (error == -EFBIG)
        return report_too_large(path, bounds.file_bytes, report);
    if (error) {
        const struct conf_place place = {.file = slice_of_text(path)};

        conf_report_add(report, CONF_ERROR, &place, "the file cannot be read: %s",
                        error_text(error));
        return ERROR_CONFIG;
    }
    return parse_memory(path, memory, length, &bounds, report, document);
}

int conf_document_parse(const char *name, struct slice text, const struct conf_limits *limits,
                        struct conf_report *report, struct conf_document **document)
{
    const struct conf_limits bounds = with_defaults(limits);

    if (text.length > bounds.file_bytes)
        return report_too_large(name, bounds.file_bytes, report);

    char *memory = malloc(text.length + 1);

    if (memory == NULL)
        return -ENOMEM;
    if (text.length > 0)
        memcpy(memory, text.data, text.length);
    memory[text.length] = '\0';
    return parse_memory(name, memory, text.length, &bounds, report, document);
}

void conf_document_destroy(struct conf_document *document)
{
    if (document == NULL)
        return;
    arena_destroy(document->arena);
    conf_source_close(&document->source);
    free(document->name);
    free(document);
}
