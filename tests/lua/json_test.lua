-- json: exact numbers, empty arrays, refusals (design 7).
return { tests = {
  ["integers of 64 bits stay exact"] = function(t)
    t.equal(json.decode("9223372036854775807"), math.maxinteger)
    t.equal(json.encode { amount = math.mininteger }, '{"amount":-9223372036854775808}')
  end,
  ["a number with a fraction keeps its text"] = function(t)
    t.equal(json.encode(json.decode('{"amount":72500.00}')), '{"amount":72500.00}')
    t.equal(json.encode(json.decode("[12345678901234567890]")), "[12345678901234567890]")
  end,
  ["empty arrays and objects stay what they were"] = function(t)
    t.equal(json.encode(json.decode('{"a":[],"o":{}}')), '{"a":[],"o":{}}')
  end,
  ["duplicate keys and rubbish are refused"] = function(t)
    for _, text in ipairs { '{"a":1,"a":2}', "[1,]", "{'a':1}", "nul", "", "[1] x", '"\t"' } do
      local value, why = json.decode(text)
      t.equal(value, nil, text)
      t.truthy(why, text)
    end
  end,
  ["null is a value of its own"] = function(t)
    local v = json.decode('{"a":null}')
    t.truthy(v.a == json.null)
  end,
} }
