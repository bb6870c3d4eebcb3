-- Money of one provider account (?2) that came from ?3 to before ?4 and that no settlement row was booked for
-- (?5: where those are kept); behind movement ?1, in pieces.
SELECT m.id AS n, m.payment, m.amount, m.money_id, m.paid_at, p.status, p.amount_refunded, p.amount_reversed
FROM movement m JOIN payment p ON p.id = m.payment
WHERE m.id > ?1 AND m.account = ?2 AND m.paid_at >= ?3 AND m.paid_at < ?4 AND instr(m.account, '/') = 0 -- a merchant's own account is settled with him
AND NOT EXISTS (SELECT 1 FROM kv WHERE scope = ?5 AND key = 'payment:' || coalesce(m.money_id, '=' || m.id))
ORDER BY m.id LIMIT 500
