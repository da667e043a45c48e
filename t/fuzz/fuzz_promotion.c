/* Any bytes as promotions; what is accepted prices carts. */

#include "t/fuzz/fuzz.h"

POS_FUZZ_JSON

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pos_fuzz_t f;

    pos_fuzz_takes_promotions();
    if (!pos_fuzz_open_promotions(&f, pos_str_of((const char *) data, size))) {
        return 0;
    }

    pos_fuzz_quote(&f, pos_str("{\"currency\":\"GBP\",\"store\":\"london\",\"channel\":\"web\",\"at\":\"2026-06-01T12:00:00Z\","
                               "\"coupons\":[\"SAVE10\"],\"tenders\":[\"card\"],\"customer\":{\"id\":\"c\",\"groups\":[\"staff\"],\"orders\":0},"
                               "\"shipping\":{\"method\":\"m\",\"amount\":495},\"explain\":true,\"lines\":["
                               "{\"id\":\"1\",\"sku\":\"BOOT\",\"quantity\":3},{\"id\":\"2\",\"sku\":\"CHEESE\",\"quantity\":0.354},"
                               "{\"id\":\"3\",\"sku\":\"TEE\",\"quantity\":5},{\"id\":\"4\",\"sku\":\"HAT\",\"quantity\":1},"
                               "{\"id\":\"5\",\"sku\":\"WATER\",\"quantity\":6},"
                               "{\"id\":\"6\",\"sku\":\"SHOE\",\"quantity\":2,\"discount\":{\"percent\":5,\"reason\":\"r\"}}]}"));
    pos_fuzz_quote(&f, pos_str("{\"currency\":\"USD\",\"store\":\"denver\",\"channel\":\"pos\",\"at\":\"2026-11-27T18:30:00\","
                               "\"tenders\":[\"cash\"],\"fulfilment\":\"ship\",\"ship_to\":{\"country\":\"US\",\"region\":\"CO\"},"
                               "\"inputs\":{\"usage\":[]},\"lines\":["
                               "{\"id\":\"1\",\"sku\":\"BOOT\",\"quantity\":40},{\"id\":\"2\",\"sku\":\"SHOE\",\"quantity\":3,"
                               "\"price_override\":{\"amount\":777,\"reason\":\"r\"}}]}"));
    pos_fuzz_close(&f);

    return 0;
}
