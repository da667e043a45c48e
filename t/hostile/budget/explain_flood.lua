-- reasons, of which only the last is told
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 7 do s = s .. s end while true do cart:explain(s) end
  end,
}
