-- SNAP BI: the published and computed vectors, and what must not be minified.
local snap = require "snap"

local PUBLIC = [[-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApYEdjz++E7Q5RaiTBq/9
u5kh/mW+c94zAo4aJ9HJTA+fMKfD8F01D9Sb98aDKECO4dhrfDfE8J5L7TtnlJlz
KXaYF22Gn5Cz0+3aoxOfRP6CsHlKfDYVIgbItDlBUYZoFJqKHLreIJI0ZwuaSDNM
0ffMvINr0W/j6Fz5mhe+i1o3fXbrc+OoEl1UY3KGujS4diReF1B2o4EUb5T6JYz6
YVVALHKwzrkcJN+BJh3CLhg+27z+c1spW2j1QDmp2zHqxqKBeoMwmELNrXV+BeZ+
C7ozCML9ocZ1/5QNiVGu6x1OgOc5vyp91/wdvXEKCHDJT9IhgTk7SOhVMXIZV07o
bQIDAQAB
-----END PUBLIC KEY-----]]
local BODY = '{"partnerServiceId":"   12345","customerNo":"0001","trxId":"A 1"}'
local AT = "2025-01-02T03:04:05+07:00"
local TOKEN_SIGNATURE = "SjlNF9iakAOycHmv/XxqfxbYX++ll4Wc9i9c/pK9mWe4gCkXxakoT4n7TxVVYUxWUEQ9Z9smaQkYdaTtQJVbDXksw9/KaUtf5xlRF4Af3HZ+4u/V8WVt9NvZSUya8"
  .. "FhLcBK1CxdNMnRPLXW1+XsEDUL6Cgr4QPfp14iEc4cFytkEX+SR7tVi9xQhmzKlyJnWiE9G+5tYg5GPE5BM8byrpWaK92HQAo4Cc/IduikpMnsc02zs/mg7m5xKQgDx+JxCH4A/16nEsx"
  .. "nDZZDEaduLItfjWFR7ycL3ldPQkW0hY/BuCiUBa9y2yFHiNBmoDMflczgBJJOiG+T4YqjfuchYKA=="

return { tests = {
  ["the symmetric vector of the reference"] = function(t)
    t.equal(snap.hash(BODY), "acda3b6528d42507008c36d43eee6b895d0272173cb8201aef560250b40d9ea5")
    local signature = "KxZyntynCCTQEmG9hwqJRUWX/J84V9BbSAYx9xgt+m+UoFCc/M+4JOxJhFdtqusYhuozr7vPPHI5Nu+NQ4PKsQ=="
    t.equal(snap.sign("sekret", "POST", "/v1.0/transfer-va/create-va", "tok-1", BODY, AT), signature)
    t.equal(snap.signed("sekret", "POST", "/v1.0/transfer-va/create-va", "tok-1", BODY, AT, signature), true)
    t.equal(snap.signed("sekret", "PUT", "/v1.0/transfer-va/create-va", "tok-1", BODY, AT, signature), false)
    t.equal(snap.signed("sekret", "POST", "/v1.0/transfer-va/create-va", "tok-2", BODY, AT, signature), false)
    t.equal(snap.signed("sekret", "POST", "/v1.0/transfer-va/create-va", "tok-1", BODY .. " ", AT, signature), true, "white space outside of texts")
    t.equal(snap.signed("sekret", "POST", "/v1.0/transfer-va/create-va", "tok-1", BODY:gsub("A 1", "A1"), AT, signature), false)
    t.equal(snap.signed("sekret", "POST", "/v1.0/transfer-va/create-va", "tok-1", BODY, AT, nil), false)
    t.equal(snap.hash(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  end,
  ["the token's vector of the reference"] = function(t)
    t.equal(crypto.rsa_verify(PUBLIC, "client-1|" .. AT, TOKEN_SIGNATURE), true)
    t.equal(crypto.rsa_verify(PUBLIC, "client-2|" .. AT, TOKEN_SIGNATURE), false)
  end,
  ["only what stands outside of texts is minified"] = function(t)
    for from, to in pairs {
      ['{ "a" : 1.50 , "b" : [ 1 , 2 ] }'] = '{"a":1.50,"b":[1,2]}',
      ['{"a":"x  y\\" z","b":" "}\n'] = '{"a":"x  y\\" z","b":" "}',
      ['{"a":"\\\\" , "b" : "\\u0041 "}'] = '{"a":"\\\\","b":"\\u0041 "}',
      ['\t{\r\n}'] = "{}", [""] = "", ['"open '] = '"open ', ['"a\\'] = '"a\\',
    } do t.equal(snap.minify(from), to) end
  end,
  ["amounts are whole, texts or numbers, and rupiah"] = function(t)
    for value, amount in pairs { ["10000.00"] = 10000, ["1"] = 1 } do t.equal(snap.amount { value = value, currency = "IDR" }, amount) end
    t.equal(snap.amount(json.decode '{"value":10000.00,"currency":"IDR"}'), 10000)
    t.equal(snap.amount { value = 10000 }, 10000)
    for _, bad in ipairs { { value = "0.50", currency = "IDR" }, { value = "1.00", currency = "USD" }, { value = "", currency = "" }, { value = "-5.00" },
      { value = "1e3" }, { value = json.null }, {}, { value = "0.00" }, { value = "99999999999999999999.00" } } do
      t.equal(snap.amount(bad), nil, json.encode(bad))
    end
    t.equal(snap.amount(nil), nil)
    t.equal(snap.money(150000), { value = "150000.00", currency = "IDR" })
  end,
  ["response codes, as texts and numbers"] = function(t)
    t.equal({ snap.code { responseCode = "4042612" } }, { 404, "12", "4042612" })
    t.equal({ snap.code { responseCode = 2002700 } }, { 200, "00", "2002700" })
    t.equal(snap.code { responseCode = "20027000" }, nil)
    t.equal(snap.code {}, nil)
    t.equal(snap.code "x", nil)
    t.equal(snap.failure(403, "14"), "INSUFFICIENT_BALANCE")
    t.equal(snap.failure(403, "03"), "FRAUD_DETECTED")
    t.equal(snap.failure(400, "02"), "INVALID_REQUEST")
    for _, open in ipairs { { 500, "00" }, { 504, "00" }, { 409, "00" }, { 404, "14" }, { 404, "18" }, { 404, "01" }, { 401, "01" } } do
      t.equal(snap.failure(open[1], open[2]), nil, "no answer, or one to be asked about")
    end
  end,
} }
