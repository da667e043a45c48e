-- the same where a name is computed: there is none
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local names = { "_G", "_ENV", "_VERSION", "arg", "package", "shared" }
    for _, name in ipairs(names) do assert(type(name) == "string") end
    cart:items { sku = { "BOOT" } }:percent_off(5, tostring(_G) .. tostring(_ENV) .. tostring(_VERSION))
  end,
}
