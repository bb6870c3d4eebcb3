-- QRIS payloads: a published one, what is made, what is refused.
local qris = require "qris"

local PUBLISHED = "00020101021226580006id.ovo01189360091200006049620215yq38ZDs7MI6oaz50303UKE51450015ID.OR.GPNQR.WWW0215"
  .. "ID10200416988350303UKE52045812530336054065000005802ID5911Tims Donuts6013Jakarta Barat61051161062310507VCcCtqJ0716"
  .. "HgxK16eFVHfvKnGO63048A85"

local function sealed(body)
  body = body .. "6304"
  return body .. ("%04X"):format(crypto.crc16(body))
end

local function new(more)
  local what = { accounts = { { domain = "ID.CO.BCA.WWW", pan = "936000140000000001", merchant_id = "M1", criteria = "UMI" } },
    nmid = "ID1020000000001", mcc = "5812", name = "Warung Ani", city = "Bandung", postal_code = "40111", amount = 15000, reference = "inv-1" }
  for name, value in pairs(more or {}) do what[name] = value ~= "none" and value or nil end
  return what
end

return { tests = {
  ["the checksum's published value"] = function(t)
    t.equal(("%04X"):format(crypto.crc16 "123456789"), "29B1")
  end,

  ["a published payload is read"] = function(t)
    t.equal(qris.read(PUBLISHED), { dynamic = true, amount = 500000, amount_text = "500000", name = "Tims Donuts", city = "Jakarta Barat",
      postal_code = "11610", mcc = "5812", currency = "360", country = "ID", nmid = "ID1020041698835", reference = "VCcCtqJ",
      terminal = "HgxK16eFVHfvKnGO",
      accounts = { { id = "26", domain = "id.ovo", pan = "936009120000604962", merchant_id = "yq38ZDs7MI6oaz5", criteria = "UKE" } } })
    t.equal(qris.encode(qris.parse(PUBLISHED)), PUBLISHED, "and written again, byte by byte")
  end,

  ["every damaged byte is seen"] = function(t)
    for i = 1, #PUBLISHED do
      local byte = PUBLISHED:byte(i)
      local damaged = PUBLISHED:sub(1, i - 1) .. string.char(byte ~ 1) .. PUBLISHED:sub(i + 1)
      t.equal(qris.parse(damaged), nil, "byte " .. i)
      local cut, why = qris.parse(PUBLISHED:sub(1, i - 1))
      t.equal(cut, nil)
      t.equal(type(why), "string")
    end
  end,

  ["placeholders and texts that are no payload"] = function(t)
    for _, text in ipairs { "", "6304", "x", "00020163041234", (PUBLISHED:gsub("8A85$", "ABCD")), sealed "0002020102", sealed "000201000201",
      sealed "00020126", sealed "0002015299abc", sealed "000201xx02ab", sealed "010212", ("0"):rep(3000) } do
      local p, why = qris.parse(text)
      t.equal(p, nil, text:sub(1, 20))
      t.equal(type(why), "string")
    end
    t.equal(qris.parse(nil), nil)
  end,

  ["unknown ids and templates that are none are kept"] = function(t)
    local text = sealed("000201010211" .. "300512345" .. "52035815303360" .. "5409100003.00" .. "5802ID" .. "5944"
      .. ("N"):rep(44) .. "6007Bandung" .. "8112zzOwn thing!")
    local p = qris.parse(text)
    t.equal(qris.get(p, "30"), "12345")
    t.equal(qris.get(p, "81"), "zzOwn thing!")
    t.equal(qris.read(text).amount, 100003)
    t.equal(#qris.read(text).name, 44, "real codes break small rules")
    t.equal(qris.encode(p), text)
    t.equal(qris.read(text:sub(1, -5) .. text:sub(-4):lower()).amount, 100003, "small letters in the checksum")
  end,

  ["lengths count characters, the checksum bytes"] = function(t)
    local text = sealed("000201010211" .. "6422" .. "0002zh" .. "01052店名店名店" .. "0203abc")
    local p = qris.parse(text)
    t.equal(p, nil, "2店名店名 is five characters, then 店 is no id")
    text = sealed("000201010211" .. "6420" .. "0002zh" .. "0103店名A" .. "0203abc")
    p = qris.parse(text)
    t.equal(qris.get(p, "64", "01"), "店名A")
    t.equal(qris.encode(p), text)
  end,

  ["what is built reads the same"] = function(t)
    local text = qris.build(new())
    t.equal(text:sub(1, 12), "000201010212")
    local r = qris.read(text)
    t.equal(r.amount, 15000)
    t.equal(r.reference, "inv-1")
    t.equal(r.nmid, "ID1020000000001")
    t.equal(r.accounts[1].domain, "ID.CO.BCA.WWW")
    t.equal(qris.encode(qris.parse(text)), text)
    t.equal(qris.read(qris.build(new { static = true, amount = "none" })).dynamic, false)
  end,

  ["what may not be built is refused by name"] = function(t)
    for name, bad in pairs { name = ("x"):rep(26), city = "a|b", mcc = "581", postal_code = "none", amount = 0, nmid = ("1"):rep(16),
      reference = ("r"):rep(26), colour = "red", accounts = { { domain = "" } } } do
      t.error(function() qris.build(new { [name] = bad }) end, name)
    end
    t.error(function() qris.build(new { static = true, nmid = "none" }) end, "nmid")
    t.error(function() qris.build(new { amount = 1.5 }) end, "amount")
    t.error(function() qris.build(new { amount = 10 ^ 15 // 1 | 0 }) end, "amount")
  end,

  ["static becomes dynamic, and nothing inside a value is touched"] = function(t)
    local static = sealed("000201010211" .. "26180006id.ovo0104ab12" .. "52045812" .. "5303360" .. "550201" .. "5802ID" .. "59125802ID Donut" .. "6007Bandung")
    local text = qris.dynamic(static, { amount = 25000, reference = "inv-9" })
    local r = qris.read(text)
    t.equal(r.dynamic, true)
    t.equal(r.amount, 25000)
    t.equal(r.name, "5802ID Donut")
    t.equal(r.reference, "inv-9")
    t.equal(qris.get(qris.parse(text), "55"), nil, "no tip of before")
    t.truthy(text:find("5405250005802ID", 1, true), "54 stands before 58")
    local again = qris.read(qris.dynamic(PUBLISHED, { amount = 7, bill = "b1" }))
    t.equal(again.amount, 7)
    t.equal(again.bill, "b1")
    t.equal(again.terminal, "HgxK16eFVHfvKnGO", "the rest of 62 stays")
    t.equal(qris.dynamic(static, { amount = 0 }), nil)
    t.equal(qris.dynamic("x", { amount = 1 }), nil)
  end,

  ["what cannot be made is told, not raised"] = function(t)
    local empty = sealed("000201010211" .. "26180006id.ovo0104ab12" .. "5900" .. "6007Bandung" .. "62080100" .. "0700")
    t.equal(qris.encode(qris.parse(empty)), empty, "an empty field goes as it came")
    t.equal(qris.read(qris.dynamic(empty, { amount = 5, reference = "r" })).reference, "r")
    local full = sealed("000201010211" .. "6290" .. "0786" .. ("t"):rep(86))
    for name, what in pairs { amount = { amount = 10 ^ 13 // 1 | 0 }, bill = { amount = 1, bill = ("b"):rep(26) }, reference = { amount = 1, reference = "" },
      ["id 62"] = { amount = 1, reference = ("r"):rep(25) } } do
      local text, why = qris.dynamic(full, what)
      t.equal(text, nil, name)
      t.truthy(why:find(name, 1, true), why)
    end
    t.equal(qris.dynamic(full, { amount = 1, bill = 7 }), nil)
    local long, why = qris.encode { { id = "00", value = ("x"):rep(100) } }
    t.equal(long, nil)
    t.truthy(why:find "99 at most", why)
  end,

  ["what the simulator shows is a payload"] = function(t)
    local d = t.call("channels/midtrans_qris.lua", "create", { id = "op_1", kind = "create", reference = "q1", input = { amount = 12345 } })
    t.equal(qris.read(d.qr_string).amount, 12345)
  end,

  ["it is drawn"] = function(t)
    t.equal(qr.png(PUBLISHED):sub(1, 8), "\137PNG\r\n\26\n")
    t.truthy(qr.svg(PUBLISHED):find("^<svg "))
    t.equal(qr.png(""), nil)
    t.equal(select(3, qr.svg(("x"):rep(1025))), "E_LIMIT")
    t.error(function() qr.png("x", 17) end, "1 to 16")
  end,
} }
