/* SPDX-License-Identifier: Apache-2.0 */
#include "lexer_int.h"

#include <errno.h>

#include "base/buffer.h"
#include "config/report.h"
#include "literal_int.h"

struct word {
    struct slice text;
    enum rule_token_kind kind;
};

static const struct word keywords[] = {
#define KEYWORD_ROW(name, word) {SLICE_LITERAL(word), name},
    RULE_KEYWORD_TABLE(KEYWORD_ROW)
#undef KEYWORD_ROW
};

static const struct word signs[] = {
#define SIGN_ROW(name, sign) {SLICE_LITERAL(sign), name},
    RULE_SIGN_TABLE(SIGN_ROW)
#undef SIGN_ROW
};

/* What people write who know another language, and what it is here. */
static const struct {
    struct slice wrong;
    const char *right;
} habits[] = {
    {SLICE_LITERAL("&&"), "write: and"},
    {SLICE_LITERAL("||"), "write: or"},
    {SLICE_LITERAL("=~"), "write: matches /.../"},
    {SLICE_LITERAL("="), "to compare, write: =="},
    {SLICE_LITERAL("!"), "write: not"},
    {SLICE_LITERAL("'"), "texts stand in double quotes"},
    {SLICE_LITERAL("\xe2\x80\x9c"), "texts stand in plain double quotes: \"...\""},
    {SLICE_LITERAL("\xe2\x80\x9d"), "texts stand in plain double quotes: \"...\""},
    {SLICE_LITERAL("\xef\xbc\x88"), "use the plain parenthesis: ("},
    {SLICE_LITERAL("\xef\xbc\x89"), "use the plain parenthesis: )"},
    {SLICE_LITERAL("\xef\xbc\x8c"), "use the plain comma: ,"},
    {SLICE_LITERAL("\xe2\x80\x98"), "texts stand in plain double quotes: \"...\""},
    {SLICE_LITERAL("\xe2\x80\x99"), "texts stand in plain double quotes: \"...\""},
    {SLICE_LITERAL(":="), "to compare, write: =="},
    {SLICE_LITERAL("\xef\xbc\x9e"), "use the plain sign: >"},
    {SLICE_LITERAL("\xef\xbc\x9c"), "use the plain sign: <"},
    {SLICE_LITERAL("\xef\xbc\x9d"), "to compare, write: =="},
    {SLICE_LITERAL("\xe2\x89\xa5"), "write: >="},
    {SLICE_LITERAL("\xe2\x89\xa4"), "write: <="},
    {SLICE_LITERAL("\xe2\x89\xa0"), "write: !="},
    {SLICE_LITERAL("\xe2\x80\x93"), "use the plain minus: -"},
    {SLICE_LITERAL("\xe2\x88\x92"), "use the plain minus: -"},
    {SLICE_LITERAL("\xe2\x80\x8b"), "this is a blank without width, which nobody sees; delete it"},
    {SLICE_LITERAL("\xc2\xa0"), "this is a no-break space; write a plain one"},
    {SLICE_LITERAL("\xe3\x80\x80"), "this is a full-width space; write a plain one"},
    {SLICE_LITERAL("+"), "telephone numbers stand in double quotes: \"+86138...\""},
    {SLICE_LITERAL("/"), "a regular expression stands behind: matches"},
    {SLICE_LITERAL("%"), "a share is written without a blank: 20%"},
    {SLICE_LITERAL("#"), "a comment belongs behind the value, outside of quotes"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

bool rule_lexer_is_name_byte(char byte)
{
    return is_letter(byte) || is_digit(byte) || byte == '.' || byte == '-';
}

bool rule_lexer_is_keyword(struct slice word)
{
    for (size_t i = 0; i < COUNT(keywords); i++)
        if (slice_equal(keywords[i].text, word))
            return true;
    return false;
}

/* Length of the UTF-8 character at the front, so that a caret covers it whole. */
static size_t character_length(struct slice text)
{
    size_t length = 1;
    while (length < text.length && ((unsigned char)text.data[length] & 0xc0) == 0x80)
        length++;
    return length;
}

/* Makes the first `length` bytes of the rest the current token. */
static void take(struct rule_lexer *lexer, enum rule_token_kind kind, size_t length)
{
    lexer->token.kind = kind;
    lexer->token.text = slice_first(lexer->rest, length);
    lexer->rest = slice_from(lexer->rest, length);
}

static void take_name(struct rule_lexer *lexer)
{
    size_t length = 1;
    while (length < lexer->rest.length && rule_lexer_is_name_byte(lexer->rest.data[length]))
        length++;
    take(lexer, RULE_TOKEN_NAME, length);
    for (size_t i = 0; i < COUNT(keywords); i++)
        if (slice_equal(keywords[i].text, lexer->token.text))
            lexer->token.kind = keywords[i].kind;
    if (lexer->token.kind == RULE_TOKEN_TRUE || lexer->token.kind == RULE_TOKEN_FALSE) {
        lexer->token.value = rule_flag(lexer->token.kind == RULE_TOKEN_TRUE);
        lexer->token.kind = RULE_TOKEN_VALUE;
    }
}

/* A date's length at the front (YYYY-MM-DD and what belongs to it), or 0. */
static size_t date_length(struct slice text)
{
    static const char shape[] = "dddd-dd-dd";
    size_t length = sizeof(shape) - 1;
    if (text.length < length)
        return 0;
    for (size_t i = 0; i < length; i++)
        if (shape[i] == 'd' ? !is_digit(text.data[i]) : text.data[i] != shape[i])
            return 0;
    if (length < text.length && text.data[length] == 'T')
        while (length < text.length &&
               (is_digit(text.data[length]) || strchr("TZ:+-", text.data[length]) != NULL))
            length++;
    return length;
}

static void take_number(struct rule_lexer *lexer)
{
    struct slice rest = lexer->rest;
    size_t length = date_length(rest);
    if (length == 0) {
        length = 1;
        while (length < rest.length &&
               (is_digit(rest.data[length]) || is_letter(rest.data[length]) ||
                rest.data[length] == '.' || rest.data[length] == '%'))
            length++;
    }
    take(lexer, RULE_TOKEN_VALUE, length);

    int error = rule_literal_number(lexer->token.text, &lexer->token.value);
    if (error == 0)
        return;
    struct conf_quote quote;
    const char *quoted = conf_quote(&quote, lexer->token.text);
    lexer->token.kind = RULE_TOKEN_FAULT;
    if (error == -ERANGE) {
        rule_fault_set(lexer->fault, lexer->whole, lexer->token.text, "%s is out of range", quoted);
        return;
    }
    rule_fault_set(lexer->fault, lexer->whole, lexer->token.text, "%s is not a number", quoted);
    rule_fault_expect(lexer->fault,
                      "5, 20%%, 0.25, 2027-06-30, or a duration such as 500ms, 30s, 5m, 4h, 7d");
}

static int hex_digit(char byte)
{
    if (is_digit(byte))
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static void append_utf8(struct buffer *out, unsigned code)
{
    if (code < 0x80) {
        buffer_append_char(out, (char)code);
    } else if (code < 0x800) {
        buffer_append_char(out, (char)(0xc0 | code >> 6));
        buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
    } else {
        buffer_append_char(out, (char)(0xe0 | code >> 12));
        buffer_append_char(out, (char)(0x80 | (code >> 6 & 0x3f)));
        buffer_append_char(out, (char)(0x80 | (code & 0x3f)));
    }
}

/* Reads what follows a backslash; returns how many bytes that is, 0 when it is no escape. */
static size_t unescape(struct slice text, struct buffer *out)
{
    static const char from[] = "\"\\nt";
    static const char to[] = "\"\\\n\t";
    if (text.length == 0)
        return 0;
    const char *known = text.data[0] != '\0' ? strchr(from, text.data[0]) : NULL;
    if (known != NULL) {
        buffer_append_char(out, to[known - from]);
        return 1;
    }
    if (text.data[0] != 'u' || text.length < 5)
        return 0;
    unsigned code = 0;
    for (size_t i = 1; i < 5; i++) {
        int digit = hex_digit(text.data[i]);
        if (digit < 0)
            return 0;
        code = code << 4 | (unsigned)digit;
    }
    if (code == 0 || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    append_utf8(out, code);
    return 5;
}

/* Sets the value of the current token, a text whose quotes are in place. */
static void decode_text(struct rule_lexer *lexer)
{
    struct slice inner = slice_make(lexer->token.text.data + 1, lexer->token.text.length - 2);
    lexer->token.value = rule_text(inner);
    if (slice_find(inner, '\\') == inner.length)
        return;
    char *memory = arena_alloc(lexer->arena, inner.length);
    if (memory == NULL) {
        lexer->no_memory = true;
        lexer->token.kind = RULE_TOKEN_FAULT;
        return;
    }
    struct buffer out = buffer_over(memory, inner.length);
    for (size_t i = 0; i < inner.length;) {
        if (inner.data[i] != '\\') {
            buffer_append_char(&out, inner.data[i++]);
            continue;
        }
        size_t used = unescape(slice_from(inner, i + 1), &out);
        if (used == 0) {
            lexer->token.kind = RULE_TOKEN_FAULT;
            size_t length = 1 + character_length(slice_from(inner, i + 1));
            rule_fault_set(lexer->fault, lexer->whole, slice_first(slice_from(inner, i), length),
                           "unknown escape in a text");
            rule_fault_expect(lexer->fault, "one of \\\" \\\\ \\n \\t \\uXXXX");
            rule_fault_hint(lexer->fault, "a regular expression is best written /.../");
            return;
        }
        i += 1 + used;
    }
    lexer->token.value = rule_text(buffer_slice(&out));
}

/* Position of the first unescaped `byte` behind the first byte, or the length. */
static size_t find_end(struct slice text, char byte)
{
    size_t at = 1;
    while (at < text.length && text.data[at] != byte)
        at += text.data[at] == '\\' ? 2 : 1;
    return at < text.length ? at : text.length;
}

static void take_text(struct rule_lexer *lexer)
{
    size_t end = find_end(lexer->rest, '"');
    if (end == lexer->rest.length) {
        take(lexer, RULE_TOKEN_FAULT, end);
        rule_fault_set(lexer->fault, lexer->whole, slice_first(lexer->token.text, 1),
                       "this text has no closing double quote");
        return;
    }
    take(lexer, RULE_TOKEN_VALUE, end + 1);
    decode_text(lexer);
}

static void take_regex(struct rule_lexer *lexer)
{
    size_t end = find_end(lexer->rest, '/');
    if (end == lexer->rest.length) {
        take(lexer, RULE_TOKEN_FAULT, end);
        rule_fault_set(lexer->fault, lexer->whole, slice_first(lexer->token.text, 1),
                       "this regular expression has no closing slash");
        rule_fault_hint(lexer->fault, "a slash within it is written \\/");
        return;
    }
    struct slice pattern = slice_first(slice_from(lexer->rest, 1), end - 1);
    lexer->token.ignore_case = end + 1 < lexer->rest.length && lexer->rest.data[end + 1] == 'i';
    take(lexer, RULE_TOKEN_REGEX, end + (lexer->token.ignore_case ? 2 : 1));
    lexer->token.value = rule_text(pattern);
    if (lexer->rest.length > 0 && rule_lexer_is_name_byte(lexer->rest.data[0])) {
        lexer->token.kind = RULE_TOKEN_FAULT;
        rule_fault_set(lexer->fault, lexer->whole, slice_first(lexer->rest, 1),
                       "unknown option \"%c\" behind a regular expression", lexer->rest.data[0]);
        rule_fault_expect(lexer->fault, "nothing, or i (upper and lower case are the same)");
    }
}

/* The row of a habit that the text begins with, or -1. */
static int find_habit(struct slice text)
{
    for (size_t i = 0; i < COUNT(habits); i++)
        if (slice_starts_with(text, habits[i].wrong))
            return (int)i;
    return -1;
}

const char *rule_lexer_habit(struct slice rest)
{
    int habit = find_habit(rest);
    return habit >= 0 ? habits[habit].right : NULL;
}

static void take_sign(struct rule_lexer *lexer)
{
    for (size_t i = 0; i < COUNT(signs); i++) {
        if (slice_starts_with(lexer->rest, signs[i].text)) {
            take(lexer, signs[i].kind, signs[i].text.length);
            return;
        }
    }
    size_t length = character_length(lexer->rest);
    int habit = find_habit(lexer->rest);
    if (habit >= 0)
        length = habits[habit].wrong.length;
    take(lexer, RULE_TOKEN_FAULT, length);
    struct conf_quote quote;
    rule_fault_set(lexer->fault, lexer->whole, lexer->token.text, "%s has no meaning here",
                   conf_quote(&quote, lexer->token.text));
    if (habit >= 0)
        rule_fault_hint(lexer->fault, "%s", habits[habit].right);
}

static bool ends_value(enum rule_token_kind kind)
{
    return kind == RULE_TOKEN_NAME || kind == RULE_TOKEN_VALUE || kind == RULE_TOKEN_CLOSE;
}

static bool starts_number(const struct rule_lexer *lexer)
{
    struct slice text = lexer->rest;
    return is_digit(text.data[0]) || (text.data[0] == '-' && text.length > 1 &&
                                      is_digit(text.data[1]) && !ends_value(lexer->before.kind));
}

void rule_lexer_next(struct rule_lexer *lexer)
{
    lexer->before = lexer->token;
    lexer->rest =
        slice_from(lexer->rest, (size_t)(slice_trim(lexer->rest).data - lexer->rest.data));
    lexer->token.ignore_case = false;
    if (lexer->rest.length == 0)
        take(lexer, RULE_TOKEN_END, 0);
    else if (is_letter(lexer->rest.data[0]))
        take_name(lexer);
    else if (starts_number(lexer))
        take_number(lexer);
    else if (lexer->rest.data[0] == '"')
        take_text(lexer);
    else if (lexer->rest.data[0] == '/' && lexer->before.kind == RULE_TOKEN_MATCHES)
        take_regex(lexer);
    else
        take_sign(lexer);
}

void rule_lexer_start(struct rule_lexer *lexer, struct slice text, struct arena *arena,
                      struct rule_fault *fault)
{
    *lexer = (struct rule_lexer){.whole = text, .rest = text, .arena = arena, .fault = fault};
    lexer->token.kind = RULE_TOKEN_END;
    rule_lexer_next(lexer);
}
