-- Whose a reference (?2) on a provider account (?1) is.
SELECT p.id AS payment, p.status, p.amount_due FROM operation o JOIN payment p ON p.id = o.payment WHERE o.account = ?1 AND o.reference = ?2
