/* SPDX-License-Identifier: Apache-2.0 */
#include "number_int.h"

enum byte_class { OTHER, DIAL, SEPARATOR, ESCAPE };

/* RFC 3966 section 5.1.1 visual separators, and the space; section 3's digits of local numbers. */
static const uint8_t classes[256] = {
    ['0'] = DIAL,      ['1'] = DIAL,      ['2'] = DIAL,      ['3'] = DIAL,      ['4'] = DIAL,
    ['5'] = DIAL,      ['6'] = DIAL,      ['7'] = DIAL,      ['8'] = DIAL,      ['9'] = DIAL,
    ['+'] = DIAL,      ['*'] = DIAL,      ['#'] = DIAL,      ['a'] = DIAL,      ['b'] = DIAL,
    ['c'] = DIAL,      ['d'] = DIAL,      ['A'] = DIAL,      ['B'] = DIAL,      ['C'] = DIAL,
    ['D'] = DIAL,      ['-'] = SEPARATOR, ['.'] = SEPARATOR, ['('] = SEPARATOR, [')'] = SEPARATOR,
    [' '] = SEPARATOR, ['%'] = ESCAPE,
};

static int hex_value(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

int num_unescape(struct slice text, size_t at)
{
    if (text.length < 3 || at > text.length - 3 || text.data[at] != '%')
        return -1;
    int high = hex_value(text.data[at + 1]);
    int low = hex_value(text.data[at + 2]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool num_compact(struct slice text, char compact[NUM_TEXT], size_t *length)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (classes[byte] == ESCAPE) {
            int unescaped = num_unescape(text, i);
            if (unescaped < 0)
                return false;
            byte = (unsigned char)unescaped;
            i += 2;
        }
        if (classes[byte] == SEPARATOR)
            continue;
        if (classes[byte] != DIAL || count == NUM_TEXT || (byte == '+' && count > 0))
            return false;
        compact[count++] = (char)byte;
    }
    *length = count;
    return count > 0;
}

void num_user_split(struct slice user, struct num_user *parts)
{
    size_t length = slice_find(user, ';');
    parts->bare = slice_first(user, length);
    parts->params = slice_from(user, length + 1);
    parts->length = 0;
    parts->number = num_compact(parts->bare, parts->text, &parts->length);
}

void num_params_read(struct slice params, struct num_params *found)
{
    while (params.length > 0) {
        size_t length = slice_find(params, ';');
        struct slice param = slice_first(params, length);
        params = slice_from(params, length + 1);
        size_t equals = slice_find(param, '=');
        struct slice name = slice_trim(slice_first(param, equals));
        if (slice_equal_nocase(name, SLICE("rn")) || slice_equal_nocase(name, SLICE("npdi")))
            found->ported = true;
        else if (found->context.data == NULL && slice_equal_nocase(name, SLICE("phone-context")))
            found->context = slice_trim(slice_from(param, equals + 1));
    }
}
