/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever stands in a user part: no crash, a valid number is its own normal form, packing is
 * injective, and a raw text stays the text it is. Input: a byte that chooses the trunk, then
 * "user\nparameters".
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "number/emergency.h"
#include "number/normalise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *iso;
    const char *area;
} trunks[] = {{"CN", "10"}, {"CN", "755"}, {"CN", ""}, {"US", "212"}, {"GB", "20"}, {"DE", "30"},
              {"IT", ""},   {"RU", "495"}, {"SG", ""}, {"KE", "20"},  {"DK", ""},   {"KR", "2"}};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_valid(const struct num_profile *profile, const struct num_number *number)
{
    char text[NUM_PACKED_TEXT];
    struct num_number again;
    struct slice normal = slice_make(number->text, number->length);
    require(num_unpack(number->packed, text) == number->length);
    require(slice_equal(normal, slice_of_text(text)));
    require(number->imitation == (number->imitated != 0));
    require(number->imitated != number->packed);
    require(number->iso[0] != '\0' && number->calling_code != 0);
    for (enum num_role role = NUM_CALLER; role <= NUM_CALLEE; role++) {
        int error = num_normalise(profile, role, SLICE("tel"), normal, SLICE(""), &again);
        require(error == 0 && again.packed == number->packed && again.kind == number->kind);
        require(slice_equal(normal, slice_make(again.text, again.length)));
        require(again.imitated == number->imitated && again.service == number->service);
    }
}

static void check_raw(const struct num_profile *profile, const struct num_number *number)
{
    struct num_number again;
    struct slice raw = slice_make(number->text, number->length);
    require(number->packed == 0 && number->calling_code == 0);
    require(strlen(number->text) == number->length);
    require(number->imitation == (number->imitated != 0));
    int error = num_normalise(profile, NUM_CALLER, SLICE("sip"), raw, SLICE(""), &again);
    require(error != 0 && slice_equal(raw, slice_make(again.text, again.length)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct num_profile profile;
    size_t trunk = data[0] % (sizeof(trunks) / sizeof(trunks[0]));
    require(num_profile_init(&profile, slice_of_text(trunks[trunk].iso),
                             slice_of_text(trunks[trunk].area), NULL, 0) == 0);
    struct slice text = slice_make((const char *)data + 1, size - 1);
    struct slice user = slice_first(text, slice_find(text, '\n'));
    struct slice params = slice_from(text, user.length + 1);
    struct num_number number;
    int error = num_normalise(&profile, NUM_CALLER, SLICE("sip"), user, params, &number);
    require((error == 0) == number.valid);
    if (number.valid)
        check_valid(&profile, &number);
    else if (params.length == 0 && slice_find(user, ';') == user.length && user.length < NUM_TEXT)
        check_raw(&profile, &number);
    (void)num_is_emergency(&profile, SLICE("sip"), user, text);
    return 0;
}
