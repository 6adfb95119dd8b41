-- +goose Up
-- A stored content. Its bytes lie in the object store under key; contents of
-- equal hash are kept once.
CREATE TABLE blob (
  key        TEXT COLLATE "C" PRIMARY KEY,
  hash       TEXT COLLATE "C",
  size       BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  UNIQUE (hash, size)
);

-- A named file. Several names may share a content.
CREATE TABLE object (
  name         TEXT COLLATE "C" PRIMARY KEY,
  key          TEXT COLLATE "C" NOT NULL,
  user_id      TEXT COLLATE "C" NOT NULL,
  size         BIGINT NOT NULL,
  content_type TEXT    NOT NULL,
  cause        TEXT COLLATE "C" NOT NULL,
  created_at   BIGINT NOT NULL
);
CREATE INDEX object_key ON object (key);
CREATE INDEX object_user ON object (user_id, size);
CREATE INDEX object_cause ON object (cause, created_at);

-- An upload that is not finished.
CREATE TABLE upload (
  id           TEXT COLLATE "C" PRIMARY KEY,
  user_id      TEXT COLLATE "C" NOT NULL,
  key          TEXT COLLATE "C" NOT NULL,
  hash         TEXT COLLATE "C" NOT NULL,
  size         BIGINT NOT NULL,
  part_size    BIGINT NOT NULL,
  backend_id   TEXT    NOT NULL,
  name         TEXT COLLATE "C" NOT NULL,
  content_type TEXT    NOT NULL,
  cause        TEXT COLLATE "C" NOT NULL,
  expires_at   BIGINT NOT NULL
);
CREATE INDEX upload_user ON upload (user_id, size);
CREATE INDEX upload_expiry ON upload (expires_at);

-- A smaller picture made of a content.
CREATE TABLE thumbnail (
  key      TEXT COLLATE "C" PRIMARY KEY,
  blob_key TEXT COLLATE "C" NOT NULL
);
CREATE INDEX thumbnail_blob ON thumbnail (blob_key);

-- Contents that nothing refers to any more and whose bytes are to be deleted.
CREATE TABLE object_trash (
  key TEXT COLLATE "C" PRIMARY KEY
);

-- What devices say of themselves.
CREATE TABLE push_token (
  user_id    TEXT COLLATE "C" NOT NULL,
  platform   BIGINT NOT NULL,
  token      TEXT    NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (user_id, platform)
);

CREATE TABLE app_badge (
  user_id TEXT COLLATE "C" PRIMARY KEY,
  unread  BIGINT NOT NULL
);

CREATE TABLE client_log (
  id            TEXT COLLATE "C" PRIMARY KEY,
  user_id       TEXT COLLATE "C" NOT NULL,
  platform      BIGINT NOT NULL,
  url           TEXT    NOT NULL,
  filename      TEXT    NOT NULL,
  app_framework TEXT    NOT NULL,
  version       TEXT    NOT NULL,
  ex            TEXT    NOT NULL,
  created_at    BIGINT NOT NULL
);
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
