-- Promotions see this environment and nothing else (docs/promotions-lua.md).
std = {
  read_globals = {
    "promotion", "setting", "re", "json", "math", "table", "string", "ipairs", "pairs", "next", "select",
    "type", "tonumber", "tostring", "error", "assert", "pcall",
  },
}
max_line_length = 130
