-- The transfer that a settlement row names (?2) on a provider account (?1).
SELECT m.id, m.payment, m.amount, m.money_id, m.paid_at, p.status, p.amount_refunded, p.amount_reversed FROM movement m
LEFT JOIN payment p ON p.id = m.payment WHERE m.account = ?1 AND m.money_id = ?2
