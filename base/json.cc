/*
 * The JSON door. simdjson's first stage (vectorised, chosen at run time for
 * the processor) checks UTF-8 and finds where every token starts; the walk
 * below goes over those tokens once, checks the grammar to the letter and
 * makes the nodes. simdjson's own second stages are not used: the DOM turns
 * numbers into floating point, and on-demand checks only what is asked for.
 *
 * What the walk relies on, and simdjson promises: a token start is a
 * structural character, a quote, or the first byte of anything else that is
 * not white space; no token starts within a string; strings are closed and
 * hold no control characters; behind the last start stands the text's length.
 */

#include <simdjson.h>
#include <stdlib.h>
#include <sys/random.h>

extern "C" {
#include "base/hash.h"
#include "base/json.h"
#include "base/json_locate.h"
#include "base/utf8.h"
}

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace {

using simdjson::internal::dom_parser_implementation;

/* Up to so many members names are compared pairwise, beyond by a table. */
constexpr uint32_t PAIRWISE = 24;
constexpr size_t   NODES_AT_ONCE = 16;
constexpr size_t   CAPACITY_MIN = 4096;

struct frame_t {
    pos_json_t  *node;
    pos_json_t **link;    /* where the next member goes                  */
    uint64_t     seen;    /* a bit for each kind of name so far          */
};

enum class walk_t { ok, syntax, duplicate, depth, memory };

}  // namespace

struct pos_json_reader_s {
    std::unique_ptr<dom_parser_implementation> simd;
    size_t      max_size;
    pos_str_t  *names;         /* scratch table for large objects */
    size_t      names_size;
    uint64_t    seed;
};

namespace {

class walker_t {
public:
    walker_t(pos_json_reader_t *reader, const char *text, size_t len, pos_arena_t *arena)
        : reader_(reader), text_(text), end_(text + len), arena_(arena),
          token_(reader->simd->structural_indexes.get())
    {
    }

    walk_t run(pos_json_t **root);

    const char *duplicate() const { return duplicate_; }
    pos_str_t   duplicate_pointer(pos_arena_t *arena) const;

private:
    pos_json_reader_t *reader_;
    const char        *text_;
    const char        *end_;
    pos_arena_t       *arena_;
    const uint32_t    *token_;
    pos_json_t        *nodes_ = nullptr;
    pos_json_t        *nodes_end_ = nullptr;
    unsigned           depth_ = 0;
    pos_str_t          key_ = {};
    const char        *duplicate_ = nullptr;
    pos_str_t          duplicate_key_ = {};
    walk_t             fault_ = walk_t::ok;
    pos_json_t        *root_ = nullptr;
    frame_t            frames_[POS_JSON_MAX_DEPTH];

    bool fail(walk_t fault)
    {
        fault_ = fault;
        return false;
    }

    char        peek() const { return text_[*token_]; }
    const char *take() { return text_ + *token_++; }

    pos_json_t *new_node(pos_json_type_t type, const char *start);
    bool        value();
    bool        open(pos_json_t *node);
    bool        close();
    bool        after(bool *more);
    bool        key();
    bool        number(const char *p, pos_json_t *node);
    bool        literal(const char *p, const char *word, size_t len, pos_json_t *node);
    bool        string(const char *p, pos_str_t *out);
    bool        unescape(const char *p, const char *first, pos_str_t *out);
    bool        name_is_new(frame_t *frame, pos_str_t name, const char *at);
    bool        names_differ(const pos_json_t *object);
    bool        names_room(size_t count);
};

inline bool
is_boundary(char c)
{
    switch (c) {
    case ' ': case '\n': case '\r': case '\t':
    case ',': case ':': case '[': case ']': case '{': case '}':
        return true;
    default:
        return false;
    }
}

inline bool
is_digit(char c)
{
    return static_cast<unsigned char>(c - '0') < 10;
}

inline pos_json_t *
walker_t::new_node(pos_json_type_t type, const char *start)
{
    if (nodes_ == nodes_end_) {
        nodes_ = static_cast<pos_json_t *>(
            pos_arena_alloc(arena_, NODES_AT_ONCE * sizeof(pos_json_t)));
        if (nodes_ == nullptr) {
            nodes_end_ = nullptr;
            fault_ = walk_t::memory;
            return nullptr;
        }
        nodes_end_ = nodes_ + NODES_AT_ONCE;
    }

    pos_json_t *node = nodes_++;
    node->type = static_cast<uint8_t>(type);
    node->count = 0;
    node->key = key_;
    node->text = { start, 0 };
    node->first = nullptr;
    node->next = nullptr;

    if (depth_ == 0) {
        root_ = node;
        return node;
    }

    frame_t *frame = &frames_[depth_ - 1];
    *frame->link = node;
    frame->link = &node->next;
    frame->node->count++;

    return node;
}

inline bool
walker_t::number(const char *p, pos_json_t *node)
{
    p += *p == '-';

    if (*p == '0') {
        p++;
    } else if (!is_digit(*p)) {
        return fail(walk_t::syntax);
    } else {
        while (is_digit(*p)) {
            p++;
        }
    }

    if (*p == '.') {
        if (!is_digit(*++p)) {
            return fail(walk_t::syntax);
        }
        while (is_digit(*p)) {
            p++;
        }
    }

    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!is_digit(*p)) {
            return fail(walk_t::syntax);
        }
        while (is_digit(*p)) {
            p++;
        }
    }

    node->text.len = static_cast<size_t>(p - node->text.data);

    return is_boundary(*p) || fail(walk_t::syntax);
}

