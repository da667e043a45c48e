-- an error of the host tells where its files lie
-- expect: discount 500 clean
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local said = {}
    for _, f in ipairs { function() error() end, function() local x = nil + 1 end, function() re.match("a", "(") end, function() json.decode(1, 2, 3) cart.x = 1 end } do
      local _, why = pcall(f) said[#said + 1] = tostring(why)
    end
    local all = table.concat(said, " ")
    cart:message((all:find("/", 1, true) or all:find(".c:", 1, true) or all:find("0x", 1, true)) and all or "clean")
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
