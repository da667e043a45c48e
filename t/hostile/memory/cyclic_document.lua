-- a document that holds itself
-- expect: refused script_error
local t = { id = "hostile", class = "line" } t.effects = { t } return promotion(t)
