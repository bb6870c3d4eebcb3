-- The newest operations of one status. ?1 status, ?2 how many.
SELECT id, kind, account, reference, status, created FROM operation
WHERE status = ?1 ORDER BY id DESC LIMIT ?2
