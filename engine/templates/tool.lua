-- luwak run scripts/tools/@NAME@.lua FILE --dry-run
return {
  api = 1, about = "Adds up the amounts in a CSV file.",
  args = { { "file", "path" } },
  run = function(args, say)
    local total, rows = 0, 0
    for row in assert(csv.rows(args.file)) do
      total = total + money.parse(row.amount, "IDR")
      rows = rows + 1
      say.progress(rows)
    end
    say.line(string.format("%d rows, %s", rows, money.format(total, "IDR")))
  end,
}
