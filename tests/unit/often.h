/* SPDX-License-Identifier: Apache-2.0 */
/* An assertion for what is looked at a hundred thousand times. Check tells its runner of each
 * assertion that holds, by more than ten system calls. */

#ifndef RINGFENCE_UNIT_OFTEN_H
#define RINGFENCE_UNIT_OFTEN_H

#include <check.h>

#define assert_often(condition)                                             \
    do {                                                                    \
        if (!(condition))                                                   \
            ck_abort_msg("assertion '%s' failed at " __FILE__, #condition); \
    } while (0)

#endif
