/*
 * The price lock: whoever has a token has what was quoted for just this cart, and no
 * other figure; whatever is changed in it, it is no token of ours any more.
 */

#include "engine/t/shop.h"
#include "engine/token.h"

#define BOOK \
    "{\"retailer\":{\"code\":\"r\",\"currency\":\"GBP\",\"token_key\":\"000102030405060708090a0b0c0d0e0f\",\"token_ttl_seconds\":60}," \
    SHOP_GOODS ",\"prices\":[{\"sku\":\"BOOT\",\"list\":\"base\",\"amount\":5000},{\"sku\":\"TEE\",\"list\":\"base\",\"amount\":1000}," \
    "{\"sku\":\"CHEESE\",\"list\":\"base\",\"amount\":1200}]," \
    "\"promotions\":[{\"id\":\"ten\",\"class\":\"line\",\"then\":[{\"percent_off\":10,\"items\":{\"sku\":[\"BOOT\"]}}]}]}"

static pos_hmac_key_t key;

static bool
token_of(shop_t *s, const char *request, uint8_t raw[POS_TOKEN_MAX], pos_token_t *out)
{
    pos_quote_options_t options = shop_options(s);
    pos_quote_stats_t   stats;
    pos_str_t           token = shop_member(s, shop_quote(s, &options, request, &stats), "token");

    return token.len > 0 && pos_token_read(token, &key, raw, out);
}

static void
test_quote(shop_t *s)
{
    static uint8_t      raw[POS_TOKEN_MAX];
    pos_quote_options_t options = shop_options(s);
    pos_quote_stats_t   stats;
    pos_token_t         token;

    ok(token_of(s, "{\"store\":\"london\",\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}]}", raw, &token), "a quote carries a token that is ours");
    is_int(token.total, 9000, "with its total");
    is_int(token.tax, 1500, "its tax");
    is_int(token.discount, 1000, "its discount");
    is_int(token.expires - options.now, 60 * 1000000, "for as long as the retailer says");
    is_str(token.revision, "r1", "and the revision");

    is_str(shop_member(s, shop_quote(s, &options, "{\"at\":\"2026-06-01T12:00:00Z\",\"lines\":[{\"sku\":\"TEE\",\"quantity\":1}]}", &stats), "token"),
        "", "a simulated quote has none");
    options.now = INT64_MAX - 1000;
    is_str(shop_member(s, shop_quote(s, &options, "{\"lines\":[{\"sku\":\"TEE\",\"quantity\":1}]}", &stats), "token"),
        "", "nor has one at the end of all times");
}

/* What is asked for is in the digest, and how it was written is not. */
static void
test_digest(shop_t *s)
{
    static const char *const same[] = {
        "{\"store\":\"london\",\"channel\":\"web\",\"customer\":{\"id\":\"c\",\"groups\":[\"a\",\"b\"]},\"tenders\":[\"card\",\"cash\"],"
        "\"attributes\":{\"x\":\"1\",\"y\":\"2\"},\"lines\":[{\"id\":\"1\",\"sku\":\"BOOT\",\"quantity\":2,\"attributes\":{\"p\":\"q\"}}],\"explain\":true}",
        "{\"lines\":[{\"quantity\":2,\"sku\":\"BOOT\",\"attributes\":{\"p\":\"q\"},\"id\":\"1\"}],\"attributes\":{\"y\":\"2\",\"x\":\"1\"},"
        "\"tenders\":[\"cash\",\"card\"],\"customer\":{\"groups\":[\"b\",\"a\"],\"id\":\"c\"},\"channel\":\"web\",\"store\":\"london\",\"session\":\"s\"}",
    };
    static const char *const other[] = {
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":3}]}",
        "{\"lines\":[{\"sku\":\"TEE\",\"quantity\":2}]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"store\":\"london\"}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"channel\":\"web\"}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"customer\":{\"id\":\"c\"}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"customer\":{\"id\":\"c\",\"groups\":[\"a\"]}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"customer\":{\"id\":\"c\",\"orders\":0}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"customer\":{\"id\":\"c\",\"birthday\":\"1990-01-01\"}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"customer\":{\"id\":\"c\",\"tax_exempt\":true}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"coupons\":[\"X\"]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"tenders\":[\"card\"]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"fulfilment\":\"ship\"}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"ship_to\":{\"country\":\"GB\"}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"ship_to\":{\"country\":\"GB\",\"region\":\"X\"}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"attributes\":{\"a\":\"b\"}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"shipping\":{\"method\":\"m\",\"amount\":0}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2}],\"shipping\":{\"method\":\"m\",\"amount\":1}}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2},{\"sku\":\"TEE\",\"quantity\":1}]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2,\"attributes\":{\"a\":\"b\"}}]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2,\"tax_category\":\"zero\"}]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2,\"price_override\":{\"amount\":5000,\"reason\":\"r\"}}]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2,\"discount\":{\"amount\":5,\"reason\":\"r\"}}]}",
        "{\"lines\":[{\"sku\":\"BOOT\",\"quantity\":2,\"discount\":{\"percent\":5,\"reason\":\"r\"}}]}",
    };
    enum { OTHERS = sizeof(other) / sizeof(other[0]) };
    static uint8_t raw[OTHERS + 2][POS_TOKEN_MAX];
    pos_token_t    tokens[OTHERS], a, b;
    int            alike = 0, read = 0;

    ok(token_of(s, same[0], raw[OTHERS], &a) && token_of(s, same[1], raw[OTHERS + 1], &b)
            && memcmp(a.digest, b.digest, POS_SHA256_SIZE) == 0, "the same cart, written otherwise, has the same digest");
    for (int i = 0; i < OTHERS; i++) {
        read += token_of(s, other[i], raw[i], &tokens[i]);
        for (int k = 0; k < i; k++) {
            if (memcmp(tokens[i].digest, tokens[k].digest, POS_SHA256_SIZE) == 0) {
                printf("# %s\n# %s\n", other[k], other[i]);
                alike++;
            }
        }
    }
    is_int(read, OTHERS, "each of %d carts has a token", OTHERS);
    is_int(alike, 0, "whatever differs in what is asked for, the digest does");
}

