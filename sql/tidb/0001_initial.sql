-- For TiDB 8.5 and newer. UNTESTED: written from TiDB's documentation, and never run on a TiDB. Every statement may be
-- repeated: TiDB commits DDL by itself, so a migration that was killed is run again from its beginning. TiDB heeds CHECK
-- only with tidb_enable_check_constraint = ON; nothing here relies on it.
--
-- Text is compared byte by byte (utf8mb4_0900_bin): two names that differ in case, accent or a trailing blank are two.

-- Contents are distinct bytes; images are paths that hold one. A content known only by its hashes or by a vector
-- (a reference received without its picture) has no sha256.
CREATE TABLE IF NOT EXISTS contents (
  id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sha256      VARBINARY(32),
  size        BIGINT NOT NULL,
  format      VARCHAR(32) NOT NULL,
  width       INT NOT NULL,
  height      INT NOT NULL,
  frames      INT NOT NULL,
  pixels      VARBINARY(32) NOT NULL,      -- SHA-256 of the upright RGB pixels; empty when rejected
  pdq         VARBINARY(256) NOT NULL,     -- eight orientations of 32 bytes; empty when not computed
  pdq_quality INT NOT NULL,
  taken       VARCHAR(19) NOT NULL,        -- YYYY-MM-DD HH:MM:SS by the EXIF; empty when it tells none
  state       VARCHAR(16) NOT NULL,
  code        VARCHAR(64) NOT NULL,
  reason      TEXT NOT NULL,
  intake      VARCHAR(255) NOT NULL,       -- the limits and decoder that made this row
  sequence    BIGINT NOT NULL,             -- as of embeddings, given anew when the row changes: an index mirrors the hashes
  UNIQUE KEY contents_sha256 (sha256),
  KEY contents_pixels (pixels),
  KEY contents_sequence (sequence),
  CHECK (LENGTH(sha256) = 32),
  CHECK (state IN ('judged', 'rejected'))
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

-- One row: whether contents were removed, and how many sequences they were given.
CREATE TABLE IF NOT EXISTS hashing (
  id      INT NOT NULL PRIMARY KEY,
  lineage VARBINARY(16) NOT NULL,          -- random; drawn anew when a content is removed
  written BIGINT NOT NULL DEFAULT 0        -- the highest sequence of contents given so far
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS images (
  id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  path       TEXT NOT NULL,                -- absolute; bytes that are no UTF-8 stand as \xNN
  path_key   VARBINARY(32) NOT NULL,       -- SHA-256 of the path's bytes
  role       VARCHAR(16) NOT NULL,
  content_id BIGINT NOT NULL,
  size       BIGINT NOT NULL,
  mtime_ns   BIGINT NOT NULL,
  metadata   MEDIUMTEXT NOT NULL,          -- JSON object of text columns: sku, seller, colour, …; the type JSON would refuse
                                           -- what is no UTF-8 in them
  UNIQUE KEY images_path_key (path_key, role),
  KEY images_content (content_id),
  KEY images_path (path(255)),
  CHECK (role IN ('picture', 'reference')),
  FOREIGN KEY (content_id) REFERENCES contents (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS models (
  id            BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  model_key     VARBINARY(32) NOT NULL,    -- SHA-256 of the five columns that follow, as one text
  name          TEXT NOT NULL,
  revision      TEXT NOT NULL,
  `precision`   VARCHAR(64) NOT NULL,
  preprocessing TEXT NOT NULL,
  dimension     INT NOT NULL,
  lineage       VARBINARY(16) NOT NULL,    -- random; drawn anew when a vector of the model is removed or replaced
  written       BIGINT NOT NULL DEFAULT 0, -- the highest sequence given so far
  UNIQUE KEY models_key (model_key),
  CHECK (dimension > 0)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS embeddings (
  content_id BIGINT NOT NULL,
  model_id   BIGINT NOT NULL,
  view       VARCHAR(64) NOT NULL,         -- whole; whole, on black; frame 7; part …
  sequence   BIGINT NOT NULL,              -- 1, 2, 3, … within a model in the order of commits, never given twice
  embedding  VECTOR NOT NULL,              -- L2-normalised float32 of any length
  PRIMARY KEY (model_id, content_id, view),
  UNIQUE KEY embeddings_sequence (model_id, sequence),
  KEY embeddings_content (content_id),
  FOREIGN KEY (content_id) REFERENCES contents (id) ON DELETE CASCADE,
  FOREIGN KEY (model_id) REFERENCES models (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

-- Vector indexes that `moderator db index` has made, each on a table vectors_<model_id> that mirrors the model's vectors up
-- to `sequence`. It may be asked while `lineage` is the model's.
CREATE TABLE IF NOT EXISTS vector_indexes (
  model_id BIGINT NOT NULL PRIMARY KEY,
  lineage  VARBINARY(16) NOT NULL,
  sequence BIGINT NOT NULL,
  recall   DOUBLE NOT NULL,                -- the part of the 10 closest that it found when it was made
  queries  INT NOT NULL,                   -- measured with so many
  made     VARCHAR(32) NOT NULL,
  FOREIGN KEY (model_id) REFERENCES models (id) ON DELETE CASCADE
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

-- What else is computed once from a content, such as the local features that geometry is verified with.
CREATE TABLE IF NOT EXISTS features (
  id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  extractor  VARCHAR(255) NOT NULL,        -- a name with its version: another version is another extractor
  content_id BIGINT NOT NULL,
  made       MEDIUMBLOB NOT NULL,          -- in the extractor's own form
  UNIQUE KEY features_content (content_id, extractor),
  FOREIGN KEY (content_id) REFERENCES contents (id) ON DELETE CASCADE
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS reference_sets (
  id      BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name    VARCHAR(255) NOT NULL,
  created VARCHAR(32) NOT NULL,
  UNIQUE KEY reference_sets_name (name)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS reference_entries (
  id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  set_id     BIGINT NOT NULL,
  content_id BIGINT NOT NULL,
  label      TEXT NOT NULL,
  provenance TEXT NOT NULL,
  owner      VARCHAR(255) NOT NULL,
  created    VARCHAR(32) NOT NULL,
  expires    VARCHAR(32),                  -- in UTC, as 2026-01-31T00:00:00+00:00
  enabled    TINYINT NOT NULL DEFAULT 1,
  UNIQUE KEY reference_entries_set (set_id, content_id),
  KEY reference_entries_content (content_id),
  FOREIGN KEY (set_id) REFERENCES reference_sets (id) ON DELETE CASCADE,
  FOREIGN KEY (content_id) REFERENCES contents (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS scans (
  id       BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  token    VARBINARY(16) NOT NULL,         -- random: a transaction that is repeated finds that it was committed
  started  VARCHAR(32) NOT NULL,
  seconds  DOUBLE NOT NULL,
  policy   TEXT NOT NULL,
  judged   BIGINT NOT NULL,
  rejected BIGINT NOT NULL,
  skipped  BIGINT NOT NULL,
  UNIQUE KEY scans_token (token)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

CREATE TABLE IF NOT EXISTS findings (
  id        BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  scan_id   BIGINT NOT NULL,
  rule      VARCHAR(255) NOT NULL,
  detector  VARCHAR(255) NOT NULL,
  verdict   VARCHAR(16) NOT NULL,
  kind      VARCHAR(32) NOT NULL,
  content_id       BIGINT NOT NULL,
  match_content_id BIGINT NOT NULL,
  `signal`  VARCHAR(255) NOT NULL,
  score     DOUBLE NOT NULL,
  threshold DOUBLE NOT NULL,
  reason    TEXT NOT NULL,
  KEY findings_scan (scan_id),
  FOREIGN KEY (scan_id) REFERENCES scans (id) ON DELETE CASCADE
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

-- A reviewer's word on two contents, keyed by their bytes: it outlives moves, rescans and models. The pair has no
-- order, so the smaller digest stands first.
CREATE TABLE IF NOT EXISTS decisions (
  id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  sha256       VARBINARY(32) NOT NULL,
  match_sha256 VARBINARY(32) NOT NULL,
  verdict      VARCHAR(16) NOT NULL,
  reason       TEXT NOT NULL,
  owner        VARCHAR(255) NOT NULL,
  created      VARCHAR(32) NOT NULL,
  expires      VARCHAR(32),
  UNIQUE KEY decisions_pair (sha256, match_sha256),
  CHECK (LENGTH(sha256) = 32),
  CHECK (LENGTH(match_sha256) = 32),
  CHECK (sha256 <= match_sha256)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;

-- Append only, by grants.sql, which lets moderator's user read and insert here and nothing else: what was done to
-- reference sets and decisions, by whom, with hashes and never names of files.
CREATE TABLE IF NOT EXISTS audit_log (
  id      BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  token   VARBINARY(16) NOT NULL,          -- random: a transaction that is repeated finds that it was committed
  at      VARCHAR(32) NOT NULL,
  actor   VARCHAR(255) NOT NULL,
  action  VARCHAR(64) NOT NULL,
  subject TEXT NOT NULL,
  UNIQUE KEY audit_log_token (token)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin;
