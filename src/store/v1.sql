-- The first schema of adit.sqlite. What each column means: docs/store.md.
-- Integer keys throughout: a random key such as a hash costs 20 times the
-- write speed. Foreign keys document; the writer does not check them.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('next_connection_id', 1);

CREATE TABLE verdicts (
    code     INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    credited INTEGER NOT NULL -- 1: the share counts
);

CREATE TABLE near_misses (
    code INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE TABLE workers (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE, -- index: the writer looks names up
    first_seen_us INTEGER NOT NULL
);

CREATE TABLE connections (
    id           INTEGER PRIMARY KEY,
    opened_us    INTEGER NOT NULL,
    closed_us    INTEGER,
    peer         TEXT,
    user_agent   TEXT,
    extranonce1  TEXT,
    resumed      INTEGER,
    region       TEXT,
    close_reason TEXT
);

CREATE TABLE shares (
    id                 INTEGER PRIMARY KEY,
    time_us            INTEGER NOT NULL,
    connection         INTEGER NOT NULL REFERENCES connections,
    worker             INTEGER NOT NULL REFERENCES workers,
    verdict            INTEGER NOT NULL REFERENCES verdicts,
    job                INTEGER,
    height             INTEGER NOT NULL,
    extranonce2        BLOB    NOT NULL,
    ntime              INTEGER NOT NULL,
    nonce              INTEGER NOT NULL,
    version            INTEGER NOT NULL,
    difficulty_asked   REAL,
    difficulty_reached REAL,
    job_age_us         INTEGER NOT NULL,
    near_miss          INTEGER REFERENCES near_misses,
    near_miss_job      INTEGER
);
-- The latest rejects without reading the many good shares between them.
-- Partial, so an accepted share pays nothing for it.
CREATE INDEX shares_rejected ON shares (time_us) WHERE verdict >= 2;

CREATE TABLE blocks (
    id           INTEGER PRIMARY KEY,
    hash         TEXT NOT NULL UNIQUE, -- index: a block is found once and updated by hash
    height       INTEGER NOT NULL,
    time_us      INTEGER NOT NULL,
    worker       INTEGER NOT NULL REFERENCES workers,
    connection   INTEGER NOT NULL REFERENCES connections,
    state        TEXT NOT NULL,
    reason       TEXT,
    submitted_us INTEGER,
    block        BLOB NOT NULL -- last: queries that do not name it skip its pages
);

CREATE TABLE events (
    id         INTEGER PRIMARY KEY,
    time_us    INTEGER NOT NULL,
    connection INTEGER NOT NULL REFERENCES connections,
    kind       TEXT NOT NULL,
    detail     TEXT NOT NULL -- JSON
);

-- Shares with names instead of codes, for people.
CREATE VIEW shares_named AS
SELECT shares.id,
       strftime('%Y-%m-%dT%H:%M:%fZ', shares.time_us / 1e6, 'unixepoch') AS time,
       shares.time_us,
       shares.connection,
       workers.name AS worker,
       connections.region,
       verdicts.name AS verdict,
       verdicts.credited,
       shares.job,
       shares.height,
       lower(hex(shares.extranonce2)) AS extranonce2,
       shares.ntime,
       shares.nonce,
       shares.version,
       shares.difficulty_asked,
       shares.difficulty_reached,
       shares.job_age_us,
       near_misses.name AS near_miss,
       shares.near_miss_job
FROM shares
LEFT JOIN workers     ON workers.id = shares.worker
LEFT JOIN connections ON connections.id = shares.connection
LEFT JOIN verdicts    ON verdicts.code = shares.verdict
LEFT JOIN near_misses ON near_misses.code = shares.near_miss;
