-- scripts/lib/checkout_text.lua: what the checkout says, in Indonesian and English, and how one pays at
-- each bank. A text that one language lacks is a mistake of ours: a test holds the two side by side.
local text = {}

text.languages = { "id", "en" }

text.id = {
  title = "Pembayaran", to = "Pembayaran ke", order = "Pesanan", total = "Total pembayaran", amount = "Jumlah",
  fee = "Biaya layanan", no_fee = "Tanpa biaya", from = "Mulai", up_to = "Maks.", plus = "Biaya", before = "Bayar sebelum", left = "Sisa waktu",
  choose = "Pilih cara pembayaran", other = "Ganti cara bayar", back = "Kembali", pay_with = "Bayar dengan", pay_at = "Bayar di", continue = "Lanjutkan",
  secure = "Pembayaran aman dan terenkripsi", language = "Bahasa", skip = "Langsung ke pembayaran", copy = "Salin", copied = "Tersalin",
  simulated = "Mode simulasi: tidak ada uang sungguhan.", simulate = "Bayar (simulasi)",
  virtual_account = "Virtual account", bank_transfer = "Transfer bank", qris = "QRIS", ewallet = "Dompet digital",
  paylater = "Bayar nanti", card = "Kartu kredit atau debit", retail = "Gerai ritel", badge_card = "KARTU", badge_code = "KODE",
  qris_hint = "Aplikasi bank dan dompet digital", qr_alt = "Kode QR untuk pembayaran ini", download = "Unduh kode QR",
  va_number = "Nomor virtual account", biller_code = "Kode perusahaan", bill_key = "Nomor pembayaran", payment_code = "Kode pembayaran",
  account_number = "Nomor rekening", account_holder = "Atas nama", transfer_amount = "Jumlah transfer", bank = "Bank", outlet = "Gerai",
  exact = "Transfer tepat sampai tiga digit terakhir agar pembayaran dikenali otomatis.", open_app = "Buka aplikasi", go_on = "Lanjut ke halaman pembayaran",
  redirect_hint = "Anda akan melanjutkan di halaman resmi penyedia pembayaran, lalu kembali ke sini.", push_hint = "Setujui pembayaran di ponsel Anda.",
  how = "Cara membayar", waiting = "Menunggu pembayaran", waiting_hint = "Halaman ini berubah sendiri begitu pembayaran diterima.",
  refresh = "Periksa status", preparing = "Menyiapkan pembayaran", preparing_hint = "Biasanya beberapa detik. Jangan membayar dua kali.",
  held = "Sedang diperiksa", held_hint = "Pembayaran ini kami periksa dulu. Anda bisa menutup halaman ini dan kembali lagi nanti.",
  received = "Sudah kami terima", remaining = "Sisa yang harus dibayar",
  success = "Pembayaran berhasil", success_hint = "Terima kasih. Pembayaran Anda sudah kami terima.", paid_at = "Dibayar",
  failed = "Pembayaran gagal", failed_hint = "Tidak ada dana yang diambil. Silakan coba lagi dari toko.",
  expired = "Waktu pembayaran habis", expired_hint = "Jangan membayar dengan nomor atau kode yang lama. Buat pesanan baru di toko.",
  cancelled = "Pembayaran dibatalkan", cancelled_hint = "Pesanan ini tidak perlu dibayar lagi.", return_shop = "Kembali ke toko",
  reference = "Nomor referensi", again = "Cara itu tidak berhasil. Tidak ada dana yang diambil; silakan pilih cara lain.",
  no_way = "Belum ada cara pembayaran yang tersedia untuk jumlah ini. Silakan hubungi toko.", not_found = "Tautan pembayaran tidak ditemukan",
  not_found_hint = "Periksa kembali tautan yang Anda terima dari toko.", busy = "Sedang sibuk. Silakan coba lagi sebentar lagi.",
  changed = "Pembayaran ini sudah berubah. Berikut keadaannya sekarang.", wrong_field = "Periksa kembali isian ini.", refused = "Cara ini tidak dapat dipakai untuk pembayaran ini. Silakan pilih cara lain.",
  phone = "Nomor ponsel", email = "Alamat email", name = "Nama", cashtag = "Cashtag", tenor = "Tenor (bulan)", phone_hint = "Contoh: 081234567890",
  replaced = "Nomor atau kode yang lama tidak berlaku lagi.", keep = "Pesanan Anda tetap tersimpan.",
  insufficient = "Saldo tidak mencukupi.", declined = "Ditolak oleh penerbit.", fraud = "Pembayaran ini tidak dapat diproses.",
  day = "hari", months = { "Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des" },
}

