-- Provider accounts that money came to.
SELECT DISTINCT account FROM movement ORDER BY account
