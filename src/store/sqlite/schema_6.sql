-- Format 6 of the store: settled registers stand many in a row, in the order of their keys. A row of its own costs each
-- a descent of the tree and its share of pages that are half empty.
ALTER TABLE records_settled RENAME TO records_one_each;
-- Only now: a table is renamed where all views can be read, those that people made of this one too.
DROP VIEW records;
CREATE TABLE records_settled (
    id INTEGER PRIMARY KEY,
    entity TEXT NOT NULL,
    first TEXT NOT NULL,
    docs TEXT NOT NULL
);
INSERT INTO records_settled (entity, first, docs)
    SELECT entity, min(key),
        '{' || group_concat(json_quote(key) || ':' || replace(doc, char(10), ' '), ',' || char(10) ORDER BY key) || '}'
    FROM (
        SELECT entity, key, doc,
            sum(octet_length(key) + octet_length(doc) + 5) OVER (PARTITION BY entity ORDER BY key) / 7600 AS block
        FROM records_one_each
    )
    GROUP BY entity, block
    ORDER BY entity, min(key);
CREATE INDEX records_settled_by_key ON records_settled (entity, first);
DROP TABLE records_one_each;
CREATE VIEW records AS
    SELECT entity, key, doc FROM records_fresh
    UNION ALL
    SELECT s.entity, CAST(d.key AS TEXT), CAST(d.value AS TEXT)
    FROM records_settled AS s, json_each(s.docs) AS d
    WHERE NOT EXISTS (SELECT 1 FROM records_fresh AS f WHERE f.entity = s.entity AND f.key = d.key);
