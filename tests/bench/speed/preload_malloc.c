/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts a program's heap allocations, by thread: LD_PRELOAD this, and name a file in
 * MALLOC_COUNTS. The file is mapped, so the counts can be read at any moment while the program
 * runs: a row for each thread, of four numbers of 64 bits: its id, allocations, bytes asked for,
 * frees.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROWS      256
#define EARLY     4096 /* for dlsym() itself, which calls calloc() before there is one */
#define ALIGNMENT 16

struct row {
    uint64_t thread;
    uint64_t allocations;
    uint64_t bytes;
    uint64_t frees;
};

static struct row spare[1]; /* without a file, and beyond ROWS threads */
static struct row *rows = spare;
static atomic_uint row_count;
static _Thread_local struct row *own __attribute__((tls_model("initial-exec")));

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void (*next_free)(void *);

static _Alignas(ALIGNMENT) char early[EARLY];
static size_t early_used;

/* ISO C has no cast from an object's address to a function's. */
static void find_next(void *function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof(found));
}

__attribute__((constructor)) static void begin(void)
{
    if (next_free != NULL)
        return;
    find_next(&next_malloc, "malloc");
    find_next(&next_calloc, "calloc");
    find_next(&next_realloc, "realloc");
    find_next(&next_aligned_alloc, "aligned_alloc");
    find_next(&next_posix_memalign, "posix_memalign");
    find_next(&next_free, "free");
    const char *path = getenv("MALLOC_COUNTS");
    int descriptor = path != NULL ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (descriptor < 0)
        return;
    if (ftruncate(descriptor, (off_t)(ROWS * sizeof(struct row))) == 0) {
        void *mapped = mmap(NULL, ROWS * sizeof(struct row), PROT_READ | PROT_WRITE, MAP_SHARED,
                            descriptor, 0);
        if (mapped != MAP_FAILED)
            rows = mapped;
    }
    close(descriptor);
}

static struct row *own_row(void)
{
    if (own == NULL) {
        if (rows == spare)
            return spare;
        unsigned index = atomic_fetch_add_explicit(&row_count, 1, memory_order_relaxed);
        own = index < ROWS ? &rows[index] : spare;
        own->thread = (uint64_t)gettid();
    }
    return own;
}

static void count(size_t size)
{
    struct row *row = own_row();
    row->allocations++;
    row->bytes += size;
}

void *malloc(size_t size)
{
    if (next_malloc == NULL)
        begin();
    count(size);
    return next_malloc(size);
}

void *calloc(size_t items, size_t size)
{
    if (next_calloc == NULL) {
        size_t needed = (items * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (needed > EARLY - early_used)
            return NULL;
        early_used += needed;
        return early + early_used - needed;
    }
    count(items * size);
    return next_calloc(items, size);
}

void *realloc(void *memory, size_t size)
{
    if (next_realloc == NULL)
        begin();
    count(size);
    return next_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    if (next_aligned_alloc == NULL)
        begin();
    count(size);
    return next_aligned_alloc(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (next_posix_memalign == NULL)
        begin();
    count(size);
    return next_posix_memalign(memory, alignment, size);
}

void free(void *memory)
{
    if (memory == NULL || ((char *)memory >= early && (char *)memory < early + EARLY))
        return;
    if (next_free == NULL)
        begin();
    own_row()->frees++;
    next_free(memory);
}
