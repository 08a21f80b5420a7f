/* SPDX-License-Identifier: Apache-2.0 */
#include "base/encode.h"

#include <stdint.h>

/* One step through the text: a whole character, or one byte that is no part of any. */
struct character {
    uint32_t code; /* meaningless unless valid */
    unsigned length;
    bool valid;
};

static struct character invalid_byte(void)
{
    return (struct character){0, 1, false};
}

/* RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static struct character read_character(const char *text, size_t left)
{
    const unsigned char *at = (const unsigned char *)text;
    if (at[0] < 0x80)
        return (struct character){at[0], 1, true};

    unsigned length = at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (length == 0 || length > left)
        return invalid_byte();
    uint32_t code = at[0] & (0x7fU >> length);
    for (unsigned i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return invalid_byte();
        code = code << 6 | (at[i] & 0x3fU);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return invalid_byte();
    return (struct character){code, length, true};
}

/* C0, DEL and C1: a terminal obeys the latter even inside well-formed UTF-8. */
static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/* Invisible characters that reorder, join or break what is shown around them. */
static bool is_deceptive(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x061c, 0x061c}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

/* What one encoder does with one character; `bytes` are those of the text. */
typedef void emit_fn(struct buffer *buffer, struct character character, struct slice bytes);

static void append_replacement(struct buffer *buffer)
{
    buffer_append_literal(buffer, "\xef\xbf\xbd"); /* U+FFFD */
}

static bool is_plain(char byte, const char *special)
{
    return byte >= 0x20 && byte < 0x7f && strchr(special, byte) == NULL;
}

/* Printable ASCII outside `special` is copied in runs; all the rest goes to `emit`. */
static void encode_each(struct buffer *buffer, struct slice text, const char *special,
                        emit_fn *emit)
{
    while (text.length > 0 && !buffer->overflow) {
        size_t run = 0;
        while (run < text.length && is_plain(text.data[run], special))
            run++;
        buffer_append(buffer, slice_first(text, run));
        text = slice_from(text, run);
        if (text.length == 0)
            break;
        struct character character = read_character(text.data, text.length);
        emit(buffer, character, slice_first(text, character.length));
        text = slice_from(text, character.length);
    }
}

/* All or nothing: half a string would leave its quote open. */
static void undo_on_overflow(struct buffer *buffer, size_t start)
{
    if (buffer->overflow)
        buffer->length = start;
}

static void emit_json(struct buffer *buffer, struct character character, struct slice bytes)
{
    static const char short_form[] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n',  ['\r'] = 'r',
        ['\t'] = 't', ['"'] = '"',  ['\\'] = '\\',
    };
    if (!character.valid) {
        append_replacement(buffer);
    } else if (character.code < sizeof(short_form) && short_form[character.code] != '\0') {
        buffer_append_char(buffer, '\\');
        buffer_append_char(buffer, short_form[character.code]);
    } else if (is_control(character.code)) {
        buffer_append_literal(buffer, "\\u");
        buffer_append_hex(buffer, character.code, 4);
    } else {
        buffer_append(buffer, bytes);
    }
}

void encode_json(struct buffer *buffer, struct slice text)
{
    size_t start = buffer->length;
    buffer_append_char(buffer, '"');
    encode_each(buffer, text, "\"\\", emit_json);
    buffer_append_char(buffer, '"');
    undo_on_overflow(buffer, start);
}

static void append_hex_bytes(struct buffer *buffer, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        buffer_append_literal(buffer, "\\x");
        buffer_append_hex(buffer, (unsigned char)bytes.data[i], 2);
    }
}

static void emit_log(struct buffer *buffer, struct character character, struct slice bytes)
{
    if (!character.valid || is_control(character.code))
        append_hex_bytes(buffer, bytes);
    else if (character.code == '\\')
        buffer_append_literal(buffer, "\\\\");
    else
        buffer_append(buffer, bytes);
}

void encode_log(struct buffer *buffer, struct slice text)
{
    size_t start = buffer->length;
    encode_each(buffer, text, "\\", emit_log);
    undo_on_overflow(buffer, start);
}

