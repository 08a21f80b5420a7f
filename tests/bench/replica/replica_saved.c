/* SPDX-License-Identifier: Apache-2.0 */
/* The saved file: writing beside a writer, and loading, from memory and from the disk. */
#include "replica.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../../src/reputation/saved_int.h"

enum { OTHER_CAPACITY = 40000000 };

static struct rep_names *types, *sources;

static void make_names(void)
{
    char name[16];
    if (rep_names_create(REP_TYPE_LIMIT, &types) != 0 ||
        rep_names_create(REP_SOURCE_LIMIT, &sources) != 0)
        bench_fail("no memory");
    for (unsigned i = 1; i < 20; i++) {
        snprintf(name, sizeof(name), "type-%u", i);
        rep_names_intern(types, slice_of_text(name));
        snprintf(name, sizeof(name), "source-%u", i);
        rep_names_intern(sources, slice_of_text(name));
    }
}

static double save(const char *path, const struct rep_replica *replica, double *create_s)
{
    struct rep_saving *saving;
    uint64_t began = bench_now_ns();
    if (rep_saving_create(path, replica, NULL, types, sources, BENCH_NOW_S, &saving) != 0)
        bench_fail("cannot begin to save");
    *create_s = (double)(bench_now_ns() - began) / 1e9;
    began = bench_now_ns();
    if (rep_saving_run(saving) != 0)
        bench_fail("cannot save");
    rep_saving_destroy(saving);
    return (double)(bench_now_ns() - began) / 1e9;
}

static double load(const char *path, uint64_t numbers, uint64_t capacity, uint64_t now_s,
                   double *resident)
{
    char message[320];
    struct rep_saved_figures figures;
    struct rep_saved_limits limits = {now_s, 0};
    struct rep_replica *replica = bench_replica(capacity);
    struct rep_names *own_types, *own_sources;
    if (rep_names_create(REP_TYPE_LIMIT, &own_types) != 0 ||
        rep_names_create(REP_SOURCE_LIMIT, &own_sources) != 0)
        bench_fail("no memory");
    uint64_t before = bench_resident();
    uint64_t began = bench_now_ns();
    if (rep_saved_load(path, &limits, replica, NULL, own_types, own_sources, &figures, message,
                       sizeof(message)) != 0)
        bench_fail(message);
    double seconds = (double)(bench_now_ns() - began) / 1e9;
    if (figures.entries + figures.expired < numbers)
        bench_fail("entries are missing");
    *resident = (double)(bench_resident() - before) / (double)figures.entries;
    rep_names_destroy(own_types);
    rep_names_destroy(own_sources);
    rep_replica_destroy(replica);
    return seconds;
}

/* So that the next load has the disk to wait for. */
static void forget(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        (void)posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        close(file);
    }
}

void bench_saved(const char *folder, uint64_t numbers)
{
    char path[512];
    struct stat status;
    double create_s, resident, ignored;
    snprintf(path, sizeof(path), "%s/replica", folder);
    make_names();
    struct rep_replica *replica = bench_replica(numbers);
    bench_fill(replica, numbers);
    double save_s = save(path, replica, &create_s);
    rep_replica_destroy(replica);
    if (stat(path, &status) != 0)
        bench_fail("no file");
    double warm_s = 1e9;
    for (unsigned i = 0; i < 3; i++) {
        double seconds = load(path, numbers, numbers, BENCH_NOW_S, &resident);
        warm_s = seconds < warm_s ? seconds : warm_s;
    }
    double expired_s = load(path, numbers, numbers, BENCH_NOW_S + 86400 + 50000, &ignored);
    forget(path);
    double cold_s = load(path, numbers, numbers, BENCH_NOW_S, &ignored);
    double other_s = load(path, numbers, OTHER_CAPACITY, BENCH_NOW_S, &ignored);
    printf("{\"numbers\": %lu, \"file_bytes\": %.2f, \"prepare_ms\": %.3f, \"save_s\": %.3f, "
           "\"load_s\": %.3f, \"load_disk_s\": %.3f, \"load_expired_s\": %.3f, "
           "\"load_resident_bytes\": %.2f, \"load_other_capacity_s\": %.3f}\n",
           (unsigned long)numbers, (double)status.st_size / (double)numbers, create_s * 1e3, save_s,
           warm_s, cold_s, expired_s, resident, other_s);
    unlink(path);
}
