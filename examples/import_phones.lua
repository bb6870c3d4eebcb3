-- examples/import_phones.lua: a one-off import. Reads phone numbers of customers from a CSV file and
-- stores each under its customer, 50 at a time: a batch is stored whole or not at all, and running it
-- again changes nothing that is right already.
--
--   luwak run examples/import_phones.lua examples/phones.csv --dry-run
local BATCH = 50

-- 0812 3456-789, +62 812..., 62812... are the same number: 628123456789. nil: no Indonesian mobile number.
local function normal(phone)
  local digits = phone:gsub("[%s%-%.]", ""):gsub("^%+", "")
  if digits:sub(1, 1) == "0" then digits = "62" .. digits:sub(2) end
  if not digits:match("^628%d+$") or #digits < 11 or #digits > 14 then return nil end
  return digits
end

local function stored(customer)
  local row = store.get("kv_get", "phones", customer)
  return row and row.value
end

-- Without a place the error is one line, for who named the file.
local function rows_of(file)
  local rows, why = csv.rows(file)
  return rows or error(why, 0)
end

return {
  api = 1, about = "Imports customers' phone numbers from a CSV file with the columns customer and phone.",
  args = {
    { "file", "path", doc = "the CSV file" },
    { "limit", "int", default = 100000, doc = "stop after so many rows" },
    { "strict", "flag", doc = "end with an error at the first wrong number" },
  },

  run = function(args, say)
    local total = 0
    for _ in rows_of(args.file) do total = total + 1 end
    if total > args.limit then total = args.limit end

    local batch, done, new, same, wrong = {}, 0, 0, 0, 0
    local function flush()
      if #batch == 0 then return end
      local ok, why = store.commit(batch)
      if not ok then error("the store took nothing of this batch: " .. why) end
      new, batch = new + #batch, {}
    end

    for row in rows_of(args.file) do
      if done == total then break end
      done = done + 1
      local phone = normal(row.phone)
      if not phone then
        if args.strict then error("row " .. done .. ": no mobile number: " .. row.phone) end
        wrong = wrong + 1
        say("row " .. done .. ": left out, no mobile number: " .. row.phone)
      elseif stored(row.customer) == phone then
        same = same + 1
      else
        batch[#batch + 1] = { "kv_put", scope = "phones", key = row.customer, value = phone }
        if #batch == BATCH then flush() end
      end
      say.progress(done, total)
    end
    flush()
    say(string.format("%d rows: %d stored, %d known already, %d left out", done, new, same, wrong))
  end,
}
