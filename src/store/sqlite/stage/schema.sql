CREATE TABLE stage (
    run INTEGER NOT NULL,
    boot TEXT NOT NULL,
    rows INTEGER NOT NULL
);

CREATE TABLE blocks (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    last_key TEXT NOT NULL,
    body BLOB NOT NULL
);

CREATE TABLE chunks (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    first_key TEXT NOT NULL
);

CREATE TABLE groups (
    pos INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    system INTEGER NOT NULL,
    "group" TEXT NOT NULL,
    changed_at INTEGER NOT NULL
);

CREATE TABLE dropped (
    pos INTEGER PRIMARY KEY
);

CREATE TABLE tail (
    pos INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    system INTEGER NOT NULL,
    "group" TEXT,
    changed_at INTEGER NOT NULL,
    payload BLOB NOT NULL
);
