-- Format 2 of the store: whose calls go first, and when a run that a quota cut short goes on.
ALTER TABLE outbox ADD COLUMN priority TEXT NOT NULL DEFAULT 'normal';
DROP INDEX outbox_by_due;
CREATE INDEX outbox_by_due ON outbox (system, priority, due_at, since_at, entity, key);
CREATE INDEX outbox_by_age ON outbox (system, since_at);

ALTER TABLE runs ADD COLUMN goes_on_at INTEGER;
ALTER TABLE runs ADD COLUMN goes_on TEXT GENERATED ALWAYS AS
    (strftime('%Y-%m-%dT%H:%M:%fZ', goes_on_at / 1000.0, 'unixepoch')) VIRTUAL;
ALTER TABLE runs ADD COLUMN postponed INTEGER NOT NULL DEFAULT 0;
