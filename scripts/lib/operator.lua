-- scripts/lib/operator.lua: what the operator's tools share: asking the store or ending with a clear
-- line, amounts and times as people read them, files as they are written.
local operator = {}

-- What is wrong is one line for the operator, no place in a script.
function operator.stop(text) error(text, 0) end

function operator.select(sql, ...)
  local list, why = store.select(sql, ...)
  if not list then operator.stop("the store: " .. why) end
  return list
end

function operator.query(name, ...)
  local list, why = store.query(name, ...)
  if not list then operator.stop("the store: " .. why) end
  return list
end

-- Rows in pieces by a growing number `n`, which the statement selects, and takes as ?1.
function operator.each(sql, ...)
  local list, at, after, rest = {}, 0, 0, table.pack(...)
  return function()
    at = at + 1
    if at > #list then
      list, at = operator.select(sql .. " LIMIT 500", after, table.unpack(rest, 1, rest.n)), 1
      if #list == 0 then return nil end
      after = list[#list].n
    end
    return list[at]
  end
end

function operator.stamp(ms) return time.format(ms, "rfc3339", "WIB") end

function operator.rupiah(n) -- 1234567 is Rp1,234,567
  local s = tostring(math.abs(n)):reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
  return (n < 0 and "-Rp" or "Rp") .. s
end

-- "30d" ago, or a day's start in WIB; the option's name is for the error.
function operator.instant(text, name)
  local span = time.duration(text)
  if span then return time.now() - span end
  local start = text:match("^%d%d%d%d%-%d%d%-%d%d$") and time.day_start(text, "WIB")
  if not start then operator.stop("--" .. name .. ": " .. text .. " is no time: say 30d, 12h or a day like 2026-01-31") end
  return start
end

-- Lists of cells, written as they come; close() says whether all of it is there.
function operator.csv(path, header)
  local file, why = io.open(path, "w")
  if not file then operator.stop(why) end
  local good = true
  local function put(row)
    good = file:write(csv.encode { row }) and good
  end
  put(header)
  return { put = put, close = function()
    good = file:close() and good
    if not good then operator.stop(path .. ": not all of it could be written") end
  end }
end

return operator
