-- settings changed in a quote
-- expect: skipped error this table is read-only
return promotion { id = "hostile", class = "line", settings = { a = { type = "percent", default = 5 } }, apply = function(cart) cart.settings.a = 100 end }