text.en = {
  title = "Payment", to = "Payment to", order = "Order", total = "Total to pay", amount = "Amount",
  fee = "Service fee", no_fee = "No extra fee", from = "From", up_to = "Up to", plus = "Fee", before = "Pay before", left = "Time left",
  choose = "Choose how to pay", other = "Pay another way", back = "Back", pay_with = "Pay with", pay_at = "Pay at", continue = "Continue",
  secure = "Secure, encrypted payment", language = "Language", skip = "Skip to payment", copy = "Copy", copied = "Copied",
  simulated = "Simulated mode: no real money.", simulate = "Pay (simulated)",
  virtual_account = "Virtual account", bank_transfer = "Bank transfer", qris = "QRIS", ewallet = "E-wallet",
  paylater = "Pay later", card = "Credit or debit card", retail = "Convenience store", badge_card = "CARD", badge_code = "CODE",
  qris_hint = "Any banking or wallet app", qr_alt = "QR code for this payment", download = "Download QR code",
  va_number = "Virtual account number", biller_code = "Company code", bill_key = "Payment number", payment_code = "Payment code",
  account_number = "Account number", account_holder = "Account holder", transfer_amount = "Amount to transfer", bank = "Bank", outlet = "Store",
  exact = "Transfer exactly this amount, to the last three digits, so that it is recognised.", open_app = "Open the app", go_on = "Continue to payment",
  redirect_hint = "You go on at the payment provider's own page and come back here afterwards.", push_hint = "Approve the payment on your phone.",
  how = "How to pay", waiting = "Waiting for your payment", waiting_hint = "This page changes by itself once the payment has arrived.",
  refresh = "Check status", preparing = "Preparing your payment", preparing_hint = "This usually takes a few seconds. Please do not pay twice.",
  held = "Being checked", held_hint = "We check this payment first. You can close this page and come back later.",
  received = "Received so far", remaining = "Still to pay",
  success = "Payment successful", success_hint = "Thank you. We have received your payment.", paid_at = "Paid",
  failed = "Payment failed", failed_hint = "No money was taken. Please try again from the shop.",
  expired = "Time is up", expired_hint = "Please do not pay with the old number or code. Place a new order in the shop.",
  cancelled = "Payment cancelled", cancelled_hint = "This order does not have to be paid any more.", return_shop = "Return to the shop",
  reference = "Reference", again = "That way did not work. No money was taken; please choose another.",
  no_way = "There is no way to pay this amount yet. Please contact the shop.", not_found = "Payment link not found",
  not_found_hint = "Please check the link that the shop gave you.", busy = "We are busy. Please try again in a moment.",
  changed = "This payment has changed. This is how it stands now.", wrong_field = "Please check this field.", refused = "This way cannot be used for this payment. Please choose another.",
  phone = "Phone number", email = "E-mail address", name = "Name", cashtag = "Cashtag", tenor = "Tenor (months)", phone_hint = "For example 081234567890",
  replaced = "The old number or code is no longer valid.", keep = "Your order is kept.",
  insufficient = "The balance is not sufficient.", declined = "Declined by the issuer.", fraud = "This payment cannot be processed.",
  day = "days", months = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" },
}

---- names ----

text.banks = {
  bca = "BCA", bni = "BNI", bri = "BRI", mandiri = "Mandiri", permata = "Permata", cimb = "CIMB Niaga", danamon = "Danamon", bsi = "BSI", btn = "BTN",
  self = "Bank", gopay = "GoPay", ovo = "OVO", dana = "DANA", linkaja = "LinkAja", shopeepay = "ShopeePay", jenius = "Jenius Pay", doku = "DOKU",
  kredivo = "Kredivo", akulaku = "Akulaku", alfamart = "Alfamart", indomaret = "Indomaret", cimb_clicks = "CIMB Clicks",
}

---- how one pays: per bank, {heading, step, step ...}; {1} is replaced by the number or code ----

