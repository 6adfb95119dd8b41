-- +goose Up
-- Lanes are taken endpoint by endpoint, so that one that hangs cannot take all
-- workers.
ALTER TABLE outbox_lane ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';
UPDATE outbox_lane SET endpoint = substr(name, 1, instr(name, '/') - 1);
DROP INDEX outbox_lane_due;
CREATE INDEX outbox_lane_endpoint ON outbox_lane (endpoint, due);

-- A row with missing > 0 stands for so many events that were not kept because
-- the outbox was full, the last of them at missing_until.
ALTER TABLE outbox_event ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox_event ADD COLUMN missing_until INTEGER NOT NULL DEFAULT 0;

-- parked: not given up by its own fault; it goes back when its callback works.
ALTER TABLE outbox_dead ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_dead_died ON outbox_dead (died_at);

-- What was not kept, after its place in the lane was passed.
CREATE TABLE outbox_gap (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  lane     TEXT    NOT NULL,
  events   INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at  INTEGER NOT NULL,
  reason   TEXT    NOT NULL
);

ALTER TABLE webhook_delivery ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';

-- Paused by an administrator: a whole endpoint (callback '') or one callback.
CREATE TABLE webhook_pause (
  endpoint TEXT    NOT NULL,
  callback TEXT    NOT NULL,
  since    INTEGER NOT NULL,
  reason   TEXT    NOT NULL,
  PRIMARY KEY (endpoint, callback)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE webhook_pause;
ALTER TABLE webhook_delivery DROP COLUMN endpoint;
DROP TABLE outbox_gap;
DROP INDEX outbox_dead_died;
ALTER TABLE outbox_dead DROP COLUMN parked;
ALTER TABLE outbox_event DROP COLUMN missing_until;
ALTER TABLE outbox_event DROP COLUMN missing;
DROP INDEX outbox_lane_endpoint;
CREATE INDEX outbox_lane_due ON outbox_lane (due);
ALTER TABLE outbox_lane DROP COLUMN endpoint;
