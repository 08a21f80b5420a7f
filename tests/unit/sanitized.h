/* SPDX-License-Identifier: Apache-2.0 */
/* What is different under a sanitizer, where a step takes several or tens of times as long. */

#ifndef RINGFENCE_UNIT_SANITIZED_H
#define RINGFENCE_UNIT_SANITIZED_H

#ifndef __has_feature
#define __has_feature(name) 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
/* A long test on one thread shows nothing there. */
#define add_on_one_thread(tests, test) ((void)(tests), (void)(test))
#else
#define add_on_one_thread(tests, test) tcase_add_test(tests, test)
#endif

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || \
    __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
/* A race or a stray access shows with fewer. */
#define UNLESS_SLOW(count, fewer) (fewer)
#else
#define UNLESS_SLOW(count, fewer) (count)
#endif

#endif
