-- Stored functions for people in a mysql shell; moderator itself does without them. MySQL Community has no DISTANCE().
--
--     SOURCE functions.sql
--     SELECT cosine_similarity(a.embedding, b.embedding) FROM image_embeddings a, image_embeddings b WHERE …;
--
--   cosine_similarity(VECTOR, VECTOR)  in [-1, 1], higher is closer; NULL when a vector is NULL or zero
--   vector_dot(VECTOR, VECTOR)         the dot product; of unit vectors it is their cosine similarity
--   vector_norm(VECTOR)                the Euclidean length
--
-- Vectors of different dimensions are an error. Each costs about half a millisecond for 512 dimensions: to ask a large
-- table, use `moderator search`, which is a thousand times faster (docs/benchmarks.md).
--
-- How they work. A loop in a stored program takes about a microsecond a turn before it does anything, and a vector as
-- JSON has lost digits. So each is one SELECT over the positions 1 … n, which JSON_TABLE counts from a list of n zeros,
-- and each number is read out of the vector's own bytes. Four bytes, little-endian, are the bits of a float32: a sign
-- (bit 31), an exponent (bits 30-23) and 23 bits of a fraction; its value is ±(2^23 + fraction) * 2^(exponent - 150),
-- and zero where exponent and fraction are (a number below 1.2e-38 counts half: nothing in a sum of doubles).

DELIMITER $$

DROP FUNCTION IF EXISTS vector_dot $$
CREATE FUNCTION vector_dot(a VECTOR(16383), b VECTOR(16383)) RETURNS DOUBLE
DETERMINISTIC NO SQL
COMMENT 'Dot product of two vectors'
BEGIN
  DECLARE x VARBINARY(65532) DEFAULT CAST(a AS BINARY);
  DECLARE y VARBINARY(65532) DEFAULT CAST(b AS BINARY);
  IF VECTOR_DIM(a) <> VECTOR_DIM(b) THEN
    SIGNAL SQLSTATE '22000' SET MESSAGE_TEXT = 'vector_dot: the vectors have different dimensions';
  END IF;
  RETURN (
    SELECT /*+ NO_MERGE(bits) */ SUM(
        (1e0 - (p >> 30 & 2)) * (p & 8388607 | (p >> 23 & 255 > 0) << 23) * POW(2e0, (p >> 23 & 255) - 150e0)
      * (1e0 - (q >> 30 & 2)) * (q & 8388607 | (q >> 23 & 255 > 0) << 23) * POW(2e0, (q >> 23 & 255) - 150e0))
    FROM (
      SELECT CAST(CONV(HEX(REVERSE(SUBSTR(x, 4 * n - 3, 4))), 16, 10) AS UNSIGNED) AS p,
             CAST(CONV(HEX(REVERSE(SUBSTR(y, 4 * n - 3, 4))), 16, 10) AS UNSIGNED) AS q
      FROM JSON_TABLE(CONCAT('[', REPEAT('0,', VECTOR_DIM(a) - 1), '0]'), '$[*]' COLUMNS (n FOR ORDINALITY)) AS places
    ) AS bits);
END $$

DROP FUNCTION IF EXISTS vector_norm $$
CREATE FUNCTION vector_norm(a VECTOR(16383)) RETURNS DOUBLE
DETERMINISTIC NO SQL
COMMENT 'Euclidean length of a vector'
RETURN SQRT(vector_dot(a, a)) $$

DROP FUNCTION IF EXISTS cosine_similarity $$
CREATE FUNCTION cosine_similarity(a VECTOR(16383), b VECTOR(16383)) RETURNS DOUBLE
DETERMINISTIC NO SQL
COMMENT 'Cosine similarity of two vectors, in [-1, 1], higher is closer'
BEGIN
  DECLARE x VARBINARY(65532) DEFAULT CAST(a AS BINARY);
  DECLARE y VARBINARY(65532) DEFAULT CAST(b AS BINARY);
  IF VECTOR_DIM(a) <> VECTOR_DIM(b) THEN
    SIGNAL SQLSTATE '22000' SET MESSAGE_TEXT = 'cosine_similarity: the vectors have different dimensions';
  END IF;
  -- Three loops in one: the dot product and both lengths. One root of a product: the root of a square is exact.
  RETURN (
    SELECT /*+ NO_MERGE(numbers) */
      GREATEST(-1e0, LEAST(1e0, SUM(p * q) / NULLIF(SQRT(SUM(p * p) * SUM(q * q)), 0)))
    FROM (
      SELECT /*+ NO_MERGE(bits) */
        (1e0 - (p >> 30 & 2)) * (p & 8388607 | (p >> 23 & 255 > 0) << 23) * POW(2e0, (p >> 23 & 255) - 150e0) AS p,
        (1e0 - (q >> 30 & 2)) * (q & 8388607 | (q >> 23 & 255 > 0) << 23) * POW(2e0, (q >> 23 & 255) - 150e0) AS q
      FROM (
        SELECT CAST(CONV(HEX(REVERSE(SUBSTR(x, 4 * n - 3, 4))), 16, 10) AS UNSIGNED) AS p,
               CAST(CONV(HEX(REVERSE(SUBSTR(y, 4 * n - 3, 4))), 16, 10) AS UNSIGNED) AS q
        FROM JSON_TABLE(CONCAT('[', REPEAT('0,', VECTOR_DIM(a) - 1), '0]'), '$[*]' COLUMNS (n FOR ORDINALITY)) AS places
      ) AS bits
    ) AS numbers);
END $$

DELIMITER ;
