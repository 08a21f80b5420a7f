/* SPDX-License-Identifier: Apache-2.0 */
/* Reading, and refusing. */
#include "saved_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/slice.h"
#include "replica_int.h"
#include "runtime/thread.h"
#include "saved_format_int.h"
#include "table_image_int.h"

enum { REASON_BYTES = 160, THREADS_MAXIMUM = 8, MAXIMUM_OF_NAMES = 255 };

/* A table being filled. */
struct filling {
    struct rep_table *table;
    uint64_t offset;        /* of its first page in the file */
    uint32_t blocks;        /* of SAVED_BLOCK partitions */
    const uint8_t *pages;   /* of each partition, in the tail */
    const char *digests;    /* of each block, in the tail; unaligned */
    uint32_t *first_page;   /* of each block, and the end */
    atomic_uint next_block; /* not yet taken by a thread */
    _Atomic uint64_t entries, expired;
};

struct loading {
    int descriptor;
    struct rep_replica *replica;
    struct rep_ledger *ledger;
    struct rep_image_limits limits;
    struct saved_header header;
    char *tail;
    struct slice rest; /* of the tail, not yet taken */
    struct filling filling[SAVED_TABLES];
    atomic_bool refused;
    char reason[REASON_BYTES]; /* written by the one that set refused */
};

/* The first reason stays. Any thread. */
__attribute__((format(printf, 2, 3))) static int refuse(struct loading *loading, const char *format,
                                                        ...)
{
    if (!atomic_exchange(&loading->refused, true)) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(loading->reason, sizeof(loading->reason), format, arguments);
        va_end(arguments);
    }
    return ERROR_MALFORMED;
}

