/*
 * A ring that is written without a lock: a writer claims its place by an atomic
 * add, and says last that it is whole. One that is killed in between leaves a
 * place that is never whole.
 */

#include "engine/quarantine.h"

#include <string.h>

static bool
is_printable(char c)
{
    return (unsigned char) c >= 0x20 && (unsigned char) c < 0x7f && c != '"' && c != '\\';
}

static uint32_t
printable(char *out, pos_str_t name)
{
    uint32_t n;

    for (n = 0; n < name.len && n < POS_CULPRIT_NAME; n++) {
        out[n] = is_printable(name.data[n]) ? name.data[n] : '?';
    }
    return n;
}

const pos_culprit_t *
pos_quarantine_add(pos_quarantine_t *quarantine, const uint8_t source[POS_SHA256_SIZE],
    pos_str_t promotion)
{
    unsigned long  place = __atomic_fetch_add(&quarantine->claimed, 1, __ATOMIC_RELAXED);
    pos_culprit_t *culprit = &quarantine->ring[place % POS_QUARANTINE_MAX];

    __atomic_store_n(&culprit->whole, 0, __ATOMIC_SEQ_CST);
    memcpy(culprit->source, source, POS_SHA256_SIZE);
    culprit->len = printable(culprit->promotion, promotion);
    __atomic_store_n(&culprit->whole, 1, __ATOMIC_RELEASE);
    (void) __atomic_fetch_add(&quarantine->changes, 1, __ATOMIC_RELEASE);
    return culprit;
}

static bool
is(const pos_culprit_t *culprit, const uint8_t *source)
{
    return __atomic_load_n(&culprit->whole, __ATOMIC_ACQUIRE) != 0
           && memcmp(culprit->source, source, POS_SHA256_SIZE) == 0;
}

bool
pos_quarantine_holds(const pos_quarantine_t *quarantine, const uint8_t source[POS_SHA256_SIZE])
{
    for (unsigned i = 0; i < POS_QUARANTINE_MAX; i++) {
        if (is(&quarantine->ring[i], source)) {
            return true;
        }
    }
    return false;
}

/* An entry that is being written is not looked at. */
static bool
sound(const pos_culprit_t *culprit)
{
    unsigned long whole = __atomic_load_n(&culprit->whole, __ATOMIC_ACQUIRE);
    uint32_t      i;

    if (whole == 0) {
        return true;
    }
    for (i = 0; i < culprit->len && i < POS_CULPRIT_NAME; i++) {
        if (!is_printable(culprit->promotion[i])) {
            return false;
        }
    }
    return whole == 1 && culprit->len <= POS_CULPRIT_NAME;
}

bool
pos_quarantine_sound(const pos_quarantine_t *quarantine)
{
    for (unsigned i = 0; i < POS_QUARANTINE_MAX; i++) {
        if (!sound(&quarantine->ring[i])) {
            return false;
        }
    }
    return true;
}

const pos_culprit_t *
pos_quarantine_at(const pos_quarantine_t *quarantine, unsigned i)
{
    const pos_culprit_t *culprit = &quarantine->ring[i];

    if (__atomic_load_n(&culprit->whole, __ATOMIC_ACQUIRE) == 0) {
        return NULL;
    }
    for (unsigned k = 0; k < i; k++) {
        if (is(&quarantine->ring[k], culprit->source)) {
            return NULL;
        }
    }
    return culprit;
}
