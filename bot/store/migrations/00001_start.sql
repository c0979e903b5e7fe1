-- What Canteen remembers. Times are Unix milliseconds. The data columns hold the
-- bot's own types as JSON; what stands beside them is there to be looked up by.
-- INTEGER PRIMARY KEY AUTOINCREMENT is put into PostgreSQL's words by postgres.go.
--
-- A later migration only adds what the version before it can live with (columns
-- with a default, tables, indexes), since both run side by side during an upgrade;
-- what is no longer used goes a version later. move.go lists what is exported.
-- +goose Up
-- Every key under which a message may come again, with what it was answered.
CREATE TABLE inbound (
    key   TEXT   PRIMARY KEY,
    at    BIGINT NOT NULL,
    reply TEXT   NOT NULL
);
CREATE INDEX inbound_at ON inbound (at);

CREATE TABLE contact (
    person      TEXT   PRIMARY KEY,
    first_at    BIGINT NOT NULL,
    quiet_until BIGINT NOT NULL
);

CREATE TABLE question (
    id     TEXT   PRIMARY KEY,
    person TEXT   NOT NULL,
    place  TEXT   NOT NULL,
    at     BIGINT NOT NULL,
    data   TEXT   NOT NULL
);
CREATE INDEX question_asked ON question (person, place, at);
CREATE INDEX question_at ON question (at);

CREATE TABLE escalation (
    ref         INTEGER PRIMARY KEY AUTOINCREMENT,
    version     BIGINT NOT NULL,
    state       TEXT   NOT NULL,
    urgent      BIGINT NOT NULL,
    person      TEXT   NOT NULL,
    nearest     TEXT   NOT NULL,
    opened_at   BIGINT NOT NULL,
    answered_at BIGINT NOT NULL,
    data        TEXT   NOT NULL
);
CREATE INDEX escalation_state ON escalation (state, ref);
CREATE INDEX escalation_person ON escalation (person, state);
CREATE INDEX escalation_nearest ON escalation (nearest, answered_at);
CREATE INDEX escalation_answered ON escalation (answered_at);

-- One row is one message on a platform, and the wish to make it look like post.
-- A leased row is queued, with an owner, and due again when the lease ends.
CREATE TABLE delivery (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT   NOT NULL UNIQUE,
    adapter    TEXT   NOT NULL,
    lane       TEXT   NOT NULL,
    place      TEXT   NOT NULL,
    only_to    TEXT   NOT NULL,
    fallback   TEXT   NOT NULL,
    post       TEXT   NOT NULL,
    posted     TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    private    BIGINT NOT NULL,
    ref        BIGINT NOT NULL,
    state      TEXT   NOT NULL, -- queued, sent, parked
    due_at     BIGINT NOT NULL,
    owner      TEXT   NOT NULL,
    attempt    BIGINT NOT NULL,
    unsure     BIGINT NOT NULL,
    error      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    settled_at BIGINT NOT NULL
);
-- Leasing walks what is queued from the oldest on and stops when it has enough:
-- both indexes hold all that it looks at.
CREATE INDEX delivery_queued ON delivery (seq, due_at, adapter, lane) WHERE state = 'queued';
CREATE INDEX delivery_lane ON delivery (lane, seq, owner, due_at) WHERE state = 'queued';
CREATE INDEX delivery_place ON delivery (place, seq);
CREATE INDEX delivery_created ON delivery (created_at);

CREATE TABLE tally (
    day      TEXT   NOT NULL,
    decision TEXT   NOT NULL,
    entry    TEXT   NOT NULL,
    what     TEXT   NOT NULL,
    n        BIGINT NOT NULL,
    PRIMARY KEY (day, decision, entry, what)
);

-- What an adapter keeps of a place to reach it again; the store does not read it.
CREATE TABLE place (
    place TEXT   PRIMARY KEY,
    at    BIGINT NOT NULL,
    data  TEXT   NOT NULL
);

-- +goose Down
DROP TABLE place;
DROP TABLE tally;
DROP TABLE delivery;
DROP TABLE escalation;
DROP TABLE question;
DROP TABLE contact;
DROP TABLE inbound;