static int read_at(int descriptor, uint64_t offset, void *to, size_t length)
{
    char *at = to;
    while (length > 0) {
        ssize_t got = pread(descriptor, at, length, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        at += got;
        offset += (uint64_t)got;
        length -= (size_t)got;
    }
    return 0;
}

/* ---- header and tail ----------------------------------------------------------------------- */

static int check_age(struct loading *loading, const struct rep_saved_limits *limits)
{
    uint64_t written_s = loading->header.wall_s;
    if (limits->age_s == 0 || limits->now_wall_s < written_s ||
        limits->now_wall_s - written_s <= limits->age_s)
        return 0;
    return refuse(loading, "it is %" PRIu64 " hours old, more than the %" PRIu64 " allowed",
                  (limits->now_wall_s - written_s) / 3600, limits->age_s / 3600);
}

static int check_sizes(struct loading *loading, uint64_t file_bytes)
{
    const struct saved_header *header = &loading->header;
    uint64_t expected = SAVED_HEADER_BYTES;
    for (unsigned i = 0; i < SAVED_TABLES; i++) {
        const struct saved_table *table = &header->table[i];
        if (table->partition_bits < REP_TABLE_BITS_MINIMUM ||
            table->partition_bits > REP_TABLE_BITS_MAXIMUM ||
            table->pages >> table->partition_bits > REP_IMAGE_PAGES)
            return refuse(loading, "its sizes make no sense");
        loading->filling[i].offset = expected;
        expected += (uint64_t)table->pages * REP_PAGE_BYTES;
    }
    if (header->types > MAXIMUM_OF_NAMES || header->sources > MAXIMUM_OF_NAMES ||
        header->tail_bytes > file_bytes || expected + header->tail_bytes != file_bytes)
        return refuse(loading, "it was cut: %" PRIu64 " bytes where its header says %" PRIu64,
                      file_bytes, expected + header->tail_bytes);
    return 0;
}

static int read_header(struct loading *loading, uint64_t file_bytes)
{
    struct saved_header *header = &loading->header;
    if (file_bytes < SAVED_HEADER_BYTES ||
        read_at(loading->descriptor, 0, header, sizeof(*header)) != 0)
        return refuse(loading, "it was cut: %" PRIu64 " bytes are too few", file_bytes);
    if (memcmp(header->magic, SAVED_MAGIC, sizeof(header->magic)) != 0)
        return refuse(loading, "it is no saved replica");
    if (header->byte_order != SAVED_BYTE_ORDER)
        return refuse(loading, "it was written by a machine of another byte order");
    if (header->version != SAVED_VERSION || header->layout != rep_table_layout())
        return refuse(loading, "it was written by another version (format %" PRIu32 ", here %d)",
                      header->version, SAVED_VERSION);
    if (header->digest !=
        saved_digest(SAVED_PART_HEADER, 0, header, offsetof(struct saved_header, digest)))
        return refuse(loading, "the checksum of its header is wrong: it was altered");
    return check_sizes(loading, file_bytes);
}

static int read_tail(struct loading *loading, uint64_t file_bytes)
{
    size_t length = (size_t)loading->header.tail_bytes;
    loading->tail = malloc(length > 0 ? length : 1);
    if (loading->tail == NULL)
        return -ENOMEM;
    int code = read_at(loading->descriptor, file_bytes - length, loading->tail, length);
    if (code != 0)
        return refuse(loading, "its tail cannot be read: %s", error_text(code));
    if (loading->header.tail_digest != saved_digest(SAVED_PART_TAIL, 0, loading->tail, length))
        return refuse(loading, "the checksum of its tail is wrong: it was altered");
    loading->rest = slice_make(loading->tail, length);
    return 0;
}

/* Takes bytes off the tail; NULL when it has fewer left. */
static const char *take(struct loading *loading, size_t length)
{
    const char *taken = loading->rest.data;
    if (loading->rest.length < length)
        return NULL;
    loading->rest = slice_from(loading->rest, length);
    return taken;
}

/* ---- pages --------------------------------------------------------------------------------- */

static int prepare_table(struct loading *loading, unsigned kind)
{
    const struct saved_table *saved = &loading->header.table[kind];
    struct filling *filling = &loading->filling[kind];
    uint32_t partitions = UINT32_C(1) << saved->partition_bits;
    filling->blocks = partitions / SAVED_BLOCK;
    filling->pages = (const uint8_t *)take(loading, partitions);
    filling->digests = take(loading, filling->blocks * sizeof(uint64_t));
    if (filling->pages == NULL || filling->digests == NULL)
        return refuse(loading, "its tail does not add up");

    filling->first_page = calloc(filling->blocks + 1, sizeof(filling->first_page[0]));
    if (filling->first_page == NULL)
        return -ENOMEM;
    uint32_t total = 0;
    for (uint32_t i = 0; i < partitions; i++) {
        if (i % SAVED_BLOCK == 0)
            filling->first_page[i / SAVED_BLOCK] = total;
        total += filling->pages[i];
    }
    filling->first_page[filling->blocks] = total;
    if (total != saved->pages)
        return refuse(loading, "its pages do not add up");
    int code = rep_replica_table_create(loading->replica, (enum rep_kind)kind,
                                        saved->partition_bits, saved->seed, &filling->table);
    if (code == 0 && rep_table_adopt(filling->table, filling->pages) != 0)
        code = refuse(loading, "its pages do not add up");
    return code;
}

static void load_block(struct loading *loading, unsigned kind, uint32_t block,
                       struct rep_image_figures *figures)
{
    struct filling *filling = &loading->filling[kind];
    uint32_t first = filling->first_page[block];
    size_t length = (size_t)(filling->first_page[block + 1] - first) * REP_PAGE_BYTES;
    void *to = rep_table_image(filling->table, first);
    int code = read_at(loading->descriptor, filling->offset + (uint64_t)first * REP_PAGE_BYTES, to,
                       length);
    uint64_t digest;
    memcpy(&digest, filling->digests + block * sizeof(digest), sizeof(digest));
    if (code != 0)
        refuse(loading, "block %" PRIu32 " cannot be read: %s", block, error_text(code));
    else if (digest != saved_digest(SAVED_PART_BLOCK, saved_block_number(kind, block), to, length))
        refuse(loading, "the checksum of block %" PRIu32 " is wrong: it was altered", block);
    else
        for (uint32_t i = block * SAVED_BLOCK; i < (block + 1) * SAVED_BLOCK; i++)
            if (!rep_table_image_check(filling->table, i, &loading->limits, figures))
                refuse(loading, "partition %" PRIu32 " is not as it should be", i);
}

static void load_blocks(void *argument)
{
    struct loading *loading = argument;
    for (unsigned kind = 0; kind < SAVED_TABLES; kind++) {
        struct filling *filling = &loading->filling[kind];
        struct rep_image_figures figures = {0};
        uint32_t block;
        while (!atomic_load_explicit(&loading->refused, memory_order_relaxed) &&
               (block = atomic_fetch_add(&filling->next_block, 1)) < filling->blocks)
            load_block(loading, kind, block, &figures);
        atomic_fetch_add(&filling->entries, figures.entries);
        atomic_fetch_add(&filling->expired, figures.expired);
    }
}

/* On all processors: digest and check take longer than the reading. */
static int load_pages(struct loading *loading)
{
    struct rt_thread *thread[THREADS_MAXIMUM] = {NULL};
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    for (unsigned i = 1; i < THREADS_MAXIMUM && (long)i < processors; i++) {
        /* Fewer threads take longer; this one is enough. */
        int code = rt_thread_start("replica-load", -1, load_blocks, loading, &thread[i]);
        (void)code;
    }
    load_blocks(loading);
    for (unsigned i = 0; i < THREADS_MAXIMUM; i++)
        rt_thread_join(thread[i]);
    if (atomic_load(&loading->refused))
        return ERROR_MALFORMED;
    for (unsigned i = 0; i < SAVED_TABLES; i++)
        if (loading->filling[i].entries != loading->header.table[i].entries)
            return refuse(loading, "its entries do not add up");
    return 0;
}

/* ---- names and raw texts ------------------------------------------------------------------- */

/* Pages hold ids: each name must get the id that it had. */
static int take_names(struct loading *loading, unsigned count, struct rep_names *names)
{
    for (unsigned i = 1; i <= count; i++) {
        const char *length = take(loading, 1);
        const char *text = length != NULL ? take(loading, (uint8_t)*length) : NULL;
        if (text == NULL ||
            rep_names_intern(names, slice_make(text, (uint8_t)*length)) != (uint8_t)i)
            return refuse(loading, "its names do not add up");
    }
    return 0;
}

static int take_raw(struct loading *loading)
{
    struct saved_raw raw;
    const char *record = take(loading, sizeof(raw));
    if (record == NULL)
        return refuse(loading, "its raw texts do not add up");
    memcpy(&raw, record, sizeof(raw));
    const char *text = take(loading, raw.length);
    if (text == NULL)
        return refuse(loading, "its raw texts do not add up");
    if (raw.expires_s != 0 && raw.expires_s <= loading->limits.now_s)
        return 0;
    struct rep_key key = {.kind = REP_KIND_RAW, .text = slice_make(text, raw.length)};
    struct rep_entry entry = {.expires_s = raw.expires_s,
                              .score = raw.score,
                              .list = raw.list,
                              .type = raw.type,
                              .source = raw.source};
    const struct rep_image_limits *limits = &loading->limits;
    if ((entry.type > limits->types && entry.type != REP_TYPE_LIMIT) ||
        (entry.source > limits->sources && entry.source != REP_SOURCE_LIMIT))
        return refuse(loading, "a raw text of it is not as it should be");
    int code = rep_replica_set(loading->replica, &key, &entry, NULL);
    return code == -EINVAL || code == -EEXIST
               ? refuse(loading, "a raw text of it is not as it should be")
               : code;
}

static bool is_sound(const struct rep_statement *statement, const struct rep_image_limits *limits)
{
    return statement->score >= REP_SCORE_UNKNOWN && statement->score <= REP_SCORE_MAXIMUM &&
           statement->list < REP_LIST_COUNT &&
           (statement->type <= limits->types || statement->type == REP_TYPE_LIMIT) &&
           (statement->source <= limits->sources || statement->source == REP_SOURCE_LIMIT);
}

static int take_said(struct loading *loading)
{
    static const char wrong[] = "statements of it are not as they should be";
    struct saved_said head;
    struct rep_statements said;
    char digits[REP_DIGITS_MAXIMUM + 1];
    const char *record = take(loading, sizeof(head));
    if (record == NULL)
        return refuse(loading, wrong);
    memcpy(&head, record, sizeof(head));
    bool raw = head.kind == REP_KIND_RAW;
    if (head.kind >= REP_KIND_COUNT || head.count == 0 || head.count > REP_STATEMENT_LIMIT ||
        head.length > REP_RAW_MAXIMUM || raw != (head.length > 0) ||
        (!raw && rep_unpack_digits(head.packed, digits) == 0))
        return refuse(loading, wrong);
    const char *items = take(loading, head.count * sizeof(said.item[0]));
    const char *text = items != NULL ? take(loading, head.length) : NULL;
    if (text == NULL)
        return refuse(loading, wrong);
    said.expires_s = head.expires_s;
    said.count = head.count;
    memcpy(said.item, items, head.count * sizeof(said.item[0]));
    for (unsigned i = 0; i < said.count; i++)
        if (!is_sound(&said.item[i], &loading->limits))
            return refuse(loading, wrong);
    struct rep_key key = {(enum rep_kind)head.kind, head.packed, slice_make(text, head.length)};
    return loading->ledger != NULL ? rep_ledger_restore(loading->ledger, &key, &said) : 0;
}

static int take_rest(struct loading *loading, struct rep_names *types, struct rep_names *sources)
{
    int code = take_names(loading, loading->header.types, types);
    if (code == 0)
        code = take_names(loading, loading->header.sources, sources);
    for (uint64_t i = 0; code == 0 && i < loading->header.raw_texts; i++)
        code = take_raw(loading);
    for (uint64_t i = 0; code == 0 && i < loading->header.said; i++)
        code = take_said(loading);
    if (code == 0 && loading->rest.length > 0)
        code = refuse(loading, "its tail does not add up");
    return code;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int adopt(struct loading *loading, struct rep_saved_figures *figures)
{
    uint64_t expired = 0;
    for (unsigned i = 0; i < SAVED_TABLES; i++) {
        struct filling *filling = &loading->filling[i];
        rep_table_adopted(filling->table);
        expired += filling->expired;
        int code = rep_replica_adopt(loading->replica, (enum rep_kind)i, filling->table);
        filling->table = NULL;
        if (code == ERROR_LIMIT)
            return refuse(loading, "it holds more than the configured capacity");
        if (code != 0)
            return refuse(loading, "an entry of it is not as it should be");
    }
    /* What is over is no loss that anybody should be asked about. */
    if (expired > 0)
        expired = rep_replica_sweep(loading->replica, loading->limits.now_s, UINT32_MAX);
    *figures =
        (struct rep_saved_figures){.written_wall_s = loading->header.wall_s, .expired = expired};
    struct rep_replica_figures replica;
    rep_replica_figures(loading->replica, &replica);
    for (unsigned i = 0; i < REP_KIND_COUNT; i++)
        figures->entries += replica.entries[i];
    return 0;
}

static int load(struct loading *loading, const struct rep_saved_limits *limits,
                struct rep_names *types, struct rep_names *sources,
                struct rep_saved_figures *figures)
{
    struct stat status;
    if (fstat(loading->descriptor, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return refuse(loading, "it is no file");
    uint64_t file_bytes = (uint64_t)status.st_size;
    int code = read_header(loading, file_bytes);
    if (code == 0)
        code = check_age(loading, limits);
    if (code == 0)
        code = read_tail(loading, file_bytes);
    loading->limits = (struct rep_image_limits){loading->header.types, loading->header.sources,
                                                limits->now_wall_s};
    for (unsigned i = 0; code == 0 && i < SAVED_TABLES; i++)
        code = prepare_table(loading, i);
    if (code == 0)
        code = load_pages(loading);
    if (code == 0)
        code = take_rest(loading, types, sources);
    if (code == 0)
        code = adopt(loading, figures);
    return code;
}

int rep_saved_load(const char *path, const struct rep_saved_limits *limits,
                   struct rep_replica *replica, struct rep_ledger *ledger, struct rep_names *types,
                   struct rep_names *sources, struct rep_saved_figures *figures, char *message,
                   size_t capacity)
{
    struct loading loading = {.replica = replica, .ledger = ledger};
    loading.descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int code = loading.descriptor < 0 ? -errno : load(&loading, limits, types, sources, figures);
    if (loading.descriptor >= 0)
        close(loading.descriptor);
    for (unsigned i = 0; i < SAVED_TABLES; i++) {
        rep_table_destroy(loading.filling[i].table);
        free(loading.filling[i].first_page);
    }
    free(loading.tail);
    if (code != 0)
        snprintf(message, capacity, "saved replica %s is not used: %s", path,
                 loading.reason[0] != '\0' ? loading.reason : error_text(code));
    return code;
}
