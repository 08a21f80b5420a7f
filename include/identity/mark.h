/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mark: keyed marks by which this program recognises its own work on the wire, without state.
 *
 * A branch proves that we sent the request a response claims to answer; a Record-Route mark proves
 * that we admitted the dialog that a request claims to belong to. Both are SipHash-2-4 (a PRF) of
 * 64 bits under a key that all nodes of a site share and that outlives the process.
 */
#ifndef RINGFENCE_IDENTITY_MARK_H
#define RINGFENCE_IDENTITY_MARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"

#define IDENT_KEY_BYTES 32
/* "z9hG4bKrf" generation(1) attempt(1) loop(8) mark(16), all hexadecimal */
#define IDENT_BRANCH_LENGTH (9 + 2 + 8 + 16)
/* ingress(8) egress(8) mark(16) */
#define IDENT_ROUTE_LENGTH 32
#define IDENT_TAG_LENGTH   18
#define IDENT_ATTEMPT_MAX  15
#define IDENT_GENERATIONS  16

struct ident_marks {
    struct hash_key branch;
    struct hash_key route;
    struct hash_key tag;
    struct hash_key steering; /* Call-ID to worker; the same after a restart */
    struct hash_key loop;
    uint8_t generation; /* 0..15; changes only when one process hands over to the next */
};

/* Derives the keys of each purpose from the site's key. */
void ident_marks_init(struct ident_marks *marks, const uint8_t key[IDENT_KEY_BYTES],
                      uint8_t generation);

/*
 * Reads a key file (64 hexadecimal digits), or creates it (mode 0600) with a random key when it
 * does not exist. *created tells which. ERROR_MALFORMED for another content; -errno.
 */
int ident_key_load(const char *path, uint8_t key[IDENT_KEY_BYTES], bool *created) MUST_CHECK;

/*
 * What a branch vouches for: the transaction by which the request reached us. All of it stands in
 * the request, its CANCEL and its ACK to a non-2xx, and, below our own Via, in every response.
 */
struct ident_hop {
    struct slice branch; /* of the Via below ours; may be empty (RFC 2543) */
    struct slice host;   /* its sent-by */
    uint16_t port;
    struct slice call_id;
    struct slice from_tag;
    uint32_t cseq;
};

/* loop: ident_loop() of the request as it arrived. Writes IDENT_BRANCH_LENGTH bytes. */
void ident_branch_write(const struct ident_marks *marks, const struct ident_hop *hop,
                        unsigned attempt, uint32_t loop, char branch[IDENT_BRANCH_LENGTH]);

/* True when the branch has our form: it may be ours, nothing is proved. */
bool ident_branch_has_form(struct slice branch);

/* 0, or ERROR_FORGED. Any generation verifies. */
int ident_branch_verify(const struct ident_marks *marks, const struct ident_hop *hop,
                        struct slice branch) MUST_CHECK;

/* The generation of the process that wrote a branch of our form; -1 for another form. */
int ident_branch_generation(struct slice branch);

/* The loop part of a branch of our form. */
uint32_t ident_branch_loop(struct slice branch);

/* A short digest of what routing depends on: Request-URI and Route lines (RFC 5393 section 4.2). */
uint32_t ident_loop(const struct ident_marks *marks, struct slice request_uri,
                    const struct slice *routes, size_t route_count);

/* A trunk's name as it stands in marks. */
uint32_t ident_trunk(struct slice name);

/* The value of our Record-Route URI parameter. */
void ident_route_write(const struct ident_marks *marks, struct slice call_id, struct slice from_tag,
                       uint32_t ingress, uint32_t egress, char mark[IDENT_ROUTE_LENGTH]);

struct ident_route {
    uint32_t ingress;
    uint32_t egress;
    bool reversed; /* the request comes from the called side */
};

/*
 * Verifies the mark of a request within a dialog. The initial From-tag is the From-tag of what the
 * caller's side sends and the To-tag of what the called side sends. 0, or ERROR_FORGED.
 */
int ident_route_verify(const struct ident_marks *marks, struct slice mark, struct slice call_id,
                       struct slice from_tag, struct slice to_tag,
                       struct ident_route *route) MUST_CHECK;

/* The To-tag of responses that we originate: the same for each repetition (section 8.2.6.2). */
void ident_tag_write(const struct ident_marks *marks, const struct ident_hop *hop,
                     char tag[IDENT_TAG_LENGTH]);
/* True when the tag is the one that ident_tag_write() gives. */
bool ident_tag_verify(const struct ident_marks *marks, const struct ident_hop *hop,
                      struct slice tag);

#endif
