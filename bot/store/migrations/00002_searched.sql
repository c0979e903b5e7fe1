-- What is searched has a column. The database makes these of the documents beside
-- them: so they are there for the rows of yesterday, and for those of the version
-- before, which knows nothing of them and runs side by side with this one during an
-- upgrade. "data ->>", "post ->>" and VIRTUAL are put into PostgreSQL's words by
-- postgres.go.
-- +goose Up
ALTER TABLE question ADD COLUMN ref BIGINT GENERATED ALWAYS AS (CAST(data ->> 'ref' AS BIGINT)) VIRTUAL;
ALTER TABLE question ADD COLUMN message TEXT GENERATED ALWAYS AS (data ->> 'message') VIRTUAL;
ALTER TABLE question ADD COLUMN said TEXT GENERATED ALWAYS AS (data ->> 'said') VIRTUAL;
CREATE INDEX question_message ON question (person, place, message, at);
CREATE INDEX question_said ON question (person, said, at);

ALTER TABLE delivery ADD COLUMN kind TEXT GENERATED ALWAYS AS (post ->> 'kind') VIRTUAL;
CREATE INDEX delivery_kind ON delivery (ref, kind);
CREATE INDEX delivery_posted ON delivery (lane, posted);

-- The entries of these topics began with open- before the first release: what was
-- asked about them then is found by the ids that they have now.
UPDATE escalation
SET nearest = SUBSTR(nearest, 6)
WHERE nearest LIKE 'open-accounts/%'
    OR nearest LIKE 'open-colleagues/%'
    OR nearest LIKE 'open-guide/%'
    OR nearest LIKE 'open-money/%'
    OR nearest LIKE 'open-patients/%'
    OR nearest LIKE 'open-platforms/%'
    OR nearest LIKE 'open-policy/%'
    OR nearest LIKE 'open-self/%';

-- +goose Down
DROP INDEX delivery_posted;
DROP INDEX delivery_kind;
ALTER TABLE delivery DROP COLUMN kind;
DROP INDEX question_said;
DROP INDEX question_message;
ALTER TABLE question DROP COLUMN said;
ALTER TABLE question DROP COLUMN message;
ALTER TABLE question DROP COLUMN ref;
