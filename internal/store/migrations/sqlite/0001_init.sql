-- +goose Up
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE users (
  id         INTEGER PRIMARY KEY,
  user_id    TEXT    NOT NULL UNIQUE,
  nickname   TEXT    NOT NULL,
  face_url   TEXT    NOT NULL,
  ex         TEXT    NOT NULL,
  app_level  INTEGER NOT NULL,
  recv_opt   INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);

-- Only the hash of a token is kept.
CREATE TABLE token (
  hash       TEXT    PRIMARY KEY,
  user_id    TEXT    NOT NULL,
  platform   INTEGER NOT NULL,
  state      INTEGER NOT NULL,
  issued_at  INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX token_user ON token (user_id, platform);

-- A conversation's log. max_seq and max_time are floors: the truth is the last
-- message row, unless retention removed it or the log was imported.
CREATE TABLE log (
  id              INTEGER PRIMARY KEY,
  conversation_id TEXT    NOT NULL UNIQUE,
  max_seq         INTEGER NOT NULL DEFAULT 0,
  max_time        INTEGER NOT NULL DEFAULT 0,
  min_seq         INTEGER NOT NULL DEFAULT 0,
  opened          INTEGER NOT NULL DEFAULT 0
);

-- Append order: rows go to the end of the table whatever their conversation.
CREATE TABLE message (
  id        INTEGER PRIMARY KEY,
  log       INTEGER NOT NULL,
  seq       INTEGER NOT NULL,
  client_id TEXT    NOT NULL,
  send_time INTEGER NOT NULL,
  data      BLOB    NOT NULL,
  UNIQUE (log, seq)
);

CREATE TABLE read_position (
  user_id TEXT    NOT NULL,
  log     INTEGER NOT NULL,
  seq     INTEGER NOT NULL,
  PRIMARY KEY (user_id, log)
) WITHOUT ROWID;

CREATE TABLE conversation (
  id                   INTEGER PRIMARY KEY,
  owner_id             TEXT    NOT NULL,
  conversation_id      TEXT    NOT NULL,
  type                 INTEGER NOT NULL,
  user_id              TEXT    NOT NULL,
  group_id             TEXT    NOT NULL,
  recv_opt             INTEGER NOT NULL DEFAULT 0,
  pinned               INTEGER NOT NULL DEFAULT 0,
  private_chat         INTEGER NOT NULL DEFAULT 0,
  burn_duration        INTEGER NOT NULL DEFAULT 0,
  group_at_type        INTEGER NOT NULL DEFAULT 0,
  attached_info        TEXT    NOT NULL DEFAULT '',
  ex                   TEXT    NOT NULL DEFAULT '',
  min_seq              INTEGER NOT NULL DEFAULT 0,
  max_seq              INTEGER NOT NULL DEFAULT 0,
  destruct             INTEGER NOT NULL DEFAULT 0,
  destruct_time        INTEGER NOT NULL DEFAULT 0,
  latest_destruct_time INTEGER NOT NULL DEFAULT 0,
  created_version      INTEGER NOT NULL,
  version              INTEGER NOT NULL,
  UNIQUE (owner_id, conversation_id)
);
CREATE INDEX conversation_version ON conversation (owner_id, version);

-- The version log of a list is the list's own rows with their last version,
-- plus tombstones for what was removed.
CREATE TABLE version_log (
  kind       INTEGER NOT NULL,
  owner_id   TEXT    NOT NULL,
  version_id TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  sort_version INTEGER NOT NULL DEFAULT 0,
  self_version INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, owner_id)
) WITHOUT ROWID;
CREATE TABLE tombstone (
  kind       INTEGER NOT NULL,
  owner_id   TEXT    NOT NULL,
  element_id TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  PRIMARY KEY (kind, owner_id, element_id)
) WITHOUT ROWID;

CREATE TABLE friend (
  id          INTEGER PRIMARY KEY,
  owner_id    TEXT    NOT NULL,
  friend_id   TEXT    NOT NULL,
  remark      TEXT    NOT NULL DEFAULT '',
  ex          TEXT    NOT NULL DEFAULT '',
  pinned      INTEGER NOT NULL DEFAULT 0,
  add_source  INTEGER NOT NULL DEFAULT 0,
  operator_id TEXT    NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  created_version INTEGER NOT NULL,
  version     INTEGER NOT NULL,
  UNIQUE (owner_id, friend_id)
);
CREATE INDEX friend_version ON friend (owner_id, version);

CREATE TABLE block (
  id          INTEGER PRIMARY KEY,
  owner_id    TEXT    NOT NULL,
  blocked_id  TEXT    NOT NULL,
  ex          TEXT    NOT NULL DEFAULT '',
  add_source  INTEGER NOT NULL DEFAULT 0,
  operator_id TEXT    NOT NULL DEFAULT '',
  created_at  INTEGER NOT NULL,
  UNIQUE (owner_id, blocked_id)
);

CREATE TABLE chat_group (
  id                      INTEGER PRIMARY KEY,
  group_id                TEXT    NOT NULL UNIQUE,
  name                    TEXT    NOT NULL,
  notification            TEXT    NOT NULL,
  introduction            TEXT    NOT NULL,
  face_url                TEXT    NOT NULL,
  ex                      TEXT    NOT NULL,
  owner_id                TEXT    NOT NULL,
  creator_id              TEXT    NOT NULL,
  status                  INTEGER NOT NULL,
  type                    INTEGER NOT NULL,
  member_count            INTEGER NOT NULL,
  need_verification       INTEGER NOT NULL,
  look_member_info        INTEGER NOT NULL,
  apply_member_friend     INTEGER NOT NULL,
  notification_updated_at INTEGER NOT NULL,
  notification_user_id    TEXT    NOT NULL,
  created_at              INTEGER NOT NULL
);

CREATE TABLE group_member (
  id          INTEGER PRIMARY KEY,
  group_id    TEXT    NOT NULL,
  user_id     TEXT    NOT NULL,
  role        INTEGER NOT NULL,
  nickname    TEXT    NOT NULL,
  face_url    TEXT    NOT NULL,
  ex          TEXT    NOT NULL,
  join_source INTEGER NOT NULL,
  inviter_id  TEXT    NOT NULL,
  operator_id TEXT    NOT NULL,
  mute_until  INTEGER NOT NULL,
  joined_at   INTEGER NOT NULL,
  created_version INTEGER NOT NULL, -- of the group's member log
  version     INTEGER NOT NULL,
  joined_version INTEGER NOT NULL,  -- of the user's joined-groups log
  UNIQUE (group_id, user_id)
);
CREATE INDEX group_member_user ON group_member (user_id);
CREATE INDEX group_member_version ON group_member (group_id, version);

-- Connections whose opening was announced to a business server, so that a
-- crash is followed by truthful offlines.
CREATE TABLE session (
  conn_id  TEXT    PRIMARY KEY,
  user_id  TEXT    NOT NULL,
  platform INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE session;
DROP TABLE group_member;
DROP TABLE chat_group;
DROP TABLE block;
DROP TABLE friend;
DROP TABLE tombstone;
DROP TABLE version_log;
DROP TABLE conversation;
DROP TABLE read_position;
DROP TABLE message;
DROP TABLE log;
DROP TABLE token;
DROP TABLE users;
DROP TABLE meta;
