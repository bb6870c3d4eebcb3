-- time and csv, and the clock that only a test moves.
return { tests = {
  ["zone-less provider times are WIB"] = function(t)
    local ms = time.parse("2026-01-31 10:00:00", "%Y-%m-%d %H:%M:%S", "WIB")
    t.equal(time.format(ms, "rfc3339", "WIB"), "2026-01-31T10:00:00.000+07:00")
  end,
  ["a test's clock stands still until it is moved"] = function(t)
    local began = t.clock.now()
    t.equal(time.now(), began)
    t.clock.advance("2h")
    t.equal(time.now() - began, 2 * 3600 * 1000)
    t.clock.set("2026-03-01T00:00:00+07:00")
    t.equal(time.format(time.now(), "date", "WIB"), "2026-03-01")
    t.error(function() t.clock.set("2025-01-01T00:00:00+07:00") end, "does not go back")
  end,
  ["rows of a text"] = function(t)
    local sum, names = 0, {}
    for row in csv.parse('name,amount\n"Bu ""Ani""",10\n"Pak\nBudi",32\n') do
      names[#names + 1] = row.name
      sum = sum + money.parse(row.amount, "IDR")
    end
    t.equal(sum, 42)
    t.equal(names, { 'Bu "Ani"', "Pak\nBudi" })
  end,
} }
