-- a list of numbers
-- expect: refused
return { 1, 2, 3 }
