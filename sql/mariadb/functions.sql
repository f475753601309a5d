-- Stored functions for people in a mariadb shell, named as in sql/mysql/functions.sql; moderator itself does without.
--
--   cosine_similarity(VECTOR, VECTOR)  in [-1, 1], higher is closer; NULL when a vector is NULL or zero
--   vector_dot(VECTOR, VECTOR)         the dot product; of unit vectors it is their cosine similarity
--   vector_norm(VECTOR)                the Euclidean length
--
-- MariaDB has the distances itself, in float32, so these only turn them round. Vectors of different dimensions give
-- NULL. VEC_DISTANCE_COSINE needs no function, and only a bare `ORDER BY VEC_DISTANCE_COSINE(…) LIMIT` uses an index.
--
-- OceanBase needs no file: `1 - cosine_distance(a, b)`. Its own cosine_similarity(a, b) is something else: (1 + cos) / 2.

DELIMITER $$

CREATE OR REPLACE FUNCTION cosine_similarity(a BLOB, b BLOB) RETURNS DOUBLE
DETERMINISTIC NO SQL
COMMENT 'Cosine similarity of two vectors, in [-1, 1], higher is closer'
RETURN IF(vector_norm(a) > 0 AND vector_norm(b) > 0, GREATEST(-1e0, LEAST(1e0, 1e0 - VEC_DISTANCE_COSINE(a, b))), NULL) $$

CREATE OR REPLACE FUNCTION vector_norm(a BLOB) RETURNS DOUBLE
DETERMINISTIC NO SQL
COMMENT 'Euclidean length of a vector'
RETURN VEC_DISTANCE_EUCLIDEAN(a, REPEAT(X'00', LENGTH(a))) $$

CREATE OR REPLACE FUNCTION vector_dot(a BLOB, b BLOB) RETURNS DOUBLE
DETERMINISTIC NO SQL
COMMENT 'Dot product of two vectors, by the law of cosines'
RETURN (POW(vector_norm(a), 2) + POW(vector_norm(b), 2) - POW(VEC_DISTANCE_EUCLIDEAN(a, b), 2)) / 2 $$

DELIMITER ;
