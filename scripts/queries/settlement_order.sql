-- What came for a reference of ours (?2) on a provider account (?1).
SELECT m.id, m.payment, m.amount, m.money_id, m.paid_at, p.status, p.amount_refunded, p.amount_reversed FROM operation o
JOIN payment p ON p.id = o.payment JOIN movement m ON m.operation = o.id WHERE o.account = ?1 AND o.reference = ?2 ORDER BY m.id LIMIT 2
