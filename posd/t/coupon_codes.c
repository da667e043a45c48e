/*
 * Codes are of their pattern, check, and come equally often.
 */

#include "base/t/tap.h"

#include "posd/coupon_codes.h"

#define DRAWN  190000


static int
place_of(char letter)
{
    const char *at = strchr(POS_CODE_LETTERS, letter);

    return at && letter ? (int) (at - POS_CODE_LETTERS) : -1;
}


/* By the rule as it is told, not as it is drawn. */
static bool
checks(const pos_codes_t *codes, const char *code)
{
    int    sum = 0, weight = 1;
    size_t i;

    for (i = codes->count; i-- > 0;) {
        if (place_of(code[codes->places[i]]) < 0) {
            return false;
        }
        sum = (sum + place_of(code[codes->places[i]]) * weight) % POS_CODE_LETTER_COUNT;
        weight = weight * 2 % POS_CODE_LETTER_COUNT;
    }

    return sum == 0;
}


static bool
of_pattern(const pos_codes_t *codes, const char *code)
{
    size_t i;

    for (i = 0; i < codes->len; i++) {
        if (codes->pattern[i] != '#' && code[i] != codes->pattern[i]) {
            return false;
        }
    }

    return true;
}


static void
draws(const char *pattern)
{
    pos_codes_t codes;
    char        code[POS_CODE_PATTERN_MAX];
    long        seen[POS_CODE_LETTER_COUNT] = { 0 };
    int         i, wrong = 0, rare = 0;

    ok(pos_codes_init(&codes, pattern) == POS_OK, "%s is a pattern", pattern);
    for (i = 0; i < DRAWN; i++) {
        if (pos_codes_draw(&codes, code) != POS_OK || !of_pattern(&codes, code) || !checks(&codes, code)) {
            wrong++;
            continue;
        }
        seen[place_of(code[codes.places[0]])]++;
    }
    is_int(wrong, 0, "all codes are of it, and check");

    /* Of 10,000 each, six deviations are 600. */
    for (i = 0; i < POS_CODE_LETTER_COUNT; i++) {
        rare += seen[i] < DRAWN / POS_CODE_LETTER_COUNT - 600 || seen[i] > DRAWN / POS_CODE_LETTER_COUNT + 600;
    }
    is_int(rare, 0, "each letter comes as often as the others");
}


int
main(void)
{
    pos_codes_t codes;
    char        longest[POS_CODE_PATTERN_MAX + 2];

    draws("SUMMER-####-####");
    draws("##");
    draws("#A#B#-");
    memset(longest, '#', sizeof(longest));
    longest[POS_CODE_PATTERN_MAX] = '\0';
    draws(longest);
    longest[POS_CODE_PATTERN_MAX] = '#';
    longest[POS_CODE_PATTERN_MAX + 1] = '\0';
    ok(pos_codes_init(&codes, longest) == POS_INVALID, "one that is too long");
    ok(pos_codes_init(&codes, "SUMMER#") == POS_INVALID, "one with no letter but its check");
    ok(pos_codes_init(&codes, "") == POS_INVALID, "none");
    return tap_done();
}
