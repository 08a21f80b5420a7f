/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the bytes are: parsing ends, every node and every place lies within the file, and rows
 * load or refuse without touching anything else.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "config/schema.h"
#include "unit/config/sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise must stop the fuzzer in every build. */
#define INSIST(condition) \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

static void check_node(const struct conf_document *document, const struct conf_node *node)
{
    const struct slice source = conf_document_source(document);
    uint32_t count = 0;

    INSIST(node->offset <= node->past && node->past <= source.length);
    INSIST(node->line > 0 && node->column > 0);
    if (node->kind == CONF_NODE_SCALAR) {
        INSIST(node->text.data[node->text.length] == '\0');
        for (size_t i = 0; i <= node->text.length && i < 64; i++) {
            struct conf_place place = conf_node_place_within(document, node, i, 1);

            INSIST(place.source.data >= source.data);
            INSIST(place.source.data + place.source.length <= source.data + source.length);
            INSIST(place.line >= node->line);
        }
    }
    for (const struct conf_node *child = node->first; child != NULL; child = child->next) {
        check_node(document, child);
        count++;
    }
    INSIST(count == node->count);
}

static void load_and_report(const struct conf_document *document, struct conf_report *report)
{
    struct sample_settings settings;
    struct arena *arena;
    char memory[4096];
    struct buffer buffer = buffer_over(memory, sizeof(memory));
    int error;

    if (arena_create(4096, 1 << 24, &arena) != 0)
        return;
    error = conf_section_load(document, conf_document_root(document), &sample_section, arena,
                              report, &settings);
    INSIST(error == -ENOMEM ||
           (error == ERROR_CONFIG) == (conf_report_count(report, CONF_ERROR) > 0));
    conf_report_json(report, &buffer);
    INSIST(!buffer.overflow);
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conf_report *report;
    struct conf_document *document = NULL;
    int error;

    if (conf_report_create(&report) != 0)
        return 0;
    error = conf_document_parse("fuzz.yaml", slice_make((const char *)data, size), NULL, report,
                                &document);
    INSIST(error == 0 || conf_report_count(report, CONF_ERROR) > 0);
    if (!error) {
        check_node(document, conf_document_root(document));
        load_and_report(document, report);
    }
    conf_document_destroy(document);
    conf_report_destroy(report);
    return 0;
}
