/* SPDX-License-Identifier: Apache-2.0 */
#include "saver_int.h"

#include "base/clock.h"

static void run(void *argument)
{
    struct rep_saver *saver = argument;
    saver->code = rep_saving_run(saver->saving);
    atomic_store_explicit(&saver->finished, true, memory_order_release);
}

static void forget(struct rep_saver *saver)
{
    rt_thread_join(saver->thread);
    rep_saving_destroy(saver->saving);
    saver->thread = NULL;
    saver->saving = NULL;
}

int rep_saver_begin(struct rep_saver *saver, struct rep_saving *saving)
{
    saver->saving = saving;
    saver->began_us = clock_monotonic_us();
    atomic_store(&saver->finished, false);
    int code = rt_thread_start("replica-save", -1, run, saver, &saver->thread);
    if (code != 0) {
        saver->thread = NULL;
        forget(saver);
    }
    return code;
}

bool rep_saver_poll(struct rep_saver *saver, int *code, uint64_t *took_us)
{
    if (!rep_saver_is_busy(saver) || !atomic_load_explicit(&saver->finished, memory_order_acquire))
        return false;
    forget(saver);
    *code = saver->code;
    *took_us = clock_monotonic_us() - saver->began_us;
    return true;
}

bool rep_saver_cancel(struct rep_saver *saver)
{
    if (!rep_saver_is_busy(saver))
        return false;
    rep_saving_cancel(saver->saving);
    forget(saver);
    return saver->code == 0;
}
