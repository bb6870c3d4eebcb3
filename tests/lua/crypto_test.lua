-- crypto against published vectors.
return { tests = {
  ["sha256 of abc (FIPS 180-4)"] = function(t)
    t.equal(crypto.sha256("abc", "hex"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  end,
  ["hmac (RFC 4231, case 2)"] = function(t)
    t.equal(crypto.hmac("sha256", "Jefe", "what do ya want for nothing?", "hex"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  end,
  ["a secret never shows"] = function(t)
    local key = secret "DEMO_KEY"
    t.error(function() return tostring(key) end, "never shown")
    t.error(function() return "key: " .. key end)
    t.error(function() return json.encode { key = key } end)
  end,
  ["random numbers follow from the seed"] = function(t)
    t.random(7)
    local first = math.random(1, 1000000)
    t.random(7)
    t.equal(math.random(1, 1000000), first)
  end,
} }
