-- one that goes out of a block and into it again
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 2 do ::top:: if i > 0 then goto top end end
  end,
}
