-- +goose Up
-- What must still be told to the business server, in the bytes it will get. An
-- id is never used twice, so that a reader may keep its place by id.
CREATE TABLE outbox_event (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  lane          TEXT    NOT NULL,
  event_id      TEXT    NOT NULL,
  callback      TEXT    NOT NULL,
  command       TEXT    NOT NULL,
  operation_id  TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  client_msg_id TEXT    NOT NULL,
  server_msg_id TEXT    NOT NULL,
  query         TEXT    NOT NULL,
  body          BLOB    NOT NULL,
  created_at    INTEGER NOT NULL
);
CREATE INDEX outbox_event_lane ON outbox_event (lane, id);

-- One row per lane that has events. due is when a worker may take it next; a
-- worker that takes it moves due to the end of its lease. version counts the
-- producers, so that a worker sees that the lane was added to meanwhile.
CREATE TABLE outbox_lane (
  name          TEXT    PRIMARY KEY,
  version       INTEGER NOT NULL,
  due           INTEGER NOT NULL,
  owner         INTEGER NOT NULL,
  attempts      INTEGER NOT NULL,
  failing_since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX outbox_lane_due ON outbox_lane (due);

-- Events that were given up, until somebody replays them.
CREATE TABLE outbox_dead (
  id            INTEGER PRIMARY KEY,
  lane          TEXT    NOT NULL,
  event_id      TEXT    NOT NULL,
  callback      TEXT    NOT NULL,
  command       TEXT    NOT NULL,
  operation_id  TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  client_msg_id TEXT    NOT NULL,
  server_msg_id TEXT    NOT NULL,
  query         TEXT    NOT NULL,
  body          BLOB    NOT NULL,
  created_at    INTEGER NOT NULL,
  attempts      INTEGER NOT NULL,
  died_at       INTEGER NOT NULL,
  reason        TEXT    NOT NULL
);
CREATE INDEX outbox_dead_event ON outbox_dead (event_id);

-- Every call to the business server, for as long as it is kept.
CREATE TABLE webhook_delivery (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id      TEXT    NOT NULL,
  callback      TEXT    NOT NULL,
  command       TEXT    NOT NULL,
  kind          INTEGER NOT NULL,
  operation_id  TEXT    NOT NULL,
  subject       TEXT    NOT NULL,
  client_msg_id TEXT    NOT NULL,
  server_msg_id TEXT    NOT NULL,
  attempt       INTEGER NOT NULL,
  started_at    INTEGER NOT NULL,
  duration_ms   INTEGER NOT NULL,
  status        INTEGER NOT NULL,
  outcome       TEXT    NOT NULL,
  err_code      INTEGER NOT NULL,
  reason        TEXT    NOT NULL,
  answer        BLOB    NOT NULL
);
CREATE INDEX webhook_delivery_event ON webhook_delivery (event_id);
