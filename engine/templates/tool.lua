-- luwak run scripts/tools/@NAME@.lua FILE --dry-run
return {
  api = 1, about = "Adds up the amounts in a CSV file.",
  args = { { "file", "path" } },
  run = function(args, say)
    local file, why = csv.rows(args.file)
    if not file then error(why, 0) end -- without a place: one line, for who named the file
    local total, rows = 0, 0
    for row in file do
      total = total + money.parse(row.amount, "IDR")
      rows = rows + 1
      say.progress(rows)
    end
    say.line(string.format("%d rows, %s", rows, money.format(total, "IDR")))
  end,
}
