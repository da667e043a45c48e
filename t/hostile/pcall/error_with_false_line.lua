-- an error that names a line of its own
-- expect: skipped error line 99999: not mine
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error("script:99999: not mine", 0)
  end,
}
