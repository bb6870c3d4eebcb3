-- scripts/lib/operator.lua: what the operator's tools and jobs share: asking the store or ending with a
-- clear line, amounts and times as people read them.
local operator = {}

-- What is wrong is one line for the operator, no place in a script.
function operator.stop(text) error(text, 0) end

function operator.query(name, ...)
  local list, why = store.query(name, ...)
  if not list then operator.stop("the store: " .. why) end
  return list
end

function operator.walk(piece) -- piece(after): the rows behind that `n`
  local list, at, after = {}, 0, 0
  return function()
    at = at + 1
    if at > #list then
      list, at = piece(after), 1
      if #list == 0 then return nil end
      after = list[#list].n
    end
    return list[at]
  end
end

-- Rows in pieces by a growing number `n`, which the named query gives, and takes as ?1.
function operator.pages(name, ...)
  local rest = table.pack(...)
  return operator.walk(function(after) return operator.query(name, after, table.unpack(rest, 1, rest.n)) end)
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

return operator
