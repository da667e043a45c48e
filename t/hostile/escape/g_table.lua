-- the table of globals
-- expect: skipped error attempt to index global '_G'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    _G.pairs = nil
  end,
}