size_t encode_log_prefix(struct buffer *buffer, struct slice text)
{
    struct slice left = text;
    while (left.length > 0 && !buffer->overflow) {
        struct character character = read_character(left.data, left.length);
        char memory[16]; /* four bytes as \xHH */
        struct buffer one = buffer_over(memory, sizeof(memory));
        emit_log(&one, character, slice_first(left, character.length));
        if (one.length > buffer->capacity - buffer->length)
            break;
        buffer_append(buffer, buffer_slice(&one));
        left = slice_from(left, character.length);
    }
    return text.length - left.length;
}

static void emit_terminal(struct buffer *buffer, struct character character, struct slice bytes)
{
    if (character.valid && is_deceptive(character.code))
        append_hex_bytes(buffer, bytes);
    else
        emit_log(buffer, character, bytes);
}

void encode_terminal(struct buffer *buffer, struct slice text)
{
    size_t start = buffer->length;
    encode_each(buffer, text, "\\", emit_terminal);
    undo_on_overflow(buffer, start);
}

static bool is_signed_number(struct slice text)
{
    if (text.length < 2 || (text.data[0] != '+' && text.data[0] != '-'))
        return false;
    for (size_t i = 1; i < text.length; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* Some spreadsheets skip blanks before a formula and take full-width signs for the ASCII ones. */
static bool starts_formula(struct slice text)
{
    while (text.length > 0 && ((unsigned char)text.data[0] <= ' ' || text.data[0] == 0x7f))
        text = slice_from(text, 1);
    if (text.length == 0)
        return false;
    struct character first = read_character(text.data, text.length);
    switch (first.valid ? first.code : 0) {
    case '=':
    case '+':
    case '-':
    case '@':
    case 0xff1d:
    case 0xff0b:
    case 0xff0d:
    case 0xff20:
        return true;
    default:
        return false;
    }
}

/* A field that holds a separator of any usual dialect is quoted, not only one with a comma. */
static bool needs_quotes(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == ',' || text.data[i] == ';' || text.data[i] == '"')
            return true;
    return false;
}

static void emit_csv(struct buffer *buffer, struct character character, struct slice bytes)
{
    if (!character.valid)
        append_replacement(buffer);
    else if (is_control(character.code))
        buffer_append_char(buffer, ' ');
    else if (character.code == '"')
        buffer_append_literal(buffer, "\"\"");
    else
        buffer_append(buffer, bytes);
}

void encode_csv(struct buffer *buffer, struct slice text)
{
    size_t start = buffer->length;
    bool quoted = needs_quotes(text);
    if (quoted)
        buffer_append_char(buffer, '"');
    if (starts_formula(text) && !is_signed_number(text))
        buffer_append_char(buffer, '\'');
    encode_each(buffer, text, "\"", emit_csv);
    if (quoted)
        buffer_append_char(buffer, '"');
    undo_on_overflow(buffer, start);
}

static void emit_sip_quoted(struct buffer *buffer, struct character character, struct slice bytes)
{
    if (!character.valid) {
        append_replacement(buffer);
    } else if (is_control(character.code)) {
        /* A quoted-pair could carry most of them, but no display name needs one. */
        buffer_append_char(buffer, ' ');
    } else {
        if (character.code == '"' || character.code == '\\')
            buffer_append_char(buffer, '\\');
        buffer_append(buffer, bytes);
    }
}

void encode_sip_quoted(struct buffer *buffer, struct slice text)
{
    size_t start = buffer->length;
    buffer_append_char(buffer, '"');
    encode_each(buffer, text, "\"\\", emit_sip_quoted);
    buffer_append_char(buffer, '"');
    undo_on_overflow(buffer, start);
}

void encode_sip_uri(struct buffer *buffer, struct slice text)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t start = buffer->length;
    for (size_t i = 0; i < text.length; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        unsigned char letter = byte | 0x20;
        bool plain = (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') ||
                     (byte != '\0' && strchr("-_.!~*'()", byte) != NULL);
        if (plain) {
            buffer_append_char(buffer, (char)byte);
            continue;
        }
        buffer_append_char(buffer, '%');
        buffer_append_char(buffer, digits[byte >> 4]);
        buffer_append_char(buffer, digits[byte & 15]);
    }
    undo_on_overflow(buffer, start);
}
