-- +goose Up
-- Tombstones up to the floor are forgotten: a client that knows only an older
-- version loads the whole list anew.
ALTER TABLE version_log ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE version_log DROP COLUMN floor;
