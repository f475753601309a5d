-- Contents are distinct bytes; images are paths that hold one. A content known only by its hashes or by a vector
-- (a reference received without its picture) has no sha256.
CREATE TABLE contents (
  id          INTEGER PRIMARY KEY,
  sha256      BLOB UNIQUE CHECK (length(sha256) = 32),
  size        INTEGER NOT NULL,
  format      TEXT NOT NULL,
  width       INTEGER NOT NULL,
  height      INTEGER NOT NULL,
  frames      INTEGER NOT NULL,
  pixels      BLOB NOT NULL,               -- SHA-256 of the upright RGB pixels; empty when rejected
  pdq         BLOB NOT NULL,               -- eight orientations of 32 bytes; empty when not computed
  pdq_quality INTEGER NOT NULL,
  taken       TEXT NOT NULL,               -- YYYY-MM-DD HH:MM:SS by the EXIF; empty when it tells none
  state       TEXT NOT NULL CHECK (state IN ('judged', 'rejected')),
  code        TEXT NOT NULL,
  reason      TEXT NOT NULL,
  intake      TEXT NOT NULL,               -- the limits and decoder that made this row
  sequence    INTEGER NOT NULL             -- as of embeddings, given anew when the row changes: an index mirrors the hashes
);
CREATE INDEX contents_pixels ON contents (pixels);
CREATE INDEX contents_sequence ON contents (sequence);

-- One row: whether contents were removed, and how many sequences they were given.
CREATE TABLE hashing (
  id      INTEGER PRIMARY KEY,
  lineage BLOB NOT NULL,                   -- random; drawn anew when a content is removed
  written INTEGER NOT NULL DEFAULT 0       -- the highest sequence of contents given so far
);

CREATE TABLE images (
  id         INTEGER PRIMARY KEY,
  path       TEXT NOT NULL,                -- absolute; bytes that are no UTF-8 stand as \xNN
  path_key   BLOB NOT NULL,                -- SHA-256 of the path's bytes
  role       TEXT NOT NULL CHECK (role IN ('picture', 'reference')),
  content_id INTEGER NOT NULL REFERENCES contents (id),
  size       INTEGER NOT NULL,
  mtime_ns   INTEGER NOT NULL,
  metadata   TEXT NOT NULL DEFAULT '{}',   -- JSON object of text columns: sku, seller, colour, …
  UNIQUE (path_key, role)
);
CREATE INDEX images_content ON images (content_id);
CREATE INDEX images_path ON images (path);

CREATE TABLE models (
  id            INTEGER PRIMARY KEY,
  model_key     BLOB NOT NULL UNIQUE,      -- SHA-256 of the five columns that follow, as one text
  name          TEXT NOT NULL,
  revision      TEXT NOT NULL,
  "precision"   TEXT NOT NULL,
  preprocessing TEXT NOT NULL,
  dimension     INTEGER NOT NULL CHECK (dimension > 0),
  lineage       BLOB NOT NULL,             -- random; drawn anew when a vector of the model is removed or replaced
  written       INTEGER NOT NULL DEFAULT 0 -- the highest sequence given so far
);

CREATE TABLE embeddings (
  content_id INTEGER NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  model_id   INTEGER NOT NULL REFERENCES models (id),
  view       TEXT NOT NULL,                -- whole; whole, on black; frame 7; part …
  sequence   INTEGER NOT NULL,             -- 1, 2, 3, … within a model in the order of commits, never given twice
  embedding  BLOB NOT NULL,                -- L2-normalised little-endian float32
  PRIMARY KEY (model_id, content_id, view),
  UNIQUE (model_id, sequence)
) WITHOUT ROWID;
CREATE INDEX embeddings_content ON embeddings (content_id);

-- What else is computed once from a content, such as the local features that geometry is verified with.
CREATE TABLE features (
  id         INTEGER PRIMARY KEY,
  extractor  TEXT NOT NULL,                -- a name with its version: another version is another extractor
  content_id INTEGER NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
  made       BLOB NOT NULL,                -- in the extractor's own form
  UNIQUE (content_id, extractor)
);

CREATE TABLE reference_sets (
  id      INTEGER PRIMARY KEY,
  name    TEXT NOT NULL UNIQUE,
  created TEXT NOT NULL
);

CREATE TABLE reference_entries (
  id         INTEGER PRIMARY KEY,
  set_id     INTEGER NOT NULL REFERENCES reference_sets (id) ON DELETE CASCADE,
  content_id INTEGER NOT NULL REFERENCES contents (id),
  label      TEXT NOT NULL,
  provenance TEXT NOT NULL,
  owner      TEXT NOT NULL,
  created    TEXT NOT NULL,
  expires    TEXT,
  enabled    INTEGER NOT NULL DEFAULT 1,
  UNIQUE (set_id, content_id)
);
CREATE INDEX reference_entries_content ON reference_entries (content_id);

CREATE TABLE scans (
  id       INTEGER PRIMARY KEY,
  token    BLOB NOT NULL UNIQUE,           -- random: a transaction that is repeated finds that it was committed
  started  TEXT NOT NULL,
  seconds  REAL NOT NULL,
  policy   TEXT NOT NULL,
  judged   INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  skipped  INTEGER NOT NULL
);

CREATE TABLE findings (
  id        INTEGER PRIMARY KEY,
  scan_id   INTEGER NOT NULL REFERENCES scans (id) ON DELETE CASCADE,
  rule      TEXT NOT NULL,
  detector  TEXT NOT NULL,
  verdict   TEXT NOT NULL,
  kind      TEXT NOT NULL,
  content_id       INTEGER NOT NULL,
  match_content_id INTEGER NOT NULL,
  signal    TEXT NOT NULL,
  score     REAL NOT NULL,
  threshold REAL NOT NULL,
  reason    TEXT NOT NULL
);
CREATE INDEX findings_scan ON findings (scan_id);

-- A reviewer's word on two contents, keyed by their bytes: it outlives moves, rescans and models. The pair has no
-- order, so the smaller digest stands first.
CREATE TABLE decisions (
  id           INTEGER PRIMARY KEY,
  sha256       BLOB NOT NULL CHECK (length(sha256) = 32),
  match_sha256 BLOB NOT NULL CHECK (length(match_sha256) = 32),
  verdict      TEXT NOT NULL,
  reason       TEXT NOT NULL,
  owner        TEXT NOT NULL,
  created      TEXT NOT NULL,
  expires      TEXT,
  CHECK (sha256 <= match_sha256),
  UNIQUE (sha256, match_sha256)
);

-- Append only: what was done to reference sets and decisions, by whom, with hashes and never names of files.
CREATE TABLE audit_log (
  id      INTEGER PRIMARY KEY,
  token   BLOB NOT NULL UNIQUE,            -- random: a transaction that is repeated finds that it was committed
  at      TEXT NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL
);
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log BEGIN SELECT RAISE(ABORT, 'audit_log is append only'); END;
