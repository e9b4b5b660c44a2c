-- A few of many records at a time are put apart: else each of them would have a page of the great
-- table written anew.
ALTER TABLE records RENAME TO records_settled;
CREATE TABLE records_fresh (
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (entity, key)
) WITHOUT ROWID;
CREATE VIEW records AS
    SELECT entity, key, doc FROM records_fresh
    UNION ALL
    SELECT entity, key, doc FROM records_settled AS s
    WHERE NOT EXISTS (SELECT 1 FROM records_fresh AS f WHERE f.entity = s.entity AND f.key = s.key);
