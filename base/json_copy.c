/*
 * JSON that was read, written again: always on one line, since answers may be
 * rows of NDJSON, whatever white space the sender had in it.
 */

#include "base/json_write.h"


static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}


void
pos_write_compact(pos_writer_t *w, pos_str_t json)
{
    bool   quoted = false;
    size_t from = 0;

    pos_write_raw(w, pos_str(""));    /* the comma */

    for (size_t i = 0; i < json.len; i++) {
        if (quoted && json.data[i] == '\\') {
            i++;
        } else if (json.data[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && is_space(json.data[i])) {
            pos_write_bytes(w, (pos_str_t) { json.data + from, i - from });
            from = i + 1;
        }
    }

    pos_write_bytes(w, (pos_str_t) { json.data + from, json.len - from });
    w->comma = true;
}


static void
pos_write_members(pos_writer_t *w, const pos_json_t *value)
{
    const pos_json_t *member;

    for (member = value->first; member; member = member->next) {
        if (value->type == POS_JSON_OBJECT) {
            pos_write_key_str(w, member->key);
        }

        pos_write_json(w, member);
    }
}


void
pos_write_json(pos_writer_t *w, const pos_json_t *value)
{
    switch ((pos_json_type_t) value->type) {
    case POS_JSON_NULL:
        pos_write_null(w);
        break;
    case POS_JSON_FALSE:
        pos_write_bool(w, false);
        break;
    case POS_JSON_TRUE:
        pos_write_bool(w, true);
        break;
    case POS_JSON_NUMBER:
        pos_write_raw(w, value->text);
        break;
    case POS_JSON_STRING:
        pos_write_string(w, value->text);
        break;
    case POS_JSON_ARRAY:
        pos_write_array_begin(w);
        pos_write_members(w, value);
        pos_write_array_end(w);
        break;
    case POS_JSON_OBJECT:
        pos_write_object_begin(w);
        pos_write_members(w, value);
        pos_write_object_end(w);
        break;
    }
}