inline bool
walker_t::literal(const char *p, const char *word, size_t len, pos_json_t *node)
{
    node->text.len = len;

    return (memcmp(p, word, len) == 0 && is_boundary(p[len])) || fail(walk_t::syntax);
}

/* First quote or backslash at or behind `p`; the padding stops it. */
inline const char *
quote_or_slash(const char *p)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\');

    for (;; p += 16) {
        __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i *>(p));
        int     mask = _mm_movemask_epi8(
            _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)));
        if (mask) {
            return p + __builtin_ctz(static_cast<unsigned>(mask));
        }
    }
#else
    while (*p != '"' && *p != '\\') {
        p++;
    }
    return p;
#endif
}

/* `p` stands behind the opening quote. */
inline bool
walker_t::string(const char *p, pos_str_t *out)
{
    const char *q = quote_or_slash(p);

    if (q >= end_) {
        return fail(walk_t::syntax);
    }

    if (*q == '"') {
        *out = { p, static_cast<size_t>(q - p) };
        return true;
    }

    return unescape(p, q, out);
}

bool
hex4(const char *p, uint32_t *out)
{
    uint32_t n = 0;

    for (int i = 0; i < 4; i++) {
        unsigned char c = static_cast<unsigned char>(p[i]);
        unsigned char letter = c | 32;

        if (is_digit(p[i])) {
            n = n << 4 | static_cast<uint32_t>(c - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            n = n << 4 | static_cast<uint32_t>(letter - 'a' + 10);
        } else {
            return false;
        }
    }

    *out = n;

    return true;
}

/* Behind "\u": the code point; `*p` moves behind it. NUL is refused. */
bool
code_point(const char **p, uint32_t *out)
{
    uint32_t high, low;

    if (!hex4(*p, &high) || high == 0) {
        return false;
    }
    *p += 4;

    if (high < 0xD800 || high > 0xDFFF) {
        *out = high;
        return true;
    }

    if (high > 0xDBFF || (*p)[0] != '\\' || (*p)[1] != 'u' || !hex4(*p + 2, &low)
        || low < 0xDC00 || low > 0xDFFF) {
        return false;
    }
    *p += 6;
    *out = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);

    return true;
}

