-- Format 5 of the store. A few of many records at a time are put apart: else each of them would have a page of the great
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

-- Times as text are worked out where they are read: a column that is computed costs with each row
-- that is written, too, though nothing of it is stored.
ALTER TABLE outbox DROP COLUMN since;
ALTER TABLE outbox DROP COLUMN due;
ALTER TABLE outbox RENAME TO outbox_kept;
CREATE VIEW outbox AS
    SELECT system, entity, key, scenario, fields, deletes, version, since_at, due_at, attempts, error,
        CAST(strftime('%Y-%m-%dT%H:%M:%fZ', since_at / 1000.0, 'unixepoch') AS TEXT) AS since,
        CAST(strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch') AS TEXT) AS due,
        priority
    FROM outbox_kept;

ALTER TABLE events DROP COLUMN received;
ALTER TABLE events RENAME TO events_kept;
CREATE VIEW events AS
    SELECT seq, system, id, body, received_at,
        CAST(strftime('%Y-%m-%dT%H:%M:%fZ', received_at / 1000.0, 'unixepoch') AS TEXT) AS received
    FROM events_kept;

ALTER TABLE event_ids DROP COLUMN received;
ALTER TABLE event_ids RENAME TO event_ids_kept;
CREATE VIEW event_ids AS
    SELECT system, id, received_at,
        CAST(strftime('%Y-%m-%dT%H:%M:%fZ', received_at / 1000.0, 'unixepoch') AS TEXT) AS received
    FROM event_ids_kept;