local function va(bank, menu_id, menu_en)
  return {
    id = { { bank .. " mobile", "Buka aplikasi " .. bank .. " dan masuk.", "Pilih " .. menu_id .. ".", "Masukkan nomor {1}.",
      "Periksa nama dan jumlahnya, lalu konfirmasi dengan PIN." },
      { "ATM " .. bank, "Masukkan kartu dan PIN.", "Pilih transaksi lain, lalu virtual account.", "Masukkan nomor {1}.", "Periksa jumlahnya, lalu pilih Ya." } },
    en = { { bank .. " mobile app", "Open the " .. bank .. " app and log in.", "Choose " .. menu_en .. ".", "Enter the number {1}.",
      "Check name and amount, then confirm with your PIN." },
      { bank .. " ATM", "Insert your card and enter your PIN.", "Choose other transactions, then virtual account.", "Enter the number {1}.",
      "Check the amount, then choose Yes." } },
  }
end

text.steps = {
  va_number = {
    bca = va("BCA", "m-Transfer, lalu BCA Virtual Account", "m-Transfer, then BCA Virtual Account"),
    bni = va("BNI", "Transfer, lalu Virtual Account Billing", "Transfer, then Virtual Account Billing"),
    bri = va("BRI", "BRIVA", "BRIVA"),
    mandiri = va("Mandiri", "Bayar, lalu Buat Pembayaran Baru, Multipayment", "Pay, then New Payment, Multipayment"),
    permata = va("Permata", "Bayar Tagihan, lalu Virtual Account", "Pay Bills, then Virtual Account"),
    cimb = va("CIMB Niaga", "Transfer, lalu Virtual Account", "Transfer, then Virtual Account"),
    danamon = va("Danamon", "Pembayaran, lalu Virtual Account", "Payment, then Virtual Account"),
    bsi = va("BSI", "Bayar, lalu Virtual Account", "Pay, then Virtual Account"),
    other = {
      id = { { "Aplikasi bank atau ATM", "Pilih transfer ke virtual account.", "Masukkan nomor {1}.", "Periksa nama dan jumlahnya, lalu konfirmasi." } },
      en = { { "Banking app or ATM", "Choose transfer to a virtual account.", "Enter the number {1}.", "Check name and amount, then confirm." } },
    },
  },
  bill = { other = {
    id = { { "Livin' by Mandiri", "Buka aplikasi Livin' dan masuk.", "Pilih Bayar, lalu Multipayment.", "Masukkan kode perusahaan, lalu nomor {1}.",
      "Periksa jumlahnya, lalu konfirmasi dengan PIN." },
      { "ATM Mandiri", "Pilih Bayar/Beli, lalu Multipayment.", "Masukkan kode perusahaan, lalu nomor {1}.", "Periksa jumlahnya, lalu pilih Ya." } },
    en = { { "Livin' by Mandiri", "Open the Livin' app and log in.", "Choose Pay, then Multipayment.", "Enter the company code, then the number {1}.",
      "Check the amount, then confirm with your PIN." },
      { "Mandiri ATM", "Choose Pay/Buy, then Multipayment.", "Enter the company code, then the number {1}.", "Check the amount, then choose Yes." } },
  } },
  retail = { other = {
    id = { { "Di kasir", "Datang ke gerai terdekat.", "Katakan kepada kasir bahwa Anda ingin membayar dengan kode pembayaran.", "Tunjukkan kode {1}.",
      "Bayar, lalu simpan struknya." } },
    en = { { "At the counter", "Go to the nearest store.", "Tell the cashier that you pay with a payment code.", "Show the code {1}.", "Pay, and keep the receipt." } },
  } },
  qr = { other = {
    id = { { "Dengan ponsel", "Buka aplikasi bank atau dompet digital yang menerima QRIS.", "Pindai kode QR, atau unduh gambarnya dan unggah dari galeri.",
      "Periksa nama toko dan jumlahnya, lalu bayar." } },
    en = { { "With your phone", "Open any banking or wallet app that takes QRIS.", "Scan the QR code, or download the image and upload it from your gallery.",
      "Check the shop's name and the amount, then pay." } },
  } },
  transfer = { other = {
    id = { { "Aplikasi bank atau ATM", "Pilih transfer antar rekening.", "Masukkan nomor rekening {1}.", "Masukkan jumlah tepat seperti tertulis di atas." } },
    en = { { "Banking app or ATM", "Choose a transfer to an account.", "Enter the account number {1}.", "Enter the exact amount shown above." } },
  } },
}

function text.steps_for(kind, bank, lang)
  local of = text.steps[kind]
  return of and (of[bank] or of.other)[lang] or {}
end

return text
