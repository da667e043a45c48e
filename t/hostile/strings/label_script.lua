-- a label that a page might run
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5, "<script>alert(1)</script>'; drop table pos.event; --")
  end,
}
