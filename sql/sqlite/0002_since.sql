-- When the scan began that brought a path with its content: of two copies, the one that was there first is kept.
-- Empty for what was there before this was kept: it sorts first.
ALTER TABLE images ADD COLUMN since TEXT NOT NULL DEFAULT '';
