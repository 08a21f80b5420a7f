/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: capture files (pcap, pcapng; packed by gzip, xz or zstd) packet by packet, and a copy of
 * some of their packets.
 */
#ifndef RINGFENCE_TAP_FILE_H
#define RINGFENCE_TAP_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "tap/path.h"

struct tap_file;

/* Says in `message` what is wrong, with the file, the place and the remedy. path: "-" is standard
 * input. */
int tap_file_open(const char *path, char *message, size_t capacity,
                  struct tap_file **file) MUST_CHECK;

/*
 * The next packet, valid until the next call; packets are numbered from 1 as other tools do.
 * ERROR_NOT_FOUND at the end; ERROR_MALFORMED with the packet's number in `message` where the file
 * is damaged or cut: what came before it is good.
 */
int tap_file_next(struct tap_file *file, struct tap_packet *packet, char *message,
                  size_t capacity) MUST_CHECK;

/* For progress: bytes of the file as it lies on the disk; size 0 when it is not known. */
uint64_t tap_file_position(const struct tap_file *file);
uint64_t tap_file_size(const struct tap_file *file);

/* NULL is allowed. */
void tap_file_close(struct tap_file *file);

/* A new capture. */
struct tap_copy_file;

/* like: packets are as in that file. */
int tap_copy_create(const char *path, const struct tap_file *like, char *message, size_t capacity,
                    struct tap_copy_file **copy) MUST_CHECK;

/* Whether packets of that file may stand in the copy: a capture has one link type. */
bool tap_copy_takes(const struct tap_copy_file *copy, const struct tap_file *file);

/* The packet that tap_file_next() gave last. */
void tap_copy_write(struct tap_copy_file *copy, const struct tap_file *file);

/* 0, or -errno of whatever could not be written. NULL is allowed. */
int tap_copy_close(struct tap_copy_file *copy) MUST_CHECK;

#endif
