-- an error's text is cut before it comes into an answer
-- expect: skipped error boom
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "boom" for i = 1, 10 do s = s .. s end error(s)
  end,
}