char
simple_escape(char c)
{
    switch (c) {
    case '"': case '\\': case '/':
        return c;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

/* The rare path: a string with escapes is copied, since the raw text of the
 * arrays and objects around it must stay. `first` is the first backslash. */
bool
walker_t::unescape(const char *p, const char *first, pos_str_t *out)
{
    /* Never longer than what is written, up to where the next token starts. */
    size_t room = static_cast<size_t>(text_ + *token_ - p) + 1;
    char  *start = static_cast<char *>(pos_arena_alloc(arena_, room));
    char  *to = start;

    if (start == nullptr) {
        return fail(walk_t::memory);
    }

    for (const char *q = first;; q = quote_or_slash(p)) {
        memcpy(to, p, static_cast<size_t>(q - p));
        to += q - p;

        if (q >= end_) {
            return fail(walk_t::syntax);
        }

        if (*q == '"') {
            *out = { start, static_cast<size_t>(to - start) };
            return true;
        }

        p = q + 2;

        if (q[1] == 'u') {
            uint32_t c;
            if (!code_point(&p, &c)) {
                return fail(walk_t::syntax);
            }
            to += pos_utf8_put(c, to);

        } else if ((*to++ = simple_escape(q[1])) == 0) {
            return fail(walk_t::syntax);
        }
    }
}

/* A name of another length, first or last byte cannot be the same name, so
 * most names are known to be new by one bit. */
inline bool
walker_t::name_is_new(frame_t *frame, pos_str_t name, const char *at)
{
    unsigned bits = static_cast<unsigned>(name.len) * 5;

    if (name.len) {
        bits += static_cast<unsigned char>(name.data[0]) * 3u
                + static_cast<unsigned char>(name.data[name.len - 1]) * 11u;
    }

    uint64_t bit = UINT64_C(1) << (bits & 63);

    if (!(frame->seen & bit)) {
        frame->seen |= bit;
        return true;
    }

    if (frame->node->count > PAIRWISE) {
        return true;    /* all of them at the object's end */
    }

    for (const pos_json_t *m = frame->node->first; m; m = m->next) {
        if (pos_str_eq(m->key, name)) {
            duplicate_ = at;
            duplicate_key_ = name;
            return fail(walk_t::duplicate);
        }
    }

    return true;
}

bool
walker_t::names_room(size_t count)
{
    size_t size = 64;

    while (size < count * 2) {
        size *= 2;
    }

    if (size > reader_->names_size) {
        free(reader_->names);
        reader_->names = static_cast<pos_str_t *>(malloc(size * sizeof(pos_str_t)));
        reader_->names_size = reader_->names ? size : 0;
    }

    if (reader_->names == nullptr) {
        return fail(walk_t::memory);
    }

    memset(reader_->names, 0, size * sizeof(pos_str_t));

    return true;
}

/* The table's hash is seeded, so that nobody can send names that collide. */
bool
walker_t::names_differ(const pos_json_t *object)
{
    if (!names_room(object->count)) {
        return false;
    }

    size_t mask = 63;
    while (mask + 1 < static_cast<size_t>(object->count) * 2) {
        mask = mask * 2 + 1;
    }

    for (const pos_json_t *m = object->first; m; m = m->next) {
        size_t i = pos_hash64_seeded(m->key, reader_->seed) & mask;

        for (; reader_->names[i].data; i = (i + 1) & mask) {
            if (pos_str_eq(reader_->names[i], m->key)) {
                bool raw = m->key.data >= text_ && m->key.data < end_;
                duplicate_ = raw ? m->key.data - 1 : object->text.data;
                duplicate_key_ = m->key;
                return fail(walk_t::duplicate);
            }
        }

        reader_->names[i] = m->key;
    }

    return true;
}

inline bool
walker_t::key()
{
    if (peek() != '"') {
        return fail(walk_t::syntax);
    }

    const char *at = take();

    if (!string(at + 1, &key_) || !name_is_new(&frames_[depth_ - 1], key_, at)) {
        return false;
    }

    return peek() == ':' ? (token_++, true) : fail(walk_t::syntax);
}

inline bool
walker_t::open(pos_json_t *node)
{
    if (depth_ == POS_JSON_MAX_DEPTH) {
        return fail(walk_t::depth);
    }

    frames_[depth_++] = { node, &node->first, 0 };

    return true;
}

inline bool
walker_t::close()
{
    pos_json_t *node = frames_[depth_ - 1].node;

    node->text.len = static_cast<size_t>(take() + 1 - node->text.data);

    if (node->type == POS_JSON_OBJECT && node->count > PAIRWISE && !names_differ(node)) {
        return false;
    }

    depth_--;

    return true;
}

inline bool
walker_t::value()
{
    const char *p = take();
    pos_json_t *node;

    switch (*p) {
    case '"':
        node = new_node(POS_JSON_STRING, p);
        return node && string(p + 1, &node->text);
    case '{':
        node = new_node(POS_JSON_OBJECT, p);
        return node && open(node);
    case '[':
        node = new_node(POS_JSON_ARRAY, p);
        return node && open(node);
    case 't':
        node = new_node(POS_JSON_TRUE, p);
        return node && literal(p, "true", 4, node);
    case 'f':
        node = new_node(POS_JSON_FALSE, p);
        return node && literal(p, "false", 5, node);
    case 'n':
        node = new_node(POS_JSON_NULL, p);
        return node && literal(p, "null", 4, node);
    case '-': case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        node = new_node(POS_JSON_NUMBER, p);
        return node && number(p, node);
    default:
        return fail(walk_t::syntax);
    }
}

/* Behind a value: closes what ends here; `*more`: a comma, another value. */
inline bool
walker_t::after(bool *more)
{
    while (depth_ > 0) {
        bool object = frames_[depth_ - 1].node->type == POS_JSON_OBJECT;
        char c = peek();

        if (c == ',') {
            token_++;
            *more = true;
            key_ = {};
            return !object || key();
        }

        if (c != (object ? '}' : ']')) {
            return fail(walk_t::syntax);
        }

        if (!close()) {
            return false;
        }
    }

    *more = false;

    return true;
}

walk_t
walker_t::run(pos_json_t **root)
{
    const uint32_t *last = token_ + reader_->simd->n_structural_indexes;
    bool            more = true;

    while (more) {
        unsigned depth = depth_;

        if (!value()) {
            return fault_;
        }

        if (depth_ > depth) {
            bool object = frames_[depth].node->type == POS_JSON_OBJECT;

            key_ = {};
            if (peek() != (object ? '}' : ']')) {
                if (object && !key()) {
                    return fault_;
                }
                continue;
            }
        }

        if (!after(&more)) {
            return fault_;
        }
    }

    if (token_ != last) {
        return walk_t::syntax;
    }

    *root = root_;

    return walk_t::ok;
}

pos_str_t
walker_t::duplicate_pointer(pos_arena_t *arena) const
{
    pos_str_t pointer = pos_str_of("", 0);

    for (unsigned i = 1; i < depth_; i++) {
        const frame_t *outer = &frames_[i - 1];

        pointer = outer->node->type == POS_JSON_OBJECT
                      ? pos_json_pointer(arena, pointer, frames_[i].node->key)
                      : pos_json_pointer_index(arena, pointer, outer->node->count - 1);
    }

    return pos_json_pointer(arena, pointer, duplicate_key_);
}

bool
reserve(pos_json_reader_t *reader, size_t len)
{
    size_t capacity = CAPACITY_MIN;

    if (reader->simd->capacity() >= len) {
        return true;
    }

    while (capacity < len) {
        capacity *= 2;
    }

    if (reader->simd->set_capacity(capacity) == simdjson::SUCCESS) {
        return true;
    }

    /* It has let go of the old table already. */
    (void) reader->simd->set_capacity(0);

    return false;
}

pos_status_t
refuse(pos_str_t text, pos_faults_t *faults)
{
    uint32_t        line, column;
    pos_json_spot_t spot;

    if (pos_json_scan(text, &spot)) {
        return pos_fault(faults, pos_str_of("", 0), "json_syntax", "this is not JSON");
    }

    pos_json_place(text, spot.offset, &line, &column);

    return pos_fault_at(faults, pos_str_of("", 0), line, column, spot.code,
                        "line %u, column %u: %s", line, column, spot.expected);
}

pos_status_t
refuse_duplicate(const walker_t &walker, const char *copy, pos_str_t text,
    pos_faults_t *faults)
{
    uint32_t  line, column;
    pos_str_t pointer = faults ? walker.duplicate_pointer(faults->arena) : pos_str_of("", 0);

    pos_json_place(text, static_cast<size_t>(walker.duplicate() - copy), &line, &column);

    return pos_fault_at(faults, pointer, line, column, "json_duplicate_key",
                        "line %u, column %u: this name is there twice", line, column);
}

}  // namespace

extern "C" pos_json_reader_t *
pos_json_reader_create(size_t max_size)
{
    pos_json_reader_t *reader = new (std::nothrow) pos_json_reader_t();

    if (reader == nullptr) {
        return nullptr;
    }

    reader->max_size = max_size < UINT32_MAX / 2 ? max_size : UINT32_MAX / 2;

    if (getrandom(&reader->seed, sizeof(reader->seed), GRND_NONBLOCK) < 0) {
        reader->seed = reinterpret_cast<uintptr_t>(reader);
    }

    if (simdjson::get_active_implementation()->create_dom_parser_implementation(
            CAPACITY_MIN, 1, reader->simd)
        != simdjson::SUCCESS) {
        delete reader;
        return nullptr;
    }

    return reader;
}

extern "C" void
pos_json_reader_destroy(pos_json_reader_t *reader)
{
    if (reader) {
        free(reader->names);
        delete reader;
    }
}

extern "C" pos_status_t
pos_json_read(pos_json_reader_t *reader, pos_str_t text, pos_arena_t *arena,
    pos_faults_t *faults, pos_json_t **root)
{
    if (text.len > reader->max_size) {
        return pos_fault(faults, pos_str_of("", 0), "body_too_large",
                         "the text has %zu bytes; the limit is %zu", text.len,
                         reader->max_size);
    }

    if (!reserve(reader, text.len)) {
        return POS_NO_MEMORY;
    }

    char *copy = static_cast<char *>(
        pos_arena_alloc(arena, text.len + simdjson::SIMDJSON_PADDING));
    if (copy == nullptr) {
        return POS_NO_MEMORY;
    }

    if (text.len) {
        memcpy(copy, text.data, text.len);
    }

    /* A quote first, so that no search for one runs past the padding. */
    copy[text.len] = ' ';
    memset(copy + text.len + 1, '"', simdjson::SIMDJSON_PADDING - 1);

    if (reader->simd->stage1(reinterpret_cast<const uint8_t *>(copy), text.len,
                             simdjson::stage1_mode::regular)
        != simdjson::SUCCESS) {
        return refuse(text, faults);
    }

    walker_t walker(reader, copy, text.len, arena);

    switch (walker.run(root)) {
    case walk_t::ok:
        return POS_OK;
    case walk_t::memory:
        return POS_NO_MEMORY;
    case walk_t::duplicate:
        return refuse_duplicate(walker, copy, text, faults);
    default:
        return refuse(text, faults);
    }
}
