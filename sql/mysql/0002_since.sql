-- When the scan began that brought a path with its content: of two copies, the one that was there first is kept.
-- Empty for what was there before this was kept: it sorts first. (No ADD COLUMN IF NOT EXISTS here, and this may be
-- run again after it was cut off.)
SET @there = (SELECT COUNT(*) FROM information_schema.columns
  WHERE table_schema = DATABASE() AND table_name = 'images' AND column_name = 'since');
SET @change = IF(@there, 'DO 0', 'ALTER TABLE images ADD COLUMN since VARCHAR(32) NOT NULL DEFAULT ''''');
PREPARE change_once FROM @change;
EXECUTE change_once;
