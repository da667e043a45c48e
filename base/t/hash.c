/* Digests, checksums and encodings against published vectors. */

#include "base/arena.h"
#include "base/hash.h"
#include "base/t/tap.h"


static pos_str_t
hex_of(pos_arena_t *arena, const uint8_t *bytes, size_t len)
{
    char *out = pos_arena_alloc(arena, 2 * len + 1);

    pos_hex(pos_str_of((const char *) bytes, len), out);

    return pos_str_of(out, 2 * len);
}


static void
sha(pos_arena_t *arena)
{
    int          i;
    uint8_t      out[POS_SHA256_SIZE];
    pos_sha256_t ctx;

    pos_sha256(pos_str(""), out);
    is_str(hex_of(arena, out, 32), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
           "SHA-256 of nothing");
    pos_sha256(pos_str("abc"), out);
    is_str(hex_of(arena, out, 32), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
           "SHA-256 of abc");

    pos_sha256_init(&ctx);
    for (i = 0; i < 10000; i++) {
        pos_sha256_update(&ctx, pos_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
    }
    pos_sha256_final(&ctx, out);
    is_str(hex_of(arena, out, 32), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
           "SHA-256 of a million a");
}


/* RFC 4231. */
static void
hmac(pos_arena_t *arena)
{
    char           secret[131];
    uint8_t        out[POS_SHA256_SIZE];
    pos_hmac_key_t key;

    memset(secret, 0x0b, 20);
    pos_hmac_key(&key, pos_str_of(secret, 20));
    pos_hmac(&key, pos_str("Hi There"), out);
    is_str(hex_of(arena, out, 32), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
           "HMAC, case 1");
    pos_hmac(&key, pos_str("Hi There"), out);
    is_str(hex_of(arena, out, 32), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
           "and the key can be used again");

    pos_hmac_key(&key, pos_str("Jefe"));
    pos_hmac(&key, pos_str("what do ya want for nothing?"), out);
    is_str(hex_of(arena, out, 32), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
           "HMAC, case 2");

    memset(secret, 0xaa, sizeof(secret));
    pos_hmac_key(&key, pos_str_of(secret, sizeof(secret)));
    pos_hmac(&key, pos_str("Test Using Larger Than Block-Size Key - Hash Key First"), out);
    is_str(hex_of(arena, out, 32), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
           "HMAC, case 6: a long key");

    ok(pos_equal_secret(out, out, 32), "a secret equals itself");
    out[31] ^= 1;
    ok(!pos_equal_secret(out, (const uint8_t *) secret, 32), "and not another");
}


/* RFC 3720, B.4. */
static void
crc(void)
{
    int      wrong = 0;
    char     bytes[300];
    size_t   i, j;
    uint64_t state = 1;

    memset(bytes, 0, 32);
    is_int(pos_crc32c(0, pos_str_of(bytes, 32)), 0x8a9136aa, "CRC32C of zeros");
    memset(bytes, 0xff, 32);
    is_int(pos_crc32c(0, pos_str_of(bytes, 32)), 0x62a8ab43, "CRC32C of ones");
    for (i = 0; i < 32; i++) {
        bytes[i] = (char) i;
    }
    is_int(pos_crc32c(0, pos_str_of(bytes, 32)), 0x46dd794e, "CRC32C rising");
    is_int(pos_crc32c(0, pos_str("123456789")), 0xe3069283, "CRC32C of 123456789");
    is_int(pos_crc32c_portable(0, pos_str("123456789")), 0xe3069283, "the same by table");
    is_int(pos_crc32c(pos_crc32c(0, pos_str("1234")), pos_str("56789")), 0xe3069283, "in two pieces");
    is_int(pos_crc32c(0, pos_str("")), 0, "of nothing");

    for (i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (char) tap_random(&state);
    }
    for (i = 0; i < 16; i++) {
        for (j = i; j < sizeof(bytes); j += 7) {
            pos_str_t s = pos_str_of(bytes + i, j - i);
            wrong += pos_crc32c(0, s) != pos_crc32c_portable(0, s);
        }
    }
    is_int(wrong, 0, "both ways agree at every length and alignment");
}


static void
table_hash(void)
{
    int        same = 0;
    char       a[64], b[64];
    size_t     i, n;
    unsigned   buckets[256] = { 0 }, most = 0;

    for (n = 0; n < 64; n++) {
        memset(a, 'x', sizeof(a));
        for (i = 0; i < n; i++) {
            memcpy(b, a, sizeof(b));
            b[i] ^= 1;
            same += pos_hash64(pos_str_of(a, n)) == pos_hash64(pos_str_of(b, n));
        }
        same += n > 0 && pos_hash64(pos_str_of(a, n)) == pos_hash64(pos_str_of(a, n - 1));
    }
    is_int(same, 0, "each byte and the length count");
    ok(pos_hash64_seeded(pos_str("abc"), 1) != pos_hash64_seeded(pos_str("abc"), 2), "the seed too");

    for (i = 0; i < 25600; i++) {
        n = (size_t) snprintf(a, sizeof(a), "SKU-%05zu", i);
        most = ++buckets[pos_hash64(pos_str_of(a, n)) & 255] > most ? buckets[pos_hash64(pos_str_of(a, n)) & 255] : most;
    }
    ok(most < 150, "names in a row spread evenly (most %u of 100)", most);
}


static void
encodings(pos_arena_t *arena)
{
    static const char *const bad[] = { "A", "AB", "AAB", "A=", "AA==", "A+BC", "A/BC", "A BC", "AAAAA" };
    char    text[64];
    size_t  i, len, wrong = 0;
    uint8_t bytes[64];

    is_str(hex_of(arena, (const uint8_t *) "\x00\xff\x1a", 3), "00ff1a", "hex");
    ok(pos_unhex(pos_str("00fF1A"), bytes) && memcmp(bytes, "\x00\xff\x1a", 3) == 0, "unhex, either case");
    ok(!pos_unhex(pos_str("0"), bytes) && !pos_unhex(pos_str("0g"), bytes), "unhex refuses");

    is_str(pos_str_of(text, pos_base64url(pos_str("fo"), text)), "Zm8", "base64url");
    is_str(pos_str_of(text, pos_base64url(pos_str("\xfb\xff\xfe"), text)), "-__-", "its own two digits");
    is_str(pos_str_of(text, pos_base64url(pos_str(""), text)), "", "of nothing");
    for (i = 0; i < 40; i++) {
        char source[40];
        memset(source, (int) (0x5a + i), i);
        len = pos_base64url(pos_str_of(source, i), text);
        wrong += !pos_unbase64url(pos_str_of(text, len), bytes, &len) || len != i || memcmp(bytes, source, i);
    }
    is_int(wrong, 0, "there and back");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(!pos_unbase64url(pos_str_z(bad[i]), bytes, &len), "refused: %s", bad[i]);
    }
}


static void
ids(void)
{
    char    out[32], later[32];
    uint8_t random[10] = { 0 };

    pos_id_write("ord_", INT64_C(1469918176385000), random, out);
    ok(memcmp(out, "ord_01ARYZ6S41", 14) == 0 && strlen(out) == 30, "a ULID's time (%s)", out);
    is_str(pos_str_z(out + 14), "0000000000000000", "and its randomness");
    memset(random, 0xff, sizeof(random));
    pos_id_write("ord_", INT64_C(1469918176385000), random, out);
    is_str(pos_str_z(out + 14), "ZZZZZZZZZZZZZZZZ", "all of it");
    memset(random, 0, sizeof(random));
    pos_id_write("ord_", INT64_C(1469918176386000), random, later);
    ok(strcmp(out, later) < 0, "ids sort by time");
}


int
main(void)
{
    pos_arena_t *arena = pos_arena_create(4096, 0);

    sha(arena);
    hmac(arena);
    crc();
    table_hash();
    encodings(arena);
    ids();
    pos_arena_destroy(arena);

    return tap_done();
}
