-- an endless loop while the file is loaded
-- expect: refused script_limit 3
while true do end
