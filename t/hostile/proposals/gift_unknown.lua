-- a gift that the shop does not have
-- expect: discount 0
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:gift("NO-SUCH-SKU", 1)
  end,
}