static void
test_forged(void)
{
    static const char   letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    static uint8_t      raw[POS_TOKEN_MAX];
    static char         text[POS_TOKEN_MAX], longest[POS_TOKEN_REVISION_MAX + 1];
    pos_token_t         token = { .expires = -1, .total = INT64_MAX, .tax = 7, .discount = 0, .revision = pos_str("5-abc") }, read;
    pos_hmac_key_t      other;
    size_t              len;
    int                 taken = 0;

    pos_hmac_key(&other, pos_str("another retailer's"));
    memset(token.digest, 0x5a, sizeof(token.digest));
    len = pos_token_write(&token, &key, text);
    ok(pos_token_read(pos_str_of(text, len), &key, raw, &read) && read.expires == -1 && read.total == INT64_MAX && read.tax == 7
            && memcmp(read.digest, token.digest, POS_SHA256_SIZE) == 0, "what was written is read, to the ends of the numbers");
    is_str(read.revision, "5-abc", "and its revision");
    ok(!pos_token_read(pos_str_of(text, len), &other, raw, &read), "not by another retailer's key");
    for (size_t i = 0; i < len; i++) {
        char was = text[i];

        for (int k = 0; k < 63; k += 21) {
            text[i] = letters[((size_t) (strchr(letters, was) - letters) + 1 + (size_t) k) % 64];
            /* The last sign may carry bits that stand for nothing: it must be refused, or say the same. */
            taken += pos_token_read(pos_str_of(text, len), &key, raw, &read) && (i + 1 < len || read.total != INT64_MAX);
        }
        text[i] = was;
    }
    is_int(taken, 0, "not with any sign changed");
    for (size_t i = 0; i < len; i++) {
        taken += pos_token_read(pos_str_of(text, i), &key, raw, &read);
    }
    is_int(taken, 0, "nor cut off anywhere");
    ok(!pos_token_read(pos_str("not a token"), &key, raw, &read), "nor what is no base64url");

    memset(longest, 'r', sizeof(longest));
    token.revision = pos_str_of(longest, POS_TOKEN_REVISION_MAX);
    len = pos_token_write(&token, &key, text);
    ok(len > 0 && len <= POS_TOKEN_MAX && pos_token_read(pos_str_of(text, len), &key, raw, &read) && read.revision.len == POS_TOKEN_REVISION_MAX,
        "the longest revision fits");
    token.revision = pos_str_of(longest, POS_TOKEN_REVISION_MAX + 1);
    is_int(pos_token_write(&token, &key, text), 0, "and a longer one makes no token");
    token.revision = pos_str("");
    len = pos_token_write(&token, &key, text);
    ok(pos_token_read(pos_str_of(text, len), &key, raw, &read) && read.revision.len == 0, "an empty one does");
}

int
main(void)
{
    shop_t  shop;
    uint8_t bytes[16];

    for (int i = 0; i < 16; i++) {
        bytes[i] = (uint8_t) i;
    }
    pos_hmac_key(&key, pos_str_of((const char *) bytes, sizeof(bytes)));
    if (!ok(shop_open(&shop, BOOK), "a retailer with a key of its own")) {
        return tap_done();
    }
    test_quote(&shop);
    test_digest(&shop);
    test_forged();
    shop_close(&shop);
    return tap_done();
}
