-- +goose Up
-- A stored content. Its bytes lie in the object store under key; contents of
-- equal hash are kept once.
CREATE TABLE blob (
  key        TEXT    PRIMARY KEY,
  hash       TEXT,
  size       INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (hash, size)
) WITHOUT ROWID;

-- A named file. Several names may share a content.
CREATE TABLE object (
  name         TEXT    PRIMARY KEY,
  key          TEXT    NOT NULL,
  user_id      TEXT    NOT NULL,
  size         INTEGER NOT NULL,
  content_type TEXT    NOT NULL,
  cause        TEXT    NOT NULL,
  created_at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX object_key ON object (key);
CREATE INDEX object_user ON object (user_id, size);
CREATE INDEX object_cause ON object (cause, created_at);

-- An upload that is not finished.
CREATE TABLE upload (
  id           TEXT    PRIMARY KEY,
  user_id      TEXT    NOT NULL,
  key          TEXT    NOT NULL,
  hash         TEXT    NOT NULL,
  size         INTEGER NOT NULL,
  part_size    INTEGER NOT NULL,
  backend_id   TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  content_type TEXT    NOT NULL,
  cause        TEXT    NOT NULL,
  expires_at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX upload_user ON upload (user_id, size);
CREATE INDEX upload_expiry ON upload (expires_at);

-- A smaller picture made of a content.
CREATE TABLE thumbnail (
  key      TEXT PRIMARY KEY,
  blob_key TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX thumbnail_blob ON thumbnail (blob_key);

-- Contents that nothing refers to any more and whose bytes are to be deleted.
CREATE TABLE object_trash (
  key TEXT PRIMARY KEY
) WITHOUT ROWID;

-- What devices say of themselves.
CREATE TABLE push_token (
  user_id    TEXT    NOT NULL,
  platform   INTEGER NOT NULL,
  token      TEXT    NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, platform)
) WITHOUT ROWID;

CREATE TABLE app_badge (
  user_id TEXT    PRIMARY KEY,
  unread  INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE client_log (
  id            TEXT    PRIMARY KEY,
  user_id       TEXT    NOT NULL,
  platform      INTEGER NOT NULL,
  url           TEXT    NOT NULL,
  filename      TEXT    NOT NULL,
  app_framework TEXT    NOT NULL,
  version       TEXT    NOT NULL,
  ex            TEXT    NOT NULL,
  created_at    INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX client_log_time ON client_log (created_at);

-- +goose Down
DROP TABLE client_log;
DROP TABLE app_badge;
DROP TABLE push_token;
DROP TABLE object_trash;
DROP TABLE thumbnail;
DROP TABLE upload;
DROP TABLE object;
DROP TABLE blob;
