-- Format 1 of the store. docs/reference/store.md says what every table and column holds.
CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    system TEXT NOT NULL,
    id TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    received TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', received_at / 1000.0, 'unixepoch')) VIRTUAL
);

CREATE TABLE event_ids (
    system TEXT NOT NULL,
    id TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    received TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', received_at / 1000.0, 'unixepoch')) VIRTUAL,
    PRIMARY KEY (system, id)
) WITHOUT ROWID;
CREATE INDEX event_ids_by_time ON event_ids (received_at);

CREATE TABLE records (
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (entity, key)
) WITHOUT ROWID;

CREATE TABLE outbox (
    system TEXT NOT NULL,
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    scenario TEXT NOT NULL,
    fields TEXT NOT NULL,
    deletes INTEGER NOT NULL,
    version INTEGER NOT NULL,
    since_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT,
    since TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', since_at / 1000.0, 'unixepoch')) VIRTUAL,
    due TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', due_at / 1000.0, 'unixepoch')) VIRTUAL,
    PRIMARY KEY (system, entity, key)
) WITHOUT ROWID;
CREATE INDEX outbox_by_due ON outbox (system, due_at, since_at, entity, key);

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    system TEXT NOT NULL,
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    scenario TEXT NOT NULL,
    payload TEXT NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    first TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', first_at / 1000.0, 'unixepoch')) VIRTUAL,
    last TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', last_at / 1000.0, 'unixepoch')) VIRTUAL,
    UNIQUE (system, entity, key)
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scenario TEXT NOT NULL,
    why TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    read INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    deduplicated INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    written INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    drift INTEGER NOT NULL,
    calls TEXT NOT NULL,
    cursor_before TEXT NOT NULL,
    cursor_after TEXT NOT NULL,
    confirmed TEXT,
    committed TEXT,
    note TEXT,
    started TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', started_at / 1000.0, 'unixepoch')) VIRTUAL,
    ended TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1000.0, 'unixepoch')) VIRTUAL
);
CREATE INDEX runs_by_scenario ON runs (scenario, id);
CREATE INDEX runs_open ON runs (id) WHERE ended_at IS NULL;

CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    scenario TEXT NOT NULL,
    system TEXT NOT NULL,
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    reason TEXT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX quarantine_by_run ON quarantine (run, id);

CREATE TABLE conflicts (
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    field TEXT NOT NULL,
    "values" TEXT NOT NULL,
    since_at INTEGER NOT NULL,
    since TEXT GENERATED ALWAYS AS
        (strftime('%Y-%m-%dT%H:%M:%fZ', since_at / 1000.0, 'unixepoch')) VIRTUAL,
    PRIMARY KEY (entity, key, field)
) WITHOUT ROWID;

CREATE TABLE owed (
    scenario TEXT NOT NULL,
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (scenario, entity, key)
) WITHOUT ROWID;
